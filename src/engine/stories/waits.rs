//! What a host waits for that this run left cordoned in an earlier phase: the wait has an end, whoever holds the budget.

use crate::plan::{ActionId, OutCause, OutOfService, Sections, StepRef, TaskId};
use crate::runbook::Then;

use super::plans::SETS_CORDON;
use super::{Cause, Duration, Event, HostId, Story, TaskEnd, failure, story};

/// Two hosts. The first phase cordons host 0 and leaves that for later; the second one does this on these hosts.
fn left_cordoned(tasks: &str, hosts: &[u32], sections: Option<Sections>) -> Story {
    let cordons = story(2, "d", |phase| phase.batches = vec![vec![HostId(0)]]).plan.phases.remove(0);
    let mut story = story(2, tasks, |phase| {
        phase.batches = vec![hosts.iter().copied().map(HostId).collect()];
        phase.rollout.wait_for_budget = Duration::from_secs(15);
        phase.hosts.iter_mut().for_each(|tasks| tasks.sections = sections);
    });
    story.plan.phases.insert(0, cordons);
    story.plan.phases[0].hosts[0].tasks[0].step = StepRef::Action(ActionId(SETS_CORDON));
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    story.op(0, 0, Some(0));
    let second = story.changes(0, 0);
    assert!(second.starts_with("0 Changed, batch good, phase good, phase, batch 0, host 0, "), "{second}");
    story
}

impl Story {
    /// The look of the second phase comes back: these hosts are not ready.
    fn sees_unready(&mut self, hosts: &[u32]) -> String {
        let cause = OutCause::NotReady("False".to_owned());
        let out = hosts.iter().map(|host| OutOfService { host: HostId(*host), cause: cause.clone() });
        let out = out.collect();
        self.tell(Event::Observed { phase: 1, out, blocked: None, etcd: Vec::new() });
        self.goes_on()
    }

    fn ends_second(&mut self, host: u32, end: TaskEnd) -> String {
        let task = TaskId { phase: 1, host: HostId(host), index: 0 };
        self.tell(Event::TaskEnded { task, attempt: 1, end });
        self.goes_on()
    }
}

#[test]
fn a_host_that_was_left_cordoned_waits_for_others_no_longer_than_any_other_one() {
    let mut story = left_cordoned("d", &[0], None);
    assert_eq!(story.sees_unready(&[1]), "0 waits");
    assert_eq!(story.sleeps(), 10);
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees_unready(&[1]), "");
    assert_eq!(story.sleeps(), 5, "then `wait_for_budget` is over");
    assert!(story.goes_on().starts_with("halt: spent by others, 0 Stopped"));
    assert!(story.state.finished());
}

#[test]
fn a_host_that_was_left_cordoned_goes_once_the_others_are_back() {
    let mut story = left_cordoned("d", &[0], None);
    assert_eq!(story.sees_unready(&[1]), "0 waits");
    story.sleeps();
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees_unready(&[]), "slot 0, 0.0#1");
}

#[test]
fn a_rescue_that_waits_for_a_cordon_whose_host_waits_for_the_rescue_comes_to_an_end() {
    let sections = Sections { rescue: 2, always: 3, then: Then::Ok };
    let mut story = left_cordoned("rdd", &[0, 1], Some(sections));
    assert_eq!(story.ends_second(1, TaskEnd::Failed { failure: failure(Cause::Command) }), "1 rescue, look");
    assert_eq!(story.sees_unready(&[]), "1 waits");
    let holds = TaskEnd::Satisfied { state: "well".to_owned() };
    assert_eq!(story.ends_second(0, holds), "1 waits", "both wait, each for the other one");
    assert_eq!(story.sleeps(), 10);
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees_unready(&[]), "");
    assert_eq!(story.sleeps(), 5);
    let end = story.goes_on();
    assert!(end.starts_with("halt: spent by others"), "{end}");
    assert!(story.state.finished(), "{end}");
}
