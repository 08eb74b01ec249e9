//! What probes say of a plan's tasks before anything changed: the dry run. Pure: the caller looked.

mod walk;

use indexmap::IndexMap;

use self::walk::{SharedMatters, Walk};
use crate::op::{Effect, Probe, ProbeOutput};
use crate::plan::{Forecast, HostId, HostTasks, Plan, PlannedPhase, StepRef, Task, TaskId};
use crate::step::{Assessment, Fidelity, Role};
use crate::value::Duration;

/// What is known of a task before anything changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// What its probe says of the host as it is.
    Now(Assessment),
    /// What holds whatever other tasks change before.
    Settled(Assessment),
    /// Nothing yet; what it waits for.
    Later(String),
}

/// Every task of a host, in the order of the plan.
pub fn tasks(plan: &Plan, host: HostId) -> Vec<TaskId> {
    let phases = (0..).zip(&plan.phases);
    let found = phases.filter_map(|(phase, planned)| Some((phase, planned.tasks_of(host)?)));
    found
        .flat_map(|(phase, tasks)| {
            (0..).zip(&tasks.tasks).map(move |(index, _)| TaskId { phase, host, index })
        })
        .collect()
}

/// The probes that a dry run sends for a host, in the order in which [`fill`] expects their answers.
pub fn probes(plan: &Plan, host: HostId) -> Vec<(TaskId, &Probe)> {
    let probe = |task: TaskId| {
        let planned = plan.task(task);
        let StepRef::Action(action) = planned.step else { return None };
        let probe = plan.action(action).lowered.probe.as_ref();
        let runs = !planned.forecast.is_left_out() && planned.forecast != Forecast::IfFailed;
        probe.filter(|_| runs).map(|probe| (task, probe))
    };
    tasks(plan, host).into_iter().filter_map(probe).collect()
}

/// What the answers to one probe mean.
pub fn assess(plan: &Plan, task: TaskId, answers: &[ProbeOutput]) -> Assessment {
    let StepRef::Action(action) = plan.task(task).step else {
        return Assessment::NotYet { reason: "depends on earlier tasks".to_owned() };
    };
    let action = plan.action(action);
    let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
    match kind.assess(&action.args, &plan.host(task.host).subject, answers) {
        Ok(assessment) => assessment,
        Err(error) => Assessment::Refused {
            reason: error.to_string(),
            hint: "run the command on the host and look at what it prints".to_owned(),
        },
    }
}

/// Fills in the forecasts of these hosts from what is known of their tasks, each in task order. What one host changes for
/// all is known only when every host was gone through.
pub fn fill<'o>(plan: &mut Plan, found: impl IntoIterator<Item = (HostId, &'o [(TaskId, Outlook)])>) {
    let found: Vec<_> = found.into_iter().collect();
    let mut shared = SharedMatters::new();
    let told = loop {
        let walks: Vec<Walk<'_>> =
            found.iter().map(|(host, outlooks)| Walk::of(plan, *host, outlooks, &shared)).collect();
        let phases = found.iter().zip(&walks);
        let now: SharedMatters =
            phases.flat_map(|((host, _), walk)| walk.shares.iter().map(|phase| (*phase, *host))).collect();
        let told: Vec<_> = walks.into_iter().flat_map(|walk| walk.told).collect();
        // More doubt means more that may be changed, never less.
        if now == shared {
            break told;
        }
        shared = now;
    };
    for (id, told) in told {
        let task = &mut tasks_mut(plan, id.phase, id.host)[usize::from(id.index)];
        task.forecast = told.forecast;
        task.effect = told.effect;
    }
}

/// What earlier tasks of a host may do before a task's turn comes.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    /// Something of the host.
    changed: bool,
    /// Anything at all: nobody knows what a command does.
    opaque: bool,
}

fn tasks_mut(plan: &mut Plan, phase: u16, host: HostId) -> &mut Vec<Task> {
    let hosts = &mut plan.phases[usize::from(phase)].hosts;
    let index =
        hosts.binary_search_by_key(&host, |tasks| tasks.host).expect("invariant: the caller found the host");
    &mut hosts[index].tasks
}

/// One task's forecast, and an effect that the probe showed to be stronger than the kind's own.
fn forecast_plan(
    plan: &Plan,
    id: TaskId,
    assessment: Option<&Assessment>,
    before: Before,
    read_only: bool,
) -> (Forecast, Option<crate::op::Effect>) {
    let task = plan.task(id);
    if task.forecast.is_left_out() || matches!(task.forecast, Forecast::IfFailed) {
        return (task.forecast.clone(), None);
    }
    let StepRef::Action(action) = task.step else { return (task.forecast.clone(), None) };
    let lowered = &plan.action(action).lowered;
    let role = lowered.role;
    let waits = lowered.poll.is_some_and(|poll| poll.within > Duration::ZERO);
    let means = Forecast::Runs { fidelity: Fidelity::Exact };
    let forecast = match (role, assessment) {
        // A means has no state of its own; what its probe saw is worth a line only when it refuses or tells more.
        (Role::Means, Some(Assessment::WouldChange { changes, fidelity, effect })) => {
            return (Forecast::Changes { changes: changes.clone(), fidelity: *fidelity }, *effect);
        }
        // Nothing but a command would take away what stands in its way, such as a pod that a drain refuses.
        (Role::Means, Some(Assessment::Refused { reason, hint })) if !before.opaque => refused(reason, hint),
        (Role::Means, _) => means,
        (Role::Goal, None) => Forecast::Runs { fidelity: Fidelity::Opaque },
        (Role::Check, None) => Forecast::Later,
        (_, Some(Assessment::Satisfied { state })) => Forecast::Holds { state: state.clone() },
        (_, Some(Assessment::WouldChange { changes, fidelity, effect })) => {
            return (Forecast::Changes { changes: changes.clone(), fidelity: *fidelity }, *effect);
        }
        (Role::Check, Some(Assessment::NotYet { reason })) if waits => {
            Forecast::Waits { now: reason.clone() }
        }
        // It looks once, and nothing in its phase changes what it sees.
        (_, Some(Assessment::NotYet { reason })) if read_only => refused(reason, ""),
        (_, Some(Assessment::NotYet { .. })) => Forecast::Later,
        // An earlier change may bring about what is missing now, such as a repository with the candidate.
        (Role::Goal, Some(Assessment::Refused { reason, .. })) if before.changed => {
            Forecast::Deferred { waits_for: vec![format!("earlier changes of this host; now: {reason}")] }
        }
        (Role::Check, Some(Assessment::Refused { .. })) if before.changed => Forecast::Later,
        (_, Some(Assessment::Refused { reason, hint })) => refused(reason, hint),
    };
    (forecast, None)
}

fn refused(reason: &str, hint: &str) -> Forecast {
    Forecast::Refused { reason: reason.to_owned(), hint: hint.to_owned() }
}

/// What a task inside a bracket says of the bracket's need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BracketPart {
    /// Its goal holds.
    Holds,
    /// Its goal does not hold, or cannot be known.
    Open,
    /// It is a means, a check, or does not run.
    Irrelevant,
}

/// A bracket is needed when a goal inside does not hold, or when it has none: drain, reboot, uncordon is done for its
/// own sake.
pub fn bracket_is_needed(parts: impl IntoIterator<Item = BracketPart>) -> bool {
    let (mut goals, mut open) = (false, false);
    for part in parts {
        goals |= part != BracketPart::Irrelevant;
        open |= part == BracketPart::Open;
    }
    open || !goals
}

/// Whether the forecasts show that anything would be changed.
pub fn has_changes(plan: &Plan) -> bool {
    all_tasks(plan).any(|task| task.effect > Effect::Reads && would_run(task))
}

/// Whether there is anything to do: a change, a command that only reads, or a person to ask.
pub fn has_work(plan: &Plan) -> bool {
    let is_asked =
        |phase: &PlannedPhase| phase.gate.is_some() && phase.hosts.iter().all(|host| only_checks(plan, host));
    all_tasks(plan).any(would_run) || plan.phases.iter().any(is_asked)
}

fn all_tasks(plan: &Plan) -> impl Iterator<Item = &Task> {
    plan.phases.iter().flat_map(|phase| &phase.hosts).flat_map(|host| &host.tasks)
}

fn would_run(task: &Task) -> bool {
    matches!(
        task.forecast,
        Forecast::Changes { .. } | Forecast::Runs { .. } | Forecast::NotProbed | Forecast::Deferred { .. }
    )
}

/// Whether a gate is all that a phase is there for.
fn only_checks(plan: &Plan, host: &HostTasks) -> bool {
    host.tasks.iter().all(|task| match task.step {
        StepRef::Action(action) => plan.action(action).lowered.role == Role::Check,
        StepRef::Deferred(_) => false,
    })
}

/// Hosts that are refused for one reason, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedHosts<'p> {
    /// Each once.
    pub hosts: Vec<HostId>,
    /// Why.
    pub reason: &'p str,
    /// What to do, or empty.
    pub hint: &'p str,
}

/// Every refusal once, however many hosts and steps have it: the same version is missing in every repository.
pub fn distinct_refusals(plan: &Plan) -> Vec<RefusedHosts<'_>> {
    let mut found: IndexMap<(&str, &str), Vec<HostId>> = IndexMap::new();
    for (task, reason, hint) in refusals(plan) {
        let hosts = found.entry((reason, hint)).or_default();
        if !hosts.contains(&task.host) {
            hosts.push(task.host);
        }
    }
    found.into_iter().map(|((reason, hint), hosts)| RefusedHosts { hosts, reason, hint }).collect()
}

/// Every refusal, for the message that stops a run before it starts: host, step, reason, hint.
pub fn refusals(plan: &Plan) -> Vec<(TaskId, &str, &str)> {
    let mut found = Vec::new();
    for (phase, planned) in (0..).zip(&plan.phases) {
        for tasks in &planned.hosts {
            for (index, task) in (0..).zip(&tasks.tasks) {
                if let Forecast::Refused { reason, hint } = &task.forecast {
                    found.push((TaskId { phase, host: tasks.host, index }, reason.as_str(), hint.as_str()));
                }
            }
        }
    }
    found
}
