//! What a run leaves behind: the journal and the output.

use std::collections::HashSet;
use std::fs;

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
            Event::OpStarted { task, attempt, pass, op, .. } => {
                assert!(started.insert((task, attempt, pass, op)));
            }
            Event::OpEnded { task, attempt, pass, op, .. } => {
                assert!(ended.insert((task, attempt, pass, op)));
            }
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
    let outcome = outcome.says("came back after that: h1").says("not started in phase roll: h2, h3, h4");
    // What only waited for its turn was sent nothing.
    let outcome =
        outcome.says("4 hosts: 1 changed, 3 not started").says("h2  not started, because the run stopped");
    let outcome = outcome.says("all hosts are in service").says("to go on: rollbook resume ");
    assert!(outcome.stderr.contains("Ctrl-C"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("FAILED"), "{}", outcome.stderr);
    assert_eq!(fleet.steps(1), ["first begin", "first end", "second begin", "second end"]);
    for host in 2..=4 {
        assert!(fleet.log(host).is_empty(), "h{host} was started");
    }
    let events = fleet.journal();
    assert!(events.iter().any(|stamped| matches!(stamped.event, Event::StopRequested { .. })));
    assert!(matches!(events.last().unwrap().event, Event::RunEnded), "{:?}", events.last());
}

#[test]
fn a_ctrl_c_that_takes_nothing_away_leaves_nothing_to_go_on_with() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "", "- command: { argv: [\"@work\", \"{{ host.name }}\", only, \"1\"] }");
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::INT);
    let outcome = running.end().exits(130).says("1 host: 1 changed").says("nothing is left to do");
    assert!(!outcome.stderr.contains("to go on"), "{}", outcome.stderr);
    let list = fleet.rollbook_on("runs", "list", &["--state-dir", "state"]).run().exits(0);
    assert!(list.stdout.contains("  done  "), "{}", list.stdout);
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    fleet.rollbook_on("resume", &run, &["--state-dir", "state"]).run().exits(64).says("is over");
}

#[test]
fn a_journal_that_names_a_host_that_the_plan_has_not_is_an_error_at_its_line() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@work\", \"{{ host.name }}\", a, \"0\"] }");
    fleet.run(&[]).run().exits(0);
    let path = fleet.run_dir().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().position(|line| line.contains("op_started")).unwrap() + 1;
    let foreign = |line: &str| {
        if line.contains("op_started") { line.replace("\"host\":0", "\"host\":70") } else { line.to_owned() }
    };
    let damaged: Vec<String> = text.lines().map(foreign).collect();
    fs::write(&path, damaged.join("\n") + "\n").unwrap();
    let outcome = fleet.rollbook_on("runs", "show", &["--state-dir", "state"]).run().exits(1);
    outcome
        .says(&format!("journal.jsonl:{line}: "))
        .says("the plan has no host 70")
        .says("put a whole copy of the directory in its place");
}
