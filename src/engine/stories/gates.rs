//! Gates between batches, and pauses for a person.

use super::{Duration, Event, HostId, PlannedPhase, StopLevel, Story, TaskEnd, TaskId, story};
use crate::engine::{Awaited, Work};
use crate::plan::{ActionId, Gate, GateOpens};
use crate::runbook::GateAfter;

const AT_FIRST: Awaited = Awaited::Gate { phase: 0, batch: 0 };

/// Three batches of one host each, with a gate.
fn gated(after: GateAfter, opens: GateOpens, shape: impl FnOnce(&mut PlannedPhase)) -> Story {
    story(3, "c", |phase| {
        phase.batches = (0..3).map(|host| vec![HostId(host)]).collect();
        phase.gate = Some(Gate { after, opens });
        shape(phase);
    })
}

fn approval() -> GateOpens {
    GateOpens::Approve { text: "look".to_owned(), within: None }
}

fn passes(story: &mut Story, batch: u16) -> String {
    story.tell(Event::GatePassed { phase: 0, batch, by: Some("ops".to_owned()) });
    story.goes_on()
}

fn refuses(story: &mut Story, batch: u16) -> String {
    story.tell(Event::GateRefused { phase: 0, batch, why: "nobody is there".to_owned() });
    story.goes_on()
}

fn resumes(story: &mut Story) -> String {
    story.tell(Event::RunResumed { version: "1".to_owned(), machine: String::new() });
    story.goes_on()
}

#[test]
fn a_gate_stands_behind_each_batch_but_the_last() {
    let mut story = gated(GateAfter::Each, approval(), |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1");
    assert_eq!(story.changes(0, 0), "0 Changed, gate");
    assert_eq!(story.state.in_flight(&story.plan), [Work::Gate { phase: 0, batch: 0, until: None }]);
    assert_eq!(passes(&mut story, 0), "batch good, batch 1, host 1, 1.0#1");
    assert_eq!(story.changes(1, 0), "1 Changed, gate");
    assert_eq!(passes(&mut story, 1), "batch good, batch 2, host 2, 2.0#1");
    assert_eq!(story.changes(2, 0), "2 Changed, batch good, phase good, end");
}

#[test]
fn a_gate_behind_the_first_batch_stands_nowhere_else() {
    let mut story = gated(GateAfter::First, approval(), |_| {});
    story.goes_on();
    assert_eq!(story.changes(0, 0), "0 Changed, gate");
    passes(&mut story, 0);
    assert_eq!(story.changes(1, 0), "1 Changed, batch good, batch 2, host 2, 2.0#1");
}

#[test]
fn a_gate_that_is_not_passed_pauses_the_run_which_comes_to_it_again() {
    let mut story = gated(GateAfter::Each, approval(), |phase| {
        phase.rollout.soak = Duration::from_secs(60);
        phase.verify = vec![ActionId(0)];
    });
    story.goes_on();
    assert_eq!(story.changes(0, 0), "0 Changed, soak, verify");
    story.sleeps_until = Some(story.now.after(Duration::from_secs(60)));
    story.sleeps();
    story.tell(Event::Verified { phase: 0, batch: 0, failed_check: None });
    assert_eq!(story.goes_on(), "gate");
    assert_eq!(refuses(&mut story, 0), "halt: paused, batch its gate was not passed, phase bad, end");
    assert!(story.state.can_resume());
    assert_eq!(story.state.awaited(&story.plan), [AT_FIRST]);
    assert_eq!(resumes(&mut story), "verify", "it has soaked, and nobody knows what happened since");
    assert_eq!(story.state.awaited(&story.plan), []);
    story.tell(Event::Verified { phase: 0, batch: 0, failed_check: None });
    assert_eq!(story.goes_on(), "gate");
    assert_eq!(passes(&mut story, 0), "batch good, batch 1, host 1, 1.0#1");
}

#[test]
fn a_gate_of_time_opens_by_itself() {
    let half_an_hour = Duration::from_secs(1800);
    let mut story = gated(GateAfter::First, GateOpens::Time(half_an_hour), |_| {});
    story.goes_on();
    assert_eq!(story.changes(0, 0), "0 Changed, gate");
    assert_eq!(story.state.in_flight(&story.plan), [], "there is nobody to ask");
    assert_eq!(story.sleeps(), 1800);
    assert_eq!(story.goes_on(), "batch good, batch 1, host 1, 1.0#1");
}

#[test]
fn a_stop_before_a_gate_does_not_pass_it() {
    for opens in [approval(), GateOpens::Time(Duration::from_secs(60))] {
        let mut story = gated(GateAfter::Each, opens, |_| {});
        story.goes_on();
        assert_eq!(story.stops(StopLevel::Graceful), "halt: stopped");
        let end = "0 Changed, batch the run stopped before its gate, phase bad, end";
        assert_eq!(story.changes(0, 0), end);
        assert!(story.state.can_resume());
        assert_eq!(story.state.awaited(&story.plan), [], "nobody was asked yet");
        assert_eq!(resumes(&mut story), "gate");
    }
}

#[test]
fn a_pause_that_nobody_confirms_stops_the_others_and_is_asked_again() {
    let mut story = story(3, "rc", |phase| phase.rollout.parallel = 2);
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1, host 1, 1.0#1");
    let task = TaskId { phase: 0, host: HostId(0), index: 0 };
    story.tell(Event::TaskAsks { task, attempt: 1, text: "look".to_owned() });
    assert_eq!(
        story.state.awaited(&story.plan),
        [Awaited::Task(task)],
        "a controller that dies is asked again"
    );
    let end = TaskEnd::Paused { text: "look".to_owned(), why: "nobody is there".to_owned() };
    assert_eq!(story.task_ends(0, 0, end), "halt: paused, 0 Stopped");
    let satisfied = || TaskEnd::Satisfied { state: "well".to_owned() };
    assert_eq!(
        story.task_ends(1, 0, satisfied()),
        "1 Stopped, batch the run stopped before all of its hosts had succeeded, phase bad, end"
    );
    assert_eq!(story.state.half_changed(&story.plan), []);
    assert_eq!(story.state.awaited(&story.plan), [Awaited::Task(task)]);
    assert_eq!(resumes(&mut story), "1.1#1", "the pause is in flight again");
    story.tell(Event::TaskApproved { task, attempt: 1, by: "ops".to_owned() });
    assert_eq!(story.state.awaited(&story.plan), []);
    assert_eq!(story.task_ends(0, 0, satisfied()), "0.1#1");
}

#[test]
fn a_host_that_is_out_comes_back_when_another_pauses() {
    let mut story = story(2, "rdc", |_| {});
    story.goes_on();
    let satisfied = || TaskEnd::Satisfied { state: "well".to_owned() };
    assert_eq!(story.task_ends(1, 0, satisfied()), "look");
    assert_eq!(story.sees(&[]), "slot 1, 1.1#1");
    let end = TaskEnd::Paused { text: "look".to_owned(), why: "nobody is there".to_owned() };
    assert_eq!(story.task_ends(0, 0, end), "halt: paused, 0 Stopped");
    assert_eq!(story.changes(1, 1), "1.2#1", "it is out, and goes on to its end");
    assert!(story.changes(1, 2).starts_with("1 Changed"));
    assert_eq!(story.state.out_of_service(&story.plan), []);
}
