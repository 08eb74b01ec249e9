//! Looks at every goal inside a bracket before it is opened: when all of them hold, nothing is drained.

use std::collections::HashSet;
use std::rc::Rc;

use super::clearance;
use super::context::{EventSender, Shared};
use super::drift::{check_host, drifted};
use super::look::look;
use crate::engine::{BracketFinding, Cause, Event, Failure};
use crate::plan::drift::{contradiction, stands_by};
use crate::plan::forecast::{BracketPart, bracket_is_needed};
use crate::plan::{Action, HostId, StepRef, Task, TaskId};
use crate::step::{Assessment, SourcesUse};
use crate::value::escape;

/// Probes a bracket and says what was found.
///
/// What the plan assumes of a host that nothing changed yet is checked here, too: before it takes a slot.
pub(super) async fn run(
    shared: Rc<Shared>,
    event_sender: EventSender,
    phase: u16,
    host: HostId,
    bracket: u16,
    untouched: bool,
) {
    let mut finding = find(&shared, &event_sender, phase, host, bracket).await;
    if untouched && matches!(finding, Ok(BracketFinding::Needed { .. })) {
        finding = check_host(&shared, host, phase).await.and(finding);
    }
    let finding = finding.unwrap_or_else(|failure| BracketFinding::Failed { failure });
    event_sender.say(Event::BracketProbed { phase, host, bracket, finding });
}

async fn find(
    shared: &Shared,
    event_sender: &EventSender,
    phase: u16,
    host: HostId,
    bracket: u16,
) -> Result<BracketFinding, Failure> {
    let tasks =
        shared.plan.phase(phase).tasks_of(host).expect("invariant: the engine names hosts of the phase");
    let bracket = &tasks.brackets[usize::from(bracket)];
    let inside = &tasks.tasks[usize::from(bracket.first)..=usize::from(bracket.last)];
    let indices = bracket.first..=bracket.last;
    let tasks: Vec<_> =
        indices.zip(inside).map(|(index, task)| (TaskId { phase, host, index }, task)).collect();
    let goals: Vec<(TaskId, &Action)> =
        tasks.iter().filter_map(|(id, task)| Some((*id, goal(shared, task)?))).collect();
    let opaque = inside.iter().find(|task| is_opaque(shared, task));
    if let Some(task) = opaque {
        clear(shared, event_sender, &tasks, |action| action.lowered.probe.is_none()).await?;
        return Ok(BracketFinding::Needed { why: format!("{} has no probe", title(shared, task)) });
    }
    let probes: Vec<_> = goals.iter().filter_map(|(_, action)| action.lowered.probe.as_ref()).collect();
    let answers = look(shared, host, &probes).await?;
    let mut parts = Vec::new();
    let mut why = String::new();
    let mut holds = HashSet::new();
    let mut new_sources = false;
    for ((id, action), answers) in goals.iter().zip(answers) {
        let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
        let assessment =
            kind.assess(&action.args, &shared.plan.host(host).subject, &answers).map_err(|error| {
                Failure {
                    cause: Cause::Output,
                    message: escape(&error.to_string()),
                    hint: "run the command on the host and look at what it prints".to_owned(),
                }
            })?;
        if stands_by(&shared.plan, *id, &assessment).is_some() {
            holds.insert(std::ptr::from_ref(*action));
            parts.push(BracketPart::Holds);
            continue;
        }
        // Found before the bracket is opened, it costs nothing: nothing was drained for what the plan does not show.
        if let Some(what) = contradiction(&shared.plan, *id, &assessment) {
            return Err(drifted(&what));
        }
        match assessment {
            Assessment::Satisfied { .. } => {
                holds.insert(std::ptr::from_ref(*action));
                parts.push(BracketPart::Holds);
            }
            // A step before it in this bracket sets the sources that it reads: the plan has looked into those.
            Assessment::Refused { .. } if new_sources && kind.sources(&action.args) == SourcesUse::Reads => {
                parts.push(BracketPart::Open);
            }
            // Found before the bracket is opened, a refusal costs nothing: nothing was drained for it.
            Assessment::Refused { reason, hint } => {
                return Err(Failure { cause: Cause::Refused, message: reason, hint });
            }
            Assessment::WouldChange { .. } | Assessment::NotYet { .. } => {
                parts.push(BracketPart::Open);
                new_sources |=
                    matches!(kind.sources(&action.args), SourcesUse::Sets(_) | SourcesUse::MayChange);
                if why.is_empty() {
                    why.clone_from(&action.title);
                }
            }
        }
    }
    if !bracket_is_needed(parts) {
        return Ok(BracketFinding::Holds);
    }
    clear(shared, event_sender, &tasks, |action| !holds.contains(&std::ptr::from_ref(action))).await?;
    Ok(BracketFinding::Needed { why })
}

/// A restart that cannot be is found before anything is drained for it. What it waits for is told as a wait of its task,
/// of which no attempt has begun.
async fn clear(
    shared: &Shared,
    event_sender: &EventSender,
    inside: &[(TaskId, &Task)],
    is_sent: impl Fn(&Action) -> bool,
) -> Result<(), Failure> {
    let sent = inside.iter().filter_map(|(id, task)| Some((*id, action_of(shared, task)?)));
    for (task, action) in sent.filter(|(_, action)| is_sent(action)) {
        let mut told = String::new();
        let waits = |reason: &str, within| {
            if told != reason {
                reason.clone_into(&mut told);
                event_sender.say(Event::TaskWaiting { task, attempt: 0, reason: escape(reason), within });
            }
        };
        clearance::wait(shared, task.host, action, waits).await?;
    }
    Ok(())
}

fn goal<'s>(shared: &'s Shared, task: &Task) -> Option<&'s Action> {
    action_of(shared, task).filter(|action| action.lowered.is_reason())
}

/// The action of a task that is not left out, where it is known.
fn action_of<'s>(shared: &'s Shared, task: &Task) -> Option<&'s Action> {
    match task.step {
        _ if task.forecast.is_left_out() => None,
        StepRef::Action(id) => Some(&**shared.plan.action(id)),
        StepRef::Deferred(_) => None,
    }
}

/// A goal without a probe, or a step that is not known yet.
fn is_opaque(shared: &Shared, task: &Task) -> bool {
    match task.step {
        _ if task.forecast.is_left_out() => false,
        StepRef::Deferred(_) => true,
        StepRef::Action(_) => goal(shared, task).is_some_and(|action| action.lowered.probe.is_none()),
    }
}

fn title(shared: &Shared, task: &Task) -> String {
    match task.step {
        StepRef::Action(id) => shared.plan.action(id).title.clone(),
        StepRef::Deferred(id) => shared.plan.deferred[id.0 as usize].title.clone(),
    }
}
