//! A run as its events tell it: what a journal holds, where a roll stands, and what it came to.

use super::{Event, IllegalEvent, Stamped, State};
use crate::plan::Plan;
use crate::value::Timestamp;

/// What the id of a rehearsal begins with; a real run's begins with its date.
pub const REHEARSAL: &str = "rehearsal-";

/// Events, and the state that they lead to.
#[derive(Debug)]
pub struct History {
    /// Where the run stands.
    pub state: State,
    /// Every event, in order.
    pub events: Vec<Stamped>,
}

impl History {
    /// A run that has not begun.
    pub fn new(plan: &Plan) -> Self {
        Self { state: State::new(plan), events: Vec::new() }
    }

    /// Folds events; an error where they do not fit the plan.
    pub fn of(plan: &Plan, events: Vec<Stamped>) -> Result<Self, IllegalEvent> {
        Ok(Self { state: State::fold(plan, &events)?, events })
    }

    /// The run's id: what hosts know it by, whatever its directory is called.
    pub fn run(&self) -> Option<&str> {
        match &self.events.first()?.event {
            Event::RunStarted { run, .. } => Some(run),
            _ => None,
        }
    }

    /// Whether it was rolled over a simulated cluster. Of those that released versions kept only the run's id tells.
    pub fn is_rehearsal(&self, plan: &Plan) -> bool {
        plan.rehearsal || self.run().is_some_and(|run| run.starts_with(REHEARSAL))
    }

    /// The machine whose controller had it last.
    pub fn machine(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match &event.event {
            Event::RunStarted { machine, .. } | Event::RunResumed { machine, .. } => Some(machine.as_str()),
            _ => None,
        })
    }

    /// When it began.
    pub fn began(&self) -> Option<Timestamp> {
        self.events.first().map(|first| first.at)
    }
}
