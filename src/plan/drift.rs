//! Whether a host is still what the plan saw. Pure: the caller looked again.
//!
//! What a probe reads from the host alone is an assumption of the plan: nobody but this run should move it. What it
//! reads from the cluster may be moved by the roll itself, so there only a state that differs from the planned one
//! counts, not one that is new.

use super::forecast::probes;
use super::{Forecast, HostId, Plan, StepRef, TaskId};
use crate::op::{Probe, Site};
use crate::step::{Assessment, Change, Fidelity};

/// The probes whose answers are assumptions about a host, with their tasks: what is read from the host alone.
pub fn assumed(plan: &Plan, host: HostId) -> Vec<(TaskId, &Probe)> {
    probes(plan, host).into_iter().filter(|(_, probe)| is_of_the_host_alone(probe)).collect()
}

/// How the state of a task's host differs from what the plan saw, as a sentence; `None` when the task would do what
/// the plan shows, or less, because somebody did it already.
pub fn drift(plan: &Plan, task: TaskId, now: &Assessment) -> Option<String> {
    let StepRef::Action(action) = plan.task(task).step else { return None };
    let action = plan.action(action);
    let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
    if !kind.is_steady(&action.args) {
        return None;
    }
    let alone = action.lowered.probe.as_ref().is_some_and(is_of_the_host_alone);
    differs(&plan.task(task).forecast, now, alone)
}

/// What an op would do of which the plan said that there is nothing to do, as a sentence. Whoever made it so, the run does
/// not do what nobody was told of.
pub fn contradiction(plan: &Plan, task: TaskId, now: &Assessment) -> Option<String> {
    let Assessment::WouldChange { changes, .. } = now else { return None };
    if plan.task(task).forecast.announces() {
        return None;
    }
    let title = plan.spelled(plan.title(task), task.host);
    Some(
        changes
            .first()
            .map_or_else(|| format!("{title}: the plan says that there is nothing to do"), unplanned),
    )
}

/// Why a goal that the plan saw hold counts as held, though a look says otherwise: what ages by itself, such as package
/// lists, is as old as it was when the plan was made. The plan says what is done with what it saw.
pub fn stands_by(plan: &Plan, task: TaskId, now: &Assessment) -> Option<String> {
    let (Assessment::WouldChange { .. }, Forecast::Holds { state }) = (now, &plan.task(task).forecast) else {
        return None;
    };
    let StepRef::Action(action) = plan.task(task).step else { return None };
    let action = plan.action(action);
    let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
    (!kind.is_steady(&action.args)).then(|| format!("{state} when the plan was made"))
}

fn is_of_the_host_alone(probe: &Probe) -> bool {
    probe.queries.iter().all(|query| query.site.unwrap_or(probe.site) == Site::Subject)
}

fn differs(planned: &Forecast, now: &Assessment, alone: bool) -> Option<String> {
    // What holds now needs no change: the plan's goal is reached, by whomever.
    let Assessment::WouldChange { changes, fidelity, .. } = now else { return None };
    if !is_known(*fidelity, alone) {
        return None;
    }
    match planned {
        Forecast::Changes { changes: planned, fidelity } if is_known(*fidelity, alone) => changes
            .iter()
            .find_map(|change| match planned.iter().find(|planned| planned.what == change.what) {
                Some(planned) => other_change(planned, change, alone),
                None => alone.then(|| unplanned(change)),
            }),
        Forecast::Holds { .. } | Forecast::BracketHolds if alone => changes.first().map(unplanned),
        _ => None,
    }
}

/// A prediction from the host's own tools is as good as a look; one over live objects of the cluster moves with them.
fn is_known(fidelity: Fidelity, alone: bool) -> bool {
    fidelity == Fidelity::Exact || (alone && fidelity == Fidelity::Predicted)
}

fn other_change(planned: &Change, now: &Change, alone: bool) -> Option<String> {
    let Change { what, before, after, diff: _ } = now;
    if planned.before != *before {
        return Some(format!("{what}: the plan saw {}, now it is {before}", planned.before));
    }
    (alone && planned.after != *after).then(|| {
        format!("{what}: the plan says that it becomes {}, now it would become {after}", planned.after)
    })
}

fn unplanned(now: &Change) -> String {
    let Change { what, before, after, diff: _ } = now;
    format!("{what}: it is {before} and would become {after}, which is not in the plan")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(what: &str, before: &str, after: &str) -> Change {
        Change { what: what.to_owned(), before: before.to_owned(), after: after.to_owned(), diff: None }
    }

    fn planned(changes: Vec<Change>, fidelity: Fidelity) -> Forecast {
        Forecast::Changes { changes, fidelity }
    }

    fn now(changes: Vec<Change>, fidelity: Fidelity) -> Assessment {
        Assessment::WouldChange { changes, fidelity, effect: None }
    }

    #[test]
    fn before_as_planned_goes_and_any_other_state_is_drift() {
        use Fidelity::{Exact, Opaque, Predicted};
        let kubelet = || change("kubelet", "1.30.2", "1.31.4");
        let newer = || change("kubelet", "1.30.9", "1.31.4");
        let farther = || change("kubelet", "1.30.2", "1.31.5");
        let other = || change("containerd", "1.7", "2.0");
        let holds = || Forecast::Holds { state: "kubelet 1.31.4".to_owned() };
        let satisfied = || Assessment::Satisfied { state: "kubelet 1.31.4".to_owned() };
        let plan = |fidelity| planned(vec![kubelet()], fidelity);
        // What was planned, what is, whether the host alone was asked, and the field that drifted.
        let cases = [
            (plan(Exact), now(vec![kubelet()], Exact), true, None),
            (plan(Exact), now(vec![kubelet()], Exact), false, None),
            (plan(Exact), satisfied(), true, None),
            (plan(Exact), now(vec![newer()], Exact), true, Some("saw 1.30.2, now it is 1.30.9")),
            (plan(Exact), now(vec![newer()], Exact), false, Some("saw 1.30.2, now it is 1.30.9")),
            (plan(Exact), now(vec![farther()], Exact), true, Some("would become 1.31.5")),
            (plan(Exact), now(vec![farther()], Exact), false, None),
            (
                plan(Exact),
                now(vec![kubelet(), other()], Exact),
                true,
                Some("containerd: it is 1.7 and would become 2.0"),
            ),
            (plan(Exact), now(vec![kubelet(), other()], Exact), false, None),
            (plan(Predicted), now(vec![newer()], Predicted), true, Some("now it is 1.30.9")),
            (plan(Predicted), now(vec![newer()], Predicted), false, None),
            (plan(Opaque), now(vec![newer()], Opaque), true, None),
            (holds(), satisfied(), true, None),
            (holds(), now(vec![kubelet()], Exact), true, Some("kubelet: it is 1.30.2 and")),
            (holds(), now(vec![kubelet()], Exact), false, None),
            (Forecast::BracketHolds, now(vec![kubelet()], Exact), true, Some("kubelet: ")),
            (Forecast::NotProbed, now(vec![kubelet()], Exact), true, None),
            (Forecast::Deferred { waits_for: Vec::new() }, now(vec![kubelet()], Exact), true, None),
        ];
        for (planned, now, alone, expected) in cases {
            let found = differs(&planned, &now, alone);
            let fits = match expected {
                Some(words) => found.as_ref().is_some_and(|found| found.contains(words)),
                None => found.is_none(),
            };
            assert!(fits, "{planned:?}, {now:?}, alone {alone}: {found:?}");
        }
    }
}
