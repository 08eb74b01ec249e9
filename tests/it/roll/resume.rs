//! Runs that are cut off and go on. Whether something ran twice is told by the hosts.

use std::fs;
use std::io::{BufRead, BufReader};

use rollbook::engine::Event;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::fleet::{Fleet, eventually};
use crate::support::rollbook::Rollbook;

/// Works for a while and then says a lot.
const TALK: &str = "#!/bin/sh\n\
    \"$(dirname \"$0\")/work\" \"$1\" talk \"$2\"\n\
    seq 1 5000\n\
    echo last line\n";

const TWO_STEPS: &str = r#"
- command: { argv: ["@talk", "{{ host.name }}", "1"] }
- command: { argv: ["@work", "{{ host.name }}", second, "0"] }
"#;

/// The events after which a controller is killed: so many of them, or all where `ROLLBOOK_CRASH_POINTS=all` asks for it.
pub(crate) fn crash_points(events: usize, sample: usize) -> Vec<usize> {
    match std::env::var("ROLLBOOK_CRASH_POINTS").as_deref() {
        Ok("all") => (1..events).collect(),
        _ => (1..=sample).map(|part| events * part / (sample + 1)).collect(),
    }
}

impl Fleet {
    fn resume(&self, more: &[&str]) -> Rollbook {
        self.rollbook_on("resume", "--state-dir=state", more)
    }

    /// A fleet with `talk`, and `up.yaml` that rolls it over one host after the other.
    fn that_talks(hosts: usize) -> Self {
        let fleet = Self::of(hosts);
        fleet.file("talk", TALK);
        fleet.runbook("", "batches: [1]", TWO_STEPS);
        fleet
    }
}

const ALL_ONCE: [&str; 4] = ["talk begin", "talk end", "second begin", "second end"];

#[test]
fn a_controller_killed_in_the_middle_of_a_command_is_resumed_and_repeats_nothing() {
    let fleet = Fleet::that_talks(3);
    let running = fleet.run(&[]).start();
    fleet.await_lines(2, 1);
    running.signal(Signal::KILL);
    running.end();
    fleet.resume(&[]).run().exits(0).says("goes on");
    for host in 1..=3 {
        assert_eq!(fleet.steps(host), ALL_ONCE, "h{host}");
    }
    // What it said while nobody listened is there, whole.
    let output = fleet.run_dir().join("output");
    let logs: Vec<_> = fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path()).collect();
    for host in 1..=3 {
        let name = format!("h{host}.");
        let log =
            logs.iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&name)).unwrap();
        let text = fs::read_to_string(log).unwrap();
        assert_eq!(text.lines().count(), 5001, "{}", log.display());
        assert!(text.ends_with("5000\nlast line\n"), "{}", log.display());
    }
    let events = fleet.journal();
    assert_eq!(events.iter().filter(|event| matches!(event.event, Event::RunResumed { .. })).count(), 1);
    assert!(matches!(events.last().unwrap().event, Event::RunEnded));
}

#[test]
fn a_run_goes_on_after_its_controller_was_killed_at_any_event() {
    let fleet = || {
        let fleet = Fleet::of(2);
        fleet.runbook(
            "",
            "batches: [2], max_unavailable: 1",
            r#"
- command: { argv: ["@work", "{{ host.name }}", first, "0.3"] }
- command: { argv: ["@work", "{{ host.name }}", second, "0"] }
"#,
        );
        fleet
    };
    let undisturbed = fleet();
    undisturbed.run(&[]).run().exits(0);
    let count = undisturbed.journal().len();
    let mut cut_off = 0;
    // The simulated hosts try every event.
    for victim in crash_points(count, 5) {
        let fleet = fleet();
        let fifo = fleet.path("events");
        rustix::fs::mkfifoat(rustix::fs::CWD, fifo.as_str(), rustix::fs::Mode::RWXU).unwrap();
        let running = fleet.run(&["--events", "events"]).start();
        let events = BufReader::new(fs::File::open(&fifo).unwrap()).lines();
        let seen = events.take(victim).map(Result::unwrap).count();
        running.signal(Signal::KILL);
        running.end();
        assert_eq!(seen, victim, "the run was over before it was killed");
        // After the last events there may be nothing left to kill.
        if !matches!(fleet.journal().last().unwrap().event, Event::RunEnded) {
            fleet.resume(&[]).run().exits(0);
            cut_off += 1;
        }
        for host in 1..=2 {
            let steps = fleet.steps(host);
            assert_eq!(
                steps,
                ["first begin", "first end", "second begin", "second end"],
                "h{host}, {victim}"
            );
        }
    }
    let points = crash_points(count, 5).len();
    assert!(cut_off * 2 > points, "only {cut_off} of {points} controllers were killed in time");
    println!("{cut_off} controllers killed, at {points} of {count} events: every command once");
}

#[test]
fn a_run_that_ctrl_c_stopped_goes_on_with_the_hosts_that_it_left() {
    let fleet = Fleet::that_talks(3);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::INT);
    let stopped = running.end().exits(130).says("to go on: rollbook resume state/runs/20");
    assert!(fleet.log(2).is_empty(), "{}", stopped.stderr);
    let list = fleet.rollbook_on("runs", "list", &["--state-dir", "state"]).run().exits(0);
    list.shows("BEGAN").shows("  stopped  ").shows("Ctrl-C");
    // What is named can be typed as it stands.
    let shown = fleet.rollbook_on("runs", "show", &["--state-dir", "state"]).run().exits(0);
    shown.shows("to go on: rollbook resume state/runs/20");
    fleet.resume(&[]).run().exits(0);
    for host in 1..=3 {
        assert_eq!(fleet.steps(host), ALL_ONCE, "h{host}");
    }
    fleet.rollbook_on("runs", "list", &["--state-dir", "state"]).run().exits(0).shows("done");
    fleet.rollbook_on("runs", "show", &["--state-dir", "state"]).run().exits(0).shows("goes on");
    // Once it is over there is nothing to go on with.
    fleet.resume(&[]).run().exits(64).says("no run can go on");
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    fleet.resume(&[&run]).run().exits(64).says("is over");
}

#[test]
fn a_copy_of_the_record_goes_on_from_another_place() {
    let fleet = Fleet::that_talks(2);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    // The hosts know the run by its id, not by what somebody calls the directory.
    fs::rename(fleet.run_dir(), fleet.path("evidence")).unwrap();
    // Runbook and inventory are not read again.
    fs::remove_file(fleet.path("up.yaml")).unwrap();
    fs::remove_file(fleet.path("inventory.yaml")).unwrap();
    fleet.rollbook_on("resume", "evidence", &["--state-dir", "other"]).run().exits(0);
    for host in 1..=2 {
        assert_eq!(fleet.steps(host), ALL_ONCE, "h{host}");
    }
}

/// Ends a command on its host together with its launcher, as a power cut does: nobody writes its end down.
fn cut_power(fleet: &Fleet, host: usize) {
    let records = fleet.records(host);
    let mut ids = Vec::new();
    for run in fs::read_dir(records).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for op in fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()) {
            let word = |file: &str, index: usize| -> Option<i32> {
                fs::read_to_string(op.join(file)).ok()?.split(' ').nth(index)?.trim().parse().ok()
            };
            if !op.join("status").exists() {
                ids.push((word("started", 1).unwrap(), word("pid", 0).unwrap()));
            }
        }
    }
    let [(launcher, command)] = ids.as_slice() else { panic!("not one op but {ids:?}") };
    let _ = kill_process(Pid::from_raw(*launcher).unwrap(), Signal::KILL);
    let _ = kill_process_group(Pid::from_raw(*command).unwrap(), Signal::KILL);
    let _ = kill_process(Pid::from_raw(*command).unwrap(), Signal::KILL);
    eventually("the command is gone", || fs::metadata(format!("/proc/{command}")).is_err());
}

#[test]
fn a_command_in_doubt_is_left_alone_until_somebody_says_what_to_do() {
    let cases = [
        ("rerun", ["long begin", "long begin", "long end", "after begin", "after end"].as_slice()),
        ("assume-done", ["long begin", "after begin", "after end"].as_slice()),
    ];
    for (request, expected) in cases {
        let fleet = Fleet::of(1);
        fleet.runbook(
            "",
            "batches: [1]",
            r#"
- command: { argv: ["@work", "{{ host.name }}", long, "5"] }
- command: { argv: ["@work", "{{ host.name }}", after, "0"] }
"#,
        );
        let running = fleet.run(&[]).start();
        fleet.await_lines(1, 1);
        cut_power(&fleet, 1);
        running.end().exits(11).says("unknown").says("to go on: rollbook resume");
        // By itself nothing is repeated and nothing is taken for done.
        fleet.resume(&[]).run().exits(11).says("--in-doubt");
        assert_eq!(fleet.steps(1), ["long begin"], "{request}");
        fleet.resume(&["--in-doubt", request]).run().exits(0);
        assert_eq!(fleet.steps(1), expected, "{request}");
    }
}

#[test]
fn a_run_that_goes_on_is_not_resumed_a_second_time() {
    let fleet = Fleet::that_talks(2);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    let run = fleet.run_dir().display().to_string();
    // From the same state directory, and from another one.
    fleet.resume(&[]).run().exits(75);
    fleet
        .rollbook_on("resume", &run, &["--state-dir", "other"])
        .run()
        .exits(75)
        .says("goes on at this moment");
    running.end().exits(0);
    for host in 1..=2 {
        assert_eq!(fleet.steps(host), ALL_ONCE, "h{host}");
    }
}

#[test]
fn a_new_run_does_not_begin_beside_one_that_can_go_on() {
    let fleet = Fleet::that_talks(2);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let refused = fleet.run(&[]).run().exits(17).says("has not ended, and works on the same hosts: h1, h2");
    let refused = refused.says("it was cut off: its controller is dead");
    refused.says(&format!("rollbook resume state/runs/{run}")).says(&format!("--supersede {run} --reason"));
    let give_up = ["--state-dir", "state", "--supersede", &run, "--reason", "its plan was wrong"];
    fleet.rollbook_on("lock", "release", &give_up).run().exits(0);
    fleet.rollbook_on("runs", "list", &["--state-dir", "state"]).run().exits(0).shows("given up");
    fleet.resume(&[&run]).run().exits(64).says("was given up by ").says("its plan was wrong");
    fleet.run(&[]).run().exits(0);
}

#[test]
fn an_undo_that_finds_nothing_to_put_back_gives_the_run_up() {
    let fleet = Fleet::that_talks(2);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let runs = |verb: &str, more: &[&str]| {
        let state = ["--state-dir", "state"];
        fleet.rollbook_on("runs", verb, &[more, &state].concat()).run()
    };
    // Its command on h1 has ended by now, and the run never did the next one.
    let undo = runs("undo", &[&run, "--yes"]).exits(11).says("nothing to do on the hosts");
    let undo = undo.says("h1  is left out of service by the run");
    let undo = undo.says(&format!("run {run} is given up; a new run does what is still to be done"));
    assert!(
        !undo.stderr.contains("never changed") && !undo.stderr.contains("h2  is left"),
        "{}",
        undo.stderr
    );
    runs("list", &[]).exits(0).shows("given up");
    let show = runs("show", &[&run]).exits(0).shows("given up by ");
    assert!(!show.stdout.contains("to go on"), "{}", show.stdout);
    runs("undo", &[&run, "--yes"]).exits(11).says("was given up already by ");
    fleet.run(&[]).run().exits(0);
}

#[test]
fn a_run_whose_command_may_go_on_where_nobody_can_look_is_not_given_up() {
    let mut fleet = Fleet::that_talks(1);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    fleet.hosts[0].stop();
    running.signal(Signal::KILL);
    running.end();
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let undo = fleet.rollbook_on("runs", "undo", &[&run, "--yes", "--state-dir", "state"]).run().exits(11);
    let undo = undo.says("h1  is left as it was: nobody can tell whether");
    undo.says(&format!("run {run} is not given up")).says(&format!("lock release --supersede {run}"));
    fleet.hosts[0].go_on();
    fleet.resume(&[&run]).run().exits(0);
}

#[test]
fn a_second_ctrl_c_waits_no_longer_and_a_resumed_run_looks_again() {
    let fleet = Fleet::of(1);
    let look = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 looked 0\n[ -e \"$here/there\" ]\n";
    fleet.file("look", look);
    let steps = "- command: { argv: [\"@work\", h1, changed, \"0\"] }\n\
        - wait: { command: [\"@look\"], for: 1h, interval: 1s }";
    fleet.runbook("", "batches: [1]", steps);
    let running = fleet.run(&[]).start();
    // It looks for the second time.
    fleet.await_lines(1, 6);
    running.signal(Signal::INT);
    // Two of a kind that come at once are one.
    let is_stopping = |event: &rollbook::engine::Stamped| matches!(event.event, Event::StopRequested { .. });
    eventually("the first is heard", || fleet.journal().iter().any(is_stopping));
    running.signal(Signal::INT);
    let stopped = running.end().says("stopped before it was seen to hold; a resumed run looks again");
    assert!([11, 130].contains(&stopped.code), "{}: {}", stopped.code, stopped.stderr);
    fleet.file("there", "");
    fleet.resume(&[]).run().exits(0);
    assert_eq!(fleet.steps(1).iter().filter(|step| *step == "changed begin").count(), 1);
}

#[test]
fn a_retry_that_ctrl_c_took_away_is_made_after_all() {
    let fleet = Fleet::of(1);
    fleet.file("once", "#!/bin/sh\n[ -e \"$0.$1\" ] || { : >\"$0.$1\"; exit 1; }\n");
    let steps = r#"
- command: { argv: ["@once", "{{ host.name }}"] }
  retry: { attempts: 2, delay: 5s }
- command: { argv: ["@work", "{{ host.name }}", after, "0"] }
"#;
    fleet.runbook("", "batches: [1]", steps);
    let running = fleet.run(&[]).start();
    let failed = |event: &rollbook::engine::Stamped| {
        matches!(event.event, Event::TaskEnded { end: rollbook::engine::TaskEnd::Failed { .. }, .. })
    };
    eventually("the first attempt failed", || {
        fs::metadata(fleet.path("once.h1")).is_ok() && fleet.journal().iter().any(failed)
    });
    running.signal(Signal::INT);
    eventually("the first Ctrl-C was heard", || {
        fleet.journal().iter().any(|event| matches!(event.event, Event::StopRequested { .. }))
    });
    running.signal(Signal::INT);
    let stopped = running.end().says("to go on");
    assert!(fleet.steps(1).is_empty(), "{}", stopped.stderr);
    fleet.resume(&[]).run().exits(0);
    assert_eq!(fleet.steps(1), ["after begin", "after end"]);
}

#[test]
fn a_record_from_elsewhere_runs_nothing_here_without_leave() {
    let fleet = Fleet::of(1);
    let steps = r#"
- command: { argv: ["@work", "h1", first, "1"] }
- command: { argv: ["@work", "here", second, "0"] }
  run_on: controller
"#;
    fleet.runbook("", "batches: [1]", steps);
    let running = fleet.run(&["--allow-commands"]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    fs::rename(fleet.run_dir(), fleet.path("received")).unwrap();
    let args = ["--state-dir", "other"];
    fleet.rollbook_on("resume", "received", &args).run().exits(65).says("--allow-commands");
    fleet.rollbook_on("resume", "received", &[&args[..], &["--allow-commands"]].concat()).run().exits(0);
    assert_eq!(fleet.steps(1), ["first begin", "first end"]);
    assert!(fs::read_to_string(fleet.path("log/here")).unwrap().contains("second end"));
}
