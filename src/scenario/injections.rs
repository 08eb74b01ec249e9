//! When faults strike: watches the events of a run and says what is due. Pure: the same plan and events give the same
//! strikes.

use std::collections::{HashMap, HashSet};

use super::{Fault, Scenario, Trigger};
use crate::engine::{Event, Stamped};
use crate::inventory::HostName;
use crate::plan::{Forecast, LeftOut, Plan, StepRef, TaskId, id_as_written};
use crate::source::codes::FAULT_MISSES;
use crate::source::{Diagnostics, Span, nearest, shorten};
use crate::value::Duration;

/// A fault that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// Index into [`Scenario::faults`].
    pub fault: usize,
    /// Whom it befalls; nobody where it is the controller.
    pub hosts: Vec<HostName>,
    /// So long from now.
    pub after: Duration,
    /// The task that it befalls, where it waited for a step.
    pub task: Option<TaskId>,
}

/// Faults that wait for something.
#[derive(Clone, Debug, Default)]
pub struct Injections {
    waiting: Vec<PendingInjection>,
}

#[derive(Clone, Debug)]
struct PendingInjection {
    fault: usize,
    hosts: Vec<HostName>,
    after: Duration,
    on: TriggerPoint,
}

#[derive(Clone, Debug)]
enum TriggerPoint {
    Event(u64),
    /// Tasks, each with its host's position in `hosts`.
    Tasks(HashMap<TaskId, usize>),
}

impl Injections {
    /// Faults of a scenario over a plan; `hosts` are those of each fault, in order. Reports faults that could never
    /// strike.
    pub fn new(
        scenario: &Scenario,
        hosts: &[Vec<HostName>],
        plan: &Plan,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let faults = scenario.faults.iter().zip(hosts).enumerate();
        let waiting = faults.filter_map(|(index, (fault, hosts))| {
            let on = match &fault.trigger {
                Trigger::Before => return None,
                Trigger::Start => TriggerPoint::Event(1),
                Trigger::Event(seq) => TriggerPoint::Event(*seq),
                Trigger::Step { step, phase } => {
                    let phase = match phase {
                        Some(phase) if !plan.phases.iter().any(|planned| planned.name == phase.value) => {
                            let names = plan.phases.iter().map(|phase| phase.name.as_str());
                            miss("phase", &phase.value, phase.span, names, diagnostics);
                            return None;
                        }
                        phase => phase.as_ref().map(|phase| phase.value.as_str()),
                    };
                    TriggerPoint::Tasks(tasks(plan, fault, hosts, &step.value, phase, step.span, diagnostics))
                }
            };
            Some(PendingInjection { fault: index, hosts: hosts.clone(), after: fault.after, on })
        });
        Self { waiting: waiting.collect() }
    }

    /// What strikes between the plan and the run.
    pub fn before_the_run(&mut self) -> Vec<Injection> {
        let due = self.waiting.extract_if(.., |waiting| matches!(waiting.on, TriggerPoint::Event(0)));
        due.map(|PendingInjection { fault, hosts, after, .. }| Injection { fault, hosts, after, task: None })
            .collect()
    }

    /// What an event brings about. Whatever waited for it waits no longer.
    pub fn event(&mut self, event: &Stamped) -> Vec<Injection> {
        let mut due = Vec::new();
        for waiting in &mut self.waiting {
            let (fault, after) = (waiting.fault, waiting.after);
            match (&mut waiting.on, &event.event) {
                (TriggerPoint::Event(seq), _) if *seq == event.seq => {
                    due.push(Injection { fault, hosts: waiting.hosts.clone(), after, task: None });
                }
                (TriggerPoint::Tasks(tasks), Event::TaskStarted { task, .. }) => {
                    let Some(host) = tasks.get(task).copied() else { continue };
                    // Once for each host.
                    tasks.retain(|_, other| *other != host);
                    let hosts = vec![waiting.hosts[host].clone()];
                    due.push(Injection { fault, hosts, after, task: Some(*task) });
                }
                _ => {}
            }
        }
        self.waiting.retain(|waiting| match &waiting.on {
            TriggerPoint::Event(seq) => *seq > event.seq,
            TriggerPoint::Tasks(tasks) => !tasks.is_empty(),
        });
        due
    }

    /// Faults that still wait, by index and in order.
    pub fn waiting(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        self.waiting.iter().map(|waiting| waiting.fault).filter(|fault| seen.insert(*fault)).collect()
    }
}

/// Tasks of a step on hosts. Reports a step that none of them has, or that some lack.
fn tasks(
    plan: &Plan,
    fault: &Fault,
    hosts: &[HostName],
    step: &str,
    phase: Option<&str>,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> HashMap<TaskId, usize> {
    let position: HashMap<&HostName, usize> = hosts.iter().zip(0..).collect();
    let mut found = HashMap::new();
    // What is left out never begins.
    let is_chosen = |task: &TaskId| match &plan.task(*task).forecast {
        Forecast::LeftOut { why } => *why == LeftOut::NoItems,
        _ => true,
    };
    for task in steps(plan, step, phase).filter(is_chosen) {
        if let Some(host) = position.get(&plan.host(task.host).name) {
            found.insert(task, *host);
        }
    }
    let with: HashSet<usize> = found.values().copied().collect();
    if let Some(without) = (0..hosts.len()).find(|host| !with.contains(host)) {
        let names: Vec<&str> = kinds(plan).collect();
        let message = format!("`{}` has no step `{}` for `{}`", hosts[without], shorten(step), fault.word());
        let error = diagnostics.error(FAULT_MISSES, span, message);
        match nearest(step, names) {
            Some(near) if near != step => error.hint(format!("did you mean `{near}`?")),
            _ => error.hint("a step goes by its kind, its `id` or its `name`; `rollbook plan` shows them"),
        };
        if plan.choice.is_some() {
            error.hint("`--only` and `--skip`, or `only` and `skip` of the scenario, may leave it out");
        }
    }
    found
}

fn miss<'n>(
    what: &str,
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'n str>,
    diagnostics: &mut Diagnostics,
) {
    let known: Vec<&str> = known.collect();
    let error = diagnostics.error(FAULT_MISSES, span, format!("there is no {what} `{}`", shorten(name)));
    match nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    };
}

/// Every task of a step, which goes by its kind, id or name.
pub(super) fn steps<'p>(
    plan: &'p Plan,
    step: &'p str,
    phase: Option<&'p str>,
) -> impl Iterator<Item = TaskId> + 'p {
    let phases = (0_u16..).zip(&plan.phases);
    let phases = phases.filter(move |(_, planned)| phase.is_none_or(|phase| planned.name == phase));
    phases.flat_map(move |(phase, planned)| {
        planned.hosts.iter().flat_map(move |tasks| {
            let matching = (0_u16..).zip(&tasks.tasks).filter(move |(_, task)| {
                let (kind, id, title) = match task.step {
                    StepRef::Action(action) => {
                        let action = plan.action(action);
                        (&action.kind, &action.id, &action.title)
                    }
                    StepRef::Deferred(deferred) => {
                        let deferred = &plan.deferred[deferred.0 as usize];
                        (&deferred.kind, &deferred.id, &deferred.title)
                    }
                };
                *kind == step.replace('-', "_")
                    || id.as_deref().is_some_and(|id| id_as_written(id) == step)
                    || title == step
            });
            matching.map(move |(index, _)| TaskId { phase, host: tasks.host, index })
        })
    })
}

fn kinds(plan: &Plan) -> impl Iterator<Item = &str> {
    let actions = plan.actions.iter().map(|action| action.kind.as_str());
    actions.chain(plan.deferred.iter().map(|step| step.kind.as_str()))
}
