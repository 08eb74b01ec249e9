//! Everything that can become true in a run. Serialised into the journal: a promise.

use serde::{Deserialize, Serialize};

use crate::op::Exit;
use crate::plan::{DomainsTaken, HostId, OutOfService, Section, TaskId};
use crate::step::Assessment;
use crate::value::{Duration, Timestamp};

/// An event with its place in the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Counts from 1 without a gap.
    pub seq: u64,
    /// When it became true, by the controller's clock.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// Why a task was withheld whose end nobody waits for any more.
pub const NOT_AWAITED: &str = "stopped before it was seen to hold; a resumed run looks again";

/// Something that became true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every run.
    RunStarted {
        /// The run's id.
        run: String,
        /// The plan's digest.
        digest: String,
        /// Rollbook's version.
        version: String,
        /// The machine that ran it: its machine id, or empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        machine: String,
    },
    /// Somebody went on with a run that was cut off or stopped. What was in flight is taken up again, what is not known
    /// is settled, and stops that were asked for before are over.
    RunResumed {
        /// Rollbook's version.
        version: String,
        /// The machine that goes on with it: its machine id, or empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        machine: String,
    },
    /// A phase began.
    PhaseStarted {
        /// Its index.
        phase: u16,
    },
    /// A batch began.
    BatchStarted {
        /// The phase.
        phase: u16,
        /// The batch's index.
        batch: u16,
    },
    /// A host's tasks of the phase began.
    HostStarted {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
    },
    /// Work: look at the cluster and at the reachability of the population, for the budget.
    ObservationStarted {
        /// The phase.
        phase: u16,
    },
    /// What that look gave.
    Observed {
        /// The phase.
        phase: u16,
        /// Hosts of the population that are out of service by the cluster's or the network's own word. Says nothing
        /// of what the run itself did.
        out: Vec<OutOfService>,
        /// Why no slot can be given now, such as an API that does not answer or an etcd member that is not healthy.
        blocked: Option<String>,
        /// Hosts of the batch that run members of an etcd of their own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        etcd: Vec<EtcdSeen>,
    },
    /// A host may disrupt: it counts against the budget from here on.
    SlotTaken {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
    },
    /// A host must wait because the budget is spent, or no slot can be given.
    BudgetWaiting {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// Who holds the slots.
        out: Vec<OutOfService>,
        /// [`Event::Observed`]'s reason, if that is why.
        blocked: Option<String>,
        /// The rollout's topology, if that is why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domains: Option<DomainsTaken>,
    },
    /// Work: probe every goal inside a bracket, before it is opened.
    BracketProbeStarted {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// Index into [`crate::plan::HostTasks::brackets`].
        bracket: u16,
    },
    /// What that probe gave.
    BracketProbed {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// The bracket.
        bracket: u16,
        /// Needed or not.
        finding: BracketFinding,
    },
    /// Work: an attempt at a task.
    TaskStarted {
        /// The task.
        task: TaskId,
        /// Counts from 1.
        attempt: u32,
    },
    /// Nothing is wrong with the host: the attempt waits for something that passes by itself or comes about, such as a
    /// lock that somebody holds or a node that becomes Ready. Told when the wait begins and when its reason changes.
    TaskWaiting {
        /// The task.
        task: TaskId,
        /// The attempt; 0 where the bracket around the task is not opened before that passes.
        attempt: u32,
        /// What for.
        reason: String,
        /// How long at most, from the wait's beginning.
        within: Duration,
    },
    /// The attempt waits for a person to do something and say so.
    TaskAsks {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// What the person has to do.
        text: String,
    },
    /// A person has said so.
    TaskApproved {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// Who.
        by: String,
    },
    /// The cluster's API does not answer, and is asked again.
    ClusterSilent {
        /// In its own words.
        reason: String,
        /// How long it is asked again.
        within: Duration,
        /// It answers, and forbids everything: it has only just started.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        starting: bool,
    },
    /// It answers again.
    ClusterAnswers,
    /// The link to a host was lost, or it cannot be reached, and it is tried again.
    HostSilent {
        /// The host.
        host: HostId,
        /// Why, in ssh's own words.
        reason: String,
        /// So many tries in a row may fail.
        attempts: u32,
    },
    /// It can be reached again.
    HostAnswers {
        /// The host.
        host: HostId,
    },
    /// The attempt's probe was read.
    TaskProbed {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// What it means.
        assessment: Assessment,
    },
    /// A condition that is known only in the run was asked where the first task came to it. It stands for all tasks of its
    /// host in the phase that have it, whatever is true later.
    ConditionDecided {
        /// That task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// One of [`crate::plan::Ties::conditions`].
        condition: u16,
        /// What it came to.
        holds: bool,
    },
    /// An op is about to be sent. Durable before it is.
    OpStarted {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// Counts from 0: how often the attempt began anew, because something passed by that stood in its way.
        #[serde(default, skip_serializing_if = "is_zero", rename = "go")]
        pass: u32,
        /// Index into the lowered step's ops.
        op: u16,
        /// The host where kubectl runs, where that is a host of the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<HostId>,
        /// The digest of what the launcher receives, `sha256:…`, with the names of secrets in the place of their values
        /// (design/sent-digests.md). Journals of before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<String>,
    },
    /// An op's own record says how it ended.
    OpEnded {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// As in [`Event::OpStarted`].
        #[serde(default, skip_serializing_if = "is_zero", rename = "go")]
        pass: u32,
        /// The op.
        op: u16,
        /// How.
        exit: Exit,
        /// The last line of its output, escaped, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        last_line: String,
        /// Its standard output up to 64 KiB, where a later expression names the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stdout: Option<String>,
        /// The command's own checks refused it before it changed anything, as kubeadm's preflight does.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
    },
    /// What an op that failed said last, for people. Follows its [`Event::OpEnded`].
    OpSaid {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// As in [`Event::OpStarted`].
        #[serde(default, skip_serializing_if = "is_zero", rename = "go")]
        pass: u32,
        /// The op.
        op: u16,
        /// The last lines of its standard error that say something, escaped.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stderr: Vec<String>,
        /// The same of its standard output.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stdout: Vec<String>,
        /// The file in the run's directory that holds all of it; empty where there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        file: String,
    },
    /// An op that was about to be sent never began: the host cannot be reached, root cannot, or its launcher refused.
    OpNotStarted {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// As in [`Event::OpStarted`].
        #[serde(default, skip_serializing_if = "is_zero", rename = "go")]
        pass: u32,
        /// The op.
        op: u16,
    },
    /// The attempt ended.
    TaskEnded {
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u32,
        /// How.
        end: TaskEnd,
    },
    /// The task did not run.
    TaskSkipped {
        /// The task.
        task: TaskId,
        /// Why.
        why: SkipReason,
    },
    /// A part of a host's tasks begins after its steps: `rescue` because it failed, or `always`.
    SectionStarted {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// Which.
        section: Section,
    },
    /// A host's tasks of the phase ended.
    HostEnded {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// How.
        status: HostStatus,
    },
    /// All hosts of the batch ended; the soak runs.
    SoakStarted {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// Its end.
        until: Timestamp,
    },
    /// Work: run the phase's verify checks once.
    VerifyStarted {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
    },
    /// What they gave.
    Verified {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// The first check that does not hold, or nothing.
        #[serde(rename = "red")]
        failed_check: Option<String>,
    },
    /// Work, unless time alone opens it: the run has come to the gate behind a batch, and asks whoever has to approve, or
    /// looks until its check holds.
    GateReached {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// When it opens by itself, or is given up.
        until: Option<Timestamp>,
    },
    /// The gate's check does not hold yet. Told when the wait begins and when its reason changes.
    GateWaiting {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// What it sees.
        reason: String,
    },
    /// The gate lets the run through.
    GatePassed {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// Who approved; absent where its check holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// It does not: the run pauses.
    GateRefused {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// Why.
        why: String,
    },
    /// A batch ended.
    BatchEnded {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// Why it counts as failed, if it does.
        failed: Option<String>,
    },
    /// A phase ended.
    PhaseEnded {
        /// The phase.
        phase: u16,
        /// Whether it ended within its limits.
        ok: bool,
    },
    /// Somebody asked the run to stop.
    StopRequested {
        /// How soon.
        level: StopLevel,
        /// "Ctrl-C", "SIGTERM", "deadline".
        by: String,
    },
    /// The lock of the cluster is somebody else's: no op may be started any more, by whatever is in flight.
    LockLost {
        /// To whom, or how.
        why: String,
    },
    /// The run starts nothing new.
    Halted {
        /// The phase.
        phase: u16,
        /// Why.
        cause: HaltCause,
    },
    /// The last event of every run that ended by itself.
    RunEnded,
    /// Another run puts back what this one left: it cannot go on any more.
    RunUndone {
        /// The run that does.
        by: String,
    },
}

/// What the probes inside a bracket say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BracketFinding {
    /// Every goal inside holds: the whole bracket is skipped.
    Holds,
    /// At least one does not, or cannot be known.
    Needed {
        /// Which, for people.
        why: String,
    },
    /// The probes failed.
    Failed {
        /// How.
        failure: Failure,
    },
}

/// How an attempt at a task ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// The goal held before, or the check passed.
    Satisfied {
        /// What is.
        state: String,
    },
    /// Ops ran and changed something, or may have.
    Changed {
        /// In a few words.
        summary: String,
    },
    /// It failed.
    Failed {
        /// How.
        failure: Failure,
    },
    /// A change was sent and its end is not known.
    Unknown {
        /// Why.
        reason: String,
    },
    /// The lock of the cluster was lost before its next op: that was not sent, and what was sent has ended. Or a second
    /// request to stop came while it was waited for that something holds, and [`NOT_AWAITED`] is the reason.
    Withheld {
        /// To whom the lock was lost.
        reason: String,
    },
    /// It was about to disrupt a node whose cordon is gone, and sent nothing: what set the cordon is done again, and then
    /// the task goes on.
    Uncordoned {
        /// What changed, and what is done.
        reason: String,
    },
    /// Its probe shows that it would disrupt, and the host holds no slot; it runs again once the host does.
    NeedsSlot,
    /// A person was to do something, and has not said so; a resumed run asks again.
    Paused {
        /// What the person has to do.
        text: String,
        /// Why nobody has: "nobody is there to ask".
        why: String,
    },
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of cause.
    pub cause: Cause,
    /// One sentence for people, escaped.
    pub message: String,
    /// What to do, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// Kinds of causes; exit codes and retries look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The host cannot be reached, or its key is not known.
    Unreachable,
    /// A command ended with an unexpected code or by a signal.
    Command,
    /// A time limit passed.
    TimedOut,
    /// The change was made and did not have its effect.
    Verification,
    /// A check does not hold, or the goal cannot be reached.
    Refused,
    /// The host is not what the plan saw.
    Drift,
    /// The node is not the machine behind the connection.
    Identity,
    /// The host's own node is gone from the cluster, or another one has its name.
    NodeLost,
    /// A tool's output cannot be read.
    Output,
    /// root cannot be reached on the host.
    Privilege,
    /// A command of another run goes on there.
    Busy,
}

impl Cause {
    /// As in the journal, and as `failure.cause` says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Command => "command",
            Self::TimedOut => "timed_out",
            Self::Verification => "verification",
            Self::Refused => "refused",
            Self::Drift => "drift",
            Self::Identity => "identity",
            Self::NodeLost => "node_lost",
            Self::Output => "output",
            Self::Privilege => "privilege",
            Self::Busy => "busy",
        }
    }
}

/// Why a task did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// `when` is false.
    When,
    /// The bracket around it needs nothing.
    BracketHolds,
}

/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// Nothing had to change.
    Ok,
    /// Something changed, all is well.
    Changed,
    /// Stopped before the end of its tasks, because the run did. What it changed before stands in its tasks; one that
    /// took a slot is still out.
    Stopped,
    /// A task failed.
    Failed,
    /// A task's end is not known.
    Unknown,
}

/// How soon to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopLevel {
    /// No new host; hosts that are out come back.
    Graceful,
    /// Nothing after the ops in flight.
    Now,
}

/// Why a run starts nothing new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltCause {
    /// More hosts failed than `max_failures` allows.
    Failures {
        /// So many failed.
        failed: u32,
        /// So many may.
        max: u32,
    },
    /// No host of a batch succeeded.
    BatchFailed {
        /// Why.
        reason: String,
    },
    /// Hosts that failed in this run hold the whole budget.
    BudgetSpentByFailures,
    /// Nodes that this run left cordoned hold the budget, alone or with hosts that failed in it.
    BudgetSpentByCordons {
        /// Whose nodes.
        hosts: Vec<HostId>,
    },
    /// Others held the budget for longer than `wait_for_budget`.
    BudgetSpentByOthers {
        /// So long.
        waited: Duration,
        /// Who.
        out: Vec<OutOfService>,
        /// Why no slot could be given, if the budget was not the reason.
        blocked: Option<String>,
        /// The domains that were held, if the topology was the reason; `out` then has the hosts in them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domains: Option<DomainsTaken>,
    },
    /// Hosts that failed in this run hold as many domains as may be out, and a host stands in another one.
    DomainsSpentByFailures {
        /// The host that can never go.
        host: HostId,
        /// Where it stands, and which domains are held.
        domains: DomainsTaken,
    },
    /// A gate was not passed, or a pause not confirmed.
    Paused {
        /// What a person has to see to.
        text: String,
        /// Why nobody has.
        why: String,
    },
    /// Somebody asked for it.
    Stopped {
        /// "Ctrl-C", "SIGTERM", "deadline".
        by: String,
    },
}

/// Most attempts have one go.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(pass: &u32) -> bool {
    *pass == 0
}

/// A member of an etcd on a host of its own, as the last look saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdSeen {
    /// The host that it runs on.
    pub host: HostId,
    /// etcd's own id of its cluster, in hexadecimal; empty where etcd could not be asked.
    pub cluster: String,
    /// Why the member must stay up, such as another member that is not healthy.
    pub blocked: Option<String>,
}
