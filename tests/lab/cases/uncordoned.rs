//! Somebody uncordons a node between its drain and its reboot, and pods come back: the node is drained again before it
//! reboots. Once while the run goes on, once after a hard stop, by doing all that its last lines offer.

use rustix::process::Signal;

use super::Level;
use super::audit::turns;
use super::rollbook::{Files, Outcome, Running, call, start_with};
use crate::lab::{Lab, Shape, Stage};

/// A drain, a pause that the case ends, a reboot.
const RUNBOOK: &str = r#"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: uncordoned }
policy: { lock: { scope: cluster, ttl: 10m } }
kube: { via: control_plane, kubeconfig: /etc/kubernetes/admin.conf }
defaults: { become: true, timeout: 10m }
phases:
  - name: workers
    hosts: w1
    steps:
      - drain: { timeout: 2m }
      - script: { text: "touch /run/drained; until [ -e /run/go ]; do sleep 0.2; done" }
        effect: changes
      - reboot: {}
      - wait: { node: ready, for: 5m, stable_for: 5s }
      - uncordon: {}
"#;

pub(super) fn a_node_is_drained_again(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let files = Files::written(&lab, "uncordoned", RUNBOOK);
    uncordoned_while_the_run_goes_on(&lab, &files);
    both_ways_out_are_followed(&lab, &files);
}

fn uncordoned_while_the_run_goes_on(lab: &Lab, files: &Files) {
    let (began, boot) = (lab.now(), boot_id(lab));
    let running = drained(lab, files, "by hand");
    pods_come_back(lab);
    lab.root("w1", "touch /run/go");
    running.wait().exits(0);
    rebooted_without_pods(lab, &boot);
    let hands: Vec<(bool, bool)> =
        of_w1(lab, &began).into_iter().map(|(cordoned, by)| (cordoned, by == "lab")).collect();
    assert_eq!(hands, [(true, false), (false, true), (true, false), (false, false)]);
}

fn both_ways_out_are_followed(lab: &Lab, files: &Files) {
    let boot = boot_id(lab);
    let running = drained(lab, files, "stopped");
    running.signal(Signal::INT);
    lab.eventually("the first Ctrl-C is heard", |_| running.has_said("Ctrl-C"));
    running.signal(Signal::INT);
    lab.root("w1", "touch /run/go");
    let stopped = running.wait();
    assert_ne!(stopped.code, 0, "{}", stopped.stderr);
    offers_alternatives(&stopped);
    pods_come_back(lab);
    call(lab, "stopped", &["resume", "--verbose"]).wait().exits(0);
    rebooted_without_pods(lab, &boot);
}

/// The way back and the way on exclude each other, and the last lines say so.
fn offers_alternatives(stopped: &Outcome) {
    let last = stopped.last_lines(25);
    for word in ["either", "or", "kubectl uncordon w1", "rollbook resume"] {
        assert!(last.contains(word), "the last lines do not say {word:?}:\n{last}");
    }
}

/// Starts the run and waits until w1 is drained.
fn drained(lab: &Lab, files: &Files, name: &str) -> Running {
    lab.root("w1", "rm -f /run/drained /run/go");
    let running = start_with(lab, files, name, "run", &["--yes", "--verbose"]);
    lab.eventually("w1 is drained", |lab| lab.root("w1", "ls /run").contains("drained"));
    running
}

/// Uncordons w1, and sees to it that a pod that counts runs there again.
fn pods_come_back(lab: &Lab) {
    lab.kubectl(&["uncordon", "w1"]);
    lab.kubectl(&["cordon", "w2"]);
    let pods = lab.kubectl(&["-n", "lab", "get", "pods", "-l", "app=web", "-o", "name"]);
    let first = pods.lines().next().expect("the workload has pods");
    lab.kubectl(&["-n", "lab", "delete", "--wait=false", first]);
    lab.eventually("a pod runs on w1 again", |lab| !on_w1(lab).is_empty());
    lab.kubectl(&["uncordon", "w2"]);
    lab.kubectl(&["-n", "lab", "wait", "--for=condition=Available", "deployment", "web", "--timeout=120s"]);
}

/// Running pods of the Deployment on w1.
fn on_w1(lab: &Lab) -> String {
    let running = "spec.nodeName=w1,status.phase=Running";
    lab.kubectl(&["-n", "lab", "get", "pods", "-l", "app=web", "--field-selector", running, "-o", "name"])
}

/// A pod that was on the node while it went down would have been started again.
fn rebooted_without_pods(lab: &Lab, boot: &str) {
    assert_ne!(boot_id(lab), boot, "w1 did not reboot");
    let restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
    let restarts = lab.kubectl(&["-n", "lab", "get", "pods", "-l", "app=web", "-o", restarts]);
    assert!(restarts.split_whitespace().all(|count| count == "0"), "restarts of the workload: {restarts}");
    assert!(lab.nodes().iter().all(|node| node.ready && !node.cordoned), "{:?}", lab.nodes());
}

/// Who cordoned w1 (true) or uncordoned it, in order.
fn of_w1(lab: &Lab, since: &str) -> Vec<(bool, String)> {
    let turns = turns(&lab.audit(since)).into_iter().filter(|turn| turn.node == "w1");
    turns.map(|turn| (turn.cordoned, turn.by)).collect()
}

fn boot_id(lab: &Lab) -> String {
    lab.root("w1", "cat /proc/sys/kernel/random/boot_id")
}
