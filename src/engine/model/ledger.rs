//! What the events so far say, written down by somebody who does not know the engine. The oracles judge the next event
//! by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{BracketFinding, Cause, Event, HaltCause, HostStatus, Stamped, StopLevel, TaskEnd};
use crate::op::Effect;
use crate::plan::{HostId, OutOfService, Plan, PlannedPhase, TaskId};
use crate::runbook::OnFailure;

/// A host in the open phase.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a page of notes, not a state machine: the oracles share no model"
)]
pub(super) struct Page {
    pub(super) ended: Option<HostStatus>,
    pub(super) ended_seq: u64,
    pub(super) slot: bool,
    pub(super) busy: bool,
    pub(super) next: u16,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) failed_at: i64,
    pub(super) asked_for_slot: bool,
    pub(super) ops: u32,
    pub(super) brackets: BTreeMap<u16, bool>,
    /// When the last one was looked at.
    pub(super) bracket_at: i64,
    /// When the look at the cluster came back that gave the slot.
    pub(super) slot_sight_at: i64,
    pub(super) changed: bool,
    /// Before the attempt that was held back.
    pub(super) changed_before: bool,
    pub(super) fault: Option<HostStatus>,
}

/// The last look at the cluster.
pub(super) struct Sight {
    pub(super) began: u64,
    pub(super) at: i64,
    pub(super) out: Vec<OutOfService>,
    pub(super) blocked: bool,
}

/// The run so far.
#[expect(clippy::struct_excessive_bools, reason = "notes, as those of a host are")]
pub(super) struct Ledger<'a> {
    pub(super) plan: &'a Plan,
    pub(super) time: i64,
    pub(super) phase: Option<u16>,
    pub(super) phases: Vec<bool>,
    pub(super) batch: Option<u16>,
    pub(super) batches: u16,
    pub(super) batch_failed: bool,
    pub(super) batch_hosts: Vec<HostId>,
    /// Hosts of earlier batches that a resumed run works on while this one is open.
    pub(super) guests: Vec<HostId>,
    pub(super) all_ended_at: i64,
    pub(super) check: Option<(i64, bool)>,
    /// When the run came to the gate behind the batch.
    pub(super) gate_at: Option<i64>,
    pub(super) gate_passed: bool,
    pub(super) gate_refused: bool,
    /// Somebody who was asked did not say yes.
    pub(super) paused: bool,
    pub(super) hosts: BTreeMap<HostId, Page>,
    pub(super) untouchable: BTreeSet<HostId>,
    pub(super) lost: BTreeSet<HostId>,
    pub(super) failed: u32,
    pub(super) look_began: Option<u64>,
    pub(super) sight: Option<Sight>,
    pub(super) last_slot: u64,
    pub(super) waiting_since: Option<i64>,
    pub(super) asked: Option<StopLevel>,
    pub(super) halted: Option<StopLevel>,
    pub(super) lock_lost: bool,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            time: i64::MIN,
            phase: None,
            phases: Vec::new(),
            batch: None,
            batches: 0,
            batch_failed: false,
            batch_hosts: Vec::new(),
            guests: Vec::new(),
            all_ended_at: 0,
            check: None,
            gate_at: None,
            gate_passed: false,
            gate_refused: false,
            paused: false,
            hosts: BTreeMap::new(),
            untouchable: BTreeSet::new(),
            lost: BTreeSet::new(),
            failed: 0,
            look_began: None,
            sight: None,
            last_slot: 0,
            waiting_since: None,
            asked: None,
            halted: None,
            lock_lost: false,
        }
    }

    /// How soon the run has to stop, as far as it is written.
    pub(super) fn stop(&self) -> Option<StopLevel> {
        self.asked.max(self.halted)
    }

    pub(super) fn planned(&self) -> &'a PlannedPhase {
        self.plan.phase(self.phase.expect("a phase is open"))
    }

    /// Slots of the open phase.
    pub(super) fn slots(&self) -> usize {
        let rollout = &self.planned().rollout;
        if rollout.control_planes {
            1.min(rollout.max_unavailable as usize)
        } else {
            rollout.max_unavailable as usize
        }
    }

    /// Hosts lost to this run that the open phase counts.
    pub(super) fn lost_here(&self) -> BTreeSet<HostId> {
        self.planned().population.iter().copied().filter(|host| self.lost.contains(host)).collect()
    }

    fn page(&mut self, host: HostId) -> &mut Page {
        self.hosts.entry(host).or_default()
    }

    /// Writes an event down.
    pub(super) fn read(&mut self, stamped: &Stamped) {
        let seq = stamped.seq;
        match &stamped.event {
            Event::PhaseStarted { phase } => {
                self.phase = Some(*phase);
                self.batches = 0;
                self.batch_failed = false;
                self.hosts.clear();
                self.untouchable = self.lost.clone();
                self.failed = 0;
                self.sight = None;
                self.last_slot = 0;
                self.waiting_since = None;
            }
            Event::BatchStarted { batch, .. } => {
                self.batch = Some(*batch);
                self.batch_hosts.clear();
                self.guests.clear();
                self.check = None;
                self.leave_gate();
            }
            Event::HostStarted { host, .. } => {
                self.batch_hosts.push(*host);
                self.page(*host);
            }
            Event::ObservationStarted { .. } => self.look_began = Some(seq),
            Event::Observed { out, blocked, .. } => {
                let began = self.look_began.take().expect("a look began");
                let at = self.time;
                self.sight = Some(Sight { began, at, out: out.clone(), blocked: blocked.is_some() });
            }
            Event::SlotTaken { host, .. } => {
                let sight_at = self.sight.as_ref().map_or(i64::MIN, |sight| sight.at);
                let page = self.page(*host);
                page.slot = true;
                page.slot_sight_at = sight_at;
                self.last_slot = seq;
                self.waiting_since = None;
            }
            Event::BudgetWaiting { .. } => {
                self.waiting_since.get_or_insert(self.time);
            }
            Event::BracketProbeStarted { host, .. } => self.page(*host).busy = true,
            Event::BracketProbed { host, bracket, finding, .. } => {
                let time = self.time;
                let page = self.page(*host);
                page.busy = false;
                page.bracket_at = time;
                match finding {
                    BracketFinding::Failed { .. } => page.fault = Some(HostStatus::Failed),
                    finding => {
                        page.brackets.insert(*bracket, *finding != BracketFinding::Holds);
                    }
                }
            }
            Event::TaskStarted { task, .. } => {
                let page = self.page(task.host);
                page.busy = true;
                page.attempts += 1;
                page.ops = 0;
            }
            Event::OpStarted { task, .. } => self.page(task.host).ops += 1,
            Event::OpNotStarted { task, .. } => self.page(task.host).ops -= 1,
            Event::TaskEnded { task, end, .. } => self.task_ended(*task, end),
            Event::TaskSkipped { task, .. } => self.page(task.host).turn(),
            Event::HostEnded { host, status, .. } => {
                let time = self.time;
                let page = self.page(*host);
                page.ended = Some(*status);
                page.ended_seq = seq;
                self.all_ended_at = time;
                if matches!(status, HostStatus::Failed | HostStatus::Unknown) {
                    self.lost.insert(*host);
                    self.failed += 1;
                }
            }
            Event::Verified { red, .. } => self.check = Some((self.time, red.is_some())),
            Event::GateReached { .. } => self.gate_at = Some(self.time),
            Event::GatePassed { .. } => self.gate_passed = true,
            Event::GateRefused { .. } => {
                self.gate_refused = true;
                self.paused = true;
            }
            Event::BatchEnded { failed, .. } => {
                self.batch = None;
                self.batches += 1;
                self.batch_failed |= failed.is_some();
            }
            Event::PhaseEnded { ok, .. } => {
                self.phase = None;
                self.phases.push(*ok);
            }
            Event::StopRequested { level, .. } => self.asked = self.asked.max(Some(*level)),
            Event::LockLost { .. } => {
                self.asked = Some(StopLevel::Now);
                self.lock_lost = true;
            }
            Event::Halted { phase, cause } => {
                let freezes = self.plan.phase(*phase).rollout.on_failure == OnFailure::Freeze;
                let failures = !matches!(
                    cause,
                    HaltCause::Stopped { .. }
                        | HaltCause::BudgetSpentByOthers { .. }
                        | HaltCause::Paused { .. }
                );
                self.halted = Some(if freezes && failures { StopLevel::Now } else { StopLevel::Graceful });
            }
            Event::RunResumed { .. } => self.resumed(),
            Event::RunStarted { .. }
            | Event::TaskWaiting { .. }
            | Event::TaskAsks { .. }
            | Event::TaskApproved { .. }
            | Event::GateWaiting { .. }
            | Event::ClusterSilent { .. }
            | Event::ClusterAnswers
            | Event::HostSilent { .. }
            | Event::HostAnswers { .. }
            | Event::TaskProbed { .. }
            | Event::OpEnded { .. }
            | Event::SoakStarted { .. }
            | Event::VerifyStarted { .. }
            | Event::RunEnded
            | Event::RunUndone { .. } => {}
        }
    }

    fn leave_gate(&mut self) {
        self.gate_at = None;
        self.gate_passed = false;
        self.gate_refused = false;
    }

    /// What a stop took away goes on, and what was in doubt is in flight again.
    fn resumed(&mut self) {
        self.paused = false;
        if self.gate_refused && self.batch.is_some() {
            self.check = None;
            self.leave_gate();
        }
        self.asked = None;
        self.halted = None;
        self.lock_lost = false;
        self.sight = None;
        self.waiting_since = None;
        if self.phase.is_none() && self.phases.last() == Some(&false) {
            self.phases.pop();
            self.phase = Some(u16::try_from(self.phases.len()).expect("few phases"));
        }
        if self.phase.is_none() {
            return;
        }
        let mut joining = Vec::new();
        for (host, page) in &mut self.hosts {
            let in_doubt = page.fault == Some(HostStatus::Unknown);
            let held_back = page.fault == Some(HostStatus::Stopped);
            if in_doubt || held_back {
                page.fault = None;
                page.busy = true;
            }
            if held_back {
                page.changed = page.changed_before;
            }
            // A stop took its next attempt away.
            let unlucky = page.ended == Some(HostStatus::Failed) && page.fault.is_none();
            let stopped = page.ended == Some(HostStatus::Stopped);
            if (in_doubt || unlucky || stopped) && page.ended.take().is_some() {
                joining.push(*host);
                self.failed -= u32::from(in_doubt || unlucky);
                self.lost.remove(host);
            }
        }
        if self.batch.is_none() && (self.batch_failed || !joining.is_empty()) {
            self.batches -= 1;
            self.batch = Some(self.batches);
            self.check = None;
            self.leave_gate();
        }
        if !joining.is_empty() {
            self.leave_gate();
        }
        joining.retain(|host| !self.batch_hosts.contains(host));
        self.guests.extend(joining);
        self.batch_failed = false;
    }

    fn task_ended(&mut self, task: TaskId, end: &TaskEnd) {
        let plan = self.plan;
        let time = self.time;
        let page = self.page(task.host);
        page.busy = false;
        match end {
            TaskEnd::NeedsSlot => page.asked_for_slot = true,
            TaskEnd::Satisfied { .. } => page.turn(),
            TaskEnd::Changed { .. } => {
                page.changed = true;
                page.turn();
            }
            TaskEnd::Unknown { .. } => page.fault = Some(HostStatus::Unknown),
            TaskEnd::Paused { .. } => {
                page.fault = Some(HostStatus::Stopped);
                page.changed_before = page.changed;
                self.paused = true;
            }
            TaskEnd::Withheld { .. } => {
                page.fault = Some(HostStatus::Stopped);
                page.changed_before = page.changed;
                page.changed |= page.ops > 0 && plan.task(task).effect != Effect::Reads;
            }
            TaskEnd::Failed { failure } => {
                page.failures += 1;
                page.failed_at = time;
                page.changed |= page.ops > 0 && plan.task(task).effect != Effect::Reads;
                let passing = match failure.cause {
                    Cause::Command | Cause::TimedOut | Cause::Output | Cause::Busy => true,
                    Cause::Unreachable => page.ops == 0,
                    _ => false,
                };
                let again = plan.retry(task).is_some_and(|retry| page.failures < retry.attempts);
                let excused = plan.allow_failure(task).is_some()
                    && failure.cause != Cause::Identity
                    && failure.cause != Cause::Drift;
                match (again && passing, excused) {
                    (true, _) => {}
                    (false, true) => page.turn(),
                    (false, false) => page.fault = Some(HostStatus::Failed),
                }
            }
        }
    }
}

impl Page {
    /// On to the next task.
    fn turn(&mut self) {
        self.busy = false;
        self.next += 1;
        self.attempts = 0;
        self.failures = 0;
        self.asked_for_slot = false;
    }
}
