//! Gates and pauses of real runs: without anybody there, with somebody at a terminal, and with one that goes away.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rollbook::engine::Event;
use rustix::process::{Pid, Signal, kill_process};

use super::fleet::{Fleet, eventually};
use super::terminal::terminal;
use crate::support::rollbook::Rollbook;

const WORK: &str = "- command: { argv: [\"@work\", \"{{ host.name }}\", work, \"0\"] }\n";
const DONE: [&str; 2] = ["work begin", "work end"];

fn resume(fleet: &Fleet, more: &[&str]) -> Rollbook {
    fleet.rollbook_on("resume", "--state-dir=state", more)
}

/// Two hosts one after the other, with a gate between them.
fn gated() -> Fleet {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1], gate: { approve: look at the dashboards }", WORK);
    fleet
}

#[test]
fn without_anybody_there_a_gate_pauses_the_run_until_somebody_approves() {
    let fleet = gated();
    let outcome = fleet.run(&[]).run().exits(15);
    let said = [
        "batch 1: waits for approval: look at the dashboards",
        "PAUSED: gate after batch 1 of roll: look at the dashboards (nobody is there to ask)",
        "all hosts are in service",
        "--approve",
    ];
    let outcome = said.iter().fold(outcome, |outcome, said| outcome.says(said));
    assert!(!outcome.stderr.contains("FAILED"), "{}", outcome.stderr);
    resume(&fleet, &[]).run().exits(15).says("batch 1: waits for approval");
    assert!(fleet.steps(2).is_empty());
    resume(&fleet, &["--approve"]).run().exits(0).says("batch 1: approved by ");
    assert_eq!(
        (fleet.steps(1), fleet.steps(2)),
        (DONE.map(str::to_owned).into(), DONE.map(str::to_owned).into())
    );
    let approved =
        |event: &Event| matches!(event, Event::GatePassed { by: Some(by), .. } if by.contains('@'));
    assert_eq!(fleet.journal().iter().filter(|event| approved(&event.event)).count(), 1);
    resume(&fleet, &["--approve"]).run().exits(64);
}

#[test]
fn a_pause_stands_on_each_host_and_nothing_beyond_it_is_approved_with_it() {
    let fleet = Fleet::of(2);
    fleet.runbook(
        "",
        "batches: [1]",
        &format!("- pause: {{ manual: \"look at {{{{ host.name }}}}\" }}\n{WORK}"),
    );
    fleet.run(&[]).run().exits(15).says("PAUSED: h1: look at h1 (nobody is there to ask)");
    assert!(fleet.steps(1).is_empty());
    resume(&fleet, &["--approve"]).run().exits(15).says("h1  approved by ").says("PAUSED: h2: look at h2");
    assert_eq!(fleet.steps(1), DONE);
    assert!(fleet.steps(2).is_empty());
    resume(&fleet, &["--approve"]).run().exits(0);
    assert_eq!(fleet.steps(2), DONE);
}

#[test]
fn a_host_that_is_left_half_way_by_a_pause_matters_more_than_the_pause() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "", &format!("{WORK}- pause: look at it\n"));
    fleet.run(&[]).run().exits(11).says("h1  is left out of service").says("PAUSED: h1: look at it");
    resume(&fleet, &["--approve"]).run().exits(0);
    assert_eq!(fleet.steps(1), DONE, "what was done before the pause is not done again");
}

#[test]
fn nothing_is_approved_that_nobody_was_asked() {
    let fleet = gated();
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1], gate: { approve: look }", "- command: { argv: [cat, \"@gate\"] }\n");
    let running = fleet.run(&[]).start();
    let begun = || {
        let run = fs::read_dir(fleet.path("state/runs")).ok()?.next()?.ok()?;
        fs::metadata(run.path().join("journal.jsonl")).ok()
    };
    eventually("a command runs", || {
        begun().is_some()
            && fleet.journal().iter().any(|event| matches!(event.event, Event::OpStarted { .. }))
    });
    running.signal(Signal::TERM);
    eventually("it is asked to stop", || {
        fleet.journal().iter().any(|event| matches!(event.event, Event::StopRequested { .. }))
    });
    fs::write(fleet.path("gate"), "").unwrap();
    running.end().exits(143);
    resume(&fleet, &["--approve"]).run().exits(64).says("waits for nobody's approval");
}

/// A run on a terminal of its own, which comes to a question.
fn asked(fleet: &Fleet) -> (Child, OwnedFd, String) {
    let (master, slave) = terminal();
    let open = || Stdio::from(fs::File::options().read(true).write(true).open(&slave).unwrap());
    let rollbook = fleet.run(&["--plain"]).command();
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(rollbook.get_program()).args(rollbook.get_args());
    command.current_dir(rollbook.get_current_dir().unwrap()).env_clear();
    command.envs(rollbook.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    drop(command);
    let question = read_until(&master, "pauses the run here: ");
    (child, master, question)
}

/// What a terminal shows, up to a text.
fn read_until(master: &OwnedFd, text: &str) -> String {
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    while !shown.contains(text) {
        let count = rustix::io::read(master, &mut buffer).unwrap();
        shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    shown
}

fn types(master: &OwnedFd, text: &str) {
    fs::File::from(master.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
}

#[test]
fn somebody_at_the_terminal_is_asked_and_only_yes_goes_on() {
    let fleet = gated();
    let (mut child, master, question) = asked(&fleet);
    assert!(question.contains("look at the dashboards"), "{question}");
    types(&master, "y\n");
    read_until(&master, "pauses the run here: ");
    assert!(fleet.steps(2).is_empty());
    types(&master, "yes\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fleet.steps(2), DONE);
}

#[test]
fn a_no_at_the_terminal_pauses_the_run() {
    let fleet = gated();
    let (mut child, master, _) = asked(&fleet);
    types(&master, "no\n");
    assert_eq!(child.wait().unwrap().code(), Some(15));
    let refused = fleet.journal().into_iter().find_map(|event| match event.event {
        Event::GateRefused { why, .. } => Some(why),
        _ => None,
    });
    assert!(refused.is_some_and(|why| why.ends_with("said no")));
}

#[test]
fn a_terminal_that_goes_away_has_nobody_in_front_of_it() {
    let fleet = gated();
    let (mut child, master, _) = asked(&fleet);
    drop(master);
    assert_eq!(child.wait().unwrap().code(), Some(15));
    resume(&fleet, &["--approve"]).run().exits(0);
    assert_eq!(fleet.steps(2), DONE);
}

#[test]
fn a_signal_ends_the_question() {
    let fleet = gated();
    let (mut child, _master, _) = asked(&fleet);
    // `setsid` has become rollbook.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(fleet.steps(2).is_empty());
    resume(&fleet, &["--approve"]).run().exits(0);
}
