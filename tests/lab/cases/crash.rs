//! kubeadm ends with SUCCESS, and a component that it left crashes.

use super::Level;
use super::rollbook::{Files, run_with};
use crate::lab::{Lab, Shape, Stage};

/// The control plane counts as failed, and no other is touched.
pub(super) fn a_scheduler_crashes_after_success(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 3, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    lab.run(&["crashloop", "cp1", "kube-scheduler"]);
    let outcome = run_with(&lab, &Files::shipped(&lab), "upgrade", "1.21.0", &[]);
    outcome.exits(11).ends_with("cp1").ends_with("scheduler");
    for host in ["cp2", "cp3"] {
        let images = lab.root(host, "grep -h 'image: .*kube-' /etc/kubernetes/manifests/*.yaml");
        assert_eq!(images.matches(":v1.20.2").count(), 3, "{host} was touched: {images}");
    }
    for host in lab.hosts().iter().filter(|host| *host != "cp1") {
        let held = lab.root(host, "dpkg-query -W -f '${Version} ' kubeadm kubelet kubectl");
        assert_eq!(held, "1.20.2-1.1 1.20.2-1.1 1.20.2-1.1 ", "packages of {host}");
    }
}
