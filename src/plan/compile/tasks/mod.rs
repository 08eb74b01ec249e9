//! Lowers steps to tasks: once for all hosts where nothing of the host is used, once per host where it is, and later
//! where a step depends on what earlier tasks bring about.

mod checks;
mod decisions;
mod later;
mod rendered;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;

use super::brackets::{Marks, outermost};
use super::hosts::{HostRow, HostTable};
use super::parts::{PhaseParts, WrittenStep};
use super::rounds::LoopRound;
use super::scopes::Scopes;
use super::{CompileInput, Selection, adopt, batches, placeless, step_error};
use crate::facts::HostFacts;
use crate::op::Effect;
use crate::plan::{
    Action, ActionId, DeferredId, DeferredStep, Forecast, FrozenId, HostId, HostTasks, PlannedKube,
    PlannedPhase, Section, StepRef, Task, Ties, implied,
};
use crate::runbook::{Phase, Runbook, Step};
use crate::source::{Diagnostics, codes};
use crate::step::{BracketKey, LowerError, Lowered, Role};
use crate::template::{RenderError, Scope};
use crate::value::{Duration, Value};
use decisions::{ConditionVerdict, Decisions};
use rendered::{Rendered, lower};

/// Everything that lowering collects.
pub(super) struct Lowering<'a, 't> {
    input: CompileInput<'a>,
    table: &'t HostTable<'a>,
    kube: Option<&'t PlannedKube>,
    pub(super) scopes: Result<Scopes<'a>, RenderError>,
    actions: Vec<Arc<Action>>,
    lowered: HashMap<ActionKey, ActionId>,
    deferred: Vec<DeferredStep>,
    deferred_by_place: HashMap<(String, Vec<String>, String), DeferredId>,
    frozen: Vec<DeferredStep>,
    frozen_by_step: HashMap<(*const Step, String), FrozenId>,
    /// Facts that the tasks so far may change; the same for every host that a phase works on.
    pub(super) altered: BTreeMap<HostId, Arc<BTreeSet<String>>>,
    /// Hosts whose cordon is taken over from an earlier run.
    pub(super) adopted: BTreeSet<HostId>,
}

/// Every step of a plan.
pub(super) struct PlannedSteps {
    /// Known now.
    pub(super) actions: Vec<Arc<Action>>,
    /// Known only later.
    pub(super) deferred: Vec<DeferredStep>,
    /// Known by what facts say now.
    pub(super) frozen: Vec<DeferredStep>,
}

/// The work on one host in one phase.
pub(super) struct Visit<'a, 'v> {
    pub(super) id: HostId,
    pub(super) row: &'v HostRow<'a>,
    pub(super) facts: Option<&'a HostFacts>,
    /// What expressions about the host see, once one asked.
    pub(super) scope: Option<Arc<Scope>>,
    /// Its tasks so far, in this part of the phase.
    pub(super) tasks: Vec<Task>,
    /// Index of the first of them.
    base: usize,
    /// Conditions that were decided.
    pub(super) decisions: Decisions,
}

/// What makes two lowered steps the same action: the step as written, what the subject tells lowering, and the
/// rendered arguments where they depend on the host.
#[derive(PartialEq, Eq, Hash)]
struct ActionKey {
    step: *const Step,
    control_plane: bool,
    has_node: bool,
    args: String,
}

/// A step that could not become a task.
enum TaskError {
    Render(RenderError),
    Lower(LowerError),
}

impl From<RenderError> for TaskError {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
    }
}

impl<'a, 't> Lowering<'a, 't> {
    pub(super) fn new(
        input: &CompileInput<'a>,
        table: &'t HostTable<'a>,
        kube: Option<&'t PlannedKube>,
    ) -> Self {
        Self {
            input: *input,
            table,
            kube,
            scopes: Scopes::new(input),
            actions: Vec::new(),
            lowered: HashMap::new(),
            deferred: Vec::new(),
            deferred_by_place: HashMap::new(),
            frozen: Vec::new(),
            frozen_by_step: HashMap::new(),
            altered: BTreeMap::new(),
            adopted: BTreeSet::new(),
        }
    }

    /// Every action so far.
    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().map(AsRef::as_ref)
    }

    pub(super) fn finish(self) -> PlannedSteps {
        PlannedSteps { actions: self.actions, deferred: self.deferred, frozen: self.frozen }
    }

    /// Whether expressions are evaluated while the plan runs.
    pub(super) fn evaluates_later(&self) -> bool {
        !self.deferred.is_empty() || !self.frozen.is_empty()
    }

    /// The namespaces `vars` and `groups`, for deferred and frozen steps.
    pub(super) fn deferred_scope(&self) -> Value {
        let mut map = IndexMap::new();
        if let Ok(scopes) = &self.scopes {
            map.insert("vars".to_owned(), scopes.vars.clone());
            map.insert("groups".to_owned(), scopes.groups.clone());
        }
        Value::Map(map)
    }

    /// A phase with all of its tasks.
    pub(super) fn phase(
        &mut self,
        phase: &'a Phase,
        selection: &Selection,
        diagnostics: &mut Diagnostics,
    ) -> PlannedPhase {
        let (population, batches, mut rollout) =
            batches::cut(&self.input, self.table, &phase.rollout, selection);
        let parts = PhaseParts::of(self.input.runbook, phase, &selection.chosen);
        let mut ids: Vec<HostId> = batches.iter().flatten().copied().collect();
        ids.sort_unstable();
        let mut hosts: Vec<HostTasks> = Vec::with_capacity(ids.len());
        for id in ids {
            hosts.push(self.host(id, &parts, diagnostics));
        }
        let disrupts = |tasks: &HostTasks| {
            let mut tasks = tasks.tasks.iter();
            tasks.any(|task| task.effect == Effect::Disrupts && !task.forecast.is_left_out())
        };
        rollout.control_planes =
            hosts.iter().any(|tasks| self.table.row(tasks.host).subject.control_plane && disrupts(tasks));
        let is_left_out = selection.chosen.is_left_out();
        // Who only checks what later phases rely on stands in nobody's way.
        let only_checks = selection.chosen.only_checks;
        let checks = !is_left_out && !only_checks;
        let verify = if checks { self.verify(phase, &population, diagnostics) } else { Vec::new() };
        let gate = if checks { self.gate(phase, &population, diagnostics) } else { None };
        if !checks {
            rollout.soak = Duration::ZERO;
        }
        PlannedPhase {
            name: phase.name.value.clone(),
            mode: phase.mode,
            rollout,
            topology: batches::topology(self.table, &phase.rollout, &population),
            population,
            batches,
            hosts,
            verify,
            gate,
            left_out: is_left_out,
        }
    }

    fn host(&mut self, id: HostId, parts: &PhaseParts<'a>, diagnostics: &mut Diagnostics) -> HostTasks {
        // The table outlives the lowering that looks at it.
        let table: &'t HostTable<'a> = self.table;
        let row = table.row(id);
        let facts = self.input.knowledge.facts(&row.host.name);
        let (tasks, decisions) = (Vec::new(), Decisions::default());
        let mut visit = Visit { id, row, facts, scope: None, tasks, base: 0, decisions };
        let mut tasks = self.tasks(&parts.steps, &mut visit, diagnostics);
        if let Some(at) = self.adopt(id, &mut tasks, diagnostics) {
            for task in &mut tasks {
                task.ties.make_room(at);
            }
            visit.decisions.make_room(at);
        }
        visit.base = tasks.len();
        let rescue = self.tasks(&parts.rescue, &mut visit, diagnostics);
        visit.base += rescue.len();
        let always = self.tasks(&parts.always, &mut visit, diagnostics);
        let tasks = parts.join(id, tasks, rescue, always);
        let sections = [Section::Steps, Section::Rescue, Section::Always].map(|section| tasks.range(section));
        let marks = |range: &Range<u16>| {
            let inside = &tasks.tasks[usize::from(range.start)..usize::from(range.end)];
            outermost(range.start, inside.iter().map(|task| self.marks(task)))
        };
        let brackets = sections.iter().flat_map(marks).collect();
        HostTasks { brackets, ..tasks }
    }

    /// The tasks of one part of a phase.
    fn tasks(
        &mut self,
        steps: &[WrittenStep<'a>],
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Task> {
        self.unroll(steps, None, &LoopRound::default(), visit, diagnostics);
        std::mem::take(&mut visit.tasks)
    }

    /// One step in one round of the loops around it.
    pub(super) fn turn(
        &mut self,
        written: &WrittenStep<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) {
        let step = written.step;
        let task = self.decide(written, round, visit).map_err(TaskError::Render);
        let task = task.and_then(|mut verdict| {
            let task = self.decided(written, round, &mut verdict, visit)?;
            Ok((task, verdict))
        });
        let host = &visit.row.host.name;
        let about = |message: &str| format!("{message} (host `{host}`{})", round.about());
        match task {
            Ok((task, verdict)) => {
                let index = u16::try_from(visit.base + visit.tasks.len())
                    .expect("invariant: a host has fewer than 65,536 tasks in a phase");
                visit.decisions.note(written.at, round, index, &verdict, task.forecast.is_left_out());
                visit.tasks.push(task);
            }
            Err(TaskError::Render(error)) => {
                let message = about(&error.message);
                let span = error.span.unwrap_or(step.origin.span);
                step_error(diagnostics, codes::STEP_VALUES, span, &message, None);
            }
            Err(TaskError::Lower(error)) => {
                let (message, hint) = (about(&error.message), error.hint.as_deref());
                step_error(diagnostics, codes::STEP_MEANING, checks::field(step, &error), &message, hint);
            }
        }
    }

    /// The task of a step whose conditions are decided, as far as they can be now.
    fn decided(
        &mut self,
        written: &WrittenStep<'a>,
        round: &LoopRound,
        verdict: &mut ConditionVerdict,
        visit: &mut Visit<'a, '_>,
    ) -> Result<Task, TaskError> {
        let WrittenStep { step, dependence, values, .. } = written;
        let altered = self.altered.entry(visit.id).or_default();
        let values_wait_for = values.waits_for(altered, visit.facts.is_some());
        let mut task = if verdict.fails() {
            self.excluded(step, round)
        } else {
            if !values_wait_for.is_empty() {
                Self::put_off(verdict, round, self.input.runbook, &mut visit.decisions);
            }
            let (conditions, mut waits_for) = verdict.late();
            waits_for.extend(values_wait_for);
            if conditions.is_empty() && waits_for.is_empty() {
                let host_scope = dependence.host.then(|| self.host_scope(visit));
                self.known(visit.id, step, visit.row, round, host_scope.as_ref())?
            } else {
                waits_for.sort_by_key(|name| (name.starts_with("facts."), name.clone()));
                waits_for.dedup();
                let mut task = self.defer(step, round, waits_for, &verdict.asks());
                task.ties.conditions = conditions;
                task
            }
        };
        if !task.forecast.is_left_out() {
            task.ties.closes.clone_from(&verdict.closes);
            task.ties.apart_from.clone_from(&verdict.apart_from);
        }
        // A deferred step is evaluated when the host comes to it: nothing is assumed.
        let is_assumed = if verdict.is_forced { values.reads_facts() } else { dependence.reads_facts() };
        if is_assumed && matches!(task.step, StepRef::Action(_)) {
            task.frozen = Some(self.freeze(step, round, !verdict.is_forced));
        }
        Ok(task)
    }

    /// A task that stands in the plan only to say that it will not run.
    pub(super) fn leave_out(
        &mut self,
        step: &'a Step,
        round: &LoopRound,
        forecast: Forecast,
        visit: &mut Visit<'a, '_>,
    ) {
        let task = self.excluded(step, round);
        visit.tasks.push(Task { forecast, ..task });
    }

    /// A task whose `when` is false.
    fn excluded(&mut self, step: &Step, round: &LoopRound) -> Task {
        Task {
            step: StepRef::Action(self.placeholder(step, round)),
            effect: Effect::Reads,
            looks_first: false,
            forecast: Forecast::Excluded,
            frozen: None,
            ties: Ties::default(),
        }
    }

    /// The runbook.
    pub(super) fn runbook(&self) -> &'a Runbook {
        self.input.runbook
    }

    /// Where an earlier run left the node cordoned and is to be followed, its cordon is taken over right before the first
    /// step that would set one. Says at which index.
    fn adopt(&mut self, id: HostId, tasks: &mut Vec<Task>, diagnostics: &mut Diagnostics) -> Option<u16> {
        let row = self.table.row(id);
        let run = adopt::from(&self.input, row).filter(|_| !self.adopted.contains(&id))?;
        let cordons =
            |task: &Task| self.marks(task).is_some_and(|marks| marks.opens.contains(&BracketKey::Cordon));
        let at = tasks.iter().position(cordons)?;
        let arg = ("adopt", Value::Str(run.to_owned()));
        let action = match implied::action("cordon", arg, &row.subject, self.kube, "--adopt-cordons") {
            Ok(action) => action,
            Err(error) => {
                diagnostics.push(placeless(codes::ADOPT, error.message, error.hint));
                return None;
            }
        };
        let known = self.actions.iter().position(|known| **known == action);
        let action = match known {
            Some(index) => ActionId(u32::try_from(index).expect("invariant: fewer than 2^32 actions")),
            None => self.add(action),
        };
        let effect = self.actions[action.0 as usize].lowered.effect;
        let step = StepRef::Action(action);
        let forecast = Forecast::NotProbed;
        let ties = Ties::default();
        tasks.insert(at, Task { step, effect, looks_first: true, forecast, frozen: None, ties });
        self.adopted.insert(id);
        u16::try_from(at).ok()
    }

    /// What a task opens and closes; `None` for one that will not run.
    pub(super) fn marks(&self, task: &Task) -> Option<Marks<'_>> {
        match task.step {
            _ if task.forecast.is_left_out() => None,
            StepRef::Action(id) => {
                let lowered = &self.actions[id.0 as usize].lowered;
                Some(Marks { opens: &lowered.opens, closes: &lowered.closes })
            }
            StepRef::Deferred(_) => Some(Marks::default()),
        }
    }

    /// A task of a step that stands in no host's list: its conditions are its own.
    fn task(
        &mut self,
        id: HostId,
        step: &'a Step,
        row: &HostRow<'a>,
        round: &LoopRound,
    ) -> Result<Task, TaskError> {
        let scopes = self.scopes.as_mut().map_err(|error| error.clone())?;
        let outer = Arc::clone(scopes.base());
        if scopes.runs(&outer, step, round, true)? {
            self.known(id, step, row, round, None)
        } else {
            Ok(self.excluded(step, round))
        }
    }

    /// A task that is known now, and runs. `host_scope` is given where the step depends on the host.
    fn known(
        &mut self,
        id: HostId,
        step: &'a Step,
        row: &HostRow<'a>,
        round: &LoopRound,
        host_scope: Option<&Arc<Scope>>,
    ) -> Result<Task, TaskError> {
        let cached = host_scope.is_none();
        let key = |args: String| ActionKey {
            step: std::ptr::from_ref(step),
            control_plane: row.subject.control_plane,
            has_node: row.subject.node.is_some(),
            args: args + &round.key(),
        };
        if cached && let Some(action) = self.lowered.get(&key(String::new())) {
            let action = *action;
            return Ok(self.alter(id, step, action));
        }
        let scopes = self.scopes.as_mut().map_err(|error| error.clone())?;
        let outer = host_scope.map_or_else(|| Arc::clone(scopes.base()), Arc::clone);
        let scope = scopes.of_step(&outer, step, round, cached)?;
        let rendered = Rendered::of(step, &scope)?;
        let text = if cached { String::new() } else { rendered.key() };
        let action = match self.lowered.get(&key(text.clone())) {
            Some(action) => *action,
            None => {
                let (args, lowered) =
                    lower(step, rendered, &row.subject, self.kube).map_err(TaskError::Lower)?;
                let action = self.action(step, round, args, lowered);
                let action = self.add(action);
                self.lowered.insert(key(text), action);
                action
            }
        };
        Ok(self.alter(id, step, action))
    }

    /// Notes what the action may change, so that later expressions over it wait.
    fn alter(&mut self, id: HostId, step: &Step, action: ActionId) -> Task {
        let lowered = &self.actions[action.0 as usize];
        let looks_first = lowered.lowered.role == Role::Goal && lowered.lowered.probe.is_some();
        let alters = step.kind.alters(&lowered.args);
        if !alters.is_empty() {
            let altered = self.altered.entry(id).or_default();
            if alters.iter().any(|fact| !altered.contains(fact)) {
                Arc::make_mut(altered).extend(alters);
            }
        }
        Task {
            step: StepRef::Action(action),
            effect: lowered.lowered.effect,
            looks_first,
            forecast: Forecast::NotProbed,
            frozen: None,
            ties: Ties::default(),
        }
    }

    fn action(&self, step: &Step, round: &LoopRound, args: Value, lowered: Lowered) -> Action {
        Action {
            kind: step.kind.name().to_owned(),
            id: round.id(step, self.input.runbook),
            title: step.name.as_ref().unwrap_or(&lowered.title).to_owned() + &round.suffix(),
            args,
            lowered,
            retry: step.retry,
            allow_failure: step.allow_failure.clone(),
            leave_cordoned: step.leave_cordoned.clone(),
            changed_when: step.changed_when.as_ref().map(|expression| expression.source.clone()),
            fail_when: step.fail_when.as_ref().map(|expression| expression.source.clone()),
            place: step.origin.place.clone(),
        }
    }

    fn add(&mut self, action: Action) -> ActionId {
        self.actions.push(Arc::new(action));
        ActionId(u32::try_from(self.actions.len() - 1).expect("invariant: fewer than 2^32 actions"))
    }

    /// An action that never runs: it only carries the title of a step whose `when` is false.
    fn placeholder(&mut self, step: &Step, round: &LoopRound) -> ActionId {
        let key = ActionKey {
            step: std::ptr::from_ref(step),
            control_plane: false,
            has_node: false,
            args: "excluded".to_owned() + &round.key(),
        };
        if let Some(action) = self.lowered.get(&key) {
            return *action;
        }
        let lowered = Lowered::idle(step.kind.name().to_owned(), Role::Check);
        let action = self.action(step, round, Value::Map(IndexMap::new()), lowered);
        let action = self.add(action);
        self.lowered.insert(key, action);
        action
    }
}
