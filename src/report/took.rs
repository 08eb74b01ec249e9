//! How long the steps of a run took, for what the next plan is expected to take. A fold of the events.

use std::collections::BTreeMap;

use crate::engine::{Event, Stamped, TaskEnd};
use crate::plan::{Plan, StepTimes, TaskId};
use crate::value::Timestamp;

/// Adds what the steps of a run took that ended well at their first attempt. What was cut off, failed, was repeated or
/// waited for a person says nothing of the next run, and a goal that held already says nothing of what it takes.
pub fn took(times: &mut StepTimes, plan: &Plan, events: &[Stamped]) {
    let mut began: BTreeMap<TaskId, Timestamp> = BTreeMap::new();
    let mut is_known = false;
    for Stamped { at, event, .. } in events {
        match event {
            Event::TaskStarted { task, attempt: 1 } => drop(began.insert(*task, *at)),
            Event::TaskAsks { task, .. } => drop(began.remove(task)),
            Event::RunResumed { .. } => began.clear(),
            Event::TaskEnded { task, end, .. } => {
                let Some(began) = began.remove(task) else { continue };
                let did_it = match end {
                    TaskEnd::Changed { .. } => true,
                    TaskEnd::Satisfied { .. } => plan.is_check(*task),
                    _ => false,
                };
                if did_it {
                    let (kind, title) = plan.step_words(plan.task(*task).step);
                    times.learn(kind, title, at.since(began));
                    is_known = true;
                }
            }
            _ => {}
        }
    }
    if is_known {
        times.learn_run();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Expected, HostId};

    /// Two hosts: a drain that changes, then a wait.
    fn plan() -> Plan {
        let text = include_str!("../../tests/it/cases/journals/v1/waits/plan.json");
        crate::plan::show::parse(text.as_bytes()).expect("a plan")
    }

    fn events(ends: &[(u32, i64, i64, TaskEnd)]) -> Vec<Stamped> {
        let mut events = Vec::new();
        for (host, from, to, end) in ends {
            let task = TaskId { phase: 0, host: HostId(*host), index: 0 };
            events.push((*from, Event::TaskStarted { task, attempt: 1 }));
            events.push((*to, Event::TaskEnded { task, attempt: 1, end: end.clone() }));
        }
        let stamp =
            |(seq, (secs, event)): (u64, (i64, Event))| Stamped { seq, at: Timestamp(secs * 1000), event };
        (1..).zip(events).map(stamp).collect()
    }

    #[test]
    fn only_what_ended_well_at_once_is_learned() {
        let plan = plan();
        let host = plan.phases[0].hosts[0].host.0;
        let changed = || TaskEnd::Changed { summary: "done".to_owned() };
        let unknown = || TaskEnd::Unknown { reason: "cut off".to_owned() };
        let none = Expected::of(&plan, &StepTimes::default(), None).runs;
        assert_eq!(none, 0);
        for (what, end, runs) in [("changed", changed(), 1), ("unknown", unknown(), 0)] {
            let mut times = StepTimes::default();
            took(&mut times, &plan, &events(&[(host, 0, 40, end)]));
            assert_eq!(Expected::of(&plan, &times, None).runs, runs, "{what}");
        }
        let mut times = StepTimes::default();
        let mut cut = events(&[(host, 0, 40, changed())]);
        cut.insert(
            1,
            Stamped {
                seq: 9,
                at: Timestamp(1),
                event: Event::RunResumed { version: String::new(), machine: String::new() },
            },
        );
        took(&mut times, &plan, &cut);
        assert_eq!(Expected::of(&plan, &times, None).runs, 0, "taken up by another process");
    }
}
