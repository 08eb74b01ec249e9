//! Decides what becomes true next. Pure: the same plan, state and time give the same decision, and a decision never
//! starts what is in flight already.
//!
//! A decision is one round: its events are what the state allows now, not what they in turn allow. The caller applies
//! them and asks again until there are none.

mod batch;
mod halt;
mod hosts;
mod slots;

use crate::plan::{Plan, PlannedPhase};
use crate::value::Timestamp;

use super::phase::PhaseRun;
use super::{Event, State, StopLevel};

/// What to do next.
#[must_use = "a decision that is not applied is made again"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// To be made durable and applied, in this order. Where there are any, decide again at once afterwards.
    pub events: Vec<Event>,
    /// When to decide again even if nothing happens: at once where there are events, else when the next time limit
    /// passes; `None`: only when something happens.
    pub wake_at: Option<Timestamp>,
    /// Nothing follows these events.
    pub done: bool,
}

/// What becomes true next, at the time `now`.
pub fn decide(plan: &Plan, state: &State, now: Timestamp) -> Decision {
    if !state.started || state.ended {
        return Decision { done: state.ended, ..Decision::default() };
    }
    let now = now.max(state.clock);
    let mut round = DecisionRound { plan, state, now, events: Vec::new(), wake_at: None };
    round.run();
    let done = round.events.last() == Some(&Event::RunEnded);
    let at_once = (!round.events.is_empty() && !done).then_some(now);
    let wake_at = if done { None } else { at_once.or(round.wake_at) };
    Decision { events: round.events, wake_at, done }
}

/// One round of decisions, being made.
struct DecisionRound<'a> {
    plan: &'a Plan,
    state: &'a State,
    now: Timestamp,
    events: Vec<Event>,
    wake_at: Option<Timestamp>,
}

/// The open phase: as planned, and as it went.
#[derive(Clone, Copy)]
struct OpenPhase<'a> {
    phase: u16,
    planned: &'a PlannedPhase,
    run: &'a PhaseRun,
    level: Option<StopLevel>,
}

impl DecisionRound<'_> {
    fn run(&mut self) {
        if let Some(halted) = self.halt_due() {
            self.emit(halted);
            return;
        }
        let level = self.state.stop_level();
        match self.state.current_phase() {
            None => self.next_phase(),
            Some(phase) => {
                let planned = self.plan.phase(phase);
                let run = &self.state.phases[usize::from(phase)];
                self.in_phase(OpenPhase { phase, planned, run, level });
            }
        }
    }

    fn next_phase(&mut self) {
        let next = self.state.phases.len();
        // A stop that takes nothing away is not told as a halt: the phases without hosts still come and go.
        let over = next == self.plan.phases.len() || self.state.halted.is_some();
        self.emit(match u16::try_from(next) {
            Ok(phase) if !over => Event::PhaseStarted { phase },
            _ => Event::RunEnded,
        });
    }

    fn in_phase(&mut self, open: OpenPhase<'_>) {
        let OpenPhase { phase, planned, run, level } = open;
        if let Some(batch) = &run.batch {
            self.work_on_hosts(open);
            // A host that fails changes the budget and may halt the run: slots are given and hosts started only by a
            // round that knows of no such thing.
            if self.events.is_empty() {
                self.give_slot(open);
            }
            if self.events.is_empty() {
                self.start_hosts(open, batch);
            }
            if self.events.is_empty() && batch.active() == 0 {
                self.close_batch(open, batch);
            }
        } else if level.is_none() && usize::from(run.next_batch) < planned.batches.len() {
            self.emit(Event::BatchStarted { phase, batch: run.next_batch });
        } else if run.slots.looking.is_none() {
            let complete = usize::from(run.next_batch) == planned.batches.len();
            let within = run.failed <= planned.rollout.max_failures && run.batch_failed.is_none();
            self.emit(Event::PhaseEnded { phase, ok: complete && within });
        }
    }

    fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Decides again at this time at the latest.
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}
