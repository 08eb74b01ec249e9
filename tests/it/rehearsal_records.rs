//! The record of a rehearsal, and every verb that reads records: no host hears of it, wherever it lies and whatever of it
//! is missing. The inventory names addresses that nobody answers at, and no test may try one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::support::rollbook::{Outcome, Rollbook};

const RUN: &str = "rehearsal-killed-1";

struct Kept {
    home: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let kept = Self { home: tempfile::tempdir().expect("a directory") };
        let root = env!("CARGO_MANIFEST_DIR");
        let scenario = format!(
            "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: killed }}\n\
             runbook: {root}/runbooks/kubeadm-upgrade.yaml\ninventory: {root}/inventory.example.yaml\n\
             params: {{ target: 1.31.4 }}\n\
             faults: [{{ host: w03.example.com, step: systemctl, fault: controller_killed, then: leave }}]\n"
        );
        let file = kept.home.path().join("s.yaml");
        fs::write(&file, scenario).expect("written");
        kept.run(&["rehearse", "-q", "--scenario", file.to_str().expect("UTF-8")]).exits(137);
        kept
    }

    /// Without a program to connect with: who tries to reach a host fails otherwise than the tests expect.
    fn run(&self, args: &[&str]) -> Outcome {
        let rollbook = Rollbook::new(args.iter().copied()).env("XDG_STATE_HOME", self.home.path());
        rollbook.env("PATH", "/nonexistent").run()
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("rollbook/rehearsals/runs").join(RUN)
    }

    /// The record somewhere else, under another name, without some of its files.
    fn moved(&self, name: &str, without: &[&str]) -> PathBuf {
        let to = self.home.path().join("rollbook/runs").join(name);
        fs::create_dir_all(to.join("output")).expect("made");
        for file in ["plan.json", "journal.jsonl", "rehearsal.json"] {
            if !without.contains(&file) {
                fs::copy(self.dir().join(file), to.join(file)).expect("copied");
            }
        }
        to
    }
}

/// A plan as a released version kept it, which does not say where it was made.
fn as_of_old(record: &Path) {
    let rewrite = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(record.join(file)).expect("read");
        assert!(text.contains(from), "{file} does not say {from}");
        fs::write(record.join(file), text.replacen(from, to, 1)).expect("written");
    };
    rewrite("plan.json", "\"rehearsal\":true,", "");
    let digest = |file: &str| {
        let text = fs::read(record.join(file)).expect("read");
        rollbook::plan::show::digest(&text)
    };
    let journal = fs::read_to_string(record.join("journal.jsonl")).expect("read");
    let first: serde_json::Value =
        serde_json::from_str(journal.lines().nth(1).expect("a first event")).expect("JSON");
    let old = first["event"]["digest"].as_str().expect("a digest");
    rewrite("journal.jsonl", old, &digest("plan.json"));
}

#[test]
fn nothing_that_reaches_hosts_takes_the_record_of_a_rehearsal() {
    let kept = Kept::new();
    let unsaid = kept.moved("20260101-000000-0001", &["rehearsal.json"]);
    let begun = kept.moved("20260101-000000-0002", &["rehearsal.json", "journal.jsonl"]);
    let old = kept.moved("20260101-000000-0003", &["rehearsal.json"]);
    as_of_old(&old);
    let (dir, text) = (kept.dir(), |path: &Path| path.to_str().expect("UTF-8").to_owned());
    let named = [RUN.to_owned(), text(&dir), text(&unsaid), text(&begun), text(&old)];
    let ids = ["20260101-000000-0001", "20260101-000000-0002", "20260101-000000-0003"].map(str::to_owned);
    for run in named.iter().chain(&ids) {
        kept.run(&["runs", "undo", run, "--yes", "--no-input"])
            .exits(64)
            .says("is the record of a rehearsal");
    }
    for run in named[2..].iter().chain(&ids) {
        kept.run(&["resume", run, "--no-input"]).exits(64).says("is the record of a rehearsal");
    }
    fs::remove_file(dir.join("rehearsal.json")).expect("removed");
    for run in &named[..2] {
        kept.run(&["resume", run, "--no-input"]).exits(64).says("is the record of a rehearsal");
        kept.run(&["runs", "undo", run, "--yes", "--no-input"])
            .exits(64)
            .says("is the record of a rehearsal");
    }
    // None of them is what somebody means who names none.
    kept.run(&["resume", "--no-input"]).exits(64).says("no run can go on");
}

#[test]
fn what_reads_records_says_that_one_is_a_rehearsals() {
    let kept = Kept::new();
    let list = kept.run(&["runs", "list"]).exits(0);
    assert!(list.stdout.contains(RUN) && list.stdout.contains("rehearsal, cut off"), "{}", list.stdout);
    let list = kept.run(&["runs", "list", "--format", "json"]).exits(0).stdout;
    let rows: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!((&rows[0]["rehearsal"], &rows[0]["left"]), (&true.into(), &3.into()), "{list}");
    let path = kept.dir();
    for run in [RUN, path.to_str().expect("UTF-8")] {
        let show = kept.run(&["runs", "show", run]).exits(0).stdout;
        assert!(show.contains("This was a rehearsal: no host was touched."), "{show}");
        assert!(show.contains("to go on: rollbook resume "), "{show}");
        assert!(!show.contains("kubectl uncordon") && !show.contains("runs undo"), "{show}");
        let watched = kept.run(&["watch", run]).exits(0).stdout;
        assert!(watched.contains("This was a rehearsal: no host was touched."), "{watched}");
    }
    fs::remove_file(path.join("rehearsal.json")).expect("removed");
    let show = kept.run(&["runs", "show", RUN]).exits(0).stdout;
    assert!(show.contains("This was a rehearsal") && !show.contains("to go on"), "{show}");
}

#[test]
fn a_second_rehearsal_leaves_the_record_of_the_first() {
    let kept = Kept::new();
    let first = fs::read(kept.dir().join("journal.jsonl")).expect("read");
    let file = kept.home.path().join("s.yaml");
    let again = kept.run(&["rehearse", "-q", "--scenario", file.to_str().expect("UTF-8")]).exits(137);
    again.says("to go on: rollbook resume rehearsal-killed-1-2");
    assert_eq!(fs::read(kept.dir().join("journal.jsonl")).expect("read"), first);
    // The newest is meant where none is named.
    kept.run(&["resume", "-q"]).exits(0).says("rehearsal-killed-1-2 is a rehearsal");
    assert_eq!(fs::read(kept.dir().join("journal.jsonl")).expect("read"), first);
    kept.run(&["resume", "-q"]).exits(0).says("rehearsal-killed-1 is a rehearsal");
}

/// An hour that nobody waits for: a stop ends it.
#[test]
fn ctrl_c_stops_a_rehearsal_that_is_watched_as_it_stops_a_run() {
    let home = tempfile::tempdir().expect("a directory");
    let head = "apiVersion: rollbook/v1\nmetadata: { name: t }\n";
    let write = |name: &str, text: &str| {
        fs::write(home.path().join(name), format!("{head}{text}")).expect("written");
    };
    write("inv.yaml", "kind: Inventory\nhosts: { h1: {}, h2: {} }\n");
    let steps = "[{ pause: { for: 1h } }, { command: [our-tool], effect: changes }]";
    let phase = format!("{{ name: p, hosts: all, rollout: {{ batches: [1] }}, steps: {steps} }}");
    write("rb.yaml", &format!("kind: Runbook\nphases: [{phase}]\n"));
    let in_home =
        |args: &[&str]| Rollbook::new(args.iter().copied().chain(["--state-dir", "state"])).dir(home.path());
    let running = in_home(&["rehearse", "rb.yaml", "-i", "inv.yaml", "--speed", "1", "--plain"]).start();
    let journal = home.path().join("state/rehearsals/runs/rehearsal-1/journal.jsonl");
    let end = Instant::now() + Duration::from_mins(1);
    while !fs::read_to_string(&journal).is_ok_and(|text| text.contains("task_started")) {
        assert!(Instant::now() < end, "no step started");
        std::thread::yield_now();
    }
    running.signal(Signal::INT);
    let stopped = running.end().exits(130);
    stopped
        .says("stopped_by: Ctrl-C")
        .says("to go on: rollbook resume")
        .says("This was a rehearsal: no host was touched.");
    // It is taken up where it was stopped.
    in_home(&["resume", "-q"]).run().exits(0).says("2 hosts: 2 changed");
}
