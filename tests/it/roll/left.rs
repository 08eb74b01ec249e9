//! What a run left on its hosts: `runs list`, `runs show`, `runs undo` and `runs prune` say the same of it.

use std::fs;

use rustix::process::Signal;

use super::fleet::Fleet;
use super::undo::Nodes;
use crate::support::rollbook::Outcome;

const WORK: &str = "- command: { argv: [\"@work\", \"{{ host.name }}\", work, \"0\"] }\n";

fn runs(fleet: &Fleet, verb: &str, more: &[&str]) -> Outcome {
    fleet.rollbook_on("runs", verb, &[&["--state-dir", "state"], more].concat()).run()
}

/// How many hosts each run left, by its id.
fn left(fleet: &Fleet) -> Vec<(String, u64)> {
    let list = runs(fleet, "list", &["--format", "json"]).exits(0).stdout;
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let row =
        |row: &serde_json::Value| (row["run"].as_str().unwrap().to_owned(), row["left"].as_u64().unwrap());
    list.iter().map(row).collect()
}

#[test]
fn what_a_paused_run_left_is_one_thing_until_a_later_run_ends_well() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "", &format!("{WORK}- pause: look at it\n"));
    fleet.run(&[]).run().exits(11).says("h1  is left out of service");
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(left(&fleet), [(run.clone(), 1)]);
    runs(&fleet, "show", &[&run]).exits(0).shows("h1  is left out of service");
    for _ in 0..2 {
        let undo = runs(&fleet, "undo", &[&run, "--yes"]).exits(11);
        undo.says("no cordon and no hold of the run stands").says("h1  is left out of service by the run");
    }
    assert_eq!(left(&fleet), [(run.clone(), 1)]);
    runs(&fleet, "prune", &["--keep", "0"]).exits(0).says(&format!("keeping {run}: it left h1"));
    // A new run does what was still to be done.
    fleet.runbook("", "", WORK);
    fleet.run(&[]).run().exits(0);
    let all = left(&fleet);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], (run.clone(), 0));
    assert_eq!(all[1].1, 0);
    runs(&fleet, "undo", &[&run, "--yes"]).exits(0).says("nothing of the run stands");
    runs(&fleet, "prune", &["--keep", "1"]).exits(0).says(&format!("removed {run}"));
}

#[test]
fn a_host_on_which_a_killed_run_was_at_work_is_left() {
    let fleet = Fleet::of(1);
    let work = "- command: { argv: [\"@work\", \"{{ host.name }}\", work, \"1\"] }\n  effect: changes\n";
    fleet.runbook("", "", work);
    let running = fleet.run(&[]).start();
    fleet.await_lines(1, 1);
    running.signal(Signal::KILL);
    running.end();
    let run = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(left(&fleet), [(run.clone(), 1)]);
    let words = "h1  is left in the middle of its steps";
    runs(&fleet, "show", &[&run]).exits(0).shows(words);
    runs(&fleet, "prune", &["--keep", "0"]).exits(0).says(&format!("keeping {run}: it can go on"));
    let undo = runs(&fleet, "undo", &[&run, "--yes"]).exits(11).says(words);
    assert!(!undo.stderr.contains("never changed"), "{}", undo.stderr);
    assert!(fs::exists(fleet.run_dir().join("superseded")).unwrap());
    assert_eq!(left(&fleet), [(run, 1)]);
}

#[test]
fn a_run_whose_cordon_stands_has_left_its_host_though_a_later_one_ended_there() {
    let nodes = Nodes::of(1);
    let run = nodes.killed();
    nodes.open();
    let fleet = &nodes.fleet;
    assert_eq!(left(fleet), [(run.clone(), 1)]);
    let give_up = ["--state-dir", "state", "--supersede", &run, "--reason", "it is dead"];
    fleet.rollbook_on("lock", "release", &give_up).run().exits(0);
    // A new run finds the cordon of another one, and leaves it alone.
    nodes.run(&[]).run().exits(0);
    assert_eq!(nodes.cordons(), [("h1".to_owned(), run.clone())]);
    assert_eq!(left(fleet)[0], (run.clone(), 1));
    runs(fleet, "show", &[&run]).exits(0).shows("h1  is left out of service");
    nodes.undo(&run, &["--yes"]).exits(0).says("uncordon h1");
    assert_eq!(nodes.cordons(), []);
    let all = left(fleet);
    assert!(all.iter().all(|(_, left)| *left == 0), "{all:?}");
    runs(fleet, "show", &[&run])
        .exits(0)
        .shows("h1  was left out of service; run 20")
        .shows("went to its end there");
    runs(fleet, "prune", &["--keep", "0"]).exits(0).says(&format!("removed {run}"));
}
