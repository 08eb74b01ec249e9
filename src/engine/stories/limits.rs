//! `max_failures` says whether a phase goes on, `on_failure` how it stops.

use super::{Cause, Duration, HostId, OnFailure, PlannedPhase, Story, story};

/// Four hosts, two of which may be out, two at work before that, and one may fail.
fn four_hosts(on_failure: OnFailure) -> Story {
    let mut story = story(4, "cdc", |phase: &mut PlannedPhase| {
        phase.rollout.max_unavailable = 3;
        phase.rollout.parallel = 2;
        phase.rollout.max_failures = 1;
        phase.rollout.on_failure = on_failure;
    });
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1, host 1, 1.0#1");
    assert_eq!(story.changes(0, 0), "look");
    assert_eq!(story.sees(&[]), "slot 0, 0.1#1, host 2, 2.0#1");
    assert_eq!(
        story.fails(1, 0, Cause::Refused),
        "1 Failed, host 3, 3.0#1",
        "one may fail: the others go on"
    );
    story
}

#[test]
fn one_failure_too_many_halts_and_hosts_that_are_out_finish() {
    let mut story = four_hosts(OnFailure::Halt);
    assert_eq!(story.fails(2, 0, Cause::Refused), "2 Failed, halt: failures");
    assert_eq!(story.changes(3, 0), "3 Stopped", "it was not out");
    assert_eq!(story.changes(0, 1), "0.2#1", "it is out, and comes back");
    assert_eq!(
        story.changes(0, 2),
        "0 Changed, batch the run stopped before all of its hosts had succeeded, phase bad, end"
    );
    assert_eq!(story.state.out_of_service(&story.plan), []);
}

#[test]
fn one_failure_too_many_freezes_hosts_where_they_stand() {
    let mut story = four_hosts(OnFailure::Freeze);
    assert_eq!(story.fails(2, 0, Cause::Refused), "2 Failed, halt: failures");
    assert_eq!(story.changes(3, 0), "3 Stopped");
    let end = "0 Stopped, batch no host succeeded, phase bad, end";
    assert_eq!(story.changes(0, 1), end, "its op in flight ended, and nothing follows it");
    assert_eq!(story.state.out_of_service(&story.plan), [HostId(0)]);
}

#[test]
fn who_gives_up_waiting_for_others_brings_back_what_is_out_even_with_freeze() {
    let mut story = story(4, "dc", |phase| {
        phase.rollout.max_unavailable = 2;
        phase.rollout.on_failure = OnFailure::Freeze;
        phase.rollout.wait_for_budget = Duration::from_secs(10);
        phase.batches = vec![vec![HostId(0), HostId(1)]];
    });
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1, look");
    assert_eq!(story.sees(&[2, 3]), "1 waits", "others hold the budget, the host at work left aside");
    assert_eq!(story.sleeps(), 10);
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees(&[2, 3]), "halt: spent by others, 1 Stopped");
    assert_eq!(story.changes(0, 0), "0.1#1", "nothing failed: it comes back");
}
