//! The main job on a real cluster, and that a second run has nothing to do.

use super::Level;
use super::audit::{most_at_once, order, turns, writes};
use super::prints;
use super::rollbook::{Files, run_with};
use super::watch::{Sample, Service, Watch, never};
use crate::lab::{Lab, Shape, Stage};

/// From 1.20.2 to 1.21.0; before a release over the state that this has left and on to 1.22.0, as it is shipped with all its
/// soaks.
pub(super) fn one_minor_after_the_other(stage: &Stage, level: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 3, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    hop(&lab, &Files::brisk(&lab), "1.21.0");
    if level == Level::Full {
        hop(&lab, &Files::shipped(&lab), "1.22.0");
    }
}

/// One minor, and a second run that has nothing to do.
fn hop(lab: &Lab, files: &Files, target: &str) {
    let began = lab.now();
    let watch = Watch::start(lab);
    let upgraded = run_with(lab, files, &format!("to {target}"), target, &[]);
    let samples = watch.end();
    upgraded.exits(0);
    everything_is_at(lab, target);
    stayed_within_budget(lab, &samples, 2);

    let turns = turns(&lab.audit(&began));
    assert!(turns.iter().all(|turn| turn.by == "kubernetes-admin"), "{turns:?}");
    assert_eq!(order(&turns)[..3], ["cp1", "cp2", "cp3"], "{turns:?}");
    assert_eq!(most_at_once(&turns, "cp"), 1, "{turns:?}");
    assert!(most_at_once(&turns, "w") <= 2, "{turns:?}");
    assert_eq!(order(&turns).len(), 5, "every node is cordoned once: {turns:?}");

    a_second_run_does_nothing(lab, files, target);
}

/// Versions, holds, nodes and what is left behind, as hosts and API server have them.
#[track_caller]
pub(super) fn everything_is_at(lab: &Lab, version: &str) {
    for node in lab.nodes() {
        assert_eq!(node.version, format!("v{version}"), "{node:?}");
        assert!(node.ready && !node.cordoned, "{node:?}");
        let ours: Vec<&String> =
            node.annotations.iter().filter(|key| key.starts_with("rollbook.dev/")).collect();
        assert!(
            ours.iter().all(|key| *key == "rollbook.dev/kubeadm-node"),
            "{ours:?} is left on {}",
            node.name
        );
    }
    for host in lab.hosts() {
        for package in ["kubeadm", "kubectl", "kubelet"] {
            let status =
                lab.root(host, &format!("dpkg-query -W -f '${{db:Status-Abbrev}}${{Version}}' {package}"));
            assert_eq!(status, format!("hi {version}-1.1"), "{package} of {host}");
        }
        assert_eq!(lab.root(host, "dpkg --audit"), "", "{host}");
    }
    for host in lab.role("cp") {
        let images = lab.root(host, "grep -h 'image: .*kube-' /etc/kubernetes/manifests/*.yaml");
        assert_eq!(images.matches(&format!(":v{version}")).count(), 3, "static pods of {host}: {images}");
    }
    // A drain moves CoreDNS, too, and the roll has nothing to wait for there.
    lab.eventually("all pods of kube-system run", |lab| {
        let pods = lab.kubectl(&["-n", "kube-system", "get", "pods", "--no-headers"]);
        pods.lines().all(|line| line.contains(" Running "))
    });
}

/// No more than `workers` of them out at once, control planes one at a time, and somebody always behind the Service.
#[track_caller]
pub(super) fn stayed_within_budget(lab: &Lab, samples: &[Sample], workers: usize) {
    assert!(samples.len() > 20, "only {} looks at the cluster", samples.len());
    never(samples, "two control planes are out", |sample| sample.out_of("cp") > 1);
    never(samples, "workers are out beyond the budget", |sample| sample.out_of("w") > workers);
    never(samples, "the workload is below its own budget", |sample| sample.replicas < 1);
    never(samples, "nobody stands behind the service", |sample| sample.service == Service::Nobody);
    let answered = samples.iter().filter(|sample| sample.service == Service::Answers).count();
    lab.stage.says(&format!("{} looks at the cluster, the service answered {answered}", samples.len()));
    assert!(answered * 10 > samples.len() * 8, "the service answered {answered} of {} times", samples.len());
}

/// Nothing to do, and nothing done, as hosts and audit log tell.
#[track_caller]
fn a_second_run_does_nothing(lab: &Lab, files: &Files, target: &str) {
    let before = prints::of_hosts(lab);
    let began = lab.now();
    let again = run_with(lab, files, &format!("to {target} again"), target, &[]);
    again.exits(0).ends_with("nothing to do");
    prints::must_be_equal(&before, &prints::of_hosts(lab));
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());
}
