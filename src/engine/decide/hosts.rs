//! Hosts of the open batch: what each does next, and how many start.

use crate::engine::host::{Cursor, HostRun, NextStep};
use crate::engine::phase::{BatchRun, position};
use crate::engine::rules::Bug;
use crate::engine::{Event, SkipReason, StopLevel};
use crate::op::Effect;
use crate::plan::{HostTasks, Section, TaskId};

use super::{DecisionRound, OpenPhase};

impl DecisionRound<'_> {
    /// Every host for which something can be decided: no work in flight, no slot to wait for.
    pub(super) fn work_on_hosts(&mut self, open: OpenPhase<'_>) {
        for &position in &open.run.ready {
            self.proceed(open, position, &open.run.hosts[position]);
        }
        for &(due, position) in &open.run.backing_off {
            let is_due = due <= self.now || self.rules.broken(Bug::RetriesAtOnce);
            if is_due || !self.may_go_on(open, position) {
                self.proceed(open, position, &open.run.hosts[position]);
            } else {
                self.wake(due);
                // Sorted by time: the others are due later. Under a stop each has to be looked at.
                if open.level.is_none() {
                    break;
                }
            }
        }
        if open.level.is_some() {
            for &position in &open.run.want_slot {
                if !self.may_go_on(open, position) {
                    self.proceed(open, position, &open.run.hosts[position]);
                }
            }
        }
    }

    /// Starts as many hosts as `parallel` has room for. Hosts that hold a slot are counted by the budget instead.
    pub(super) fn start_hosts(&mut self, open: OpenPhase<'_>, batch: &BatchRun) {
        if open.level.is_some() && !self.rules.broken(Bug::StartsHostsWhileStopping) {
            return;
        }
        if self.waits_for_rescue(open) {
            return;
        }
        let parallel = open.planned.rollout.parallel.max(1) as usize;
        let parallel = if self.rules.broken(Bug::IgnoresParallel) { usize::MAX } else { parallel };
        let before_slot = (batch.active() as usize).saturating_sub(open.run.slots.held.len());
        let room = parallel.saturating_sub(before_slot);
        let startable: Vec<_> = open.run.startable(open.planned).take(room).collect();
        for (_, host) in startable {
            let position = position(self.plan, open.phase, host)
                .expect("invariant: the batches of a plan hold only hosts with tasks");
            self.emit(Event::HostStarted { phase: open.phase, host });
            self.proceed(open, position, &HostRun::default());
        }
    }

    /// Whether a host goes on in spite of a stop.
    pub(super) fn may_go_on(&self, open: OpenPhase<'_>, position: usize) -> bool {
        let run = &open.run.hosts[position];
        self.may_go_on_at(open, &open.planned.hosts[position], run, run.at)
    }

    /// The same, were it at `at`: one that is out comes back, one inside a bracket closes it.
    fn may_go_on_at(&self, open: OpenPhase<'_>, tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
        match open.level {
            None => true,
            Some(StopLevel::Now) if self.rules.broken(Bug::NowRescues) => has_ended_its_steps(tasks, run, at),
            Some(StopLevel::Now) if !self.rules.broken(Bug::NowLetsHostsFinish) => false,
            Some(_) if self.rules.broken(Bug::StopsRescues) => run.slot,
            // What is due after its steps is done also where they took no slot.
            Some(_) => run.slot || run.is_inside_bracket(tasks, at) || has_ended_its_steps(tasks, run, at),
        }
    }

    /// Whether nobody may start or go out before it is known how a rescue ends.
    pub(super) fn waits_for_rescue(&self, open: OpenPhase<'_>) -> bool {
        open.run.waits_for_rescue(open.planned) && !self.rules.broken(Bug::GoesOnDuringRescue)
    }

    /// What an idle host does next: tasks that do not run are passed by, up to work, a wait or its end.
    pub(super) fn proceed(&mut self, open: OpenPhase<'_>, position: usize, run: &HostRun) {
        let tasks = &open.planned.hosts[position];
        let (phase, host) = (open.phase, tasks.host);
        let mut at = run.at;
        loop {
            let task = TaskId { phase, host, index: at.index };
            let next = run.next(tasks, at);
            match next {
                NextStep::Skip(why) => {
                    self.emit(Event::TaskSkipped { task, why });
                    at = run.following(at);
                    continue;
                }
                NextStep::Section(section) if self.may_go_on_at(open, tasks, run, at) => {
                    self.emit(Event::SectionStarted { phase, host, section });
                }
                NextStep::End(status) => self.emit(Event::HostEnded { phase, host, status }),
                _ if !self.may_go_on_at(open, tasks, run, at) => {
                    self.emit(Event::HostEnded { phase, host, status: run.cut_short(tasks, at) });
                }
                NextStep::Attempt(..)
                    if self.rules.broken(Bug::SlotBeforeLook) && asks_later(tasks, run, at) =>
                {
                    self.emit(Event::SlotTaken { phase, host });
                }
                NextStep::Slot if self.rules.broken(Bug::StartsWithoutSlot) => {
                    self.emit(Event::TaskStarted { task, attempt: at.attempt + 1 });
                }
                NextStep::Probe(_) if self.rules.broken(Bug::TrustsOldLooks) && run.slot => {
                    self.emit(Event::TaskStarted { task, attempt: at.attempt + 1 });
                }
                NextStep::Probe(bracket) => self.emit(Event::BracketProbeStarted { phase, host, bracket }),
                NextStep::Attempt(_, Some(due))
                    if due > self.now && !self.rules.broken(Bug::RetriesAtOnce) =>
                {
                    self.wake(due);
                }
                NextStep::Attempt(..)
                    if self.rules.broken(Bug::LeavesBracketsOpen) && is_false(tasks, run, at) =>
                {
                    self.emit(Event::TaskSkipped { task, why: SkipReason::When });
                }
                NextStep::Attempt(attempt, _) => self.emit(Event::TaskStarted { task, attempt }),
                NextStep::Slot | NextStep::Section(_) => {}
            }
            return;
        }
    }
}

/// Whether the task at `at` is looked at without a slot, and may need one then.
fn asks_later(tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
    let task = tasks.tasks.get(usize::from(at.index));
    !run.slot && task.is_some_and(|task| task.looks_first && task.effect == Effect::Disrupts)
}

/// Whether a condition of the task at `at` does not hold.
fn is_false(tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
    let task = tasks.tasks.get(usize::from(at.index));
    task.is_some_and(|task| run.fails_its_condition(&task.ties))
}

/// Whether a host is past its steps, or about to be.
fn has_ended_its_steps(tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
    run.section != Section::Steps || matches!(run.next(tasks, at), NextStep::Section(_))
}
