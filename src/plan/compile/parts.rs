//! The parts of a phase on a host: its steps, `rescue`, `always`. One list of tasks, so that a task keeps its number.

use super::dependence::Dependence;
use crate::plan::{Forecast, HostId, HostTasks, Sections, Task};
use crate::runbook::{Phase, Runbook, Step, Then};

/// The steps of a phase by part, each with what it depends on.
pub(super) struct Parts<'a> {
    pub(super) steps: Vec<(&'a Step, Dependence)>,
    pub(super) rescue: Vec<(&'a Step, Dependence)>,
    pub(super) always: Vec<(&'a Step, Dependence)>,
    then: Then,
}

impl<'a> Parts<'a> {
    pub(super) fn of(runbook: &Runbook, phase: &'a Phase) -> Self {
        let with = |steps: &'a [Step]| -> Vec<(&'a Step, Dependence)> {
            steps.iter().map(|step| (step, Dependence::of(runbook, step))).collect()
        };
        let rescue = phase.rescue.as_ref();
        Self {
            steps: with(&phase.steps),
            rescue: rescue.map(|rescue| with(&rescue.steps)).unwrap_or_default(),
            always: with(&phase.always),
            then: rescue.map(|rescue| rescue.then).unwrap_or_default(),
        }
    }

    /// A host's tasks in one list. Nothing can be foreseen of a rescue: it follows a failure.
    pub(super) fn join(
        &self,
        host: HostId,
        mut tasks: Vec<Task>,
        mut rescue: Vec<Task>,
        always: Vec<Task>,
    ) -> HostTasks {
        for task in rescue.iter_mut().filter(|task| !task.forecast.is_left_out()) {
            task.forecast = Forecast::IfFailed;
        }
        let index = |count: usize| {
            u16::try_from(count).expect("invariant: a host has fewer than 65,536 tasks in a phase")
        };
        let (before_rescue, before_always) = (index(tasks.len()), index(tasks.len() + rescue.len()));
        let sections = (!self.rescue.is_empty() || !self.always.is_empty()).then_some(Sections {
            rescue: before_rescue,
            always: before_always,
            then: self.then,
        });
        tasks.extend(rescue);
        tasks.extend(always);
        HostTasks { host, tasks, sections, brackets: Vec::new() }
    }
}
