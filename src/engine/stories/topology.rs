//! `topology`: in how many zones hosts may be out of service, and who goes first when it is tight.

use std::collections::BTreeMap;

use super::plans::SETS_CORDON;
use super::{ActionId, Cause, Duration, HostId, PlannedPhase, StepRef, Story, story};
use crate::plan::Topology;

/// A host per letter, which is its zone; one zone may be out, and two hosts.
fn zones(letters: &str, shape: impl FnOnce(&mut PlannedPhase)) -> Story {
    let count = u32::try_from(letters.len()).expect("a few");
    story(count, "d", |phase: &mut PlannedPhase| {
        let mut domains: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
        for (host, zone) in (0..).map(HostId).zip(letters.chars()) {
            domains.entry(zone.to_string()).or_default().push(host);
        }
        phase.topology = Some(Topology { key: "zone".to_owned(), max_domains: 1, domains });
        phase.rollout.max_unavailable = 2;
        shape(phase);
    })
}

#[test]
fn one_zone_is_done_before_the_next_begins() {
    let mut story = zones("abab", |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, host 1, host 2, host 3, look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1, look");
    assert_eq!(story.sees(&[]), "slot 2, 2.0#1", "host 1 is before it in the order, and in zone b");
    assert_eq!(story.changes(0, 0), "0 Changed", "a slot is free, and zone a is still out: nobody looks");
    assert_eq!(story.changes(2, 0), "2 Changed, look");
    assert_eq!(story.sees(&[]), "slot 1, 1.0#1, look");
    assert_eq!(story.sees(&[]), "slot 3, 3.0#1");
}

#[test]
fn a_zone_that_others_hold_is_waited_for_like_the_budget() {
    let mut story = zones("abb", |phase| {
        phase.batches = vec![vec![HostId(0), HostId(1)]];
        phase.rollout.wait_for_budget = Duration::from_secs(10);
    });
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, host 1, look");
    assert_eq!(story.sees(&[2]), "slot 1, 1.0#1", "it stands where somebody is out already");
    assert_eq!(story.changes(1, 0), "1 Changed, look");
    assert_eq!(story.sees(&[2]), "0 waits");
    assert_eq!(story.sleeps(), 10);
    assert_eq!(story.goes_on(), "look");
    assert!(story.sees(&[2]).starts_with("halt: spent by others, 0 Stopped"));
}

#[test]
fn a_zone_that_is_back_lets_the_next_one_go() {
    let mut story = zones("ab", |phase| phase.batches = vec![vec![HostId(0)]]);
    story.goes_on();
    assert_eq!(story.sees(&[1]), "0 waits");
    story.sleeps();
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
}

#[test]
fn a_zone_that_a_failure_holds_ends_the_wait_at_once() {
    let mut story = zones("ab", |phase| phase.rollout.max_failures = 5);
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert_eq!(
        story.fails(0, 0, Cause::Refused),
        "0 Failed, halt: domains spent by failures, 1 Stopped, batch no host succeeded, phase bad, end",
        "there is a slot for host 1, and there will never be a zone for it"
    );
}

#[test]
fn a_failure_holds_up_nobody_in_its_own_zone() {
    let mut story = zones("aa", |phase| phase.rollout.max_failures = 5);
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1, look");
    assert_eq!(story.fails(0, 0, Cause::Refused), "0 Failed");
    assert_eq!(story.sees(&[]), "slot 1, 1.0#1");
}

#[test]
fn a_zone_whose_node_this_run_left_cordoned_is_not_waited_for() {
    let mut story = zones("ab", |phase| {
        phase.hosts[0].tasks[0].step = StepRef::Action(ActionId(SETS_CORDON));
    });
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    story.op(0, 0, Some(0));
    assert_eq!(
        story.changes(0, 0),
        "0 Changed, halt: domains spent by failures, 1 Stopped, batch the run stopped before all of its hosts had succeeded, phase bad, end",
        "no look is needed to see that its cordon stands"
    );
}
