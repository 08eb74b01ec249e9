//! What the events so far say, written down by somebody who does not know the engine. The oracles judge the next event
//! by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{
    BracketFinding, Cause, EtcdSeen, Event, HaltCause, HostStatus, Stamped, StopLevel, TaskEnd,
};
use crate::op::Effect;
use crate::plan::{HostId, HostTasks, OutOfService, Plan, PlannedPhase, Section, StepRef, TaskId};
use crate::runbook::{OnFailure, Then};
use crate::step::{Lowered, Role};

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
    /// Those of them that may have done something.
    pub(super) deeds: u32,
    /// The go of the attempt in which a command refused itself.
    pub(super) refused: Option<u32>,
    pub(super) brackets: BTreeMap<u16, bool>,
    /// When the last one was looked at.
    pub(super) bracket_at: i64,
    /// When the look at the cluster came back that gave the slot.
    pub(super) slot_sight_at: i64,
    pub(super) changed: bool,
    /// Before the attempt that was held back.
    pub(super) changed_before: bool,
    pub(super) fault: Option<HostStatus>,
    /// Which of its steps, `rescue` and `always` it is in.
    pub(super) part: Section,
    /// It failed in an earlier part and was not saved.
    pub(super) lost: bool,
    /// Nobody may act on it.
    pub(super) barred: bool,
    /// A task of this part was not skipped.
    pub(super) ran: bool,
    /// Changing ops of its steps.
    pub(super) acts: u32,
    /// Tasks that were not skipped.
    pub(super) all_ran: BTreeSet<u16>,
    /// Changing ops of its steps by task.
    pub(super) sent: BTreeMap<u16, u32>,
    /// Conditions that were decided.
    pub(super) decided: BTreeMap<u16, bool>,
    /// It failed in its steps, whatever came of that.
    pub(super) failed_once: bool,
    /// Its node is cordoned, whoever did it.
    pub(super) cordoned: bool,
    /// Tasks that cordoned it for those behind them.
    pub(super) set_by: BTreeSet<u16>,
    /// Checks that ended well behind them.
    checks: BTreeSet<u16>,
    /// How many attempts each task took.
    past: BTreeMap<u16, u32>,
    /// How often the cordon was set again.
    pub(super) again: u32,
    /// The task that waits for that, with its attempts and failures.
    pub(super) back: Option<(u16, u32, u32)>,
}

/// The last look at the cluster.
pub(super) struct Sight {
    pub(super) began: u64,
    pub(super) at: i64,
    pub(super) out: Vec<OutOfService>,
    pub(super) blocked: bool,
    pub(super) etcd: Vec<EtcdSeen>,
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
    /// Whose node a cordon was sent to, by the op, and not taken back.
    pub(super) cordons: BTreeMap<HostId, BTreeSet<(TaskId, u32, u32)>>,
    /// The cluster of every member of an etcd that was seen.
    pub(super) etcd: BTreeMap<HostId, String>,
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
            cordons: BTreeMap::new(),
            etcd: BTreeMap::new(),
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

    /// Hosts that the open phase counts because this run cordoned their nodes.
    pub(super) fn cordoned_here(&self) -> BTreeSet<HostId> {
        let population = &self.planned().population;
        let all = self.cordons.iter().filter(|(_, sent)| !sent.is_empty()).map(|(host, _)| *host);
        all.filter(|host| population.contains(host)).collect()
    }

    /// Those of them that nobody works on in this phase, now.
    pub(super) fn left_cordoned(&self) -> BTreeSet<HostId> {
        let is_at_work = |host: &HostId| self.hosts.get(host).is_some_and(|page| page.ended.is_none());
        self.cordoned_here().into_iter().filter(|host| !is_at_work(host)).collect()
    }

    /// Hosts that failed and on which something is still to be done: those that no rescue can save, and the others.
    pub(super) fn in_trouble(&self) -> (BTreeSet<HostId>, BTreeSet<HostId>) {
        let (mut certain, mut open) = (BTreeSet::new(), BTreeSet::new());
        for (host, page) in &self.hosts {
            let tasks = self.tasks_of(*host);
            let failed = page.fault == Some(HostStatus::Failed) || page.lost;
            let Some(sections) = tasks.sections.filter(|_| failed && page.ended.is_none()) else { continue };
            let untried = page.part == Section::Steps && sections.rescue < sections.always && !page.barred;
            let tried = page.part == Section::Rescue && page.fault.is_none();
            let set = if sections.then == Then::Ok && (untried || tried) { &mut open } else { &mut certain };
            set.insert(*host);
        }
        (certain, open)
    }

    pub(super) fn tasks_of(&self, host: HostId) -> &'a HostTasks {
        self.planned().hosts.iter().find(|tasks| tasks.host == host).expect("the plan knows the host")
    }

    /// Somebody takes the cordon of a host away.
    pub(super) fn lift(&mut self, host: HostId) {
        if let Some(page) = self.hosts.get_mut(&host) {
            page.cordoned = false;
        }
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
            Event::Observed { out, blocked, etcd, .. } => {
                self.etcd.extend(etcd.iter().map(|seen| (seen.host, seen.cluster.clone())));
                let began = self.look_began.take().expect("a look began");
                let at = self.time;
                let (out, etcd) = (out.clone(), etcd.clone());
                self.sight = Some(Sight { began, at, out, blocked: blocked.is_some(), etcd });
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
                    BracketFinding::Failed { failure } => page.fail(failure.cause),
                    finding => {
                        page.brackets.insert(*bracket, *finding != BracketFinding::Holds);
                    }
                }
            }
            Event::ConditionDecided { task, condition, holds, .. } => {
                self.page(task.host).decided.insert(*condition, *holds);
            }
            Event::TaskStarted { task, .. } => {
                let page = self.page(task.host);
                page.busy = true;
                page.attempts += 1;
                page.ops = 0;
                page.deeds = 0;
                page.refused = None;
            }
            Event::OpStarted { task, attempt, pass, op, .. } => {
                if *op == 0 && self.marks(*task).0 {
                    self.cordons.entry(task.host).or_default().insert((*task, *attempt, *pass));
                }
                let counts = self.counts(*task);
                let page = self.page(task.host);
                page.ops += 1;
                page.deeds += u32::from(page.refused != Some(*pass));
                page.acts += counts;
                *page.sent.entry(task.index).or_default() += counts;
            }
            Event::OpNotStarted { task, attempt, pass, op } => {
                if *op == 0 {
                    self.cordons.entry(task.host).or_default().remove(&(*task, *attempt, *pass));
                }
                let counts = self.counts(*task);
                let page = self.page(task.host);
                page.ops -= 1;
                page.deeds -= u32::from(page.refused != Some(*pass));
                page.acts -= counts;
                *page.sent.entry(task.index).or_default() -= counts;
            }
            Event::OpEnded { task, pass, refused: true, .. } => {
                let page = self.page(task.host);
                page.deeds -= u32::from(page.refused != Some(*pass));
                page.refused = Some(*pass);
            }
            Event::SectionStarted { host, section, .. } => {
                let tasks = self.tasks_of(*host);
                let page = self.page(*host);
                page.lost = page.counts_as_failed(tasks);
                // One that was to be tried again will not be.
                let sent = page.sent.iter().filter(|(_, sent)| **sent > 0).map(|(task, _)| *task);
                page.all_ran.extend(sent);
                page.fault = None;
                page.part = *section;
                page.back = None;
                page.turn();
                page.ran = false;
                page.next = part_of(tasks, *section).0;
            }
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
            Event::Verified { failed_check, .. } => self.check = Some((self.time, failed_check.is_some())),
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
                        | HaltCause::BudgetSpentByCordons { .. }
                        | HaltCause::Paused { .. }
                );
                self.halted = Some(if freezes && failures { StopLevel::Now } else { StopLevel::Graceful });
            }
            Event::RunResumed { .. } => self.resumed(),
            Event::RunStarted { .. }
            | Event::OpSaid { .. }
            | Event::TaskWaiting { .. }
            | Event::TaskAsks { .. }
            | Event::TaskApproved { .. }
            | Event::GateWaiting { .. }
            | Event::ClusterSilent { .. }
            | Event::ClusterAnswers
            | Event::HostSilent { .. }
            | Event::HostAnswers { .. }
            | Event::TaskProbed { .. }
            | Event::OpEnded { refused: false, .. }
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
        let planned = self.planned();
        let mut joining = Vec::new();
        for (host, page) in &mut self.hosts {
            let tasks =
                planned.hosts.iter().find(|tasks| tasks.host == *host).expect("the plan knows the host");
            let in_doubt = page.fault == Some(HostStatus::Unknown);
            let held_back = page.fault == Some(HostStatus::Stopped);
            if in_doubt || held_back {
                page.fault = None;
                page.busy = true;
            }
            if held_back {
                page.changed = page.changed_before;
            }
            // A stop took the rest of it away.
            let is_done = page.is_over(tasks) && page.then_comes(tasks).is_none();
            if (in_doubt || held_back || !is_done)
                && let Some(ended) = page.ended.take()
            {
                joining.push(*host);
                self.failed -= u32::from(matches!(ended, HostStatus::Failed | HostStatus::Unknown));
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

    /// Whether an op of this task is one after which there is something to tidy up.
    fn counts(&self, task: TaskId) -> u32 {
        let of_steps = self.hosts[&task.host].part == Section::Steps;
        u32::from(of_steps && self.plan.task(task).effect != Effect::Reads)
    }

    /// Whether a task cordons its node, and whether it uncordons it.
    fn marks(&self, task: TaskId) -> (bool, bool) {
        let StepRef::Action(action) = self.plan.task(task).step else { return (false, false) };
        let lowered = &self.plan.action(action).lowered;
        (!lowered.opens.is_empty(), !lowered.closes.is_empty())
    }

    fn task_ended(&mut self, task: TaskId, end: &TaskEnd) {
        if self.marks(task).1 && matches!(end, TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }) {
            self.cordons.remove(&task.host);
        }
        let plan = self.plan;
        let time = self.time;
        let page = self.page(task.host);
        page.busy = false;
        match end {
            TaskEnd::NeedsSlot => page.asked_for_slot = true,
            TaskEnd::Satisfied { .. } => {
                page.note(plan, task);
                page.done();
            }
            TaskEnd::Changed { .. } => {
                page.changed = true;
                page.note(plan, task);
                page.done();
            }
            TaskEnd::Uncordoned { .. } => {
                page.changed |= page.ops > 0 && plan.task(task).effect != Effect::Reads;
                page.again += 1;
                page.back = Some((page.next, page.attempts, page.failures));
                page.go_to(page.set_by.first().copied().expect("something set it"));
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
                page.changed |= page.deeds > 0 && plan.task(task).effect != Effect::Reads;
                let passing = match failure.cause {
                    Cause::Command | Cause::TimedOut | Cause::Output | Cause::Busy => true,
                    Cause::Unreachable => page.ops == 0,
                    _ => false,
                };
                if opens(plan, task) {
                    page.cordoned = false;
                }
                let again = plan.retry(task).is_some_and(|retry| page.failures < retry.attempts);
                let excused = plan.allow_failure(task).is_some()
                    && !matches!(failure.cause, Cause::Identity | Cause::Drift | Cause::NodeLost);
                if !(again && passing) {
                    page.set_by.remove(&task.index);
                    page.checks.remove(&task.index);
                }
                match (again && passing, excused) {
                    (true, _) => {}
                    (false, true) => page.done(),
                    (false, false) => page.fail(failure.cause),
                }
            }
        }
    }
}

/// The first task of a part, and the one behind its last.
pub(super) fn part_of(tasks: &HostTasks, part: Section) -> (u16, u16) {
    let count = u16::try_from(tasks.tasks.len()).expect("few tasks");
    let (rescue, always) = tasks.sections.map_or((count, count), |parts| (parts.rescue, parts.always));
    match part {
        Section::Steps => (0, rescue),
        Section::Rescue => (rescue, always),
        Section::Always => (always, count),
    }
}

fn lowered(plan: &Plan, task: TaskId) -> &Lowered {
    let StepRef::Action(action) = plan.task(task).step else { panic!("the model defers nothing") };
    &plan.action(action).lowered
}

/// Whether a task cordons its host's node.
fn opens(plan: &Plan, task: TaskId) -> bool {
    !lowered(plan, task).opens.is_empty()
}

/// Whether a task is about the cordon itself.
pub(super) fn sets_or_takes_away(plan: &Plan, task: TaskId) -> bool {
    opens(plan, task) || !lowered(plan, task).closes.is_empty()
}

fn is_check(plan: &Plan, task: TaskId) -> bool {
    lowered(plan, task).role == Role::Check
}

impl Page {
    fn fail(&mut self, cause: Cause) {
        self.all_ran.insert(self.next);
        self.failed_once |= self.part == Section::Steps;
        self.fault = Some(HostStatus::Failed);
        self.barred |= matches!(cause, Cause::Identity | Cause::Drift | Cause::NodeLost);
    }

    /// A task was not skipped, and the next one comes.
    fn done(&mut self) {
        self.all_ran.insert(self.next);
        // What is done again may belong to another part.
        self.ran |= self.back.is_none();
        self.turn();
    }

    /// Nothing of this part is left to do.
    pub(super) fn is_over(&self, tasks: &HostTasks) -> bool {
        self.fault.is_some() || self.next == part_of(tasks, self.part).1
    }

    /// How it would count if it ended here.
    pub(super) fn counts_as_failed(&self, tasks: &HostTasks) -> bool {
        let saves = tasks.sections.is_some_and(|sections| sections.then == Then::Ok);
        match self.part {
            Section::Rescue => {
                let went_well = self.fault.is_none() && self.is_over(tasks) && self.ran;
                !saves || !went_well
            }
            _ => self.lost || self.fault == Some(HostStatus::Failed),
        }
    }

    /// What has to follow a part that is over.
    pub(super) fn then_comes(&self, tasks: &HostTasks) -> Option<Section> {
        let exists = |part: Section| part_of(tasks, part).0 < part_of(tasks, part).1;
        let in_the_dark = matches!(self.fault, Some(HostStatus::Unknown | HostStatus::Stopped));
        if in_the_dark || self.barred {
            return None;
        }
        let failed = self.fault.is_some();
        match self.part {
            Section::Steps if failed && exists(Section::Rescue) => Some(Section::Rescue),
            Section::Steps if (failed || self.acts > 0) && exists(Section::Always) => Some(Section::Always),
            Section::Rescue if exists(Section::Always) => Some(Section::Always),
            _ => None,
        }
    }

    /// Whether one of these tasks was not skipped.
    pub(super) fn any_ran(&self, tasks: &[u16]) -> bool {
        tasks.iter().any(|task| self.all_ran.contains(task))
    }

    /// Whether a condition of these was decided and does not hold.
    pub(super) fn is_false(&self, conditions: &[u16]) -> bool {
        conditions.iter().any(|condition| self.decided.get(condition) == Some(&false))
    }

    /// A task ended well.
    fn note(&mut self, plan: &Plan, task: TaskId) {
        self.past.insert(task.index, self.attempts);
        if opens(plan, task) {
            self.set_by.insert(task.index);
            self.cordoned = true;
        } else if sets_or_takes_away(plan, task) {
            self.set_by.clear();
            self.checks.clear();
            self.cordoned = false;
            self.again = 0;
        } else if !self.set_by.is_empty() && is_check(plan, task) {
            self.checks.insert(task.index);
        }
    }

    /// Another attempt at a task that ended before.
    fn go_to(&mut self, index: u16) {
        self.next = index;
        self.attempts = self.past[&index];
        self.failures = 0;
        self.asked_for_slot = false;
    }

    /// On to the next task.
    fn turn(&mut self) {
        self.busy = false;
        if let Some((waits, attempts, failures)) = self.back {
            let all = self.set_by.union(&self.checks);
            let following = all.copied().find(|index| (self.next + 1..waits).contains(index));
            if let Some(index) = following {
                return self.go_to(index);
            }
            self.back = None;
            (self.next, self.attempts, self.failures) = (waits, attempts, failures);
            self.asked_for_slot = false;
            return;
        }
        self.next += 1;
        self.attempts = 0;
        self.failures = 0;
        self.asked_for_slot = false;
    }
}
