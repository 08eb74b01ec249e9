//! Goes through a host's tasks in order and says which goals the plan can vouch for: a goal that holds now is known later
//! where an earlier step, one that will or may run, changes what it reads. Pure.

use std::collections::BTreeSet;

use super::{Before, BracketPart, Outlook, forecast_plan};
use crate::op::{Effect, SYMBOL_OPEN};
use crate::plan::{Bracket, Forecast, HostId, HostTasks, Plan, Section, StepRef, TaskId};
use crate::runbook::Mode;
use crate::step::{Change, Fidelity, Matter, Role};

/// Where something that all hosts share may be changed: phase and host.
pub(super) type SharedMatters = BTreeSet<(u16, HostId)>;

/// What is foreseen of a host's tasks.
pub(super) struct Walk<'p> {
    plan: &'p Plan,
    host: HostId,
    /// What other hosts may change.
    elsewhere: &'p SharedMatters,
    outlooks: std::iter::Peekable<std::slice::Iter<'p, (TaskId, Outlook)>>,
    /// What earlier tasks of the host will or may change, each with the task.
    changed: Vec<(Matter, TaskId)>,
    /// Of every task gone through so far, in the order of the plan.
    pub(super) told: Vec<(TaskId, TaskForecast)>,
    /// Phases in which it may change what all hosts share.
    pub(super) shares: BTreeSet<u16>,
}

/// What is foreseen of one task.
#[derive(Clone, Debug)]
pub(super) struct TaskForecast {
    pub(super) forecast: Forecast,
    pub(super) effect: Effect,
}

/// Whether a bracket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BracketNeed {
    No,
    /// An earlier step decides it.
    Maybe,
    Yes,
}

impl<'p> Walk<'p> {
    pub(super) fn of(
        plan: &'p Plan,
        host: HostId,
        outlooks: &'p [(TaskId, Outlook)],
        elsewhere: &'p SharedMatters,
    ) -> Self {
        let mut walk = Self {
            plan,
            host,
            elsewhere,
            outlooks: outlooks.iter().peekable(),
            changed: Vec::new(),
            told: Vec::new(),
            shares: BTreeSet::new(),
        };
        for (phase, planned) in (0..).zip(&plan.phases) {
            if let Some(tasks) = planned.tasks_of(host) {
                walk.phase(phase, tasks);
            }
        }
        walk
    }

    fn phase(&mut self, phase: u16, tasks: &HostTasks) {
        let mut told = self.look(phase, tasks);
        self.section(phase, tasks, Section::Steps, &mut told);
        if is_idle(tasks, &told) {
            leave_always_out(tasks, &mut told);
        } else {
            self.section(phase, tasks, Section::Always, &mut told);
        }
        let host = self.host;
        self.told.extend((0..).zip(told).map(|(index, told)| (TaskId { phase, host, index }, told)));
    }

    /// What the probes say of the tasks of a phase, each on its own.
    fn look(&mut self, phase: u16, tasks: &HostTasks) -> Vec<TaskForecast> {
        let read_only = self.plan.phase(phase).mode == Mode::ReadOnly;
        let mut before = Before { changed: !self.changed.is_empty(), opaque: false };
        let mut all = Vec::with_capacity(tasks.tasks.len());
        for (index, task) in (0..).zip(&tasks.tasks) {
            let id = self.id(phase, index);
            let outlook = self.outlooks.next_if(|(task, _)| *task == id).map(|(_, outlook)| outlook);
            let (forecast, effect) = match outlook {
                Some(Outlook::Later(what)) => (Forecast::Deferred { waits_for: vec![what.clone()] }, None),
                Some(Outlook::Settled(assessment)) => {
                    forecast_plan(self.plan, id, Some(assessment), Before::default(), read_only)
                }
                Some(Outlook::Now(assessment)) => {
                    forecast_plan(self.plan, id, Some(assessment), before, read_only)
                }
                None => forecast_plan(self.plan, id, None, before, read_only),
            };
            before.changed |= may_run(&forecast) && task.effect > Effect::Reads;
            before.opaque |= matches!(forecast, Forecast::Runs { fidelity: Fidelity::Opaque })
                || matches!(task.step, StepRef::Deferred(_));
            all.push(TaskForecast { forecast, effect: task.effect.max(effect.unwrap_or(task.effect)) });
        }
        all
    }

    fn section(&mut self, phase: u16, tasks: &HostTasks, section: Section, told: &mut [TaskForecast]) {
        let range = tasks.range(section);
        let mut index = range.start;
        while index < range.end {
            match tasks.brackets.iter().find(|bracket| bracket.first == index) {
                Some(bracket) => {
                    self.bracket(phase, tasks, bracket, told);
                    index = bracket.last + 1;
                }
                None => {
                    self.task(phase, index, told);
                    index += 1;
                }
            }
        }
    }

    /// One task whose turn will come: it may change what later ones read.
    fn task(&mut self, phase: u16, index: u16, told: &mut [TaskForecast]) {
        let id = self.id(phase, index);
        let told = &mut told[usize::from(index)];
        told.forecast = self.doubted(id, &told.forecast);
        if may_run(&told.forecast) && told.effect > Effect::Reads {
            let changes = self.plan.may_change(id);
            if changes.contains(&Matter::Cluster) {
                self.shares.insert(phase);
            }
            for matter in changes {
                if !self.changed.iter().any(|(known, _)| *known == matter) {
                    self.changed.push((matter, id));
                }
            }
        }
    }

    /// A bracket whose goals all hold, and whatever earlier steps do, is one line: nothing to do.
    fn bracket(&mut self, phase: u16, tasks: &HostTasks, bracket: &Bracket, told: &mut [TaskForecast]) {
        let inside = bracket.first..=bracket.last;
        let need = self.need(phase, tasks, bracket, told);
        for index in inside {
            let is_left_out = told[usize::from(index)].forecast.is_left_out();
            match need {
                _ if is_left_out => {}
                BracketNeed::No => told[usize::from(index)].forecast = Forecast::BracketHolds,
                BracketNeed::Yes => self.task(phase, index, told),
                BracketNeed::Maybe => {
                    self.task(phase, index, told);
                    let forecast = &mut told[usize::from(index)].forecast;
                    if self.role(phase, index) == Some(Role::Means) {
                        *forecast = perhaps(forecast);
                    }
                }
            }
        }
    }

    fn need(&self, phase: u16, tasks: &HostTasks, bracket: &Bracket, told: &[TaskForecast]) -> BracketNeed {
        let mut goals = false;
        let mut need = BracketNeed::No;
        for index in bracket.first..=bracket.last {
            let id = self.id(phase, index);
            let forecast = &told[usize::from(index)].forecast;
            let (part, open) = match tasks.tasks[usize::from(index)].step {
                _ if forecast.is_left_out() => continue,
                StepRef::Deferred(_) => (BracketPart::Open, BracketNeed::Yes),
                StepRef::Action(action) if !self.plan.action(action).lowered.is_reason() => continue,
                StepRef::Action(_) => match self.doubted(id, forecast) {
                    Forecast::Holds { .. } => (BracketPart::Holds, BracketNeed::No),
                    Forecast::Deferred { .. } => (BracketPart::Open, BracketNeed::Maybe),
                    _ => (BracketPart::Open, BracketNeed::Yes),
                },
            };
            goals = true;
            need = if part == BracketPart::Open && need != BracketNeed::Yes { open } else { need };
        }
        if goals { need } else { BracketNeed::Yes }
    }

    /// What can be said of a task once it is known what is changed before: a goal that holds now may not, then.
    fn doubted(&self, id: TaskId, forecast: &Forecast) -> Forecast {
        let Forecast::Holds { state } = forecast else { return forecast.clone() };
        let StepRef::Action(action) = self.plan.task(id).step else { return forecast.clone() };
        let action = self.plan.action(action);
        if action.lowered.role != Role::Goal {
            return forecast.clone();
        }
        let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
        let reads = kind.touches(&action.args).reads;
        let meets = |changed: &Matter| reads.iter().any(|matter| matter.meets(changed));
        let own = self.changed.iter().find(|(matter, _)| meets(matter)).map(|(_, task)| *task);
        let others = || {
            let shared = reads.contains(&Matter::Cluster);
            shared && self.elsewhere.iter().any(|(phase, host)| *phase <= id.phase && *host != self.host)
        };
        match own {
            Some(task) => later(&format!("what {} changes", self.name(task)), state),
            None if others() => later("what other hosts change in the cluster", state),
            None => forecast.clone(),
        }
    }

    /// The step as a reader finds it: hosts that are alike must read alike.
    fn name(&self, task: TaskId) -> String {
        let title = self.plan.title(task);
        let kind = || match self.plan.task(task).step {
            StepRef::Action(action) => &self.plan.action(action).kind,
            StepRef::Deferred(deferred) => &self.plan.deferred[deferred.0 as usize].kind,
        };
        if title.contains(SYMBOL_OPEN) { format!("`{}`", kind()) } else { format!("`{title}`") }
    }

    fn role(&self, phase: u16, index: u16) -> Option<Role> {
        match self.plan.task(self.id(phase, index)).step {
            StepRef::Action(action) => Some(self.plan.action(action).lowered.role),
            StepRef::Deferred(_) => None,
        }
    }

    fn id(&self, phase: u16, index: u16) -> TaskId {
        TaskId { phase, host: self.host, index }
    }
}

impl Plan {
    /// What a task may change; of a step that is not known yet, anything.
    pub fn may_change(&self, task: TaskId) -> Vec<Matter> {
        match self.task(task).step {
            StepRef::Action(action) => {
                let action = self.action(action);
                let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
                kind.touches(&action.args).changes
            }
            StepRef::Deferred(_) => vec![Matter::Anything],
        }
    }
}

fn later(what: &str, now: &str) -> Forecast {
    Forecast::Deferred { waits_for: vec![format!("{what}; now: {now}")] }
}

/// What a means does if its bracket is opened, which an earlier step decides.
fn perhaps(forecast: &Forecast) -> Forecast {
    const SHOWN: usize = 3;
    let what = "whether anything in its bracket is to do".to_owned();
    let waits_for = match forecast {
        Forecast::Runs { .. } => vec![what],
        Forecast::Changes { changes, .. } => {
            let one = |change: &Change| format!("{} {} → {}", change.what, change.before, change.after);
            let mut shown: Vec<_> = changes.iter().take(SHOWN).map(one).collect();
            if changes.len() > SHOWN {
                shown.push(format!("and {} more", changes.len() - SHOWN));
            }
            vec![format!("{what}; then: {}", shown.join(", "))]
        }
        other => return other.clone(),
    };
    Forecast::Deferred { waits_for }
}

/// Whether nothing that changes anything would be sent for the phase's own steps.
fn is_idle(tasks: &HostTasks, told: &[TaskForecast]) -> bool {
    let acts = |index: u16| {
        let told = &told[usize::from(index)];
        let runs = may_run(&told.forecast) || told.forecast == Forecast::NotProbed;
        runs && told.effect > Effect::Reads
    };
    !tasks.range(Section::Steps).any(acts)
}

/// There is nothing to tidy up after steps that do nothing.
fn leave_always_out(tasks: &HostTasks, told: &mut [TaskForecast]) {
    let always = tasks.range(Section::Always);
    for told in &mut told[usize::from(always.start)..usize::from(always.end)] {
        if !told.forecast.is_left_out() {
            told.forecast = Forecast::IfTouched;
        }
    }
}

/// Whether an op may be sent for it.
fn may_run(forecast: &Forecast) -> bool {
    matches!(forecast, Forecast::Changes { .. } | Forecast::Runs { .. } | Forecast::Deferred { .. })
}
