//! Step kinds: each a pure translation from typed arguments to data (probe, ops, verification) and from what a
//! probe saw to an assessment. Nothing here does I/O; one kind is one file and one line of [`registry`].

pub mod ahead;
mod apt;
mod apt_mark;
mod apt_repo;
mod arguments;
mod assert;
mod body;
mod build;
#[cfg(test)]
pub(crate) mod cases;
mod command;
mod copy;
mod cordon;
mod cordoned;
mod drain;
mod etcd_snapshot;
mod guard;
mod kind;
mod kubeadm;
mod kubectl;
mod label_selector;
mod node_state;
mod node_support;
mod patched;
mod pause;
mod power;
mod reboot;
mod registry;
mod script;
mod systemctl;
mod touches;
mod uncordon;
mod version_skew;
mod wait;

use crate::kubernetes::KubeCx;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::op::{Effect, Op, Probe, ProbeOutput, subject_symbol};
use crate::value::{Duration, Field, Value, escape};

pub use ahead::SourcesUse;
pub use apt::is_own_variable;
pub use body::{OpBody, shown_line};
pub use copy::may_be_shown;
pub use cordoned::{CordonNow, CordonSet, Cordons, IfUncordoned};
pub use patched::{Patched, patched};
pub use pause::{PauseFor, pause_of};
pub use power::{Obstacles, command_power_cycles, obstacles_of, power_cycles, read_obstacles};
pub use registry::{all, find};
pub use touches::{Matter, Touches};

/// One kind of step, such as `drain`, for whoever has a step of any kind. Kinds implement `Kind`, over
/// their own arguments.
pub trait StepKind: Sync {
    /// The key that people write. Hyphens are accepted for underscores when a file is read.
    fn name(&self) -> &'static str;

    /// The reference page's text.
    fn doc(&self) -> Doc;

    /// What may be written below the key. Kinds whose value may also be a bare scalar name that field in `doc`.
    fn fields(&self) -> &'static [Field];

    /// Rules between fields that types cannot say ("exactly one of install, download"). Gets the names that were
    /// written; gives messages. Values are not known yet, they may be templates.
    fn check(&self, written: &[&str]) -> Vec<String>;

    /// The field that names a template file, and the one that takes its text: `("template", "content")`. The text is there
    /// whenever such a step is lowered, as if it had been written inline.
    fn template_file(&self) -> Option<(&'static str, &'static str)>;

    /// What a step with these arguments changes, and what its goal is judged by. A goal that holds is known later where an
    /// earlier step of its host may change what it reads.
    fn touches(&self, args: &Value) -> Touches;

    /// Facts that a successful change of this kind may alter, as dotted names below `facts` ("packages.kubelet").
    /// An expression over one of them that stands later in the same phase is deferred.
    fn alters(&self, args: &Value) -> Vec<String> {
        self.touches(args).facts()
    }

    /// What a step with these arguments has to do with the package sources of its host. A plan looks at packages as
    /// they will be when the sources before them are in place.
    fn sources(&self, args: &Value) -> SourcesUse;

    /// Whether a refusal over these answers is about packages that no source offers, so that no other change helps.
    fn is_out_of_reach(&self, args: &Value, answers: &[ProbeOutput]) -> bool;

    /// Whether what the probe sees stays as it is while nobody touches the host. Where it does not, such as the age of
    /// package lists, a plan assumes nothing of it.
    fn is_steady(&self, args: &Value) -> bool;

    /// Why an op of this kind that failed with this standard error may well succeed a little later, such as a lock that
    /// somebody else holds; `None` for every other failure.
    fn transient(&self, stderr: &str) -> Option<String>;

    /// What the output of an op that ended well adds to the step's title in reports, such as the revision of a snapshot.
    fn outcome(&self, stdout: &str, stderr: &str) -> Option<String>;

    /// How the cordon is looked at again that a step of this kind sets on its host's node; `None` for kinds that set none.
    fn cordons(&self) -> Option<&'static dyn Cordons>;

    /// Whether a step of this kind takes this run's cordon away.
    fn uncordons(&self) -> bool;

    /// The strongest effect that a step of this kind with these written fields can have; known before any value is.
    fn effect(&self) -> Effect;

    /// How long a step of this kind usually takes on a host, where no earlier run tells: an estimate for whoever reviews a
    /// plan, and nothing waits by it.
    fn usual(&self) -> Duration;

    /// Typed arguments to data. `args` is a [`Value::Map`] with every field of [`Self::fields`] converted to its type.
    fn lower(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError>;

    /// What the probe's answers mean, one answer per query in order. Called for [`Lowered::probe`]. Of a probe that is the
    /// same for every host it is the same, too: it may be asked once on behalf of all.
    fn assess(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError>;

    /// What the verification's answers mean. Called for [`Lowered::verify`]; only `Satisfied` ends the wait.
    fn assess_verify(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError>;
}

/// Text of a kind's reference page.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// One line: "Evicts all pods from the host's node".
    pub summary: &'static str,
    /// Paragraphs in Markdown: semantics, facts with their source, traps.
    pub body: &'static str,
    /// A step as one would write it, valid YAML of a `steps:` list; a test validates it.
    pub example: &'static str,
    /// The field that a bare scalar or list stands for (`command: [ls]`, `include: file.yaml`), if any.
    pub shorthand: Option<&'static str>,
}

/// The host that a step is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name in the inventory.
    pub host: String,
    /// Its node's name; equal to the host's unless the inventory or the machine id says otherwise. `None` where the
    /// plan knows of no Kubernetes.
    pub node: Option<String>,
    /// Whether its node is a control plane.
    pub control_plane: bool,
}

impl Subject {
    /// The same with symbols for its names, which are resolved when an op is sent: one action then serves every host.
    #[must_use]
    pub fn symbolic(&self) -> Self {
        Self {
            host: subject_symbol("host"),
            node: self.node.as_ref().map(|_| subject_symbol("node")),
            control_plane: self.control_plane,
        }
    }
}

/// What a kind makes of arguments. Titles are what people review and read: nothing in them may look like something else.
pub fn lower(kind: &dyn StepKind, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
    let mut lowered = kind.lower(args, cx)?;
    lowered.title = escape(&lowered.title);
    for op in &mut lowered.ops {
        op.title = escape(&op.title);
    }
    Ok(lowered)
}

/// What lowering may know beyond the arguments: the common keys of the step, already rendered.
#[derive(Clone, Debug)]
pub struct LowerCx<'a> {
    /// The host.
    pub subject: &'a Subject,
    /// Where and how kubectl runs; `None` where the runbook has no `kube:`.
    pub kube: Option<&'a KubeCx>,
    /// `become:` of the step or its defaults.
    pub r#become: bool,
    /// `timeout:` of the step or its defaults.
    pub timeout: Duration,
    /// `env:` of the step.
    pub env: &'a BTreeMap<String, String>,
    /// `effect:` of the step, where written.
    pub effect: Option<Effect>,
    /// `run_on:` of the step, where written.
    pub run_on: Option<crate::op::Site>,
}

/// Whether a step has a state of its own to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Has a state: satisfied, or would change.
    Goal,
    /// Has none; runs when the bracket around it is needed (drain), or whenever it stands outside one.
    Means,
    /// Changes nothing; runs where it stands.
    Check,
}

/// What a bracket is about. Everything between the step that opens it and the one that closes it is inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BracketKey {
    /// The host's node is cordoned.
    Cordon,
    /// A package is unheld.
    Hold(String),
}

/// How often and how long something is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Between the end of one look and the start of the next.
    pub interval: Duration,
    /// The look must be satisfied without a break for this long.
    pub stable_for: Duration,
    /// Gives up after this long.
    pub within: Duration,
}

/// A look after the ops that says whether they had their effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// What to look at.
    pub probe: Probe,
    /// How often and how long.
    pub poll: Poll,
}

/// A step on a host as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lowered {
    /// One line for plan and progress: "install kubelet 1.31.4-*".
    pub title: String,
    /// Goal, means or check.
    pub role: Role,
    /// The strongest effect of its ops.
    pub effect: Effect,
    /// Brackets that it opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<BracketKey>,
    /// Brackets that it closes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<BracketKey>,
    /// The look that decides whether there is anything to do. A goal without one is opaque. A check always has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// For a check: how often and how long the probe is repeated; once where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// The changes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<Op>,
    /// The look after the changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Whether running the ops again after an unknown end is harmless.
    pub repeatable: bool,
}

impl Lowered {
    /// One that sends nothing and looks at nothing; a check adds its look.
    pub fn idle(title: String, role: Role) -> Self {
        Self {
            title,
            role,
            effect: Effect::Reads,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: None,
            poll: None,
            ops: Vec::new(),
            verify: None,
            repeatable: true,
        }
    }

    /// Whether it runs commands that only read: it has no state to reach, and is no reason to open a bracket.
    pub fn only_reads(&self) -> bool {
        self.effect == Effect::Reads && !self.ops.is_empty()
    }

    /// Whether a bracket around it is opened where it does not hold.
    pub fn is_reason(&self) -> bool {
        self.role == Role::Goal && !self.only_reads()
    }

    /// Whether it can be asked again and again, as what stands between batches is: it has a probe, or only reads.
    pub fn can_be_looked_at(&self) -> bool {
        let reads = !self.ops.is_empty() && self.ops.iter().all(|op| op.as_look().is_some());
        self.probe.is_some() || reads
    }
}

/// How much a plan's line can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// A complete probe.
    Exact,
    /// The tool's own dry run, or our arithmetic over live objects.
    Predicted,
    /// Depends on an earlier change.
    Deferred,
    /// Nothing can be said before it runs.
    Opaque,
}

/// One property that differs from what the step wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The property: "kubelet".
    pub what: String,
    /// What is.
    pub before: String,
    /// What the step wants.
    pub after: String,
    /// The lines that differ, for a text that everybody may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<LineDiff>,
}

/// How a text would change, as a unified diff of which the beginning is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDiff {
    /// Lines that come.
    pub added: u32,
    /// Lines that go.
    pub removed: u32,
    /// `@@ -1,3 +1,4 @@` and what follows, without line breaks; what a terminal would take for a command is escaped.
    pub lines: Vec<String>,
    /// Lines of the diff that were left out behind these.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a probe means for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assessment {
    /// The goal holds, or the check passes.
    Satisfied {
        /// What is, in a few words: "kubelet 1.31.4-1.1, held".
        state: String,
    },
    /// The goal does not hold.
    WouldChange {
        /// What differs.
        changes: Vec<Change>,
        /// Where the probe shows a stronger effect than the kind's own, such as apt's simulation touching containerd.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effect: Option<Effect>,
        /// Exact or predicted.
        fidelity: Fidelity,
    },
    /// A check does not hold yet, and may later.
    NotYet {
        /// What it waits for: "node w1 is NotReady".
        reason: String,
    },
    /// Nothing the step may do would reach the goal, or the check failed for good.
    Refused {
        /// Why: "kubelet 1.31.9-* is in no repository of this host".
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// Arguments that have the right types but cannot be lowered for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LowerError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl LowerError {
    /// What the message puts in backticks, in order: the field that it is about comes first, or the value as it was written.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.message.split('`').skip(1).step_by(2)
    }

    /// The field of a step that it is about.
    pub fn field(&self) -> Option<&str> {
        let first = self.message.strip_prefix('`')?.split('`').next()?;
        first.split('.').next()
    }
}

/// Output that the kind cannot read: a lying or unknown tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the output of `{command}`: {reason}")]
pub struct AssessError {
    /// The command whose output it is, as text.
    pub command: String,
    /// What was expected and what came, escaped.
    pub reason: String,
}
