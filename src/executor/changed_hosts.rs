//! Hosts that this run changed, or may have: what differs there from the plan may be its own work. Told by the events
//! alone, so that a resumed run knows the same.

use std::collections::HashMap;

use crate::engine::{Event, Stamped};
use crate::op::Effect;
use crate::plan::{HostId, Plan, TaskId};

/// Hosts with the number of changing ops that began, or may have.
#[derive(Debug, Default)]
pub(super) struct Touched(HashMap<HostId, u32>);

impl Touched {
    /// What these events came to.
    pub(super) fn of(plan: &Plan, events: &[Stamped]) -> Self {
        let mut touched = Self::default();
        for stamped in events {
            touched.note(plan, &stamped.event);
        }
        touched
    }

    /// One more event.
    pub(super) fn note(&mut self, plan: &Plan, event: &Event) {
        self.note_by(event, |task| plan.task(task).effect > Effect::Reads);
    }

    /// Whether the host may be changed.
    pub(super) fn has(&self, host: HostId) -> bool {
        self.0.contains_key(&host)
    }

    fn note_by(&mut self, event: &Event, changes: impl Fn(TaskId) -> bool) {
        match event {
            Event::OpStarted { task, .. } if changes(*task) => *self.0.entry(task.host).or_default() += 1,
            // It was about to be sent and never began: its host is as it was before.
            Event::OpNotStarted { task, .. } if changes(*task) => {
                if let Some(count) = self.0.get_mut(&task.host) {
                    *count -= 1;
                    if *count == 0 {
                        self.0.remove(&task.host);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Exit;

    #[test]
    fn a_host_is_touched_by_ops_that_change_and_began() {
        let (attempt, pass) = (1, 0);
        let task = |index| TaskId { phase: 0, host: HostId(3), index };
        let starts =
            |index, op| Event::OpStarted { task: task(index), attempt, pass, op, on: None, sent: None };
        let never = |index, op| Event::OpNotStarted { task: task(index), attempt, pass, op };
        let (exit, last_line, stdout) = (Exit::Code(0), String::new(), None);
        let ended =
            Event::OpEnded { task: task(1), attempt, pass, op: 0, exit, last_line, stdout, refused: false };
        // Task 0 only reads.
        let cases: [(&[Event], bool); 7] = [
            (&[], false),
            (&[starts(0, 0)], false),
            (&[starts(1, 0)], true),
            (&[starts(1, 0), ended.clone()], true),
            (&[starts(1, 0), never(1, 0)], false),
            (&[starts(1, 0), ended, starts(1, 1), never(1, 1)], true),
            (&[starts(1, 0), never(1, 0), starts(1, 0)], true),
        ];
        for (events, expected) in cases {
            let mut touched = Touched::default();
            for event in events {
                touched.note_by(event, |task| task.index > 0);
            }
            assert_eq!(touched.has(HostId(3)), expected, "{events:?}");
            assert!(!touched.has(HostId(2)));
        }
    }
}
