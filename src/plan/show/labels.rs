//! Words of a plan that only people read: each is one line, with nothing that a terminal would obey. A saved plan may come
//! from anybody, so that this is done once, where a plan is read and where one is shown; what hosts are sent stays as it
//! is.

use std::sync::Arc;

use crate::plan::{Action, DeferredStep, Forecast, GateOpens, LeftOut, Plan, PlannedPhase};
use crate::step::{LineDiff, shown_line};

/// The same plan with such words.
#[must_use]
pub(super) fn for_people(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    make_plain(&mut plan);
    plan
}

/// Makes the words of a plan such.
pub(super) fn make_plain(plan: &mut Plan) {
    let Plan { runbook, inventory, undoes, choice, actions, deferred, frozen, phases, warnings, .. } = plan;
    line(runbook);
    line(inventory);
    undoes.iter_mut().for_each(line);
    if let Some(choice) = choice {
        choice.only.iter_mut().chain(&mut choice.skip).for_each(line);
    }
    for warning in warnings {
        line(&mut warning.message);
        line(&mut warning.hint);
    }
    for step in actions {
        action(Arc::make_mut(step));
    }
    deferred.iter_mut().chain(frozen).for_each(step);
    phases.iter_mut().for_each(phase);
}

fn action(action: &mut Action) {
    let Action { title, allow_failure, leave_cordoned, place, lowered, .. } = action;
    [title, place, &mut lowered.title].into_iter().for_each(line);
    allow_failure.iter_mut().chain(leave_cordoned).for_each(line);
    for op in &mut lowered.ops {
        line(&mut op.title);
        line(&mut op.undo);
    }
}

fn step(step: &mut DeferredStep) {
    let DeferredStep { title, item, waits_for, allow_failure, leave_cordoned, place, .. } = step;
    [title, item, place].into_iter().for_each(line);
    waits_for.iter_mut().chain(allow_failure).chain(leave_cordoned).for_each(line);
}

fn phase(phase: &mut PlannedPhase) {
    line(&mut phase.name);
    if let Some(GateOpens::Approve { text, .. }) = phase.gate.as_mut().map(|gate| &mut gate.opens) {
        line(text);
    }
    let tasks = phase.hosts.iter_mut().flat_map(|host| &mut host.tasks);
    tasks.for_each(|task| forecast(&mut task.forecast));
}

fn forecast(forecast: &mut Forecast) {
    match forecast {
        Forecast::Holds { state } => lines(state),
        Forecast::Waits { now } => lines(now),
        Forecast::Deferred { waits_for } => waits_for.iter_mut().for_each(line),
        Forecast::LeftOut { why: LeftOut::Skipped(word) } => line(word),
        Forecast::Refused { reason, hint } => [reason, hint].into_iter().for_each(lines),
        Forecast::Changes { changes, .. } => {
            for change in changes {
                [&mut change.what, &mut change.before, &mut change.after].into_iter().for_each(lines);
                let lines = change.diff.iter_mut().flat_map(|LineDiff { lines, .. }| lines);
                lines.for_each(line);
            }
        }
        Forecast::NotProbed
        | Forecast::Excluded
        | Forecast::LeftOut { .. }
        | Forecast::Runs { .. }
        | Forecast::BracketHolds
        | Forecast::IfFailed
        | Forecast::IfTouched
        | Forecast::Later => {}
    }
}

fn line(text: &mut String) {
    *text = shown_line(text, usize::MAX);
}

/// Of what hosts say, several lines may be kept: they stand below their task.
fn lines(text: &mut String) {
    let all: Vec<String> = text.split('\n').map(|line| shown_line(line, usize::MAX)).collect();
    *text = all.join("\n");
}
