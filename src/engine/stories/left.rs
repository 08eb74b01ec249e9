//! Which hosts are left out of service or half-changed, when a step took back what it had opened.

use std::sync::Arc;

use super::{BracketKey, Cause, Event, Exit, HostId, Story, TaskId, story};
use crate::engine::outstanding::Outstandings;
use crate::op::{OpKind, RunWhen, Temporary};
use crate::runbook::Retry;
use crate::value::Duration;

/// One host; its disrupting step cordons, drains, and takes the cordon back where it fails.
fn drains(tasks: &str) -> Story {
    let mut story = story(1, tasks, |_| {});
    let action = Arc::make_mut(&mut story.plan.actions[0]);
    action.lowered.opens = vec![BracketKey::Cordon];
    for patch in [0, 2] {
        action.lowered.ops[patch].success = vec![0, 1];
        action.lowered.ops[patch].yields = true;
    }
    action.lowered.ops[0].undo = "kubectl uncordon".to_owned();
    action.lowered.ops[0].makes = vec![Temporary::Cordon];
    action.lowered.ops[2].when = RunWhen::OnFailure;
    action.lowered.ops[2].restores = vec![Temporary::Cordon];
    story.goes_on();
    story
}

impl Story {
    pub(super) fn op(&mut self, index: u16, op: u16, exit: Option<i32>) {
        self.op_says(index, op, exit, "");
    }

    fn op_says(&mut self, index: u16, op: u16, exit: Option<i32>, says: &str) {
        self.op_ends(index, op, exit, says, false);
    }

    fn op_ends(&mut self, index: u16, op: u16, exit: Option<i32>, says: &str, refused: bool) {
        let (task, pass) = (TaskId { phase: 0, host: HostId(0), index }, 0);
        let attempt = self.attempt(0, index);
        self.tell(Event::OpStarted { task, attempt, pass, op, on: None, sent: None });
        if let Some(code) = exit {
            let (exit, last_line, stdout) = (Exit::Code(code), says.to_owned(), None);
            self.tell(Event::OpEnded { task, attempt, pass, op, exit, last_line, stdout, refused });
        }
    }

    fn left(&self) -> (usize, usize) {
        (self.state.out_of_service(&self.plan).len(), self.state.half_changed(&self.plan).len())
    }
}

#[test]
fn a_drain_that_took_its_cordon_back_leaves_its_host_in_service() {
    const OUT: (usize, usize) = (1, 1);
    // How the patches ended that set the cordon and take it back, and how many hosts are left out of service and
    // half-changed.
    let cases = [
        ((0, ""), (0, ""), (0, 0)),
        ((0, ""), (1, NOT_OURS), (0, 0)),
        ((0, ""), (1, LOST), OUT),
        ((0, ""), (1, FORBIDDEN), OUT),
        ((0, ""), (9, ""), OUT),
        ((1, LOST), (1, LOST), OUT),
        ((1, LOST), (1, NOT_OURS), (0, 0)),
        // The cordon is somebody else's, or there is none: nothing is to be taken back.
        ((1, NOT_OURS), (1, LOST), (0, 0)),
        ((1, FORBIDDEN), (1, FORBIDDEN), (0, 0)),
    ];
    for (set, restored, left) in cases {
        let mut story = drains("d");
        story.sees(&[]);
        story.op_says(0, 0, Some(set.0), set.1);
        story.op(0, 1, Some(1));
        story.op_says(0, 2, Some(restored.0), restored.1);
        story.fails(0, 0, Cause::Command);
        assert_eq!(story.left(), left, "set {set:?}, restored {restored:?}");
        assert!(story.state.finished());
    }
}

const NOT_OURS: &str = "The request is invalid";
const LOST: &str = "Unable to connect to the server: EOF";
const FORBIDDEN: &str = "Error from server (Forbidden): nodes \"w1\" is forbidden";

#[test]
fn a_drain_that_nothing_took_back_leaves_its_host_out() {
    let mut story = drains("d");
    story.sees(&[]);
    story.op(0, 0, Some(0));
    story.op(0, 1, Some(1));
    story.fails(0, 0, Cause::Command);
    assert_eq!(story.left(), (1, 1));
}

#[test]
fn what_was_changed_before_the_drain_still_stands_on_a_host_in_service() {
    let mut story = drains("cd");
    story.changes(0, 0);
    story.sees(&[]);
    story.op(1, 0, Some(0));
    story.op(1, 1, Some(1));
    story.op(1, 2, Some(0));
    story.fails(0, 1, Cause::Command);
    assert_eq!(story.left(), (0, 1), "half-changed, and in service");
}

/// The first attempt leaves the cordon, or may; how the second one's patches end says what is left.
#[test]
fn a_later_attempt_that_takes_the_cordon_back_does_so_for_the_earlier_ones() {
    const OUT: (usize, usize) = (1, 1);
    let cases = [
        ((0, ""), (0, ""), (0, 0)),
        // It is cordoned already, by this run: taking that back is what counts.
        ((1, NOT_OURS), (0, ""), (0, 0)),
        ((1, NOT_OURS), (1, NOT_OURS), (0, 0)),
        ((1, NOT_OURS), (1, LOST), OUT),
        ((1, FORBIDDEN), (1, FORBIDDEN), OUT),
        ((0, ""), (1, LOST), OUT),
    ];
    for (set, restored, left) in cases {
        let mut story = drains("d");
        let retry = Retry { attempts: 2, delay: Duration::from_secs(1), backoff_percent: 100 };
        Arc::make_mut(&mut story.plan.actions[0]).retry = Some(retry);
        story.sees(&[]);
        for (set, restored) in [((0, ""), (1, LOST)), (set, restored)] {
            story.op_says(0, 0, Some(set.0), set.1);
            story.op(0, 1, Some(1));
            story.op_says(0, 2, Some(restored.0), restored.1);
            story.fails(0, 0, Cause::Command);
            if !story.state.finished() {
                story.sleeps();
                story.goes_on();
            }
        }
        assert!(story.state.finished());
        assert_eq!(story.left(), left, "set {set:?}, restored {restored:?}");
    }
}

#[test]
fn what_was_changed_before_a_drain_that_is_tried_twice_still_stands() {
    let mut story = drains("cd");
    let retry = Retry { attempts: 2, delay: Duration::from_secs(1), backoff_percent: 100 };
    Arc::make_mut(&mut story.plan.actions[0]).retry = Some(retry);
    story.changes(0, 0);
    story.sees(&[]);
    for restored in [(1, LOST), (0, "")] {
        story.op(1, 0, Some(0));
        story.op(1, 1, Some(1));
        story.op_says(1, 2, Some(restored.0), restored.1);
        story.fails(0, 1, Cause::Command);
        if !story.state.finished() {
            story.sleeps();
            story.goes_on();
        }
    }
    assert_eq!(story.left(), (0, 1), "half-changed, and in service");
}

#[test]
fn a_step_that_refused_itself_leaves_its_host_as_it_was() {
    for (refused, left) in [(true, (0, 0)), (false, (1, 1))] {
        let mut story = story(1, "d", |_| {});
        story.goes_on();
        story.sees(&[]);
        story.op_ends(0, 0, Some(1), "", refused);
        // What takes back was never done is nothing that stands.
        story.op(0, 1, Some(0));
        story.fails(0, 0, Cause::Command);
        assert_eq!(story.left(), left, "refused: {refused}");
    }
}

#[test]
fn what_was_changed_before_a_step_that_refused_itself_stands() {
    let mut story = story(1, "cd", |_| {});
    story.goes_on();
    story.changes(0, 0);
    story.sees(&[]);
    story.op_ends(1, 0, Some(1), "", true);
    story.fails(0, 1, Cause::Command);
    assert_eq!(story.left(), (0, 1), "half-changed by the step before, and in service");
}

#[test]
fn what_an_earlier_op_changed_stands_though_a_later_one_refused_itself() {
    let mut story = story(1, "d", |_| {});
    story.goes_on();
    story.sees(&[]);
    story.op(0, 0, Some(0));
    story.op_ends(0, 1, Some(1), "", true);
    story.fails(0, 0, Cause::Command);
    assert_eq!(story.left(), (1, 1));
}

/// One host that a first step cordons well; a second one has this command.
fn cordoned_and(command: &[&str]) -> Story {
    let mut story = drains("dt");
    story.plan.hosts[0].subject.node = Some("h0".to_owned());
    let argv = command.iter().map(|word| (*word).to_owned()).collect();
    let op = &mut Arc::make_mut(&mut story.plan.actions[4]).lowered.ops[0];
    op.kind = OpKind::Exec { argv };
    op.read_command();
    story.sees(&[]);
    story.op(0, 0, Some(0));
    story.changes(0, 0);
    story
}

#[test]
fn a_cordon_counts_until_its_node_is_deleted() {
    let cases: [(&[&str], bool); 4] = [
        (&["kubectl", "--request-timeout=30s", "delete", "node", "h0"], false),
        (&["/usr/bin/kubectl", "delete", "nodes/h0", "--wait"], false),
        (&["kubectl", "delete", "node", "h9"], true),
        (&["kubectl", "get", "node", "h0"], true),
    ];
    for (command, counts) in cases {
        let mut story = cordoned_and(command);
        assert!(story.state.cordoned().contains_key(&HostId(0)), "it was cordoned");
        story.op(1, 0, Some(0));
        assert_eq!(story.state.cordoned().contains_key(&HostId(0)), counts, "{command:?}");
    }
}

#[test]
fn a_host_was_acted_on_once_an_op_that_changes_something_began_or_may_have() {
    type Sent = ((u16, u16), bool, bool);
    const READ: (u16, u16) = (0, 0);
    const CHANGE: (u16, u16) = (1, 0);
    // What is sent, whether it began, and whether the host may be changed after each.
    let cases: [&[Sent]; 4] = [
        &[(READ, true, false)],
        &[(CHANGE, true, true)],
        &[(CHANGE, false, false), (CHANGE, true, true)],
        &[(CHANGE, true, true), ((1, 1), false, true)],
    ];
    for case in cases {
        let mut outstanding = Outstandings::default();
        let story = story(1, "rc", |_| {});
        for ((index, op), began, acted) in case {
            let (task, attempt, pass) = (TaskId { phase: 0, host: HostId(0), index: *index }, 1, 0);
            let (op, on, sent) = (*op, None, None);
            outstanding.take(&story.plan, &Event::OpStarted { task, attempt, pass, op, on, sent });
            if !began {
                outstanding.take(&story.plan, &Event::OpNotStarted { task, attempt, pass, op });
            }
            assert_eq!(outstanding.has_acted_on(HostId(0)), *acted, "{case:?}");
            assert_eq!(outstanding.unheard().count() > 0, *began || *acted, "{case:?}");
        }
    }
}
