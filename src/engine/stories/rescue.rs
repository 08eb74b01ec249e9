//! `rescue` and `always`: who is rescued, what that counts as, and what a stop leaves of it.

use crate::plan::{HostId, Sections, TaskId};
use crate::runbook::Then;

use super::{Cause, OnFailure, StopLevel, Story, TaskEnd, story};

/// So many hosts whose tasks are those of the steps, then those of `rescue`, then those of `always`.
fn rescued(hosts: u32, [steps, rescue, always]: [&str; 3], then: Then) -> Story {
    let index = |parts: &[&str]| u16::try_from(parts.concat().len()).expect("a short story");
    let sections = Sections { rescue: index(&[steps]), always: index(&[steps, rescue]), then };
    story(hosts, &[steps, rescue, always].concat(), |phase| {
        phase.rollout.parallel = 1;
        phase.hosts.iter_mut().for_each(|tasks| tasks.sections = Some(sections));
    })
}

#[test]
fn a_host_that_failed_is_rescued_and_stays_failed() {
    let mut story = rescued(2, ["cc", "cc", "c"], Then::Failed);
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1");
    let begins = "halt: failures, 0 rescue, 0.2#1";
    assert_eq!(story.fails(0, 0, Cause::Command), begins, "it has failed, whatever is still done on it");
    let failed = story.state.failure(&story.plan, 0, HostId(0)).expect("it failed");
    assert_eq!((failed.task, failed.failure.cause), (Some(0), Cause::Command));
    let never_ran = TaskId { phase: 0, host: HostId(0), index: 1 };
    assert!(story.state.result(&story.plan, never_ran).is_some_and(|result| !result.ran));
    assert_eq!(story.changes(0, 2), "0.3#1");
    assert_eq!(story.changes(0, 3), "0 always, 0.4#1");
    assert_eq!(story.changes(0, 4), "0 Failed, batch no host succeeded, phase bad, end");
    assert!(!story.state.was_rescued(&story.plan, 0, HostId(0)));
}

#[test]
fn nobody_starts_before_it_is_known_whether_a_rescue_saves_its_host() {
    let mut story = rescued(3, ["c", "c", ""], Then::Ok);
    story.plan.phases[0].rollout.parallel = 10;
    story.plan.phases[0].batches = vec![vec![HostId(0)], vec![HostId(1), HostId(2)]];
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1");
    assert_eq!(
        story.fails(0, 0, Cause::Command),
        "0 rescue, 0.1#1",
        "none may fail, and this one may be saved"
    );
    assert_eq!(story.changes(0, 1), "0 Changed, batch good, batch 1, host 1, 1.0#1, host 2, 2.0#1");
    assert!(story.state.was_rescued(&story.plan, 0, HostId(0)));
    assert_eq!(story.fails(1, 0, Cause::Command), "1 rescue, 1.1#1");
    assert_eq!(
        story.fails(1, 1, Cause::Command),
        "halt: failures, 1 Failed",
        "a rescue that fails saves nobody"
    );
}

#[test]
fn a_rescue_of_which_nothing_ran_saves_nobody() {
    let mut story = rescued(1, ["c", "x", "c"], Then::Ok);
    story.goes_on();
    assert_eq!(story.fails(0, 0, Cause::Command), "0 rescue, skip 0.1, 0 always, halt: failures, 0.2#1");
    assert_eq!(story.changes(0, 2), "0 Failed, batch no host succeeded, phase bad, end");
}

#[test]
fn nobody_acts_on_a_host_that_is_not_the_one_of_the_plan_or_whose_state_is_not_known() {
    for cause in [Cause::Drift, Cause::Identity, Cause::NodeLost] {
        let mut story = rescued(1, ["cc", "c", "c"], Then::Ok);
        story.goes_on();
        story.changes(0, 0);
        let end = "halt: failures, 0 Failed, batch no host succeeded, phase bad, end";
        assert_eq!(story.fails(0, 1, cause), end, "{cause:?}");
    }
    let mut story = rescued(1, ["c", "c", "c"], Then::Ok);
    story.goes_on();
    let end = TaskEnd::Unknown { reason: "link lost".to_owned() };
    assert_eq!(
        story.task_ends(0, 0, end),
        "0 Unknown, halt: failures, batch no host succeeded, phase bad, end"
    );
}

#[test]
fn where_nothing_was_done_there_is_nothing_to_tidy_up() {
    let holds = || TaskEnd::Satisfied { state: "there".to_owned() };
    let mut story = rescued(1, ["cr", "c", "c"], Then::Ok);
    story.goes_on();
    assert_eq!(story.task_ends(0, 0, holds()), "0.1#1");
    assert_eq!(
        story.task_ends(0, 1, holds()),
        "0 Ok, batch good, phase good, end",
        "a second run changes nothing"
    );
}

#[test]
fn a_stop_lets_what_follows_the_steps_come_to_its_end_and_a_second_one_does_not() {
    let mut story = rescued(1, ["c", "cc", "c"], Then::Ok);
    story.goes_on();
    assert_eq!(story.stops(StopLevel::Graceful), "halt: stopped");
    assert_eq!(story.fails(0, 0, Cause::Command), "0 rescue, 0.1#1");
    assert_eq!(story.stops(StopLevel::Now), "");
    let end = "0 Failed, batch no host succeeded, phase bad, end";
    assert_eq!(story.changes(0, 1), end, "nothing follows the op in flight");
    let resumed = super::Event::RunResumed { version: "1".to_owned(), machine: String::new() };
    story.tell(resumed);
    assert_eq!(story.goes_on(), "0.2#1", "the rescue goes on where it was");
    assert_eq!(story.changes(0, 2), "0 always, 0.3#1");
    assert_eq!(story.changes(0, 3), "0 Changed, batch good, phase good, end");
}

#[test]
fn a_run_that_freezes_rescues_nobody() {
    let mut story = rescued(1, ["c", "c", "c"], Then::Failed);
    story.plan.phases[0].rollout.on_failure = OnFailure::Freeze;
    story.goes_on();
    let came = story.fails(0, 0, Cause::Command);
    assert!(!came.contains("0.1#1") && came.contains("0 Failed"), "{came}");
}

#[test]
fn a_rescue_that_disrupts_takes_a_slot_though_its_host_counts_already() {
    let mut story = rescued(2, ["rd", "d", ""], Then::Ok);
    story.plan.phases[0].rollout.parallel = 2;
    story.plan.phases[0].rollout.max_failures = 2;
    story.goes_on();
    assert_eq!(story.fails(0, 0, Cause::Refused), "0 rescue, look");
    assert_eq!(story.sees(&[]), "slot 0, 0.2#1");
    assert_eq!(story.changes(1, 0), "", "the host that is rescued has the slot");
    assert_eq!(story.changes(0, 2), "0 Changed, look");
    assert_eq!(story.sees(&[]), "slot 1, 1.1#1");
}
