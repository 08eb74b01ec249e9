//! `exec` on real hosts: words stay words, hosts are told apart, and what changes something is a run.

use std::fs;

use super::fleet::Fleet;
use crate::support::rollbook::Rollbook;

fn exec(fleet: &Fleet, more: &[&str]) -> Rollbook {
    fleet.rollbook_on("exec", "all", &[&["-i", "inventory.yaml"], more].concat())
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_look_shows_what_each_host_says_and_no_shell_reads_it() {
    let fleet = Fleet::of(2);
    let words = ["--", "printf", "%s|", "a b", ";id", "$(id)", "{{ x }}", "'", "\u{1b}[2J"];
    let outcome = exec(&fleet, &words).run().exits(0);
    let said = "a b|;id|$(id)|{{ x }}|'|\\u{1b}[2J|";
    assert_eq!(sorted(&outcome.stdout), [format!("h1  {said}"), format!("h2  {said}")]);
    let grouped = exec(&fleet, &["--grouped", "--parallel", "1", "--", "echo", "x"]).run().exits(0);
    assert_eq!(sorted(&grouped.stdout), ["  x", "  x", "h1", "h2"]);
    // A look leaves nothing, here or there.
    assert!(!fleet.dir.path().join("state").exists() && !fleet.records(1).exists());
}

#[test]
fn the_exit_code_tells_failures_from_hosts_out_of_reach() {
    let mut fleet = Fleet::of(2);
    exec(&fleet, &["--", "sh", "-c", "echo no >&2; exit 3"])
        .run()
        .exits(10)
        .says("h1  no")
        .says("h2: exit code 3");
    exec(&fleet, &["--", "no-such-program"]).run().exits(10).says("no such program");
    exec(&fleet, &["--timeout", "1s", "--", "sleep", "60"]).run().exits(10).says("time limit");
    fleet.hosts.pop();
    exec(&fleet, &["--", "echo", "here"]).run().exits(12).shows("h1  here").says("h2");
    exec(&fleet, &["--change", "--yes", "--state-dir", "state", "--", "touch", &fleet.path("made")])
        .run()
        .exits(12);
    assert!(!fleet.dir.path().join("made").exists(), "nothing changes where a host cannot be reached");
}

#[test]
fn a_change_is_a_run_that_was_approved_and_is_recorded() {
    let fleet = Fleet::of(2);
    let state = ["--state-dir", "state"];
    let command = [
        "--",
        "sh",
        "-c",
        "cat /etc/machine-id >>\"$1\"; echo \"did {{ $2 }}\"",
        "sh",
        &fleet.path("made"),
        "it",
    ];
    let change = |more: &[&str]| exec(&fleet, &[&["--change"], more, &state, &command].concat());
    change(&[]).run().exits(64).says("there is no terminal to ask on");
    assert!(!fleet.dir.path().join("made").exists());
    let outcome = change(&["--yes"]).run().exits(0);
    assert_eq!(sorted(&outcome.stdout), ["h1  did {{ it }}", "h2  did {{ it }}"]);
    assert_eq!(fs::read_to_string(fleet.path("made")).unwrap().lines().count(), 2);
    let list = fleet.rollbook_on("runs", "list", &state).run().exits(0);
    assert!(list.stdout.contains("exec"), "{}", list.stdout);
    // One that fails is told as any run's failure: nobody knows what it did before.
    exec(&fleet, &[&["--change", "--yes"], &state[..], &["--", "false"]].concat())
        .run()
        .exits(11)
        .says("failed at");
}

#[test]
fn flags_that_would_mean_nothing_are_refused() {
    let fleet = Fleet::of(1);
    for (args, code, words) in [
        (&["--yes", "--", "ls"][..], 64, "--yes belongs to --change"),
        (&["--via", "h1", "--", "ls"], 64, "--via belongs to --change"),
        (&["--", "-x"], 64, "is no program"),
        (&["--", "A=b", "ls"], 64, "is no program"),
        (&[], 64, "COMMAND"),
    ] {
        exec(&fleet, args).run().exits(code).says(words);
    }
    let facts = ["-i", "inventory.yaml", "--context", "eu"];
    fleet.rollbook_on("facts", "all", &facts).run().exits(64).says("--context belongs to --record");
    let nobody = ["-i", "inventory.yaml", "--", "ls"];
    fleet.rollbook_on("exec", "h9", &nobody).run().exits(65).says("h9");
}
