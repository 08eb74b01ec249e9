//! The parts of a phase on a host: its steps, `rescue`, `always`. One list of tasks, so that a task keeps its number.

use super::dependence::Dependence;
use crate::plan::{Forecast, HostId, HostTasks, LeftOut, Sections, Task};
use crate::runbook::{ChosenPhase, NotChosen, Phase, Runbook, Step, StepTies, Then, ties};

/// A step as it is written, and what is known of it for every host.
pub(super) struct WrittenStep<'a> {
    pub(super) step: &'a Step,
    pub(super) dependence: Dependence,
    /// The same without its conditions.
    pub(super) values: Dependence,
    /// Its place in [`Phase::host_steps`].
    pub(super) at: usize,
    /// What it has to do with brackets that others opened.
    pub(super) ties: StepTies,
    /// Why no host has it.
    pub(super) left_out: Option<LeftOut>,
}

/// The steps of a phase by part.
pub(super) struct PhaseParts<'a> {
    pub(super) steps: Vec<WrittenStep<'a>>,
    pub(super) rescue: Vec<WrittenStep<'a>>,
    pub(super) always: Vec<WrittenStep<'a>>,
    then: Then,
}

impl<'a> PhaseParts<'a> {
    pub(super) fn of(runbook: &Runbook, phase: &'a Phase, chosen: &ChosenPhase) -> Self {
        let mut ties = ties(phase, &runbook.frames).into_iter().enumerate();
        // Called for each step in the order of `Phase::host_steps`.
        let mut written = |step: &'a Step, left_out: Option<LeftOut>| {
            let (at, ties) = ties.next().expect("invariant: there are ties for every step");
            let (dependence, values) = (Dependence::of(runbook, step), Dependence::of_values(runbook, step));
            WrittenStep { step, dependence, values, at, ties, left_out }
        };
        let steps = phase.steps.iter().zip(&chosen.steps);
        // What answers to steps goes where they go.
        let goes = chosen.only_checks.then_some(LeftOut::OnlyChecks);
        let rescue = phase.rescue.as_ref();
        let steps = steps.map(|(step, out)| written(step, out.as_ref().map(left_out))).collect();
        let mut with = |steps: &'a [Step]| -> Vec<WrittenStep<'a>> {
            steps.iter().map(|step| written(step, goes.clone())).collect()
        };
        Self {
            steps,
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

fn left_out(out: &NotChosen) -> LeftOut {
    match out {
        NotChosen::NotNamed => LeftOut::NotNamed,
        NotChosen::Skipped(word) => LeftOut::Skipped(word.clone()),
    }
}
