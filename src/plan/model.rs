//! What a plan is. Serialised: a promise, with a version in its header.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Gate, Topology};
use crate::inventory::{Become, Connection, HostName};
use crate::op::{Effect, Site, resolve_symbols};
use crate::runbook::{Choice, Mode, OnFailure, Policy, Retry, SecretSource, Then};
use crate::step::{BracketKey, Change, Fidelity, KubeCx, Lowered, Subject};
use crate::value::{Amount, Duration, Value};

/// A compiled runbook. Holds no time, run id, path or name of the controller, so that its digest means its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// `metadata.name` of the runbook.
    pub runbook: String,
    /// `metadata.name` of the inventory.
    pub inventory: String,
    /// The run that this plan puts back, where it was made by `rollbook runs undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// `--only` and `--skip`; absent where the plan is of the whole runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// Parameter values.
    pub params: IndexMap<String, Value>,
    /// `policy:`.
    pub policy: Policy,
    /// How kubectl is reached; `None` without `kube:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube: Option<PlannedKube>,
    /// Where secrets come from; never their values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<String, SecretSource>,
    /// Every host that a phase names, counts or needs for kubectl.
    pub hosts: Vec<PlannedHost>,
    /// Lowered steps, shared by every task that is the same.
    pub actions: Vec<Arc<Action>>,
    /// Steps whose arguments are known only when earlier tasks have run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<DeferredStep>,
    /// Steps over facts, as they were written: what facts made of them when the plan was made is assumed of each host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<DeferredStep>,
    /// The namespaces `vars` and `groups` for deferred and frozen steps; absent where the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
    /// Phases, in order.
    pub phases: Vec<PlannedPhase>,
    /// What the reader of the plan should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// How kubectl is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedKube {
    /// How it is called.
    pub cx: KubeCx,
    /// Hosts it may run on, in order of preference; empty: on the controller.
    pub hosts: Vec<HostId>,
    /// How long an API that does not answer is tried again.
    pub retry_for: Duration,
    /// Nodes of the cluster that match no host, for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<String>,
}

/// Names a host of [`Plan::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub u32);

/// Names an action of [`Plan::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u32);

/// Names a step of [`Plan::deferred`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeferredId(pub u32);

/// Names a step of [`Plan::frozen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrozenId(pub u32);

/// Names a task: a step on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// Index into [`Plan::phases`].
    pub phase: u16,
    /// The host.
    pub host: HostId,
    /// Index into the host's tasks of the phase.
    pub index: u16,
}

/// A host as the plan knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedHost {
    /// Its name.
    pub name: HostName,
    /// What is connected to.
    pub address: String,
    /// How.
    pub connection: Connection,
    /// How root is reached.
    pub r#become: Become,
    /// What steps see of it.
    pub subject: Subject,
    /// /etc/machine-id when the plan was made; empty offline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine_id: String,
    /// UID of its node when the plan was made; empty offline or without a node.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node_uid: String,
    /// The namespace `host` for deferred and frozen steps; absent where the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
}

/// A lowered step with its common keys: all that is needed to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its kind's name.
    pub kind: String,
    /// `id:`, where written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `name:`, or the lowered step's title.
    pub title: String,
    /// Typed arguments, which [`crate::step::StepKind::assess`] reads.
    pub args: Value,
    /// Probe, ops, verification.
    pub lowered: Lowered,
    /// `retry:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `allow_failure:` with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
    /// `changed_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_when: Option<String>,
    /// `fail_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_when: Option<String>,
    /// "steps/kubelet.yaml:9".
    pub place: String,
}

impl Action {
    /// Whether it runs what a user wrote, also where kubectl runs: what that prints need not be kubectl's words, and how
    /// often it is repeated is for its own `retry` to say.
    pub fn has_its_own_words(&self) -> bool {
        matches!(self.kind.as_str(), "command" | "script")
    }
}

/// A step that is lowered only when its host comes to it, because it depends on what earlier tasks bring about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeferredStep {
    /// Its kind's name.
    pub kind: String,
    /// `id:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `name:` or the kind's name, with the item behind it.
    pub title: String,
    /// What its title ends with, where it is one round of a `for_each`: " (kubelet)".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
    /// What `each` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Value>,
    /// Arguments as written, templates as text.
    pub args: IndexMap<String, serde_json::Value>,
    /// `env:` as written.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, serde_json::Value>,
    /// `when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The includes around it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<DeferredFrame>,
    /// Names it waits for: `steps.probe.stdout`, `facts.kubelet`.
    pub waits_for: Vec<String>,
    /// The strongest effect it can have.
    pub effect: Effect,
    /// Whether its ops run as root.
    pub r#become: bool,
    /// Time limit of each op.
    pub timeout: Duration,
    /// `run_on:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_on: Option<Site>,
    /// `retry:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `allow_failure:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
    /// `changed_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_when: Option<String>,
    /// `fail_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_when: Option<String>,
    /// "steps/kubelet.yaml:9".
    pub place: String,
}

/// One `include` around a deferred step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeferredFrame {
    /// Ids of the includes down to this one, joined by dots: `steps.<id>` inside the fragment means what is below.
    pub prefix: String,
    /// Its arguments as written.
    pub args: IndexMap<String, serde_json::Value>,
    /// What `each` is at the include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Value>,
    /// Its `when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRef {
    /// Known now.
    Action(ActionId),
    /// Lowered when the host comes to it.
    Deferred(DeferredId),
}

/// A step on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What it runs.
    pub step: StepRef,
    /// The strongest effect it can have here; the budget asks for a slot before a disrupting one.
    pub effect: Effect,
    /// It is a goal with a probe: the host looks before it asks for a slot, which it needs only if there is something
    /// to do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looks_first: bool,
    /// What the plan foresees.
    pub forecast: Forecast,
    /// The step as it was written, where facts decided what became of it: whether it runs, or with which arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FrozenId>,
}

/// What the plan foresees of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// Nobody looked (`--offline`).
    NotProbed,
    /// `when` is false; the task will not run.
    Excluded,
    /// The task will not run, whatever is true of its host.
    LeftOut {
        /// Why.
        why: LeftOut,
    },
    /// The goal holds already, or the check passes now.
    Holds {
        /// What is.
        state: String,
    },
    /// The goal does not hold.
    Changes {
        /// What differs.
        changes: Vec<Change>,
        /// How sure that is.
        fidelity: Fidelity,
    },
    /// It runs whatever is: a means inside a needed bracket, or an opaque step.
    Runs {
        /// Means are exact, opaque steps opaque.
        fidelity: Fidelity,
    },
    /// A bracket around it needs nothing.
    BracketHolds,
    /// Known only later; the names it waits for.
    Deferred {
        /// Names.
        waits_for: Vec<String>,
    },
    /// A step of `rescue`: it runs only on a host that failed.
    IfFailed,
    /// A step of `always`, after steps that have nothing to do: it runs only where something goes wrong.
    IfTouched,
    /// A check that cannot pass yet because the roll itself brings it about.
    Later,
    /// A check that does not hold now, and waits for it when its turn comes.
    Waits {
        /// What is missing now.
        now: String,
    },
    /// It cannot succeed; the plan is an error.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// Why a task stands in a plan and never runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// `for_each` has no items.
    NoItems,
    /// `--only` names other steps.
    NotNamed,
    /// `--skip` names it by this word.
    Skipped(String),
    /// It answers to steps of which `--only` and `--skip` leave only checks.
    OnlyChecks,
}

impl Forecast {
    /// Whether the plan says that the task never runs.
    pub fn is_left_out(&self) -> bool {
        matches!(self, Self::Excluded | Self::LeftOut { .. })
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoItems => f.write_str("`for_each` has no items"),
            Self::NotNamed => f.write_str("not named by --only"),
            Self::Skipped(word) => write!(f, "left out by --skip {word}"),
            Self::OnlyChecks => f.write_str("only checks of this phase are left"),
        }
    }
}

/// From a host's first cordon to its uncordon, or from an unhold to its hold; indices into the host's tasks, both
/// inclusive. Brackets nest or are apart, never cross.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// What it is about.
    pub key: BracketKey,
    /// The task that opens it.
    pub first: u16,
    /// The task that closes it.
    pub last: u16,
}

/// All of one host's tasks in a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostTasks {
    /// The host.
    pub host: HostId,
    /// Its tasks, in order: the phase's steps, then those of `rescue`, then those of `always`.
    pub tasks: Vec<Task>,
    /// Where `rescue` and `always` begin; `None` where the phase has neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sections: Option<Sections>,
    /// Its outermost brackets, in order; inner ones need no entry of their own, because the outermost decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brackets: Vec<Bracket>,
}

/// A part of a host's tasks in a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The phase's own steps.
    #[default]
    Steps,
    /// What is done on a host that failed.
    Rescue,
    /// What is done in the end.
    Always,
}

/// Where the parts of a host's tasks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// Index of the first task of `rescue`, or of what follows where it has none.
    pub rescue: u16,
    /// Index of the first task of `always`, or the number of tasks where it has none.
    pub always: u16,
    /// What the host counts as after a rescue that went well.
    #[serde(default, skip_serializing_if = "is_failed")]
    pub then: Then,
}

/// A phase with its batches cut and its percentages counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedPhase {
    /// Its name.
    pub name: String,
    /// Whether it may change anything.
    pub mode: Mode,
    /// How it rolls.
    pub rollout: Rollout,
    /// Every host that its selector names: percentages and the unavailable are counted over these.
    pub population: Vec<HostId>,
    /// Hosts to work on, cut into batches.
    pub batches: Vec<Vec<HostId>>,
    /// Their tasks, sorted by host.
    pub hosts: Vec<HostTasks>,
    /// Where its hosts may be out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// Checks after every batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<ActionId>,
    /// What stands between batches beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// `--only` and `--skip` leave none of its steps: no host is worked on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
}

/// `rollout:` with its percentages counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// As written.
    pub declared: Amount,
    /// Slots: `declared` of the population.
    pub max_unavailable: u32,
    /// Hosts that may fail.
    pub max_failures: u32,
    /// Hosts worked on at the same time before their first disrupting task.
    pub parallel: u32,
    /// What more failures than that do.
    pub on_failure: OnFailure,
    /// Between batches.
    pub soak: Duration,
    /// How long a budget spent by others is waited for.
    pub wait_for_budget: Duration,
    /// The phase disrupts control planes: one at a time, and only while etcd's other members are healthy.
    pub control_planes: bool,
}

/// Something the reader of the plan should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What.
    pub message: String,
    /// What to do, or empty.
    pub hint: String,
}

impl Plan {
    /// The format written by this version.
    pub const FORMAT: u32 = 1;

    /// The host of this id.
    pub fn host(&self, id: HostId) -> &PlannedHost {
        &self.hosts[id.0 as usize]
    }

    /// The host of this name.
    pub fn find_host(&self, name: &HostName) -> Option<HostId> {
        let index = self.hosts.iter().position(|host| host.name == *name)?;
        u32::try_from(index).ok().map(HostId)
    }

    /// The phase of this index.
    pub fn phase(&self, index: u16) -> &PlannedPhase {
        &self.phases[usize::from(index)]
    }

    /// The task of this id.
    pub fn task(&self, id: TaskId) -> &Task {
        let tasks = self.phase(id.phase).tasks_of(id.host).expect("invariant: task ids come from the plan");
        &tasks.tasks[usize::from(id.index)]
    }

    /// The part of its host's tasks that a task belongs to.
    pub fn section(&self, id: TaskId) -> Section {
        let tasks = self.phase(id.phase).tasks_of(id.host).expect("invariant: task ids come from the plan");
        tasks.section_of(id.index)
    }

    /// The action of this id.
    pub fn action(&self, id: ActionId) -> &Arc<Action> {
        &self.actions[id.0 as usize]
    }

    /// Whether any step runs a command on the machine that runs Rollbook.
    pub fn runs_on_controller(&self) -> bool {
        let lowered = self.actions.iter().map(|action| &action.lowered);
        let mut known = lowered.flat_map(|lowered| {
            let ops = lowered.ops.iter().map(|op| op.site);
            let probes = lowered.probe.iter().chain(lowered.verify.iter().map(|verify| &verify.probe));
            ops.chain(probes.map(|probe| probe.site))
        });
        known.any(|site| site == Site::Controller)
            || self.deferred.iter().any(|step| step.run_on == Some(Site::Controller))
    }

    /// The title of a task, for people.
    pub fn title(&self, id: TaskId) -> &str {
        match self.task(id).step {
            StepRef::Action(action) => &self.action(action).title,
            StepRef::Deferred(deferred) => &self.deferred[deferred.0 as usize].title,
        }
    }

    /// A title as people read it: with the names of a host in place of symbols, and what only a run knows as `‹run:id›`.
    pub fn spelled(&self, title: &str, host: HostId) -> String {
        let host = self.host(host);
        let Ok(text) = resolve_symbols(title, |symbol| {
            Ok::<_, Infallible>(match (symbol, &host.subject.node) {
                ("subject:node", Some(node)) => node.clone(),
                ("subject:host", _) => host.name.to_string(),
                (other, _) => format!("‹{other}›"),
            })
        });
        text
    }

    /// The `retry:` of a task.
    pub fn retry(&self, id: TaskId) -> Option<Retry> {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).retry,
            StepRef::Deferred(deferred) => self.deferred[deferred.0 as usize].retry,
        }
    }

    /// The reason of a task's `allow_failure:`.
    pub fn allow_failure(&self, id: TaskId) -> Option<&str> {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).allow_failure.as_deref(),
            StepRef::Deferred(deferred) => self.deferred[deferred.0 as usize].allow_failure.as_deref(),
        }
    }
}

impl PlannedPhase {
    /// The tasks of a host that the phase works on.
    pub fn tasks_of(&self, host: HostId) -> Option<&HostTasks> {
        self.hosts.binary_search_by_key(&host, |tasks| tasks.host).ok().map(|index| &self.hosts[index])
    }
}

impl HostTasks {
    /// The indices of a part's tasks.
    pub fn range(&self, section: Section) -> Range<u16> {
        let end = u16::try_from(self.tasks.len())
            .expect("invariant: a host has fewer than 65,536 tasks in a phase");
        let (rescue, always) =
            self.sections.map_or((end, end), |sections| (sections.rescue, sections.always));
        match section {
            Section::Steps => 0..rescue,
            Section::Rescue => rescue..always,
            Section::Always => always..end,
        }
    }

    /// The part that a task belongs to.
    pub fn section_of(&self, index: u16) -> Section {
        let holds = |section: &Section| self.range(*section).contains(&index);
        [Section::Rescue, Section::Always].into_iter().find(holds).unwrap_or_default()
    }

    /// Whether the phase has a part of this kind.
    pub fn has(&self, section: Section) -> bool {
        !self.range(section).is_empty()
    }

    /// Whether a host that was rescued counts as done.
    pub fn then(&self) -> Then {
        self.sections.map(|sections| sections.then).unwrap_or_default()
    }
}

/// The id of a step without the numbers of its rounds: `conf` of `conf#2`, which no file can write.
pub fn id_as_written(id: &str) -> String {
    let parts = id.split('.').map(|part| part.split('#').next().unwrap_or(part));
    parts.collect::<Vec<_>>().join(".")
}

/// Most rescues leave a host failed.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_failed(then: &Then) -> bool {
    *then == Then::Failed
}
