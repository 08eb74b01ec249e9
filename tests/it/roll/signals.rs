//! SIGINT and SIGTERM at every stage of a run, and SIGHUP, which stops nothing.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rollbook::engine::Event;
use rustix::process::{Pid, Signal, kill_process};

use super::fleet::{Fleet, eventually};
use super::terminal::terminal;
use crate::support::proxy::Proxy;

/// The signals that stop a run, with its exit code and its word for each.
const STOPS: [(Signal, i32, &str); 2] = [(Signal::INT, 130, "Ctrl-C"), (Signal::TERM, 143, "SIGTERM")];

const TWO_STEPS: &str = r#"
- command: { argv: ["@work", "{{ host.name }}", a, "0"] }
- command: { argv: ["@work", "{{ host.name }}", b, "0"] }
"#;

fn has_event(fleet: &Fleet, event: &str) -> bool {
    let Ok(runs) = fs::read_dir(fleet.path("state/runs")) else { return false };
    let journals = runs.filter_map(|run| fs::read_to_string(run.ok()?.path().join("journal.jsonl")).ok());
    journals.into_iter().any(|text| text.contains(&format!("\"type\":\"{event}\"")))
}

#[test]
fn a_stop_while_hosts_are_connected_to_ends_at_once_and_changes_nothing() {
    for (signal, _, _) in STOPS {
        let mut fleet = Fleet::of(1);
        let wire = Proxy::before(fleet.hosts[0].port);
        fleet.hosts[0].move_to(wire.port);
        fleet.connection = ", connect_timeout: 30m".to_owned();
        fleet.write_inventory();
        fleet.runbook("", "batches: [1]", TWO_STEPS);
        // The host says nothing, not even its greeting.
        wire.hold_answers();
        let command = fleet.run(&[]).command().stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut child = command.unwrap();
        eventually("it connects", || wire.is_open());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        wire.cut();
        assert!(fleet.log(1).is_empty());
        assert!(!has_event(&fleet, "run_started"), "nothing began");
    }
}

#[test]
fn a_stop_during_a_soak_starts_no_more_hosts_and_can_go_on() {
    for (signal, code, word) in STOPS {
        let fleet = Fleet::of(2);
        // Nobody sits this out.
        fleet.runbook("", "batches: [1], soak: 3h", TWO_STEPS);
        let running = fleet.run(&[]).start();
        eventually("it soaks", || has_event(&fleet, "soak_started"));
        running.signal(signal);
        let outcome = running.end().exits(code).says("to go on: rollbook resume");
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
        assert_eq!(fleet.steps(1), ["a begin", "a end", "b begin", "b end"]);
        assert!(fleet.log(2).is_empty(), "{}", outcome.stderr);
    }
}

#[test]
fn a_second_ctrl_c_says_how_long_what_is_in_flight_may_take() {
    let fleet = Fleet::of(1);
    let long = "- command: { argv: [\"@work\", h1, a, \"5\"] }\n  timeout: 7m";
    fleet.runbook("", "batches: [1]", long);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::INT);
    eventually("the first is heard", || has_event(&fleet, "stop_requested"));
    running.signal(Signal::INT);
    let outcome = running.end().says("That may take 7m: the time limit of `");
    assert!(outcome.stderr.contains("` on h1"), "{}", outcome.stderr);
    assert_eq!(fleet.steps(1), ["a begin", "a end"]);
}

#[test]
fn a_stop_during_a_wait_lets_the_host_come_back_first() {
    for (signal, code, _) in STOPS {
        let fleet = Fleet::of(2);
        let steps = r#"
- command: { argv: ["@work", "{{ host.name }}", a, "0"] }
- wait: { file: "@there", for: 3h, interval: 100ms }
- command: { argv: ["@work", "{{ host.name }}", b, "0"] }
"#;
        fleet.runbook("", "batches: [1]", steps);
        let running = fleet.run(&[]).start();
        eventually("it waits", || has_event(&fleet, "task_waiting"));
        running.signal(signal);
        eventually("it is heard", || has_event(&fleet, "stop_requested"));
        fleet.file("there", "");
        running.end().exits(code).says("came back after that: h1");
        assert_eq!(fleet.steps(1), ["a begin", "a end", "b begin", "b end"]);
        assert!(fleet.log(2).is_empty());
    }
}

#[test]
fn a_stop_at_the_question_ends_before_anything_begins() {
    for (signal, _, _) in STOPS {
        let fleet = Fleet::of(1);
        fleet.runbook("", "batches: [1]", TWO_STEPS);
        let (master, slave) = terminal();
        let open = || Stdio::from(fs::File::options().read(true).write(true).open(&slave).unwrap());
        let mut command = fleet.rollbook("run", &["--state-dir", "state", "--plain"]).command();
        let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        let mut screen = fs::File::from(master);
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains("Only `yes` goes on") {
            let count = screen.read(&mut buffer).unwrap();
            said += &String::from_utf8_lossy(&buffer[..count]);
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}: {said}");
        // Too late.
        let _ = screen.write_all(b"yes\n");
        assert!(fleet.log(1).is_empty());
        assert!(!has_event(&fleet, "run_started"), "nothing began");
    }
}

#[test]
fn a_hangup_stops_nothing() {
    let fleet = Fleet::of(2);
    fleet.file("gated", "#!/bin/sh\n\"$(dirname \"$0\")/work\" \"$1\" gated 0\n[ \"$1\" != h1 ] || cat \"$(dirname \"$0\")/gate\"\n");
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@gated\", \"{{ host.name }}\"] }");
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 2);
    for _ in 0..3 {
        running.signal(Signal::HUP);
    }
    fs::write(fleet.path("gate"), "").unwrap();
    running.end().exits(0);
    assert_eq!(fleet.steps(2), ["gated begin", "gated end"]);
    assert!(!fleet.journal().iter().any(|event| matches!(event.event, Event::StopRequested { .. })));
}
