//! Why an event cannot happen where it stands. The same table refuses a damaged journal and a bug of ours.

use super::Event;

/// An event that cannot happen in the state that the events before it give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} (`{event}`) cannot happen here: {why}")]
pub struct IllegalEvent {
    /// Its sequence number.
    pub seq: u64,
    /// Its type as in the journal.
    pub event: &'static str,
    /// Why not.
    pub why: IllegalReason,
}

/// Why an event is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalReason {
    /// An event is missing or doubled.
    #[error("its number is {found}, the next one is {expected}")]
    Sequence {
        /// The next number.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// Only `run_started` begins a run, and only once.
    #[error("a run begins with `run_started`, once")]
    Start,
    /// What the run did was put back.
    #[error("the run was undone")]
    Undone,
    /// Nothing happens after the end.
    #[error("the run has ended")]
    Ended,
    /// Not the open phase, or not the next one.
    #[error("phase {phase} is not the one that may be next")]
    Phase {
        /// Its index.
        phase: u16,
    },
    /// Not the open batch, or not the next one.
    #[error("batch {batch} of phase {phase} is not the one that may be next")]
    Batch {
        /// The phase.
        phase: u16,
        /// Its index.
        batch: u16,
    },
    /// Something inside is still going on.
    #[error("{what} still in flight")]
    Unfinished {
        /// What, with its verb: "2 hosts are", "a check is".
        what: String,
    },
    /// The plan has no such host in this phase.
    #[error("the plan has no host {host} to work on in phase {phase}")]
    NoSuchHost {
        /// The phase.
        phase: u16,
        /// The host's id.
        host: u32,
    },
    /// The plan has nothing of the kind.
    #[error("the plan has no {what}")]
    Unknown {
        /// What, by its number.
        what: String,
    },
    /// The host may not do this now.
    #[error("host `{host}` {why}")]
    Host {
        /// Its name.
        host: String,
        /// Why not, with its verb.
        why: &'static str,
    },
    /// A result of work that is not in flight, or work that already is.
    #[error("{what}")]
    Work {
        /// What is wrong.
        what: &'static str,
    },
}

/// The type of an event as in the journal.
pub(super) fn name_of(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run_started",
        Event::PhaseStarted { .. } => "phase_started",
        Event::BatchStarted { .. } => "batch_started",
        Event::HostStarted { .. } => "host_started",
        Event::ObservationStarted { .. } => "observation_started",
        Event::Observed { .. } => "observed",
        Event::SlotTaken { .. } => "slot_taken",
        Event::BudgetWaiting { .. } => "budget_waiting",
        Event::BracketProbeStarted { .. } => "bracket_probe_started",
        Event::BracketProbed { .. } => "bracket_probed",
        Event::TaskStarted { .. } => "task_started",
        Event::TaskProbed { .. } => "task_probed",
        Event::ConditionDecided { .. } => "condition_decided",
        Event::RunResumed { .. } => "run_resumed",
        Event::OpStarted { .. } => "op_started",
        Event::OpEnded { .. } => "op_ended",
        Event::OpSaid { .. } => "op_said",
        Event::OpNotStarted { .. } => "op_not_started",
        Event::TaskEnded { .. } => "task_ended",
        Event::TaskSkipped { .. } => "task_skipped",
        Event::SectionStarted { .. } => "section_started",
        Event::HostEnded { .. } => "host_ended",
        Event::SoakStarted { .. } => "soak_started",
        Event::VerifyStarted { .. } => "verify_started",
        Event::Verified { .. } => "verified",
        Event::GateReached { .. } => "gate_reached",
        Event::GateWaiting { .. } => "gate_waiting",
        Event::GatePassed { .. } => "gate_passed",
        Event::GateRefused { .. } => "gate_refused",
        Event::BatchEnded { .. } => "batch_ended",
        Event::PhaseEnded { .. } => "phase_ended",
        Event::StopRequested { .. } => "stop_requested",
        Event::LockLost { .. } => "lock_lost",
        Event::Halted { .. } => "halted",
        Event::TaskWaiting { .. } => "task_waiting",
        Event::TaskAsks { .. } => "task_asks",
        Event::TaskApproved { .. } => "task_approved",
        Event::ClusterSilent { .. } => "cluster_silent",
        Event::ClusterAnswers => "cluster_answers",
        Event::HostSilent { .. } => "host_silent",
        Event::HostAnswers { .. } => "host_answers",
        Event::RunEnded => "run_ended",
        Event::RunUndone { .. } => "run_undone",
    }
}
