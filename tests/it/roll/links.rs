//! Links that break, and hosts that are not there.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::fleet::{Fleet, eventually};

/// Processes whose command line names `text`: the ssh masters of a fleet, by the directory of their control sockets.
fn processes_that_name(text: &str) -> Vec<Pid> {
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let names = |id: &i32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.starts_with(b"ssh") && String::from_utf8_lossy(&line).contains(text)
    };
    ids.filter(names).filter_map(Pid::from_raw).collect()
}

/// The ssh masters of a fleet; there must be some.
pub(super) fn masters_of(fleet: &Fleet) -> Vec<Pid> {
    let masters = processes_that_name(&fleet.path("rollbook-"));
    assert!(!masters.is_empty(), "no ssh has its control socket below {}", fleet.path(""));
    masters
}

#[test]
fn a_killed_ssh_in_the_middle_of_a_command_repeats_nothing() {
    let fleet = Fleet::of(1);
    fleet.runbook(
        "",
        "batches: [1]",
        r#"
- command: { argv: ["@work", "{{ host.name }}", long, "3"] }
- command: { argv: ["@work", "{{ host.name }}", after, "0"] }
"#,
    );
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    for master in masters_of(&fleet) {
        kill_process(master, Signal::KILL).unwrap();
    }
    running.end().exits(0);
    assert_eq!(fleet.steps(1), ["long begin", "long end", "after begin", "after end"]);
    eventually("ssh masters are gone", || processes_that_name(&fleet.path("rollbook-")).is_empty());
    let sockets = fs::read_dir(fleet.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let sockets: Vec<_> = sockets.filter(|name| name.to_string_lossy().starts_with("rollbook-")).collect();
    assert!(sockets.is_empty(), "{sockets:?} is left");
}

/// A step that looks first, fails once, and is tried again some seconds later: meanwhile nothing is in flight.
const LOOKS_AND_FAILS_ONCE: &str = r#"
- command: { argv: ["@once"], creates: "@done" }
  retry: { attempts: 2, delay: 4s }
- command: { argv: ["@work", h1, after, "0"] }
"#;

fn fails_once(fleet: &Fleet) {
    let once = "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 once 0\n\
                if [ -e \"$here/tried\" ]; then touch \"$here/done\"; else touch \"$here/tried\"; exit 1; fi\n";
    fleet.file("once", once);
    fleet.runbook("", "batches: [1]", LOOKS_AND_FAILS_ONCE);
}

fn has_event(fleet: &Fleet, event: &str) -> bool {
    let text = fs::read_to_string(fleet.run_dir().join("journal.jsonl")).unwrap_or_default();
    text.contains(&format!("\"type\":\"{event}\""))
}

#[test]
fn a_host_that_goes_away_between_two_ops_is_waited_for() {
    let mut fleet = Fleet::of(1);
    fails_once(&fleet);
    let running = fleet.run(&["--plain"]).start();
    fleet.await_lines(1, 2);
    eventually("the first attempt is over", || has_event(&fleet, "task_ended"));
    fleet.hosts[0].stop();
    eventually("it is noticed", || has_event(&fleet, "host_silent"));
    fleet.hosts[0].go_on();
    let outcome = running.end().exits(0);
    assert!(
        outcome.stderr.contains("h1  cannot be reached, and is tried again, 16 times"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("h1  answers again"), "{}", outcome.stderr);
    assert_eq!(
        fleet.steps(1),
        ["once begin", "once end", "once begin", "once end", "after begin", "after end"]
    );
}

#[test]
fn a_host_that_stays_away_between_two_ops_fails_after_so_many_tries() {
    let mut fleet = Fleet::of(1);
    fleet.connection += ", reconnect: { attempts: 3, max_delay: 1s }";
    fleet.write_inventory();
    fails_once(&fleet);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 2);
    eventually("the first attempt is over", || has_event(&fleet, "task_ended"));
    fleet.hosts[0].stop();
    let outcome = running.end();
    assert!(outcome.code == 10 || outcome.code == 11, "{}: {}", outcome.code, outcome.stderr);
    assert!(outcome.stderr.contains("tried 3 times in 2s"), "{}", outcome.stderr);
    fleet.hosts[0].go_on();
    assert_eq!(fleet.steps(1), ["once begin", "once end"]);
}

#[test]
fn a_frozen_connection_is_noticed_and_repeats_nothing() {
    let fleet = Fleet::of(1);
    fleet.file("go", "#!/bin/sh\n\"$(dirname \"$0\")/work\" h1 a 0\ncat \"$(dirname \"$0\")/gate\"\n\"$(dirname \"$0\")/work\" h1 b 0\n");
    fleet.fifo("gate");
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@go\"] }");
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 2);
    let began = std::time::Instant::now();
    // No packet is refused and none is answered: only ssh's own patience tells.
    fleet.hosts[0].signal_sessions(Signal::STOP);
    fs::write(fleet.path("gate"), "").unwrap();
    let outcome = running.end();
    fleet.hosts[0].signal_sessions(Signal::KILL);
    let outcome = outcome.exits(0);
    assert!(began.elapsed().as_secs() < 120, "noticed after {:?}", began.elapsed());
    assert_eq!(fleet.steps(1), ["a begin", "a end", "b begin", "b end"], "{}", outcome.stderr);
}

#[test]
fn a_host_that_cannot_be_reached_stops_a_run_before_anything_changes() {
    let mut fleet = Fleet::of(3);
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@work\", \"{{ host.name }}\", a, \"0\"] }");
    // The last host of the order: the first ones could be changed before anybody looks at it.
    fleet.hosts.pop();
    fleet.hosts.push(crate::support::sshd::Sshd::start_machine(""));
    fleet.write_inventory();
    fs::write(fleet.hosts[2].path("known_hosts"), "").unwrap();
    let unknown = fleet.run(&[]).run().exits(12).says("h3");
    assert!(unknown.stderr.contains("key"), "{}", unknown.stderr);

    let port = fleet.hosts[2].port;
    fleet.hosts.pop();
    let inventory = fs::read_to_string(fleet.path("inventory.yaml")).unwrap();
    assert!(inventory.contains(&port.to_string()));
    fleet.run(&[]).run().exits(12).says("h3");
    for host in 1..=3 {
        assert!(fleet.log(host).is_empty(), "h{host} was worked on");
    }
}

/// A step waits at a gate; the one behind it, which is `more`, comes when this machine has no file descriptor left for it.
fn gated_before(more: &str) -> Fleet {
    let mut fleet = Fleet::of(1);
    fleet.connection += ", reconnect: { attempts: 2, max_delay: 1s }";
    fleet.write_inventory();
    fleet.fifo("gate");
    fleet.file("gated", "#!/bin/sh\nhere=$(dirname \"$0\")\n\"$here/work\" h1 gated 0\ncat \"$here/gate\"\n");
    let after = "command: { argv: [\"@work\", h1, after, \"0\"] }";
    fleet.runbook("", "batches: [1]", &format!("- command: [\"@gated\"]\n- {after}\n{more}"));
    fleet
}

#[test]
fn a_lack_of_this_machine_begins_nothing_and_costs_no_connection() {
    let fleet = gated_before("  retry: { attempts: 30, delay: 1s }\n");
    let running = fleet.run(&["--plain"]).start();
    fleet.await_lines(1, 2);
    let masters = masters_of(&fleet);
    let before = running.limit_files(Some(3));
    fs::write(fleet.path("gate"), "").unwrap();
    eventually("nothing was begun", || has_event(&fleet, "op_not_started"));
    assert_eq!(masters_of(&fleet), masters, "nobody connects anew for what this machine lacks");
    running.limit_files(before);
    let outcome = running.end().exits(0).says("this machine cannot ask: Too many open files");
    assert_eq!(fleet.steps(1), ["gated begin", "gated end", "after begin", "after end"]);
    assert!(!has_event(&fleet, "host_silent"), "{}", outcome.stderr);
}

#[test]
fn a_lack_of_this_machine_that_passes_fails_nobody() {
    let fleet = gated_before("");
    let running = fleet.run(&["--plain"]).start();
    fleet.await_lines(1, 2);
    let before = running.limit_files(Some(3));
    fs::write(fleet.path("gate"), "").unwrap();
    let journal = || fs::read_to_string(fleet.run_dir().join("journal.jsonl")).unwrap_or_default();
    eventually("the op is about to be sent", || journal().matches("\"type\":\"op_started\"").count() == 2);
    running.limit_files(before);
    running.end().exits(0);
    assert_eq!(fleet.steps(1), ["gated begin", "gated end", "after begin", "after end"]);
    assert!(!has_event(&fleet, "op_not_started"), "{}", journal());
}
