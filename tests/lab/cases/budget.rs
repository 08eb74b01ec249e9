//! Nodes that others took out count against the budget, and stay as they are.

use super::audit::{order, turns};
use super::failures::bring_back;
use super::rollbook::{Files, roll, run_with};
use super::watch::{Watch, never};
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

/// Six workers, a budget of two. `w6` is cordoned by hand all the time.
pub(super) fn others_spend_the_budget(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 6, kubernetes: "1.20.2" });
    lab.run(&["workload", "finalizer"]);
    let files = Files::brisk(&lab);
    run_with(&lab, &files, "control plane", "1.21.0", &[ACCEPT[0], "--limit", "control_plane"]).exits(0);
    lab.kubectl(&["cordon", "w6"]);
    a_host_loses_power_while_it_is_drained(&lab, &files);
    somebody_else_is_waited_for(&lab, &files);
    let cordoned: Vec<String> =
        lab.nodes().into_iter().filter(|node| node.cordoned).map(|node| node.name).collect();
    assert_eq!(cordoned, ["w6"], "what was cordoned by hand stays so, and nothing else");
}

/// `w6` and `w2` hold the budget then: `w3` is not touched, and both are named.
fn a_host_loses_power_while_it_is_drained(lab: &Lab, files: &Files) {
    // Its pod is evicted and never goes: the drain of w2 lasts until its time is over.
    let pin = r#"{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"w2"}}}}}"#;
    lab.kubectl(&["-n", "lab", "patch", "deployment", "finalizer", "-p", pin]);
    lab.kubectl(&["-n", "lab", "rollout", "status", "deployment", "finalizer", "--watch=false"]);
    lab.eventually("the pod that never goes is on w2", |lab| stuck_on(lab, "w2"));
    // The one before it stood wherever the scheduler had put it, and would hold up another drain.
    let elsewhere = [
        "-n",
        "lab",
        "get",
        "pods",
        "-l",
        "stuck=true",
        "--field-selector",
        "spec.nodeName!=w2",
        "-o",
        "name",
    ];
    release(lab, &elsewhere);
    let began = lab.now();
    let watch = Watch::start(lab);
    let limit = "control_plane | w1 | w2 | w3";
    let args = [ACCEPT[0], "-p", "drain_timeout=1m", "--limit", limit];
    let running = roll(lab, files, "power cut", "1.21.0", &args);
    // One slot is left for two: w3 comes later, because apt is locked there until w2 has it.
    lab.eventually("w1 is being drained", |lab| is_cordoned(lab, "w1"));
    lab.run(&["aptlock", "w3", "600"]);
    lab.eventually("w2 is being drained", |lab| is_cordoned(lab, "w2"));
    lab.run(&["heal", "w3"]);
    lab.run(&["kill", "w2"]);
    let outcome = running.wait();
    let samples = watch.end();
    outcome.exits(11).ends_with("w2").ends_with("w6");
    assert!(samples.len() > 20, "only {} looks at the cluster", samples.len());
    never(&samples, "workers are out beyond the budget", |sample| sample.out_of("w") > 2);
    let turns = turns(&lab.audit(&began));
    assert_eq!(order(&turns), ["w1", "w2"], "w3 had no slot: {turns:?}");
    assert!(!turns.iter().any(|turn| turn.node == "w6"), "{turns:?}");

    lab.run(&["start", "w2"]);
    lab.all_ready();
    release(lab, &["-n", "lab", "get", "pods", "-l", "stuck=true", "-o", "name"]);
    lab.kubectl(&["-n", "lab", "delete", "deployment", "finalizer", "--wait=false"]);
    bring_back(lab, &outcome, &["w6"]);
    run_with(lab, files, "the rest", "1.21.0", &[ACCEPT[0], "--limit", limit]).exits(0);
}

/// Somebody has also cordoned `w1`: the run waits, takes nobody out, and goes on when `w1` is given back.
fn somebody_else_is_waited_for(lab: &Lab, files: &Files) {
    lab.kubectl(&["cordon", "w1"]);
    let began = lab.now();
    let watch = Watch::start(lab);
    let mut running = roll(lab, files, "waiting", "1.21.0", ACCEPT);
    running.until_it_says("waits for the budget");
    // Long enough for the run to look again, and again.
    watch.sees(40);
    assert_eq!(order(&turns(&lab.audit(&began))), Vec::<&str>::new(), "the budget is spent");
    lab.kubectl(&["uncordon", "w1"]);
    running.wait().exits(0);
    never(&watch.end(), "workers are out beyond the budget", |sample| sample.out_of("w") > 2);
    assert!(lab.nodes().iter().all(|node| node.version == "v1.21.0"), "{:?}", lab.nodes());
}

fn is_cordoned(lab: &Lab, name: &str) -> bool {
    lab.nodes().iter().any(|node| node.name == name && node.cordoned)
}

/// Lets the pods of this question go.
fn release(lab: &Lab, question: &[&str]) {
    for pod in lab.kubectl(question).lines() {
        lab.kubectl(&["-n", "lab", "patch", pod, "-p", r#"{"metadata":{"finalizers":null}}"#]);
    }
}

fn stuck_on(lab: &Lab, node: &str) -> bool {
    let on = "jsonpath={range .items[*]}{.spec.nodeName} {.status.phase}\n{end}";
    let pods = lab.kubectl(&["-n", "lab", "get", "pods", "-l", "stuck=true", "-o", on]);
    pods.lines().any(|line| line == format!("{node} Running"))
}
