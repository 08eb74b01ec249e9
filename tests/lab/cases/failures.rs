//! Failures in the middle of a roll, one after the other on one cluster, and that a later run finishes the upgrade.

use std::time::Duration;

use super::rollbook::{Files, Outcome, roll, run_with};
use super::upgrade::everything_is_at;
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

pub(super) fn stop_and_finish(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload", "blocking"]);
    lab.run(&["repo", "break", "hang", "1.21.0"]);
    let files = Files::brisk(&lab);
    run_with(&lab, &files, "control plane", "1.21.0", &[ACCEPT[0], "--limit", "control_plane"]).exits(0);
    a_drain_is_blocked(&lab, &files);
    a_kubelet_does_not_start(&lab, &files);
    let left = the_power_fails_during_apt(&lab, &files);
    // Somebody has cordoned the one that is left: it is upgraded, and stays cordoned.
    lab.kubectl(&["cordon", &left]);
    run_with(&lab, &files, "last", "1.21.0", ACCEPT).exits(0);
    assert!(lab.nodes().iter().any(|node| node.name == left && node.cordoned), "{left} was cordoned by hand");
    lab.kubectl(&["uncordon", &left]);
    everything_is_at(&lab, "1.21.0");
}

/// The budget allows nothing: the drain ends in its time, and the last lines name the node.
fn a_drain_is_blocked(lab: &Lab, files: &Files) {
    let node = node_of(lab, "blocking");
    let limit = format!("control_plane | {node}");
    let args = ["-p", "drain_timeout=1m", "--limit", &limit, ACCEPT[0]];
    let blocked = run_with(lab, files, "blocked drain", "1.21.0", &args);
    blocked.exits(11).ends_with(&node);
    assert!(blocked.took < Duration::from_mins(4), "a minute was given to the drain: {:?}", blocked.took);
    lab.kubectl(&["-n", "lab", "delete", "pdb", "blocking"]);
    bring_back(lab, &blocked, &[]);
}

fn a_kubelet_does_not_start(lab: &Lab, files: &Files) {
    let host = behind(lab);
    lab.run(&["breakkubelet", &host]);
    let broken = run_with(lab, files, "broken kubelet", "1.21.0", ACCEPT);
    broken.exits(11).ends_with(&host);
    lab.run(&["heal", &host]);
    bring_back(lab, &broken, &[]);
    lab.all_ready();
}

/// Gives the host back that it happened to.
fn the_power_fails_during_apt(lab: &Lab, files: &Files) -> String {
    let host = behind(lab);
    lab.root(&host, "touch /run/lab-hang");
    let running = roll(lab, files, "power cut", "1.21.0", ACCEPT);
    lab.eventually("apt-get is in the middle", |lab| lab.root(&host, "ls /run").contains("lab-hung"));
    lab.run(&["reset", &host]);
    let cut = running.wait();
    cut.exits(11).ends_with(&host);
    lab.root(&host, "dpkg --configure -a");
    lab.all_ready();
    bring_back(lab, &cut, &[]);
    host
}

/// The first node with the old version.
fn behind(lab: &Lab) -> String {
    lab.nodes().into_iter().find(|node| node.version == "v1.20.2").expect("a node is left to upgrade").name
}

/// Does what the last lines say: after that every node is in service but those that somebody else has cordoned.
pub(super) fn bring_back(lab: &Lab, outcome: &Outcome, by_hand: &[&str]) {
    for command in outcome.commands_to_bring_back() {
        lab.root("cp1", &format!("export KUBECONFIG=/etc/kubernetes/admin.conf; {command}"));
    }
    for node in lab.nodes() {
        assert_eq!(node.cordoned, by_hand.contains(&node.name.as_str()), "{node:?}");
    }
}

fn node_of(lab: &Lab, app: &str) -> String {
    lab.kubectl(&[
        "-n",
        "lab",
        "get",
        "pod",
        "-l",
        &format!("app={app}"),
        "-o",
        "jsonpath={.items[0].spec.nodeName}",
    ])
}
