//! Somebody watches a run from another terminal.

use rustix::process::Signal;

use super::fleet::Fleet;

const STEPS: &str = r#"
- command: { argv: ["@work", "{{ host.name }}", first, "1"] }
- command: { argv: ["@work", "{{ host.name }}", second, "0"] }
"#;

#[test]
fn a_run_is_watched_to_its_end() {
    let fleet = Fleet::of(2);
    fleet.runbook("", "batches: [1]", STEPS);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    let watched = fleet.rollbook_on("watch", "--state-dir", &["state"]).run().exits(0);
    let run = running.end().exits(0);
    // The same lines, from the first one on, and the same last words.
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("00:")).map(str::to_owned).collect();
    let (seen, said): (Vec<String>, Vec<String>) = (lines(&watched.stderr), lines(&run.stderr));
    assert_eq!(seen, said);
    assert!(seen.len() > 4, "{seen:?}");
    watched.shows("2 changed");
}

#[test]
fn who_watches_hears_that_the_controller_is_gone() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", STEPS);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    let watching = fleet.rollbook_on("watch", "--state-dir", &["state"]).start();
    running.signal(Signal::KILL);
    running.end();
    let watched = watching.end().exits(0).says("its controller is gone");
    watched.shows("to go on: rollbook resume state/runs/");
    // Watching is not working: the run goes on as if nobody had looked.
    fleet.rollbook_on("resume", "--state-dir=state", &[]).run().exits(0);
    fleet.rollbook_on("watch", "--state-dir", &["state"]).run().exits(0).shows("1 changed");
}
