//! Hosts of the open batch: what each does next, and how many start.

use crate::engine::host::{Cursor, HostRun, NextStep};
use crate::engine::phase::{BatchRun, position};
use crate::engine::{Event, StopLevel};
use crate::plan::{HostTasks, Section, TaskId};

use super::{DecisionRound, OpenPhase};

impl DecisionRound<'_> {
    /// Every host for which something can be decided: no work in flight, no slot to wait for.
    pub(super) fn work_on_hosts(&mut self, open: OpenPhase<'_>) {
        for &position in &open.run.ready {
            self.proceed(open, position, &open.run.hosts[position]);
        }
        for &(due, position) in &open.run.backing_off {
            if due <= self.now || !open.may_go_on(position) {
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
                if !open.may_go_on(position) {
                    self.proceed(open, position, &open.run.hosts[position]);
                }
            }
        }
    }

    /// Starts as many hosts as `parallel` has room for. Hosts that hold a slot are counted by the budget instead.
    pub(super) fn start_hosts(&mut self, open: OpenPhase<'_>, batch: &BatchRun) {
        if open.level.is_some() {
            return;
        }
        if open.waits_for_rescue() {
            return;
        }
        let parallel = open.planned.rollout.parallel.max(1) as usize;
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
                NextStep::Section(section) if open.may_go_on_at(tasks, run, at) => {
                    self.emit(Event::SectionStarted { phase, host, section });
                }
                NextStep::End(status) => self.emit(Event::HostEnded { phase, host, status }),
                _ if !open.may_go_on_at(tasks, run, at) => {
                    self.emit(Event::HostEnded { phase, host, status: run.cut_short(tasks, at) });
                }
                NextStep::Probe(bracket) => self.emit(Event::BracketProbeStarted { phase, host, bracket }),
                NextStep::Attempt(_, Some(due)) if due > self.now => self.wake(due),
                NextStep::Attempt(attempt, _) => self.emit(Event::TaskStarted { task, attempt }),
                NextStep::Slot | NextStep::Section(_) => {}
            }
            return;
        }
    }
}

impl OpenPhase<'_> {
    /// Whether a host goes on in spite of a stop.
    pub(super) fn may_go_on(self, position: usize) -> bool {
        let run = &self.run.hosts[position];
        self.may_go_on_at(&self.planned.hosts[position], run, run.at)
    }

    /// The same, were it at `at`: one that is out comes back, one inside a bracket closes it.
    fn may_go_on_at(self, tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
        match self.level {
            None => true,
            Some(StopLevel::Now) => false,
            // What is due after its steps is done also where they took no slot.
            Some(StopLevel::Graceful) => {
                run.slot || run.is_inside_bracket(tasks, at) || has_ended_its_steps(tasks, run, at)
            }
        }
    }

    /// Whether nobody may start or go out before it is known how a rescue ends.
    pub(super) fn waits_for_rescue(self) -> bool {
        self.run.waits_for_rescue(self.planned)
    }
}

/// Whether a host is past its steps, or about to be.
fn has_ended_its_steps(tasks: &HostTasks, run: &HostRun, at: Cursor) -> bool {
    run.section != Section::Steps || matches!(run.next(tasks, at), NextStep::Section(_))
}
