//! Failures in the middle of a roll, one after the other on one cluster, and that a later run finishes the upgrade.

use std::time::Duration;

use super::ACCEPT;
use super::rollbook::{Outcome, run, start};
use super::upgrade::everything_is_at;
use crate::lab::{Lab, Shape};

pub(super) fn stop_and_finish() {
    let lab = Lab::up("failures", Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload", "blocking"]);
    run(&lab, "control plane", "1.21.0", &[ACCEPT[0], "--limit", "control_plane"]).exits(0);
    a_drain_is_blocked(&lab);
    a_kubelet_does_not_start(&lab);
    let left = the_power_fails_during_apt(&lab);
    // Somebody has cordoned the one that is left: it is upgraded, and stays cordoned.
    lab.kubectl(&["cordon", &left]);
    run(&lab, "last", "1.21.0", ACCEPT).exits(0);
    assert!(lab.nodes().iter().any(|node| node.name == left && node.cordoned), "{left} was cordoned by hand");
    lab.kubectl(&["uncordon", &left]);
    everything_is_at(&lab, "1.21.0");
}

/// The budget allows nothing: the drain ends in its time, and the last lines name the node.
fn a_drain_is_blocked(lab: &Lab) {
    let node = node_of(lab, "blocking");
    let limit = format!("control_plane | {node}");
    let blocked =
        run(lab, "blocked drain", "1.21.0", &["-p", "drain_timeout=1m", "--limit", &limit, ACCEPT[0]]);
    blocked.exits(11).ends_with(&node);
    assert!(blocked.took < Duration::from_mins(4), "a minute was given to the drain: {:?}", blocked.took);
    lab.kubectl(&["-n", "lab", "delete", "pdb", "blocking"]);
    bring_back(lab, &blocked);
}

fn a_kubelet_does_not_start(lab: &Lab) {
    let host = behind(lab);
    lab.run(&["breakkubelet", &host]);
    let broken = run(lab, "broken kubelet", "1.21.0", ACCEPT);
    broken.exits(11).ends_with(&host);
    lab.run(&["heal", &host]);
    bring_back(lab, &broken);
    lab.all_ready();
}

/// Gives the host back that it happened to.
fn the_power_fails_during_apt(lab: &Lab) -> String {
    let host = behind(lab);
    let mut args = vec!["-p", "target=1.21.0", "--yes", "--verbose"];
    args.extend_from_slice(ACCEPT);
    let mut running = start(lab, "power cut", "run", &args);
    running.until_it_says(&format!("{host}  install kubelet"));
    lab.run(&["kill", &host]);
    let cut = running.wait();
    cut.exits(11).ends_with(&host);
    lab.run(&["start", &host]);
    lab.root(&host, "dpkg --configure -a");
    lab.all_ready();
    bring_back(lab, &cut);
    host
}

/// The first node with the old version.
fn behind(lab: &Lab) -> String {
    lab.nodes().into_iter().find(|node| node.version == "v1.20.2").expect("a node is left to upgrade").name
}

/// Does what the last lines say.
fn bring_back(lab: &Lab, outcome: &Outcome) {
    for command in outcome.commands_to_bring_back() {
        lab.root("cp1", &format!("export KUBECONFIG=/etc/kubernetes/admin.conf; {command}"));
    }
    for node in lab.nodes() {
        assert!(!node.cordoned, "{node:?}");
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
