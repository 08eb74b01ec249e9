//! The state of a run: a fold of its events and nothing else. `apply.rs` moves it, this file answers questions.

use std::collections::BTreeMap;

use crate::op::Effect;
use crate::plan::{Budget, Cordoning, HostId, HostTasks, Plan, TaskId};
use crate::runbook::OnFailure;
use crate::value::Timestamp;

use super::host::{AttemptRun, HostFailure, HostRun, HostWork, OpenCordon, TaskResult};
use super::outstanding::{Outstanding, Outstandings, SentOp};
use super::phase::{PhaseRun, position};
use super::{HaltCause, HostStatus, StopLevel};

/// A stop that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestedStop {
    /// The strongest level asked for.
    pub(super) level: StopLevel,
    /// Who asked first.
    pub(super) by: String,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something that became true of a run, and they combine freely"
)]
pub struct State {
    pub(super) seq: u64,
    pub(super) clock: Timestamp,
    pub(super) started: bool,
    pub(super) ended: bool,
    /// It ended, and nothing is left to do: every phase that has hosts ended within its limits.
    pub(super) is_whole: bool,
    /// The run that puts back what this one left.
    pub(super) undone_by: Option<String>,
    /// Phases that began; the last one may be open.
    pub(super) phases: Vec<PhaseRun>,
    /// Hosts that failed or are unknown, in any phase.
    pub(super) lost: BTreeMap<HostId, HostStatus>,
    /// What the run did and did not take back.
    pub(super) outstanding: Outstandings,
    /// etcd's id of the cluster of every member that a look has seen.
    pub(super) etcd: BTreeMap<HostId, String>,
    pub(super) stop: Option<RequestedStop>,
    /// The lock of the cluster is somebody else's: no op starts.
    pub(super) lock_lost: bool,
    pub(super) halted: Option<(HaltCause, StopLevel)>,
    /// A gate was not passed or a pause not confirmed: what a person has to see to, and why nobody has.
    pub(super) paused: Option<(String, String)>,
}

/// What a run waits for a person to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// That it may go on behind a batch.
    Gate {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
    },
    /// That something was done.
    Task(TaskId),
}

/// Work that was started and has no result: what a resumed run takes up again.
#[derive(Clone, Debug, PartialEq)]
pub enum Work<'a> {
    /// Look at the cluster and at the population's reachability.
    Observation {
        /// For this phase.
        phase: u16,
    },
    /// Probe the goals inside a bracket.
    BracketProbe {
        /// The phase.
        phase: u16,
        /// The host.
        host: HostId,
        /// Index into [`crate::plan::HostTasks::brackets`].
        bracket: u16,
    },
    /// An attempt at a task, with what is recorded of it.
    Attempt {
        /// The task.
        task: TaskId,
        /// Its number, its probe and its ops so far.
        run: &'a AttemptRun,
    },
    /// Run the phase's verify checks once.
    Verify {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
    },
    /// Ask, or look, whether the gate behind a batch opens.
    Gate {
        /// The phase.
        phase: u16,
        /// The batch.
        batch: u16,
        /// When it is given up.
        until: Option<Timestamp>,
    },
}

impl State {
    /// The state before the first event.
    pub fn new(plan: &Plan) -> Self {
        Self {
            seq: 0,
            clock: Timestamp::default(),
            started: false,
            ended: false,
            is_whole: false,
            undone_by: None,
            phases: Vec::with_capacity(plan.phases.len()),
            lost: BTreeMap::new(),
            outstanding: Outstandings::default(),
            etcd: BTreeMap::new(),
            stop: None,
            lock_lost: false,
            halted: None,
            paused: None,
        }
    }

    /// Sequence number of the last event.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The latest stamp seen. Clocks step back; the run does not.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Whether the run ended by itself.
    pub fn finished(&self) -> bool {
        self.ended
    }

    /// Whether it ended and nothing is left to do, though somebody may have asked it to stop.
    pub fn is_whole(&self) -> bool {
        self.ended && self.is_whole
    }

    /// The run that puts back what this one left, where somebody undid it.
    pub fn undone_by(&self) -> Option<&str> {
        self.undone_by.as_deref()
    }

    /// Why the run starts nothing new, if it does not.
    pub fn halted(&self) -> Option<&HaltCause> {
        self.halted.as_ref().map(|(cause, _)| cause)
    }

    /// Whether a resumed run would find something to go on with: one that was cut off, one that somebody stopped, one
    /// that gave up waiting for others, or one with hosts whose state is not known. Failures need a new plan.
    pub fn can_resume(&self) -> bool {
        if self.undone_by.is_some() {
            return false;
        }
        if !self.ended {
            return self.started;
        }
        match self.halted() {
            None => false,
            Some(
                HaltCause::Failures { .. }
                | HaltCause::BudgetSpentByFailures
                | HaltCause::BudgetSpentByCordons { .. }
                | HaltCause::DomainsSpentByFailures { .. },
            ) => self.has_doubts(),
            // Its hosts may be well and only its checks were red; where no host succeeded there is nothing to check again.
            Some(HaltCause::BatchFailed { .. }) => self.has_doubts() || self.has_success_in_last_batch(),
            // The stop may have come when all that was left was under way, and ended well.
            Some(HaltCause::Stopped { .. }) => !self.is_whole || self.has_doubts(),
            Some(HaltCause::BudgetSpentByOthers { .. } | HaltCause::Paused { .. }) => true,
        }
    }

    fn has_success_in_last_batch(&self) -> bool {
        let batch = self.phases.last().and_then(|run| run.last_batch.as_ref());
        batch.is_some_and(|batch| batch.succeeded > 0)
    }

    /// What a person has not approved, where the run goes on or would.
    pub fn awaited(&self, plan: &Plan) -> Vec<Awaited> {
        let Some(last) = self.phases.len().checked_sub(1) else { return Vec::new() };
        let (phase, run) = (index(last), &self.phases[last]);
        // What was skipped or passed by is not asked about again.
        if run.ended == Some(true) || !self.can_resume() {
            return Vec::new();
        }
        let batch = run.batch.as_ref().or(run.last_batch.as_ref().filter(|_| run.batch_failed.is_some()));
        let gate = batch.filter(|batch| batch.gate.as_ref().is_some_and(|gate| gate.passed != Some(true)));
        let mut awaited: Vec<_> =
            gate.map(|batch| Awaited::Gate { phase, batch: batch.index }).into_iter().collect();
        for (tasks, host) in plan.phase(phase).hosts.iter().zip(&run.hosts) {
            let doubt = host.in_doubt.as_ref().map(|doubt| (doubt.at.index, &doubt.attempt));
            let attempt = host.attempt().map(|attempt| (host.at.index, attempt)).or(doubt);
            if let Some((index, AttemptRun { asked: true, approved_by: None, .. })) = attempt {
                awaited.push(Awaited::Task(TaskId { phase, host: tasks.host, index }));
            }
        }
        awaited
    }

    /// Whether the last phase has hosts that a resumed run would settle.
    fn has_doubts(&self) -> bool {
        let last = self.phases.last();
        last.is_some_and(|run| run.hosts.iter().any(|host| host.in_doubt.is_some()))
    }

    /// How soon the run stops, by request or by its own failures, whichever is sooner.
    pub fn stop_level(&self) -> Option<StopLevel> {
        let asked = self.stop.as_ref().map(|stop| stop.level);
        asked.max(self.halted.as_ref().map(|(_, level)| *level))
    }

    /// The phase that is open.
    pub fn current_phase(&self) -> Option<u16> {
        let last = self.phases.len().checked_sub(1)?;
        self.phases[last].ended.is_none().then(|| index(last))
    }

    /// The phase that is open and its batch, by index.
    pub fn current_batch(&self) -> Option<(u16, u16)> {
        let phase = self.current_phase()?;
        Some((phase, self.phases[usize::from(phase)].batch.as_ref()?.index))
    }

    /// Whether a phase ended within its limits; `None` before its end.
    pub fn phase_ended(&self, phase: u16) -> Option<bool> {
        self.phases.get(usize::from(phase))?.ended
    }

    /// How a host ended in a phase; `None` where it has not, also where it never started.
    pub fn host_status(&self, plan: &Plan, phase: u16, host: HostId) -> Option<HostStatus> {
        self.host_run(plan, phase, host)?.status
    }

    /// The gravest end of a host in the phases so far; `None` where it ended in none.
    pub fn overall_status(&self, plan: &Plan, host: HostId) -> Option<HostStatus> {
        (0..self.phases.len()).filter_map(|phase| self.host_status(plan, index(phase), host)).max()
    }

    /// Whether a host holds a slot of the open phase, which means that it is being worked on or was left half-way.
    pub fn holds_slot(&self, host: HostId) -> bool {
        self.phases.last().is_some_and(|phase| phase.slots.held.contains(&host))
    }

    /// Hosts that this run took out of service and did not bring back, in the plan's order. While the run goes on
    /// that includes those it works on. A host that ended before its first change is still in service, and so is one
    /// whose change was taken back at once, though they keep their slots when they failed: the budget is careful, the
    /// summary is exact.
    pub fn out_of_service(&self, plan: &Plan) -> Vec<HostId> {
        self.hosts_with(plan, |run| {
            run.slot && !is_success(run.status) && (run.changes.out || run.status.is_none())
        })
    }

    /// Hosts whose node this run cordoned, or may have, and that nobody uncordoned since, each with the task that did it
    /// last; in the plan's order.
    pub fn cordoned(&self) -> BTreeMap<HostId, TaskId> {
        self.outstanding.cordons().collect()
    }

    /// Changes that stand on hosts, or may, in the order in which they were made.
    pub fn outstanding(&self) -> &[Outstanding] {
        self.outstanding.made()
    }

    /// Ops whose end is not known, with the host where their kubectl runs.
    pub fn unheard(&self) -> impl Iterator<Item = (SentOp, Option<HostId>)> {
        self.outstanding.unheard()
    }

    /// Whether this run changed a host, or may have: what differs there from the plan may be its own work.
    pub fn has_acted_on(&self, host: HostId) -> bool {
        self.outstanding.has_acted_on(host)
    }

    /// Whether this run changed a host, or may have, in a way that stays when its cordons and holds are taken back.
    pub fn has_lasting_acts(&self, host: HostId) -> bool {
        self.outstanding.has_lasting_acts(host)
    }

    /// Whether the last look at the cluster, or a check after it, saw a host out of service that this run did not take
    /// out.
    pub fn has_seen_others_out(&self) -> bool {
        let by_others = |cause: &HaltCause| matches!(cause, HaltCause::BudgetSpentByOthers { .. });
        let last = self.phases.last();
        let is_seen =
            last.and_then(|phase| phase.slots.look.as_ref()).is_some_and(|look| !look.out.is_empty());
        let is_red =
            last.and_then(|phase| phase.batch.as_ref().or(phase.last_batch.as_ref())).is_some_and(|batch| {
                batch.verified.as_ref().is_some_and(|(_, failed_check)| failed_check.is_some())
            });
        is_seen || is_red || self.halted().is_some_and(by_others)
    }

    /// Hosts whose tasks of a phase changed something that stands, and did not all end, in the plan's order.
    pub fn half_changed(&self, plan: &Plan) -> Vec<HostId> {
        self.hosts_with(plan, |run| run.changes.stand && !is_success(run.status))
    }

    /// When the next attempt at a task is due, after one that failed; `None` where there will be none.
    pub fn next_attempt(&self, plan: &Plan, task: TaskId) -> Option<Timestamp> {
        let run = self.host_run(plan, task.phase, task.host)?;
        run.at.retry_at.filter(|_| run.at.index == task.index && run.status.is_none())
    }

    /// Whether a host goes on to its end in spite of a stop: it is out of service, or inside a bracket.
    pub fn finishes(&self, plan: &Plan, phase: u16, host: HostId) -> bool {
        let tasks = plan.phase(phase).tasks_of(host);
        let run = tasks.zip(self.host_run(plan, phase, host));
        run.is_some_and(|(tasks, run)| run.slot || run.is_inside_bracket(tasks, run.at))
    }

    /// Whether a host has come to its first disrupting task and was given no slot yet.
    pub fn wants_slot(&self, plan: &Plan, host: HostId) -> bool {
        let phase = self.current_phase().and_then(|phase| Some((phase, position(plan, phase, host)?)));
        phase.is_some_and(|(phase, position)| self.phases[usize::from(phase)].want_slot.contains(&position))
    }

    /// Slots of the open phase, and who holds them.
    pub fn budget(&self) -> Option<Budget> {
        let phase = self.current_phase()?;
        Some(self.phases[usize::from(phase)].slots.budget())
    }

    /// How many hosts of the open phase are out of service, and how many may be.
    pub fn out_and_slots(&self) -> Option<(usize, usize)> {
        let slots = &self.phases[usize::from(self.current_phase()?)].slots;
        Some((slots.out(), slots.count))
    }

    /// What failed in a host's steps of a phase; also where a rescue made that good.
    pub fn failure(&self, plan: &Plan, phase: u16, host: HostId) -> Option<&HostFailure> {
        self.host_run(plan, phase, host)?.failure.as_ref()
    }

    /// Whether a host failed in a phase and counts as done there, because its rescue has gone well.
    pub fn was_rescued(&self, plan: &Plan, phase: u16, host: HostId) -> bool {
        self.host_run(plan, phase, host).is_some_and(|run| run.failure.is_some() && is_success(run.status))
    }

    /// What `steps.<id>` says of an earlier task; `None` where it has not ended.
    pub fn result(&self, plan: &Plan, task: TaskId) -> Option<&TaskResult> {
        self.host_run(plan, task.phase, task.host)?.results.get(usize::from(task.index))
    }

    /// What was decided of a host's conditions in a phase.
    pub fn decided(&self, plan: &Plan, phase: u16, host: HostId) -> BTreeMap<u16, bool> {
        self.host_run(plan, phase, host).map(|run| run.decided.clone()).unwrap_or_default()
    }

    /// Whether a task closes a bracket of its host that was opened.
    pub fn closes_what_is_open(&self, plan: &Plan, task: TaskId) -> bool {
        let run = self.host_run(plan, task.phase, task.host);
        run.is_some_and(|run| run.has_open(&plan.task(task).ties))
    }

    /// Whether what cordons the node around a task was skipped, and the task has another condition: it must not disrupt.
    pub fn is_apart(&self, plan: &Plan, task: TaskId) -> bool {
        let run = self.host_run(plan, task.phase, task.host);
        run.is_some_and(|run| run.is_apart(&plan.task(task).ties))
    }

    /// The cordon that a task relies on when it disrupts: set by this run and not yet taken away by it. `None` for tasks
    /// that set or take away a cordon themselves.
    pub fn open_cordon(&self, plan: &Plan, task: TaskId) -> Option<OpenCordon> {
        if plan.cordoning(task) != Cordoning::Leaves {
            return None;
        }
        self.host_run(plan, task.phase, task.host)?.open_cordon()
    }

    /// Whether a task is done again because the cordon was gone: what decided that it runs is decided.
    pub fn is_done_again(&self, plan: &Plan, task: TaskId) -> bool {
        let run = self.host_run(plan, task.phase, task.host);
        run.is_some_and(|run| run.at.back.is_some() && run.at.index == task.index)
    }

    /// Hosts that started in the open phase and have not ended.
    pub fn active_hosts(&self, plan: &Plan) -> Vec<HostId> {
        let Some(phase) = self.current_phase() else { return Vec::new() };
        let hosts = plan.phase(phase).hosts.iter().zip(&self.phases[usize::from(phase)].hosts);
        hosts.filter(|(_, run)| run.is_active()).map(|(tasks, _)| tasks.host).collect()
    }

    /// Hosts of the open phase that are in the middle of steps that change them, or may have.
    pub fn at_work(&self, plan: &Plan) -> Vec<HostId> {
        let Some(phase) = self.current_phase() else { return Vec::new() };
        let is_at_work = |tasks: &HostTasks, run: &HostRun| {
            let changes =
                tasks.tasks.get(usize::from(run.at.index)).is_some_and(|task| task.effect > Effect::Reads);
            let is_sent = changes && run.attempt().is_some_and(|attempt| !attempt.ops.is_empty());
            run.is_active() && (run.changes.any || is_sent)
        };
        let hosts = plan.phase(phase).hosts.iter().zip(&self.phases[usize::from(phase)].hosts);
        hosts.filter(|(tasks, run)| is_at_work(tasks, run)).map(|(tasks, _)| tasks.host).collect()
    }

    /// Work that was started and has no result.
    pub fn in_flight<'a>(&'a self, plan: &Plan) -> Vec<Work<'a>> {
        let Some(phase) = self.current_phase() else { return Vec::new() };
        let run = &self.phases[usize::from(phase)];
        let mut work = Vec::new();
        if run.slots.looking.is_some() {
            work.push(Work::Observation { phase });
        }
        for &position in &run.working {
            let host = plan.phase(phase).hosts[position].host;
            match &run.hosts[position].work {
                Some(HostWork::Bracket(bracket)) => {
                    work.push(Work::BracketProbe { phase, host, bracket: *bracket });
                }
                Some(HostWork::Attempt(attempt)) => {
                    let task = TaskId { phase, host, index: run.hosts[position].at.index };
                    work.push(Work::Attempt { task, run: attempt });
                }
                None => {}
            }
        }
        if let Some(batch) = run.batch.as_ref().filter(|batch| batch.verifying) {
            work.push(Work::Verify { phase, batch: batch.index });
        }
        if let Some(batch) = run.batch.as_ref().filter(|batch| batch.is_at_gate(plan.phase(phase)))
            && let Some(gate) = &batch.gate
        {
            work.push(Work::Gate { phase, batch: batch.index, until: gate.until });
        }
        work
    }

    pub(super) fn host_run(&self, plan: &Plan, phase: u16, host: HostId) -> Option<&HostRun> {
        self.phases.get(usize::from(phase))?.hosts.get(position(plan, phase, host)?)
    }

    fn hosts_with(&self, plan: &Plan, test: impl Fn(&HostRun) -> bool) -> Vec<HostId> {
        let mut hosts: Vec<_> = plan
            .phases
            .iter()
            .zip(&self.phases)
            .flat_map(|(planned, run)| planned.hosts.iter().zip(&run.hosts))
            .filter(|(_, run)| test(run))
            .map(|(tasks, _)| tasks.host)
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// How soon a run stops that halts by itself in a phase of this rollout.
pub(super) fn halt_level(on_failure: OnFailure) -> StopLevel {
    match on_failure {
        OnFailure::Halt => StopLevel::Graceful,
        OnFailure::Freeze => StopLevel::Now,
    }
}

pub(super) fn is_success(status: Option<HostStatus>) -> bool {
    matches!(status, Some(HostStatus::Ok | HostStatus::Changed))
}

fn index(position: usize) -> u16 {
    u16::try_from(position).expect("invariant: a plan has at most 65,536 phases")
}
