//! A cordon that somebody took away: what is done again, how often, and what a stop and a resume make of it.

use crate::op::Effect;
use crate::plan::{ActionId, Bracket, HostId, Sections, StepRef, Task, TaskId};
use crate::runbook::Then;
use crate::step::BracketKey;

use super::plans::{CHECKS, SETS_CORDON, TAKES_CORDON_AWAY};
use super::{BracketFinding, Cause, Event, Stamped, StopLevel, Story, TaskEnd, story};

/// One host: cordon, a check, a change, a disruption, uncordon.
fn cordoned() -> Story {
    let mut story = story(1, "drcdc", |phase| {
        let tasks = &mut phase.hosts[0];
        let mut is = |index: usize, action: u32| tasks.tasks[index].step = StepRef::Action(ActionId(action));
        is(0, SETS_CORDON);
        is(1, CHECKS);
        is(4, TAKES_CORDON_AWAY);
        tasks.brackets = vec![Bracket { key: BracketKey::Cordon, first: 0, last: 4 }];
    });
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, probe 0[0]");
    let finding = BracketFinding::Needed { why: "kubelet".to_owned() };
    story.tell(Event::BracketProbed { phase: 0, host: HostId(0), bracket: 0, finding });
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert_eq!(story.changes(0, 0), "0.1#1");
    assert_eq!(story.holds(1), "0.2#1");
    assert_eq!(story.changes(0, 2), "0.3#1");
    story
}

impl Story {
    fn holds(&mut self, index: u16) -> String {
        self.task_ends(0, index, TaskEnd::Satisfied { state: "well".to_owned() })
    }

    fn is_uncordoned(&mut self, index: u16) -> String {
        self.task_ends(0, index, TaskEnd::Uncordoned { reason: "somebody uncordoned it".to_owned() })
    }

    /// Whether this event could be the next one.
    fn refuses(&self, event: Event) -> bool {
        let stamped = Stamped { seq: self.state.seq() + 1, at: self.now, event };
        self.state.clone().apply(&self.plan, &stamped).is_err()
    }

    fn relies_on_cordon(&self, index: u16) -> bool {
        self.state.open_cordon(&self.plan, TaskId { phase: 0, host: HostId(0), index }).is_some()
    }
}

#[test]
fn a_cordon_that_is_gone_is_set_again_with_its_checks_and_nothing_else_is_repeated() {
    let mut story = cordoned();
    assert!(story.relies_on_cordon(3) && !story.relies_on_cordon(0) && !story.relies_on_cordon(4));
    assert_eq!(story.is_uncordoned(3), "0.0#2", "under the slot that it holds");
    assert_eq!(story.changes(0, 0), "0.1#2", "the check behind it");
    assert_eq!(story.holds(1), "0.3#2", "the change in between is not repeated");
    assert_eq!(story.changes(0, 3), "0.4#1");
    assert_eq!(story.changes(0, 4), "0 Changed, batch good, phase good, end");
}

#[test]
fn a_cordon_is_set_again_three_times_and_no_more() {
    let mut story = cordoned();
    for again in 2..5 {
        assert_eq!(story.is_uncordoned(3), format!("0.0#{again}"));
        story.changes(0, 0);
        assert_eq!(story.holds(1), format!("0.3#{again}"));
    }
    let task = TaskId { phase: 0, host: HostId(0), index: 3 };
    assert_eq!(story.state.open_cordon(&story.plan, task).map(|open| open.again), Some(0));
    let end = TaskEnd::Uncordoned { reason: String::new() };
    assert!(story.refuses(Event::TaskEnded { task, attempt: 4, end }), "a fourth time");
    assert_eq!(
        story.fails(0, 3, Cause::Refused),
        "0 Failed, halt: failures, batch no host succeeded, phase bad, end"
    );
}

#[test]
fn a_drain_that_fails_the_second_time_fails_its_host() {
    let mut story = cordoned();
    story.is_uncordoned(3);
    assert_eq!(
        story.fails(0, 0, Cause::Command),
        "0 Failed, halt: failures, batch no host succeeded, phase bad, end"
    );
    assert!(!story.relies_on_cordon(3));
}

#[test]
fn a_run_that_is_stopped_while_it_drains_again_goes_on_there() {
    let mut story = cordoned();
    story.is_uncordoned(3);
    story.stops(StopLevel::Now);
    assert!(story.changes(0, 0).contains("0 Stopped"));
    story.tell(Event::RunResumed { version: String::new(), machine: String::new() });
    assert_eq!(story.goes_on(), "0.1#2", "what was done again is not done a third time");
    assert_eq!(story.holds(1), "0.3#2");
    assert_eq!(story.changes(0, 3), "0.4#1");
}

#[test]
fn a_drain_again_whose_end_is_not_known_is_settled_first() {
    let mut story = cordoned();
    story.is_uncordoned(3);
    let lost = TaskEnd::Unknown { reason: "the link was lost".to_owned() };
    assert!(story.task_ends(0, 0, lost).contains("0 Unknown"));
    story.tell(Event::RunResumed { version: String::new(), machine: String::new() });
    assert_eq!(story.goes_on(), "");
    assert_eq!(story.changes(0, 0), "0.1#2");
    assert_eq!(story.holds(1), "0.3#2");
    assert_eq!(story.changes(0, 3), "0.4#1");
    assert_eq!(story.changes(0, 4), "0 Changed, batch good, phase good, end");
}

#[test]
fn a_rescue_relies_on_the_cordon_of_its_steps() {
    let mut story = story(1, "ddd", |phase| {
        let tasks = &mut phase.hosts[0];
        let set = Task { step: StepRef::Action(ActionId(SETS_CORDON)), ..tasks.tasks[0].clone() };
        tasks.tasks[0] = set;
        assert_eq!(tasks.tasks[2].effect, Effect::Disrupts);
        tasks.sections = Some(Sections { rescue: 2, always: 3, then: Then::Ok });
    });
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert_eq!(story.changes(0, 0), "0.1#1");
    assert_eq!(story.fails(0, 1, Cause::Command), "0 rescue, 0.2#1");
    assert_eq!(story.is_uncordoned(2), "0.0#2");
    assert_eq!(story.changes(0, 0), "0.2#2");
    assert_eq!(story.changes(0, 2), "0 Changed, batch good, phase good, end");
}

#[test]
fn what_a_task_opened_that_waits_for_its_cordon_is_closed_though_it_never_goes_on() {
    let mut story = story(1, "ddc", |phase| {
        let tasks = &mut phase.hosts[0];
        tasks.tasks[0].step = StepRef::Action(ActionId(SETS_CORDON));
        tasks.tasks[2].ties.closes = vec![1];
        tasks.sections = Some(Sections { rescue: 2, always: 2, then: Then::Failed });
    });
    let closes = TaskId { phase: 0, host: HostId(0), index: 2 };
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert_eq!(story.changes(0, 0), "0.1#1");
    story.op(1, 0, Some(0));
    assert_eq!(story.is_uncordoned(1), "0.0#2");
    assert_eq!(story.fails(0, 0, Cause::Command), "halt: failures, 0 always, 0.2#1");
    assert!(story.state.closes_what_is_open(&story.plan, closes), "an op of it was sent");
}

#[test]
fn without_a_cordon_of_this_run_nothing_is_set_again() {
    let mut story = story(1, "d", |_| {});
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert!(!story.relies_on_cordon(0));
    let task = TaskId { phase: 0, host: HostId(0), index: 0 };
    let end = TaskEnd::Uncordoned { reason: String::new() };
    assert!(story.refuses(Event::TaskEnded { task, attempt: 1, end }));
}
