//! What a run leaves behind: the journal, the output, and no secret.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use rollbook::engine::Event;
use rustix::process::Signal;

use super::fleet::Fleet;

#[test]
fn every_op_that_the_journal_starts_it_also_ends() {
    let fleet = Fleet::of(3);
    fleet.runbook(
        "",
        "batches: [3], max_unavailable: 3",
        "- command: { argv: [\"@work\", \"{{ host.name }}\", a, \"0\"] }",
    );
    fleet.run(&["--events", "events.jsonl"]).run().exits(0);
    let events = fleet.journal();
    let (mut started, mut ended) = (HashSet::new(), HashSet::new());
    for stamped in &events {
        match stamped.event {
            Event::OpStarted { task, attempt, go, op, .. } => {
                assert!(started.insert((task, attempt, go, op)))
            }
            Event::OpEnded { task, attempt, go, op, .. } => assert!(ended.insert((task, attempt, go, op))),
            _ => {}
        }
    }
    assert_eq!(started.len(), 3);
    assert_eq!(started, ended);
    assert!(matches!(events.last().unwrap().event, Event::RunEnded));
    // The copy for programs holds the same events.
    let copy = fs::read_to_string(fleet.path("events.jsonl")).unwrap();
    let copy: Vec<rollbook::engine::Stamped> =
        copy.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(copy, events);
}

#[test]
fn a_killed_rollbook_leaves_a_journal_that_reads_and_a_host_that_finishes() {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@work\", \"{{ host.name }}\", a, \"1\"] }");
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    let events = fleet.journal();
    let last_op = events
        .iter()
        .rev()
        .find(|stamped| matches!(stamped.event, Event::OpStarted { .. } | Event::OpEnded { .. }));
    assert!(matches!(last_op.unwrap().event, Event::OpStarted { .. }), "{events:?}");
    fleet.await_lines(1, 2);
    assert_eq!(fleet.steps(1), ["a begin", "a end"]);
    assert!(fleet.log(2).is_empty(), "nobody is there to start the next");
}

#[test]
fn a_first_ctrl_c_starts_no_new_host_and_lets_those_that_are_out_finish() {
    let fleet = Fleet::of(4);
    let steps = r#"
- command: { argv: ["@work", "{{ host.name }}", first, "1"] }
- command: { argv: ["@work", "{{ host.name }}", second, "0"] }
"#;
    fleet.runbook("", "batches: [2], max_unavailable: 1", steps);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::INT);
    let outcome = running.end().exits(130).says("stopped_by: ");
    assert!(outcome.stderr.contains("Ctrl-C"), "{}", outcome.stderr);
    assert_eq!(fleet.steps(1), ["first begin", "first end", "second begin", "second end"]);
    for host in 2..=4 {
        assert!(fleet.log(host).is_empty(), "h{host} was started");
    }
    let events = fleet.journal();
    assert!(events.iter().any(|stamped| matches!(stamped.event, Event::StopRequested { .. })));
    assert!(matches!(events.last().unwrap().event, Event::RunEnded), "{:?}", events.last());
}

/// In the middle of the secret, without anything that a file format escapes.
const CORE: &str = "correct-horse-battery-staple";

/// Files below a directory that hold the core of the secret.
fn files_with_secret(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            files_with_secret(&path, found);
        } else if kind.is_file() && String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(CORE) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_secret_reaches_the_host_and_nothing_else() {
    // Quotes, a backslash and a tab are written differently by each format; the secret is found nevertheless.
    let secret = format!("pä\"ss\\w\t{CORE}'$x %n`");
    let told_by_its_digest = "#!/bin/sh\nsecret=$(cat)\nprintf %s \"$secret\" | sha256sum >>\"$0.out\"\n\
         printf 'out %s\\n' \"$secret\"\nprintf 'err %s\\n' \"$secret\" >&2\n\
         sleep 0.2\nprintf %s \"$secret\"\n[ \"$1\" != fail ]\n";
    for (argument, code) in [("pass", 0), ("fail", 11)] {
        let fleet = Fleet::of(1);
        fleet.file("tell", told_by_its_digest);
        fleet.runbook(
            "secrets: { token: { env: RB_TOKEN } }",
            "batches: [1]",
            &format!(
                r#"
- command: {{ argv: ["@tell", {argument}], stdin: "{{{{ secrets.token }}}}" }}
  id: tell
- command: {{ argv: [echo, "{{{{ steps.tell.stdout }}}}"] }}
"#
            ),
        );
        let mut said = String::new();
        let plan =
            fleet.rollbook("plan", &["-v", "-o", "up.plan.json"]).env("RB_TOKEN", &secret).run().exits(0);
        said += &(plan.stdout + &plan.stderr);
        let more = ["--verbose", "--events", "events.jsonl"];
        let run = fleet.run(&more).env("RB_TOKEN", &secret).run().exits(code);
        said += &(run.stdout + &run.stderr);

        let digest = fs::read_to_string(fleet.path("tell.out")).unwrap();
        let sum = rollbook::plan::show::digest(secret.as_bytes());
        assert!(
            sum.contains(digest.split(' ').next().unwrap()),
            "the host got another secret: {digest}, not {sum}"
        );
        assert!(!said.contains(CORE), "{argument}: {said}");
        let mut found = Vec::new();
        files_with_secret(fleet.dir.path(), &mut found);
        assert!(found.is_empty(), "{argument}: the secret stands in {found:?}");
        assert!(said.contains("redacted") || code == 0, "{argument}: nothing was redacted in\n{said}");
    }
}

#[test]
fn a_secret_that_is_not_set_stops_a_run_before_anything_changes() {
    let fleet = Fleet::of(1);
    fleet.runbook(
        "secrets: { token: { env: RB_TOKEN } }",
        "batches: [1]",
        "- command: { argv: [\"@work\", h1, a, \"0\"], stdin: \"{{ secrets.token }}\" }",
    );
    let outcome = fleet.run(&[]).run();
    assert_ne!(outcome.code, 0);
    outcome.says("RB_TOKEN");
    assert!(fleet.log(1).is_empty());
}
