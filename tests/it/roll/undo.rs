//! Runs that died and left nodes cordoned: what they left is put back, or a new run takes it over.

use std::fs;

use rustix::process::Signal;

use super::fleet::{Fleet, eventually};
use crate::support::rollbook::{Outcome, Rollbook};

/// Hosts that are nodes of a cluster; kubectl runs on the controller.
pub(super) struct Nodes {
    pub(super) fleet: Fleet,
    count: usize,
}

const RUN: &str = r#"
- cordon: {}
- command: { argv: ["@gated", "{{ host.name }}"] }
  effect: changes
- uncordon: {}
"#;

/// Works once the gate is open; the first time only, so that a second run has nothing that it waits for.
const GATED: &str = "#!/bin/sh\n\
    here=$(dirname \"$0\")\n\"$here/work\" \"$1\" gated 0\n\
    [ -e \"$here/open\" ] || cat \"$here/gate\"\n\
    \"$here/work\" \"$1\" after 0\n";

impl Nodes {
    pub(super) fn of(count: usize) -> Self {
        let fleet = Fleet::of(count);
        for number in 1..=count {
            let node = fleet.path(&format!("nodes/h{number}"));
            fs::create_dir_all(&node).unwrap();
            fs::copy(fleet.hosts[number - 1].path("machine-id"), format!("{node}/machine")).unwrap();
        }
        fs::create_dir(fleet.path("bin")).unwrap();
        let script = include_str!("../support/kubectl.sh").replace("@NODES@", &fleet.path("nodes"));
        fleet.file("bin/kubectl", &script);
        fleet.file("gated", GATED);
        fleet.fifo("gate");
        // The lock of a cluster is no matter of this stand-in for kubectl, which knows nodes only.
        fleet.runbook("kube: { via: controller }\npolicy: { lock: { scope: none } }", "batches: [1]", RUN);
        Self { fleet, count }
    }

    fn rollbook(&self, verb: &str, file: &str, more: &[&str]) -> Rollbook {
        self.fleet.rollbook_on(verb, file, more).programs(self.fleet.path("bin"))
    }

    pub(super) fn run(&self, more: &[&str]) -> Rollbook {
        let args = ["-i", "inventory.yaml", "--yes", "--state-dir", "state"];
        self.rollbook("run", "up.yaml", &[&args, more].concat())
    }

    pub(super) fn undo(&self, run: &str, more: &[&str]) -> Outcome {
        self.rollbook("runs", "undo", &[&[run, "--state-dir", "state"], more].concat()).run()
    }

    /// Nodes that are cordoned, and by whom.
    pub(super) fn cordons(&self) -> Vec<(String, String)> {
        let cordoned =
            |name: &String| fs::metadata(self.fleet.path(&format!("nodes/{name}/cordoned"))).is_ok();
        let by = |name: String| {
            let by = fs::read_to_string(self.fleet.path(&format!("nodes/{name}/by"))).unwrap_or_default();
            (name, by.trim().to_owned())
        };
        (1..=self.count).map(|number| format!("h{number}")).filter(cordoned).map(by).collect()
    }

    /// When kubectl was last asked to uncordon, in nanoseconds since 1970.
    fn uncordoned_at(&self) -> u128 {
        let log = fs::read_to_string(self.fleet.path("kubectl.log")).unwrap();
        let line = log.lines().rfind(|line| line.contains("\"value\":false")).unwrap();
        line.split(' ').next().unwrap().parse().unwrap()
    }

    /// Lets what waits at the gate go on, and everybody who comes later.
    pub(super) fn open(&self) {
        fs::write(self.fleet.path("gate"), "").unwrap();
        fs::write(self.fleet.path("open"), "").unwrap();
    }

    /// Starts a run and kills it while it works on the first host; the run's id.
    pub(super) fn killed(&self) -> String {
        let running = self.run(&[]).start();
        self.fleet.await_lines(1, 2);
        let run = self.fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(self.undo(&run, &["--yes"]).exits(75).stdout, "");
        running.signal(Signal::KILL);
        running.end();
        assert_eq!(self.cordons(), [("h1".to_owned(), run.clone())]);
        run
    }

    fn words(&self) -> Vec<String> {
        self.fleet.steps(1)
    }
}

const ONCE: [&str; 4] = ["gated begin", "gated end", "after begin", "after end"];

#[test]
fn what_a_killed_run_left_is_put_back_once() {
    let nodes = Nodes::of(2);
    let run = nodes.killed();
    nodes.undo(&run, &[]).exits(64).says("--yes");
    // Its command still runs on the host, under the cordon: that is waited for.
    let undoing = nodes.rollbook("runs", "undo", &[&run, "--state-dir", "state", "--yes"]).start();
    eventually("the undo looks at the host", || {
        fs::read_to_string(nodes.fleet.path("state/lock")).unwrap_or_default().contains("undone")
    });
    assert_eq!(nodes.cordons().len(), 1);
    nodes.open();
    let undone = undoing.end().exits(0).says("h1  waits for the end of").says("uncordon h1");
    assert_eq!(nodes.words(), ONCE, "{}", undone.stderr);
    assert_eq!(nodes.cordons(), []);
    let ended = nodes.fleet.log(1).last().unwrap().at;
    assert!(nodes.uncordoned_at() > ended, "uncordoned under a command that still ran");
    // Nothing is left to do, and nothing to go on with.
    nodes.undo(&run, &["--yes"]).exits(0).says("nothing to do");
    let resume = nodes.rollbook("resume", &run, &["--state-dir", "state"]).run();
    resume.exits(64).says(&format!("run {run} was undone by run 20"));
    nodes.rollbook("resume", "--state-dir", &["state"]).run().exits(64).says("no run can go on");
    nodes.rollbook("runs", "list", &["--state-dir", "state"]).run().exits(0).shows("undone");
    nodes.run(&[]).run().exits(0);
    assert_eq!(nodes.cordons(), []);
}

#[test]
fn a_cordon_that_is_somebody_elses_by_now_stays() {
    let nodes = Nodes::of(1);
    let run = nodes.killed();
    nodes.open();
    fs::write(nodes.fleet.path("nodes/h1/by"), "another\n").unwrap();
    let undo = nodes.undo(&run, &["--yes"]).exits(11).says("nothing to do").says("h1  is left half-changed");
    assert!(!undo.stderr.contains("never changed"), "{}", undo.stderr);
    assert_eq!(nodes.cordons(), [("h1".to_owned(), "another".to_owned())]);
}

#[test]
fn an_undo_that_cannot_reach_the_cluster_leaves_all_as_it_was_and_says_so() {
    let nodes = Nodes::of(1);
    let run = nodes.killed();
    nodes.open();
    let kubectl = nodes.fleet.path("bin/kubectl");
    fs::rename(&kubectl, nodes.fleet.path("away")).unwrap();
    nodes.fleet.file("bin/kubectl", "#!/bin/sh\necho broken >&2\nexit 3\n");
    nodes
        .undo(&run, &["--yes"])
        .exits(11)
        .says("h1  is left as it was: cannot read the output of `kubectl get nodes`");
    assert_eq!(nodes.cordons().len(), 1);
    fs::rename(nodes.fleet.path("away"), &kubectl).unwrap();
    nodes.undo(&run, &["--yes"]).exits(0);
    assert_eq!(nodes.cordons(), []);
}

#[test]
fn with_its_record_lost_the_cordon_of_a_dead_run_is_shown_and_taken_over() {
    let nodes = Nodes::of(2);
    let run = nodes.killed();
    nodes.open();
    eventually("the command has ended", || nodes.words().len() == 4);
    fs::remove_dir_all(nodes.fleet.path("state")).unwrap();
    let plan =
        |more: &[&str]| nodes.rollbook("plan", "up.yaml", &[&["-i", "inventory.yaml"], more].concat()).run();
    plan(&[]).exits(0).shows(&format!("cordoned by run {run}, and stays so: h1")).shows("--adopt-cordons");
    plan(&["--adopt-cordons", "20200101-000000-0000"]).exits(65).says("no node is cordoned by run");
    plan(&["--adopt-cordons", &run, "--limit", "h2"]).exits(65).says("--limit");
    let words = format!("take over the cordon of h1 from run {run}");
    plan(&["--adopt-cordons", &run]).exits(0).shows(&words);
    nodes.run(&["--adopt-cordons", &run]).run().exits(0);
    assert_eq!(nodes.cordons(), []);
}
