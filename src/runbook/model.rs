//! What a runbook is, once read.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::TopologySpec;
use crate::inventory::Selector;
use crate::op::{Effect, Site};
use crate::source::{Span, Spanned};
use crate::step::StepKind;
use crate::template::{Arg, Expression};
use crate::value::{Amount, Duration, Type, Value};

/// Items of one `for_each`. Nobody reviews more tasks of one step than this.
pub const MOST_ITEMS: usize = 500;

/// A runbook with its fragments.
#[derive(Clone, Debug)]
pub struct Runbook {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.description`.
    pub description: String,
    /// Parameters, in written order.
    pub params: IndexMap<String, ParamSpec>,
    /// Parameters whose declaration has a mistake; none in a runbook without errors.
    pub broken_params: Vec<String>,
    /// Constants.
    pub vars: IndexMap<String, Arg>,
    /// Where secrets come from; never their values.
    pub secrets: IndexMap<String, SecretSource>,
    /// `policy:`.
    pub policy: Policy,
    /// `policy.allow`: rules of the linter that this runbook breaks on purpose.
    pub allow: Vec<Allow>,
    /// `kube:`; `None` when the runbook has nothing to do with Kubernetes.
    pub kube: Option<KubeSpec>,
    /// Phases, in order.
    pub phases: Vec<Phase>,
    /// Frames of arguments, one per included fragment; steps name theirs.
    pub frames: Vec<Frame>,
}

/// Arguments of one `include`, seen by the fragment's steps as `args`.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The frame of the include step itself; `None` at the top.
    pub parent: Option<FrameId>,
    /// By name, defaults filled in; rendered in the scope of `parent`.
    pub args: IndexMap<String, Arg>,
    /// `when` of the include step: holds for every step of the fragment.
    pub when: Option<Expression>,
    /// `for_each` of the include step: its steps once for each item, which the arguments see as `each`.
    pub for_each: Option<Arg>,
    /// Ids of the includes around the fragment's steps, joined by dots, as in their ids. Inside the fragment `steps`
    /// is what stands below it: `steps.drain` is the step `kubelet.drain`.
    pub prefix: String,
}

/// Names a frame of [`Runbook::frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId(pub usize);

/// A declared parameter, of a runbook or of a fragment.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// Its type.
    pub ty: Type,
    /// Whether a value must be given.
    pub required: bool,
    /// Its value when none is given.
    pub default: Option<Value>,
    /// Smallest value, for numbers, versions, durations, sizes.
    pub min: Option<Value>,
    /// Largest value.
    pub max: Option<Value>,
    /// A regular-expression-free glob that text must match.
    pub matches: Option<String>,
    /// What it is for.
    pub description: String,
    /// An example value, shown in messages.
    pub example: Option<Value>,
    /// Where it was declared.
    pub span: Span,
}

/// Where a secret's value is read, at the moment it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// An environment variable of the controller.
    Env(String),
    /// A file on the controller; one trailing newline is dropped.
    File(Utf8PathBuf),
}

/// `rollout.order`: how a phase's hosts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostOrder {
    /// As the inventory has them.
    Inventory,
    /// As the groups of the selector list them.
    Group,
    /// Backwards of what it would be otherwise.
    Reverse,
    /// By name.
    Sorted,
}

/// `policy:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The run stops starting new hosts after this long.
    pub deadline: Option<Duration>,
    /// `control_plane_outage: accept`: one or two control planes, the API will be away.
    pub control_plane_outage: bool,
    /// `accept_controller_reboot: true`: the machine that runs Rollbook may be restarted at the very end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_controller_reboot: bool,
    /// `lock.scope: cluster` (a Lease), or `none`.
    pub lock_cluster: bool,
    /// `lock.ttl`.
    pub lock_ttl: Option<Duration>,
}

/// A rule of the linter that is broken on purpose. Not part of the plan: it says nothing about what is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The rule's name, as written.
    pub rule: Spanned<String>,
    /// Why.
    pub reason: String,
}

/// `kube:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeSpec {
    /// Where kubectl runs.
    pub via: KubeVia,
    /// Path of the kubeconfig there.
    pub kubeconfig: String,
    /// Context; empty for the current one.
    pub context: String,
    /// `--request-timeout` of every call.
    pub request_timeout: Duration,
    /// How long an API that does not answer is tried again.
    pub retry_for: Duration,
    /// What a node means that came since the plan and belongs to no host.
    pub new_nodes: NewNodes,
}

/// What a node means that came since the plan was made and belongs to no host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewNodes {
    /// People are told, and the run begins.
    #[default]
    Warn,
    /// The cluster is not the one of the plan: nothing begins.
    Drift,
}

impl NewNodes {
    /// Whether nothing else was written.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Where kubectl runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeVia {
    /// On a host of this selector, preferring one that is not being worked on.
    Hosts(Spanned<Selector>),
    /// On the machine that runs Rollbook.
    Controller,
}

/// Whether a phase may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every step must only read.
    ReadOnly,
    /// The usual.
    ReadWrite,
}

/// A phase.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its name.
    pub name: Spanned<String>,
    /// Which hosts.
    pub hosts: Spanned<Selector>,
    /// Whether it may change anything.
    pub mode: Mode,
    /// How it rolls.
    pub rollout: RolloutSpec,
    /// Its steps, fragments included in place.
    pub steps: Vec<Step>,
    /// What is done on a host that failed in it.
    pub rescue: Option<Rescue>,
    /// What is done on every host in the end.
    pub always: Vec<Step>,
}

impl Phase {
    /// Every step that runs on its hosts: its own, those of `rescue` and those of `always`.
    pub fn host_steps(&self) -> impl Iterator<Item = &Step> {
        let rescue = self.rescue.iter().flat_map(|rescue| &rescue.steps);
        self.steps.iter().chain(rescue).chain(&self.always)
    }

    /// Every step, checks after a batch included.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.host_steps().chain(&self.rollout.verify)
    }
}

/// `rescue:` of a phase.
#[derive(Clone, Debug)]
pub struct Rescue {
    /// Its steps, fragments included in place.
    pub steps: Vec<Step>,
    /// What the host counts as afterwards.
    pub then: Then,
}

/// What a host counts as whose rescue has gone well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It failed, as without a rescue.
    #[default]
    Failed,
    /// It is done.
    Ok,
}

/// `rollout:` with its defaults filled in.
#[derive(Clone, Debug)]
pub struct RolloutSpec {
    /// How its hosts follow each other; where it is not written, as the group lists them that the selector names.
    pub order: Option<HostOrder>,
    /// Sizes of the batches; the last repeats. Empty: one batch.
    pub batches: Vec<Amount>,
    /// The budget.
    pub max_unavailable: Amount,
    /// Hosts that may fail; with one more the phase halts.
    pub max_failures: u32,
    /// Hosts worked on at the same time before their first disrupting task.
    pub parallel: u32,
    /// What more failures than that do.
    pub on_failure: OnFailure,
    /// Between batches.
    pub soak: Duration,
    /// How long a budget spent by others is waited for.
    pub wait_for_budget: Duration,
    /// `topology:`.
    pub topology: Option<TopologySpec>,
    /// Checks after every batch; they run on the first host of the phase, or through kubectl.
    pub verify: Vec<Step>,
    /// `gate:`.
    pub gate: Option<GateSpec>,
    /// Where `rollout:` was written, if it was.
    pub span: Option<Span>,
}

impl RolloutSpec {
    /// What is told, and what to do, where `max_failures` means nothing: hosts that failed spend a budget of so many slots
    /// before that.
    pub fn failures_spend(&self, slots: u32) -> Option<(String, &'static str)> {
        let message = format!(
            "`max_failures` {} is not below `max_unavailable` {slots}: failed hosts stay out of service and spend the whole \
             budget before that",
            self.max_failures
        );
        (self.max_failures > 0 && self.max_failures >= slots)
            .then_some((message, "raise `max_unavailable`, or lower `max_failures`"))
    }
}

/// `gate:` of a rollout: what stands between a batch that ended well and the next one.
#[derive(Clone, Debug)]
pub struct GateSpec {
    /// Behind which batches.
    pub after: GateAfter,
    /// What lets the run through.
    pub opens: GateOpensBy,
}

/// What lets a run through a gate, as written.
#[derive(Clone, Debug)]
pub enum GateOpensBy {
    /// `approve:` a person's word.
    Approval {
        /// What the person has to see to.
        text: String,
        /// How long that is waited for; without an end where it is absent.
        within: Option<Duration>,
    },
    /// `duration:` time.
    Time(Duration),
    /// `check:` a step that only looks.
    Check {
        /// The step.
        step: Box<Step>,
        /// How long it is looked at.
        within: Duration,
    },
}

/// Behind which batches a gate stands; never behind the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateAfter {
    /// Behind each.
    Each,
    /// Behind the first, which is the canary.
    First,
}

/// What becomes of the other hosts once more have failed than `max_failures`. How many that are is the number's word
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// No new host starts; hosts that are out finish.
    // Plans of the first version may say `continue`, which did the same.
    #[serde(alias = "continue")]
    Halt,
    /// Nothing new starts, not even on hosts that are out: they stop after the ops in flight.
    Freeze,
}

/// `retry:` of a step. Delays grow by `backoff` each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Before the second try.
    pub delay: Duration,
    /// Factor per further try, in percent: 200 doubles.
    pub backoff_percent: u32,
}

impl Retry {
    /// The wait before the attempt that follows this many failed ones.
    pub fn delay_after(self, failures: u32) -> Duration {
        let mut millis = self.delay.as_millis();
        for _ in 1..failures {
            let next = millis.saturating_mul(u64::from(self.backoff_percent)) / 100;
            if next == millis {
                break;
            }
            millis = next;
        }
        Duration::from_millis(millis)
    }

    /// All waits together, where every attempt fails.
    pub fn delays(self) -> Duration {
        let mut sum = Duration::ZERO;
        for failures in 1..self.attempts {
            let delay = self.delay_after(failures);
            if delay == self.delay_after(failures.saturating_add(1)) {
                return sum.saturating_add(delay.saturating_mul(u64::from(self.attempts - failures)));
            }
            sum = sum.saturating_add(delay);
        }
        sum
    }
}

/// One step as written, with the common keys.
#[derive(Clone)]
pub struct Step {
    /// `id:`, prefixed with the ids of the includes around it; unique in its phase where written.
    pub id: Option<String>,
    /// `name:`.
    pub name: Option<String>,
    /// Its kind.
    pub kind: &'static dyn StepKind,
    /// One argument per field that was written or has a default.
    pub args: IndexMap<String, Arg>,
    /// `when:`.
    pub when: Option<Expression>,
    /// `for_each:`; a list or a mapping once rendered.
    pub for_each: Option<Arg>,
    /// `timeout:`; a duration once rendered.
    pub timeout: Option<Arg>,
    /// `retry:`.
    pub retry: Option<Retry>,
    /// `become:` or the default.
    pub r#become: bool,
    /// `env:`; each a string once rendered.
    pub env: BTreeMap<String, Arg>,
    /// `tags:`.
    pub tags: Vec<String>,
    /// `run_on:`.
    pub run_on: Option<Site>,
    /// `effect:`.
    pub effect: Option<Effect>,
    /// `allow_failure:` with its reason.
    pub allow_failure: Option<String>,
    /// `changed_when:`, for `command` and `script`.
    pub changed_when: Option<Expression>,
    /// `fail_when:`, likewise.
    pub fail_when: Option<Expression>,
    /// `leave_cordoned:` with its reason.
    pub leave_cordoned: Option<String>,
    /// `lint.allow`: rules of the linter that this step breaks on purpose.
    pub allow: Vec<Allow>,
    /// The fragment it stands in; `None` in the runbook itself.
    pub frame: Option<FrameId>,
    /// Where it was written.
    pub origin: StepOrigin,
}

impl Step {
    /// Its arguments before any value is known: `…` stands for what is not written out.
    pub fn constants(&self) -> Value {
        let constant = |arg: &Arg| arg.as_const().cloned().unwrap_or_else(|| Value::Str("…".to_owned()));
        Value::Map(self.args.iter().map(|(name, arg)| (name.clone(), constant(arg))).collect())
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("kind", &self.kind.name()).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where a step was written, as span and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOrigin {
    /// The step's span.
    pub span: Span,
    /// "steps/kubelet.yaml:9".
    pub place: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_the_first_version_may_say_continue_and_mean_halt() {
        let read = |text: &str| serde_json::from_str::<OnFailure>(text).ok();
        assert_eq!(read("\"continue\""), Some(OnFailure::Halt));
        assert_eq!(read("\"halt\""), Some(OnFailure::Halt));
        assert_eq!(read("\"freeze\""), Some(OnFailure::Freeze));
        assert_eq!(serde_json::to_string(&OnFailure::Halt).expect("a word"), "\"halt\"");
    }

    #[test]
    fn delays_grow_by_their_factor_and_never_overflow() {
        let retry = |delay, backoff_percent| Retry { attempts: 9, delay, backoff_percent };
        let second = Duration::from_secs(1);
        let cases = [
            (retry(second, 200), 1, 1_000),
            (retry(second, 200), 2, 2_000),
            (retry(second, 200), 4, 8_000),
            (retry(second, 100), 3_000_000_000, 1_000),
            (retry(second, 150), 3, 2_250),
            (retry(Duration::ZERO, 200), 5, 0),
        ];
        for (retry, failures, millis) in cases {
            assert_eq!(retry.delay_after(failures).as_millis(), millis, "{retry:?} after {failures}");
        }
        assert!(retry(second, 1000).delay_after(u32::MAX) > Duration::from_secs(1 << 40), "saturates");
        assert_eq!(Retry { attempts: 4, ..retry(second, 200) }.delays(), Duration::from_secs(1 + 2 + 4));
        assert_eq!(Retry { attempts: 1, ..retry(second, 200) }.delays(), Duration::ZERO);
        let endless = Retry { attempts: u32::MAX, ..retry(second, 100) };
        assert_eq!(endless.delays(), Duration::from_secs(u64::from(u32::MAX) - 1));
        assert!(
            Retry { attempts: u32::MAX, ..retry(second, 1000) }.delays() > second,
            "neither hangs nor wraps"
        );
    }
}
