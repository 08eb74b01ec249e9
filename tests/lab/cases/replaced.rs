//! Somebody deletes a worker's node between plan and run, and its kubelet registers again: the saved plan is not rolled, as
//! long as the node is gone and when another one has its name. A new plan is.

use super::Level;
use super::audit::writes;
use super::rollbook::{Files, Outcome, call, start_with};
use crate::lab::{Lab, Shape, Stage};

/// Whatever is sent to a worker leaves a file there.
const RUNBOOK: &str = r#"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: replaced }
policy: { lock: { scope: cluster, ttl: 10m } }
kube: { via: control_plane, kubeconfig: /etc/kubernetes/admin.conf }
defaults: { become: true, timeout: 10m }
phases:
  - name: workers
    hosts: w1 | w2
    rollout: { batches: [1], max_unavailable: 1 }
    steps:
      - drain: { timeout: 2m }
      - script: { text: "touch /run/rolled" }
      - uncordon: {}
"#;

pub(super) fn a_plan_is_for_the_nodes_that_it_saw(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    let files = Files::written(&lab, "replaced", RUNBOOK);
    let saved = planned(&lab, &files, "first");
    let old = uid(&lab);

    lab.kubectl(&["delete", "node", "w2"]);
    let gone = refused(&lab, &saved);
    says(&gone, &["w2", &old, "no longer exists", "plan again"]);

    lab.root("w2", "systemctl restart kubelet");
    lab.eventually("w2 registers again", |lab| {
        lab.nodes().iter().any(|node| node.name == "w2" && node.ready)
    });
    let new = uid(&lab);
    assert_ne!(new, old, "the node has another UID");
    let replaced = refused(&lab, &saved);
    says(&replaced, &["w2", &old, &new, "was replaced", "plan again"]);

    let saved = planned(&lab, &files, "second");
    call(&lab, "its run", &["run", &saved, "--yes", "--verbose"]).wait().exits(0);
    for worker in ["w1", "w2"] {
        assert!(was_rolled(&lab, worker), "{worker} was left out");
    }
    assert!(lab.nodes().iter().all(|node| node.ready && !node.cordoned), "{:?}", lab.nodes());
}

fn planned(lab: &Lab, files: &Files, name: &str) -> String {
    let saved = lab.kept.join(name).with_extension("plan.json").to_str().expect("UTF-8").to_owned();
    start_with(lab, files, name, "plan", &["-o", &saved]).wait().exits(0);
    saved
}

/// Runs a plan that must not begin: nothing is written to the cluster, and nothing is sent to a host.
fn refused(lab: &Lab, saved: &str) -> Outcome {
    let began = lab.now();
    let outcome = call(lab, "refused", &["run", saved, "--yes", "--verbose"]).wait();
    outcome.exits(13);
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());
    for worker in ["w1", "w2"] {
        assert!(!was_rolled(lab, worker), "{worker} was worked on");
    }
    assert!(lab.nodes().iter().all(|node| !node.cordoned), "{:?}", lab.nodes());
    outcome
}

fn says(outcome: &Outcome, words: &[&str]) {
    let last = outcome.last_lines(25);
    for word in words {
        assert!(last.contains(word), "it does not say {word:?}:\n{last}");
    }
}

fn was_rolled(lab: &Lab, worker: &str) -> bool {
    lab.root(worker, "ls /run").lines().any(|name| name == "rolled")
}

fn uid(lab: &Lab) -> String {
    lab.kubectl(&["get", "node", "w2", "-o", "jsonpath={.metadata.uid}"]).trim().to_owned()
}
