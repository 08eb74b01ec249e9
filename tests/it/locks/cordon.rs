//! Cordons with the real kubectl, against an API server that takes the patch and loses the answer: whose the cordon is
//! stands on the node, whatever the run was told.

use std::fs;

use rustix::process::Signal;

use crate::roll::fleet::{Fleet, eventually};
use crate::support::apiserver::ApiServer;
use crate::support::rollbook::{Outcome, Rollbook};

/// Two hosts that are nodes of a cluster.
struct Nodes {
    fleet: Fleet,
    api: ApiServer,
}

/// Waits at the gate, the first time only.
const GATED: &str = "#!/bin/sh\n\
    here=$(dirname \"$0\")\n\"$here/work\" \"$1\" gated 0\n\
    [ -e \"$here/open\" ] || cat \"$here/gate\"\n\
    \"$here/work\" \"$1\" after 0\n";

const TOP: &str = "kube: { via: controller, kubeconfig: @kubeconfig }\npolicy: { lock: { ttl: 1m } }";

const STEPS: &str = r#"
- cordon: {}
- command: { argv: ["@gated", "{{ host.name }}"] }
  effect: changes
- uncordon: {}
"#;

impl Nodes {
    fn new() -> Self {
        let (fleet, api) = (Fleet::of(2), ApiServer::start());
        api.write_kubeconfig(&fleet.dir.path().join("kubeconfig"));
        for (name, host) in ["h1", "h2"].into_iter().zip(&fleet.hosts) {
            api.add_node(name, &fs::read_to_string(host.path("machine-id")).unwrap());
        }
        fleet.file("gated", GATED);
        fleet.fifo("gate");
        fleet.runbook(TOP, "batches: [1]", STEPS);
        Self { fleet, api }
    }

    fn rollbook(&self, verb: &str, more: &[&str]) -> Rollbook {
        self.fleet.rollbook(verb, &[&["--allow-commands"], more].concat())
    }

    fn undo(&self, run: &str) -> Outcome {
        let args = [run, "--state-dir", "state", "--yes"];
        self.fleet.rollbook_on("runs", "undo", &args).run()
    }

    /// Starts a run whose cordon is set without an answer, and kills it while it works under it; the run's id.
    fn killed(&self) -> String {
        self.api.lose_answers(1);
        let running = self.rollbook("run", &["--yes", "--state-dir", "state"]).start();
        self.fleet.await_lines(1, 2);
        running.signal(Signal::KILL);
        running.end();
        let run = self.fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(self.api.cordons(), [("h1".to_owned(), run.clone())]);
        run
    }

    /// Lets the command go on that the dead run left, and waits for its end.
    fn settle(&self) {
        fs::write(self.fleet.path("gate"), "").unwrap();
        fs::write(self.fleet.path("open"), "").unwrap();
        eventually("the command has ended", || self.fleet.steps(1).len() == 4);
    }
}

#[test]
fn a_cordon_that_kubectl_set_without_an_answer_is_put_back_by_an_undo() {
    let nodes = Nodes::new();
    let run = nodes.killed();
    nodes.settle();
    nodes.undo(&run).exits(0).says("uncordon h1");
    assert_eq!(nodes.api.cordons(), []);
    nodes.undo(&run).exits(0).says("nothing to do");
}

#[test]
fn a_run_goes_on_under_a_cordon_that_kubectl_set_without_an_answer() {
    let nodes = Nodes::new();
    let run = nodes.killed();
    nodes.settle();
    // The patch that releases it is heard of just as little.
    nodes.api.lose_answers(1);
    nodes.fleet.rollbook_on("resume", &run, &["--allow-commands", "--state-dir", "state"]).run().exits(0);
    assert_eq!((nodes.api.cordons(), nodes.fleet.steps(1).len()), (vec![], 4));
}

#[test]
fn with_its_state_directory_lost_a_plan_tells_of_a_dead_run_and_a_new_one_finishes_its_work() {
    let nodes = Nodes::new();
    let run = nodes.killed();
    nodes.settle();
    fs::remove_dir_all(nodes.fleet.path("state")).unwrap();
    let plan = nodes.rollbook("plan", &[]).run().exits(0);
    plan.says(&format!("note: run {run} of ")).shows(&format!("cordoned by run {run}, and stays so: h1"));
    let again = ["--yes", "--state-dir", "state", "--adopt-cordons", &run];
    nodes.rollbook("run", &again).run().exits(17).says(&format!("run {run} of "));
    let cluster = ["-i", "inventory.yaml", "--via", "controller", "--kubeconfig", "kubeconfig"];
    let give_up = ["--supersede", &run, "--reason", "its disk is gone", "--state-dir", "state"];
    nodes.fleet.rollbook_on("lock", "release", &[&cluster[..], &give_up].concat()).run().exits(0);
    nodes.rollbook("run", &again).run().exits(0);
    assert_eq!(nodes.api.cordons(), []);
    assert_eq!((nodes.fleet.steps(1).len(), nodes.fleet.steps(2).len()), (8, 4));
}

#[test]
fn a_node_that_is_uncordoned_before_its_run_goes_on_is_cordoned_again_before_it_is_disrupted() {
    let nodes = Nodes::new();
    // The op that the dead run left ends; what disrupts comes behind it.
    let steps = STEPS.replace(
        "- uncordon",
        "- command: { argv: [\"@work\", \"{{ host.name }}\", disrupted, \"0\"] }\n- uncordon",
    );
    nodes.fleet.runbook(TOP, "batches: [1]", &steps);
    let run = nodes.killed();
    nodes.settle();
    nodes.api.uncordon("h1");
    let resumed = ["--allow-commands", "--state-dir", "state"];
    let resumed = nodes.fleet.rollbook_on("resume", &run, &resumed).run().exits(0);
    resumed.says("somebody uncordoned h1: it is cordoned again before").says("cordon h1  changed");
    assert_eq!(nodes.api.cordons(), []);
    assert_eq!(nodes.fleet.steps(1).iter().filter(|step| step.contains("disrupted")).count(), 2);
}

#[test]
fn an_undo_that_gives_a_run_up_never_puts_another_name_on_the_lease() {
    let nodes = Nodes::new();
    nodes.fleet.runbook(TOP, "batches: [1]", "- command: { argv: [\"@gated\", \"{{ host.name }}\"] }");
    let running = nodes.rollbook("run", &["--yes", "--state-dir", "state"]).start();
    nodes.fleet.await_lines(1, 2);
    running.signal(Signal::KILL);
    running.end();
    let run = nodes.fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    nodes.settle();
    // Who is stopped half-way must be able to try again: the Lease still names the run that is meant.
    nodes.undo(&run).exits(11).says(&format!("run {run} is given up"));
    assert_eq!(nodes.api.runs_named(), [run]);
    nodes.rollbook("run", &["--yes", "--state-dir", "state"]).run().exits(0);
}
