//! Tools that lie, or that ask: what they say is not what is, and each is found out before the next drain.

use super::audit::{order, turns};
use super::rollbook::{Files, Outcome, roll, run_with};
use super::upgrade::everything_is_at;
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

/// In order on one cluster; what each part leaves is where the next begins.
pub(super) fn are_found_out(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let files = Files::brisk(&lab);
    kubeadm_says_success_and_does_nothing(&lab, &files);
    kubeadm_says_it_in_other_words(&lab, &files);
    a_mirror_is_dead_and_apt_says_fine(&lab, &files);
    a_package_is_held_by_somebody_else(&lab, &files);
    a_package_asks_about_a_configuration_file(&lab, &files);
    everything_is_at(&lab, "1.21.0");
}

/// On the way there somebody holds the lock of apt's lists, for which apt itself does not wait.
fn kubeadm_says_success_and_does_nothing(lab: &Lab, files: &Files) {
    lab.run(&["kubeadmsays", "cp1", "hollow"]);
    lab.run(&["listslock", "cp1", "600"]);
    let began = lab.now();
    let running = roll(lab, files, "hollow", "1.21.0", &[ACCEPT[0], "--limit", "control_plane"]);
    let met = "grep -rqs 'Could not get lock /var/lib/apt/lists/lock' /var/lib/rollbook && echo yes || true";
    lab.eventually("apt-get met the lock", |lab| lab.root("cp1", met) == "yes\n");
    lab.root("cp1", "systemctl stop lab-fault-lock");
    let hollow = running.wait();
    hollow.ends_with("cp1").ends_with("kubeadm");
    assert!([10, 11].contains(&hollow.code), "{hollow:?}");
    nobody_was_drained(lab, &began);
    let images = lab.root("cp1", "grep -h 'image: .*kube-' /etc/kubernetes/manifests/*.yaml");
    assert_eq!(images.matches(":v1.20.2").count(), 3, "{images}");
    lab.run(&["heal", "cp1"]);
}

fn kubeadm_says_it_in_other_words(lab: &Lab, files: &Files) {
    lab.run(&["kubeadmsays", "cp1", "reworded"]);
    run_with(lab, files, "reworded", "1.21.0", &[ACCEPT[0], "--limit", "control_plane"]).exits(0);
    assert!(lab.nodes().iter().any(|node| node.name == "cp1" && node.version == "v1.21.0"));
    lab.run(&["heal", "cp1"]);
}

/// `apt-get update` exits 0 without its repository.
fn a_mirror_is_dead_and_apt_says_fine(lab: &Lab, files: &Files) {
    lab.run(&["mirrorgone", "w1"]);
    assert_eq!(lab.root("w1", "apt-get -qq update >/dev/null 2>&1; echo $?"), "0\n");
    let began = lab.now();
    let dead = run_with(lab, files, "dead mirror", "1.21.0", ACCEPT);
    assert!([10, 11].contains(&dead.code), "{dead:?}");
    dead.ends_with("w1").ends_with("repo");
    nobody_was_drained(lab, &began);
    lab.run(&["heal", "w1"]);
}

/// The new kubelet wants a newer package that somebody holds back on w1.
fn a_package_is_held_by_somebody_else(lab: &Lab, files: &Files) {
    for kind in ["dependency", "conffile"] {
        lab.run(&["repo", "break", kind, "1.21.0"]);
    }
    // The lists of the good repository may be there already.
    for host in lab.role("w") {
        lab.root(host, "apt-get -qq update && apt-get clean");
    }
    lab.root("w1", "apt-mark hold kubernetes-cni");
    let began = lab.now();
    let held: Outcome = run_with(lab, files, "held by somebody", "1.21.0", ACCEPT);
    assert_ne!(held.code, 0, "{held:?}");
    held.ends_with("w1").ends_with("kubernetes-cni");
    nobody_was_drained(lab, &began);
    assert_eq!(lab.root("w1", "apt-mark showhold kubernetes-cni"), "kubernetes-cni\n");
    lab.root("w1", "apt-mark unhold kubernetes-cni");
}

/// The new kubelet brings a file that is on w2 already, with the operator's own content: dpkg would ask, nobody would
/// answer, and the file stays.
fn a_package_asks_about_a_configuration_file(lab: &Lab, files: &Files) {
    let file = "/etc/default/kubelet";
    lab.root("w2", &format!("echo KUBELET_EXTRA_ARGS=--v=1 >{file}"));
    run_with(lab, files, "conffile", "1.21.0", ACCEPT).exits(0);
    assert_eq!(lab.root("w2", &format!("cat {file}")), "KUBELET_EXTRA_ARGS=--v=1\n");
    assert_eq!(lab.root("w1", &format!("cat {file}")), "KUBELET_EXTRA_ARGS=\n", "the package did bring it");
}

#[track_caller]
fn nobody_was_drained(lab: &Lab, since: &str) {
    let turns = turns(&lab.audit(since));
    assert_eq!(order(&turns), Vec::<&str>::new(), "{turns:?}");
}
