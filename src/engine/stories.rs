//! Short stories of runs, told line by line: what the engine decides in the situations that people ask about.

use crate::op::{Effect, Exit};
use crate::plan::{
    ActionId, Bracket, Forecast, HostId, HostTasks, OutCause, OutOfService, Plan, PlannedPhase, Rollout,
    StepRef, Task, TaskId, Ties,
};
use crate::runbook::{Mode, OnFailure, Policy};
use crate::step::BracketKey;
use crate::value::{Amount, Duration, Timestamp};

use super::model::plans;
use super::{
    BracketFinding, Cause, Decision, Event, Failure, HaltCause, SkipReason, Stamped, State, StopLevel,
    TaskEnd, decide,
};

mod cordons;
mod gates;
mod left;
mod limits;
mod membership;
mod rescue;
mod topology;
mod waits;

/// A run, one answer at a time.
struct Story {
    plan: Plan,
    state: State,
    now: Timestamp,
    sleeps_until: Option<Timestamp>,
}

/// One phase over so many hosts; a letter per task: reads, changes, disrupts, `g` for a disrupting goal that can be
/// looked at, or `x` for one that is excluded.
fn story(hosts: u32, tasks: &str, shape: impl FnOnce(&mut PlannedPhase)) -> Story {
    let task = |letter| Task {
        // Action 4 tries three times, 7 s and then 14 s apart.
        step: StepRef::Action(ActionId(if letter == 't' { 4 } else { 0 })),
        effect: match letter {
            'r' => Effect::Reads,
            'd' | 'g' => Effect::Disrupts,
            _ => Effect::Changes,
        },
        looks_first: letter == 'g',
        forecast: if letter == 'x' { Forecast::Excluded } else { Forecast::NotProbed },
        frozen: None,
        ties: Ties::default(),
    };
    let all: Vec<_> = (0..hosts).map(HostId).collect();
    let tasks_of = |host| HostTasks {
        host,
        tasks: tasks.chars().map(task).collect(),
        sections: None,
        brackets: Vec::new(),
    };
    let mut phase = PlannedPhase {
        name: "workers".to_owned(),
        mode: Mode::ReadWrite,
        rollout: Rollout {
            declared: Amount::Count(1),
            max_unavailable: 1,
            max_failures: 0,
            parallel: 10,
            on_failure: OnFailure::Halt,
            soak: Duration::ZERO,
            wait_for_budget: Duration::from_secs(600),
            control_planes: false,
        },
        population: all.clone(),
        batches: vec![all.clone()],
        hosts: all.into_iter().map(tasks_of).collect(),
        topology: None,
        verify: Vec::new(),
        gate: None,
        left_out: false,
    };
    shape(&mut phase);
    let plan = Plan {
        format: Plan::FORMAT,
        runbook: "upgrade".to_owned(),
        inventory: "lab".to_owned(),
        undoes: None,
        rehearsal: false,
        choice: None,
        params: indexmap::IndexMap::new(),
        policy: Policy::default(),
        kube: None,
        etcd: None,
        secrets: indexmap::IndexMap::new(),
        hosts: (0..hosts).map(plans::host).collect(),
        actions: plans::actions(),
        deferred: Vec::new(),
        frozen: Vec::new(),
        scope: None,
        phases: vec![phase],
        warnings: Vec::new(),
    };
    let state = State::new(&plan);
    let mut story = Story { plan, state, now: Timestamp(0), sleeps_until: None };
    story.tell(Event::RunStarted {
        run: "r".to_owned(),
        digest: "d".to_owned(),
        version: "1".to_owned(),
        machine: String::new(),
    });
    story
}

impl Story {
    fn tell(&mut self, event: Event) {
        let stamped = Stamped { seq: self.state.seq() + 1, at: self.now, event };
        self.state.apply(&self.plan, &stamped).expect("a story tells what can happen");
    }

    /// Everything that is decided now, in words.
    fn goes_on(&mut self) -> String {
        let mut words = Vec::new();
        loop {
            let Decision { events, wake_at, .. } = decide(&self.plan, &self.state, self.now);
            if events.is_empty() {
                self.sleeps_until = wake_at;
                return words.join(", ");
            }
            for event in events {
                words.push(word(&event));
                self.tell(event);
            }
        }
    }

    /// Time passes until the engine asked to be woken; how many seconds.
    fn sleeps(&mut self) -> u64 {
        let until = self.sleeps_until.expect("the engine waits for a time");
        let slept = until.since(self.now);
        self.now = until;
        slept.as_secs()
    }

    fn task_ends(&mut self, host: u32, index: u16, end: TaskEnd) -> String {
        let task = TaskId { phase: 0, host: HostId(host), index };
        let attempt = self.attempt(host, index);
        self.tell(Event::TaskEnded { task, attempt, end });
        self.goes_on()
    }

    /// The attempt in flight.
    fn attempt(&self, host: u32, index: u16) -> u32 {
        let task = TaskId { phase: 0, host: HostId(host), index };
        let attempts = self.state.in_flight(&self.plan).into_iter().find_map(|work| match work {
            super::Work::Attempt { task: at_work, run } if at_work == task => Some(run.attempt),
            _ => None,
        });
        attempts.expect("the task is in flight")
    }

    fn changes(&mut self, host: u32, index: u16) -> String {
        self.task_ends(host, index, TaskEnd::Changed { summary: "done".to_owned() })
    }

    fn fails(&mut self, host: u32, index: u16, cause: Cause) -> String {
        self.task_ends(host, index, TaskEnd::Failed { failure: failure(cause) })
    }

    /// A look at the cluster comes back; these hosts are cordoned by somebody.
    fn sees(&mut self, cordoned: &[u32]) -> String {
        let out = |host: &u32| OutOfService { host: HostId(*host), cause: OutCause::Cordoned };
        let out = cordoned.iter().map(out).collect();
        self.tell(Event::Observed { phase: 0, out, blocked: None, etcd: Vec::new() });
        self.goes_on()
    }

    fn stops(&mut self, level: StopLevel) -> String {
        self.tell(Event::StopRequested { level, by: "Ctrl-C".to_owned() });
        self.goes_on()
    }
}

fn failure(cause: Cause) -> Failure {
    Failure { cause, message: "no".to_owned(), hint: String::new() }
}

fn word(event: &Event) -> String {
    match event {
        Event::PhaseStarted { .. } => "phase".to_owned(),
        Event::BatchStarted { batch, .. } => format!("batch {batch}"),
        Event::HostStarted { host, .. } => format!("host {}", host.0),
        Event::ObservationStarted { .. } => "look".to_owned(),
        Event::SlotTaken { host, .. } => format!("slot {}", host.0),
        Event::BudgetWaiting { host, .. } => format!("{} waits", host.0),
        Event::BracketProbeStarted { host, bracket, .. } => format!("probe {}[{bracket}]", host.0),
        Event::TaskStarted { task, attempt } => format!("{}.{}#{attempt}", task.host.0, task.index),
        Event::TaskSkipped { task, .. } => format!("skip {}.{}", task.host.0, task.index),
        Event::SectionStarted { host, section, .. } => format!("{} {section:?}", host.0).to_lowercase(),
        Event::HostEnded { host, status, .. } => format!("{} {status:?}", host.0),
        Event::SoakStarted { .. } => "soak".to_owned(),
        Event::VerifyStarted { .. } => "verify".to_owned(),
        Event::GateReached { .. } => "gate".to_owned(),
        Event::BatchEnded { failed, .. } => format!("batch {}", failed.as_deref().unwrap_or("good")),
        Event::PhaseEnded { ok, .. } => format!("phase {}", if *ok { "good" } else { "bad" }),
        Event::Halted { cause, .. } => match cause {
            HaltCause::Failures { .. } => "halt: failures",
            HaltCause::BatchFailed { .. } => "halt: batch",
            HaltCause::BudgetSpentByFailures => "halt: spent by failures",
            HaltCause::BudgetSpentByCordons { .. } => "halt: spent by cordons",
            HaltCause::BudgetSpentByOthers { .. } => "halt: spent by others",
            HaltCause::DomainsSpentByFailures { .. } => "halt: domains spent by failures",
            HaltCause::Paused { .. } => "halt: paused",
            HaltCause::Stopped { .. } => "halt: stopped",
        }
        .to_owned(),
        Event::RunEnded => "end".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn hosts_prepare_together_and_go_out_one_by_one() {
    let mut story = story(2, "cd", |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1, host 1, 1.0#1");
    assert_eq!(story.changes(1, 0), "look");
    assert_eq!(story.changes(0, 0), "", "one look at a time");
    assert_eq!(story.sees(&[]), "slot 0, 0.1#1");
    assert_eq!(story.sleeps_until, None, "the run's own work is not looked at again and again");
    assert_eq!(story.changes(0, 1), "0 Changed, look");
    assert_eq!(story.sees(&[]), "slot 1, 1.1#1");
    assert_eq!(story.changes(1, 1), "1 Changed, batch good, phase good, end");
    assert!(story.state.finished() && story.state.halted().is_none());
}

#[test]
fn a_phase_that_disrupts_nothing_never_looks() {
    let mut story = story(2, "rx", |phase| phase.rollout.parallel = 1);
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1");
    assert_eq!(story.changes(0, 0), "skip 0.1, 0 Changed, host 1, 1.0#1");
    let end = TaskEnd::Satisfied { state: "there".to_owned() };
    assert_eq!(story.task_ends(1, 0, end), "skip 1.1, 1 Ok, batch good, phase good, end");
}

#[test]
fn a_budget_that_others_hold_is_looked_at_every_ten_seconds_and_given_up_after_ten_minutes() {
    let mut story = story(2, "d", |phase| phase.batches = vec![vec![HostId(0)]]);
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, look");
    assert_eq!(story.sees(&[1]), "0 waits");
    for look in 0..60 {
        assert_eq!(story.sleeps(), 10, "look {look}");
        assert_eq!(story.goes_on(), "look");
        if look < 59 {
            assert_eq!(story.sees(&[1]), "", "nothing new to tell");
        }
    }
    assert_eq!(
        story.sees(&[1]),
        "halt: spent by others, 0 Stopped, batch the run stopped before all of its hosts had succeeded, phase bad, end",
        "ten minutes have passed"
    );
}

#[test]
fn a_host_that_is_out_already_goes_before_one_that_would_cost_a_slot() {
    let mut story = story(2, "d", |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, host 1, look");
    assert_eq!(story.sees(&[1]), "slot 1, 1.0#1");
}

#[test]
fn a_host_whose_disrupting_op_failed_is_out_of_service() {
    let mut story = story(1, "d", |_| {});
    story.goes_on();
    story.sees(&[]);
    let task = TaskId { phase: 0, host: HostId(0), index: 0 };
    story.tell(Event::OpStarted { task, attempt: 1, pass: 0, op: 0, on: None, sent: None });
    assert_eq!(story.state.out_of_service(&story.plan), [HostId(0)], "while it is worked on");
    let (last_line, exit) = (String::new(), Exit::Code(1));
    story.tell(Event::OpEnded {
        task,
        attempt: 1,
        pass: 0,
        op: 0,
        exit,
        last_line,
        stdout: None,
        refused: false,
    });
    story.fails(0, 0, Cause::Command);
    assert_eq!(story.state.out_of_service(&story.plan), [HostId(0)], "after it failed");
}

#[test]
fn failures_alone_end_the_wait_at_once() {
    let mut story = story(2, "d", |phase| phase.rollout.max_failures = 5);
    story.goes_on();
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
    assert_eq!(
        story.fails(0, 0, Cause::Refused),
        "0 Failed, halt: spent by failures, 1 Stopped, batch no host succeeded, phase bad, end"
    );
    // Nothing was sent to the host: it holds its slot, and is in service all the same.
    assert_eq!(story.state.out_of_service(&story.plan), []);
}

#[test]
fn a_silent_api_gives_no_slot_and_fails_no_host() {
    let mut story = story(1, "d", |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, look");
    story.tell(Event::Observed {
        phase: 0,
        out: Vec::new(),
        blocked: Some("the API is silent".to_owned()),
        etcd: Vec::new(),
    });
    assert_eq!(story.goes_on(), "0 waits");
    story.sleeps();
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
}

#[test]
fn a_look_that_was_interrupted_by_a_crash_is_not_trusted_hours_later() {
    let mut story = story(2, "d", |phase| phase.batches = vec![vec![HostId(0)]]);
    story.goes_on();
    assert_eq!(story.sees(&[1]), "0 waits");
    story.now = story.now.after(Duration::from_secs(3 * 3600));
    assert_eq!(story.goes_on(), "look", "the wait is long over, but first somebody has to look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#1");
}

#[test]
fn attempts_follow_their_delays_and_refusals_are_not_tried_again() {
    let mut story = story(1, "t", |_| {});
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1");
    assert_eq!(story.fails(0, 0, Cause::Command), "");
    assert_eq!(story.sleeps(), 7);
    assert_eq!(story.goes_on(), "0.0#2");
    assert_eq!(story.fails(0, 0, Cause::TimedOut), "");
    assert_eq!(story.sleeps(), 14);
    assert_eq!(story.goes_on(), "0.0#3");
    let end = story.fails(0, 0, Cause::Command);
    assert_eq!(end, "0 Failed, halt: failures, batch no host succeeded, phase bad, end");

    let mut story = self::story(1, "t", |_| {});
    story.goes_on();
    assert!(story.fails(0, 0, Cause::Refused).starts_with("0 Failed"));
}

#[test]
fn an_op_that_never_began_leaves_nothing_half_changed() {
    let refused = |cause| Failure { cause, message: "no".to_owned(), hint: String::new() };
    let (task, attempt) = (TaskId { phase: 0, host: HostId(0), index: 0 }, 1);
    for begins in [false, true] {
        let mut story = story(1, "c", |_| {});
        story.goes_on();
        story.tell(Event::OpStarted { task, attempt, pass: 0, op: 0, on: None, sent: None });
        story.tell(if begins {
            let (exit, last_line, stdout) = (Exit::Code(1), String::new(), None);
            Event::OpEnded { task, attempt, pass: 0, op: 0, exit, last_line, stdout, refused: false }
        } else {
            Event::OpNotStarted { task, attempt, pass: 0, op: 0 }
        });
        // What always runs, such as putting a hold back, may follow and meet the same fate.
        story.tell(Event::OpStarted { task, attempt, pass: 0, op: 1, on: None, sent: None });
        story.tell(Event::OpNotStarted { task, attempt, pass: 0, op: 1 });
        story.task_ends(0, 0, TaskEnd::Failed { failure: refused(Cause::Privilege) });
        let half_changed = story.state.half_changed(&story.plan);
        assert_eq!(half_changed, if begins { vec![HostId(0)] } else { Vec::new() });
    }
}

#[test]
fn a_disrupting_goal_that_holds_takes_no_slot() {
    let mut story = story(2, "g", |phase| phase.rollout.max_unavailable = 1);
    assert_eq!(story.goes_on(), "phase, batch 0, host 0, 0.0#1, host 1, 1.0#1", "both are looked at");
    let holds = TaskEnd::Satisfied { state: "v1.31.4".to_owned() };
    assert_eq!(story.task_ends(0, 0, holds), "0 Ok");
    assert_eq!(story.task_ends(1, 0, TaskEnd::NeedsSlot), "look");
    assert_eq!(story.sees(&[]), "slot 1, 1.0#2");
}

#[test]
fn a_bracket_is_looked_at_again_after_a_long_wait_for_the_slot() {
    let bracket = Bracket { key: BracketKey::Cordon, first: 0, last: 1 };
    let mut story =
        story(1, "dc", |phase| phase.hosts.iter_mut().for_each(|tasks| tasks.brackets.push(bracket.clone())));
    story.goes_on();
    let needed = BracketFinding::Needed { why: "kubelet".to_owned() };
    story.tell(Event::BracketProbed { phase: 0, host: HostId(0), bracket: 0, finding: needed });
    assert_eq!(story.goes_on(), "look");
    story.now = Timestamp(61_000);
    assert_eq!(story.sees(&[]), "slot 0, probe 0[0]");
    story.tell(Event::BracketProbed {
        phase: 0,
        host: HostId(0),
        bracket: 0,
        finding: BracketFinding::Holds,
    });
    assert_eq!(story.goes_on(), "skip 0.0, skip 0.1, 0 Ok, batch good, phase good, end");
}

#[test]
fn a_bracket_is_probed_before_it_is_opened_and_skipped_whole() {
    let bracket = Bracket { key: BracketKey::Cordon, first: 1, last: 2 };
    let mut story = story(2, "rdcr", |phase| {
        phase.hosts.iter_mut().for_each(|tasks| tasks.brackets.push(bracket.clone()));
    });
    story.goes_on();
    assert_eq!(story.changes(0, 0), "probe 0[0]");
    let holds = BracketFinding::Holds;
    story.tell(Event::BracketProbed { phase: 0, host: HostId(0), bracket: 0, finding: holds });
    assert_eq!(story.goes_on(), "skip 0.1, skip 0.2, 0.3#1", "no slot for a bracket that needs nothing");
    assert_eq!(story.changes(1, 0), "probe 1[0]");
    let needed = BracketFinding::Needed { why: "kubelet".to_owned() };
    story.tell(Event::BracketProbed { phase: 0, host: HostId(1), bracket: 0, finding: needed });
    assert_eq!(story.goes_on(), "look");
    assert_eq!(story.sees(&[]), "slot 1, 1.1#1");
}

#[test]
fn a_stop_lets_the_host_that_is_out_come_back_and_a_second_one_does_not() {
    let mut story = story(2, "cdc", |_| {});
    story.goes_on();
    story.changes(0, 0);
    assert_eq!(story.sees(&[]), "slot 0, 0.1#1");
    assert_eq!(story.stops(StopLevel::Graceful), "halt: stopped");
    assert_eq!(story.changes(1, 0), "1 Stopped");
    assert_eq!(story.changes(0, 1), "0.2#1");
    assert_eq!(story.stops(StopLevel::Now), "");
    let end = story.task_ends(0, 2, TaskEnd::Unknown { reason: "link lost".to_owned() });
    assert_eq!(end, "0 Unknown, batch no host succeeded, phase bad, end");
}

#[test]
fn a_batch_is_good_only_when_its_checks_are_green_as_the_soak_ends() {
    let two_batches = |phase: &mut PlannedPhase| {
        phase.batches = vec![vec![HostId(0)], vec![HostId(1)]];
        phase.rollout.soak = Duration::from_secs(8);
        phase.verify = vec![ActionId(0)];
    };
    let mut story = story(2, "c", two_batches);
    story.goes_on();
    assert_eq!(story.changes(0, 0), "0 Changed, soak, verify");
    story.tell(Event::Verified { phase: 0, batch: 0, failed_check: Some("node w1 is NotReady".to_owned()) });
    assert_eq!(story.goes_on(), "", "red is no failure while the batch soaks");
    assert_eq!(story.sleeps(), 5);
    assert_eq!(story.goes_on(), "verify");
    story.tell(Event::Verified { phase: 0, batch: 0, failed_check: None });
    assert_eq!(story.goes_on(), "", "green is no success before the soak's end");
    assert_eq!(story.sleeps(), 3);
    assert_eq!(story.goes_on(), "verify");
    story.tell(Event::Verified { phase: 0, batch: 0, failed_check: None });
    assert_eq!(story.goes_on(), "batch good, batch 1, host 1, 1.0#1");
    assert_eq!(story.changes(1, 0), "1 Changed, soak, verify");
    story.now = story.now.after(Duration::from_secs(60));
    story.tell(Event::Verified { phase: 0, batch: 1, failed_check: Some("node w1 is NotReady".to_owned()) });
    assert_eq!(story.goes_on(), "batch node w1 is NotReady, halt: batch, phase bad, end");
}

#[test]
fn a_task_that_finds_out_late_that_it_disrupts_waits_for_a_slot() {
    let mut story = story(1, "c", |_| {});
    story.goes_on();
    assert_eq!(story.task_ends(0, 0, TaskEnd::NeedsSlot), "look");
    assert_eq!(story.sees(&[]), "slot 0, 0.0#2");
    assert_eq!(story.changes(0, 0), "0 Changed, batch good, phase good, end");
}

#[test]
fn a_worker_may_answer_with_a_skip_and_later_tasks_see_results() {
    let mut story = story(1, "rr", |_| {});
    story.goes_on();
    let task = |index| TaskId { phase: 0, host: HostId(0), index };
    story.tell(Event::OpStarted { task: task(0), attempt: 1, pass: 0, op: 0, on: None, sent: None });
    story.tell(Event::OpEnded {
        task: task(0),
        attempt: 1,
        pass: 0,
        op: 0,
        exit: Exit::Code(3),
        last_line: String::new(),
        stdout: Some("1.31".to_owned()),
        refused: false,
    });
    assert_eq!(story.changes(0, 0), "0.1#1");
    let result = story.state.result(&story.plan, task(0)).expect("it ended").clone();
    assert_eq!(
        (result.ran, result.changed, result.rc, result.stdout.as_deref()),
        (true, true, Some(3), Some("1.31"))
    );
    story.tell(Event::TaskSkipped { task: task(1), why: SkipReason::When });
    assert_eq!(story.goes_on(), "0 Changed, batch good, phase good, end");
    assert!(!story.state.result(&story.plan, task(1)).expect("it was skipped").ran);
}

#[test]
fn events_that_cannot_happen_are_refused() {
    let task = |index| TaskId { phase: 0, host: HostId(0), index };
    let changed = || TaskEnd::Changed { summary: String::new() };
    let ended = |attempt, end| Event::TaskEnded { task: task(0), attempt, end };
    // All of these come where task 0 of host 0 is in flight for the first time.
    let cases = [
        (
            Event::RunStarted {
                run: String::new(),
                digest: String::new(),
                version: String::new(),
                machine: String::new(),
            },
            "begins with",
        ),
        (Event::PhaseStarted { phase: 0 }, "phase 0 is not"),
        (Event::PhaseStarted { phase: 9 }, "phase 9 is not"),
        (Event::BatchStarted { phase: 0, batch: 1 }, "batch 1"),
        (Event::BatchEnded { phase: 0, batch: 0, failed: None }, "2 hosts are at work"),
        (Event::PhaseEnded { phase: 0, ok: true }, "still in flight"),
        (Event::HostStarted { phase: 0, host: HostId(0) }, "`h0` is not the next"),
        (Event::HostStarted { phase: 0, host: HostId(77) }, "no host 77"),
        (Event::SlotTaken { phase: 0, host: HostId(0) }, "has work in flight"),
        (Event::TaskStarted { task: task(0), attempt: 1 }, "does not stand before"),
        (Event::TaskStarted { task: task(1), attempt: 1 }, "does not stand before"),
        (ended(2, changed()), "no such attempt"),
        (Event::TaskEnded { task: task(1), attempt: 1, end: changed() }, "no such attempt"),
        (Event::TaskSkipped { task: task(0), why: SkipReason::BracketHolds }, "does not skip"),
        (
            Event::OpStarted { task: task(0), attempt: 7, pass: 0, op: 0, on: None, sent: None },
            "no such attempt",
        ),
        (
            Event::OpEnded {
                task: task(0),
                attempt: 1,
                pass: 0,
                op: 0,
                exit: Exit::Code(0),
                last_line: String::new(),
                stdout: None,
                refused: false,
            },
            "no such op",
        ),
        (
            Event::HostEnded { phase: 0, host: HostId(0), status: super::HostStatus::Ok },
            "cannot end like this",
        ),
        (Event::Observed { phase: 0, out: Vec::new(), blocked: None, etcd: Vec::new() }, "no observation"),
        (Event::Verified { phase: 0, batch: 0, failed_check: None }, "no check"),
        (Event::VerifyStarted { phase: 0, batch: 0 }, "soak has not begun"),
        (Event::RunEnded, "a phase is still in flight"),
    ];
    let mut story = story(2, "cd", |_| {});
    story.goes_on();
    for (event, why) in cases {
        let stamped = Stamped { seq: story.state.seq() + 1, at: story.now, event };
        let mut state = story.state.clone();
        let error = state.apply(&story.plan, &stamped).expect_err(&format!("{stamped:?}"));
        assert!(error.to_string().contains(why), "{stamped:?}: {error}");
    }
    let gap = Stamped { seq: 77, at: story.now, event: Event::RunEnded };
    let error = story.state.clone().apply(&story.plan, &gap).expect_err("a gap");
    assert!(
        error.to_string().starts_with("event 77 (`run_ended`) cannot happen here: its number is 77"),
        "{error}"
    );
}

/// Not a benchmark: with decisions that look at every host, this takes minutes.
#[test]
fn ten_thousand_hosts_roll_in_one_batch() {
    let hosts = 10_000;
    let mut story = story(hosts, "rcccrc", |phase| phase.rollout.parallel = hosts);
    story.goes_on();
    for index in 0..6 {
        for host in 0..hosts {
            story.changes_quietly(host, index);
        }
    }
    story.goes_on();
    assert!(story.state.finished());
    assert_eq!(story.state.counts(&story.plan).changed, 10_000);
}

impl Story {
    /// As [`Story::changes`], without looking for the attempt.
    fn changes_quietly(&mut self, host: u32, index: u16) {
        let task = TaskId { phase: 0, host: HostId(host), index };
        let end = TaskEnd::Changed { summary: String::new() };
        self.tell(Event::TaskEnded { task, attempt: 1, end });
        self.goes_on();
    }
}
