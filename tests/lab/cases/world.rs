//! The world beside the roll: a repository that dies, a machine behind another's name, a component that crashes after
//! kubeadm has said SUCCESS.

use std::fs;

use super::audit::writes;
use super::rollbook::{Files, roll, run, start_with};
use super::upgrade::everything_is_at;
use super::{ACCEPT, prints};
use crate::lab::{Lab, Shape};

/// All packages are on the hosts before the first drain: a repository that dies later stops nothing.
pub(super) fn the_repository_dies() {
    let lab = Lab::up("mirror", Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let mut running = roll(&lab, &Files::brisk(&lab), "upgrade", "1.21.0", ACCEPT);
    running.until_it_says("batch 2/2");
    lab.run(&["repo", "break", "dead"]);
    running.wait().exits(0);
    everything_is_at(&lab, "1.21.0");
}

/// The connection to `w1` leads to the machine of `w2`, and its host key fits: machine ids tell.
pub(super) fn addresses_are_swapped() {
    let lab = Lab::up("swapped", Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    let before = prints::of_hosts(&lab);
    let began = lab.now();
    let swapped = |text: &str| text.replace("w1\n", "w9\n").replace("w2\n", "w1\n").replace("w9\n", "w2\n");
    let config = fs::read_to_string(lab.dir.join("ssh_config")).unwrap();
    // Only the names that are asked for change places; addresses and key aliases stay together.
    let config: String = config
        .split_inclusive('\n')
        .map(|line| if line.starts_with("Host ") { swapped(line) } else { line.to_owned() })
        .collect();
    let ssh_config = lab.kept.join("ssh_config");
    fs::write(&ssh_config, config).unwrap();
    let inventory = fs::read_to_string(lab.inventory()).unwrap();
    let ours = ssh_config.to_str().expect("UTF-8");
    let inventory = inventory.replace(lab.dir.join("ssh_config").to_str().expect("UTF-8"), ours);
    assert!(inventory.contains(ours), "{inventory}");
    let path = lab.kept.join("inventory.yaml");
    fs::write(&path, inventory).unwrap();

    let mut args = vec!["-p", "target=1.21.0", "--yes"];
    args.extend_from_slice(ACCEPT);
    let files = Files { inventory: path, ..Files::shipped(&lab) };
    let outcome = start_with(&lab, &files, "swapped", "run", &args).wait();
    assert_ne!(outcome.code, 0, "{outcome:?}");
    outcome.ends_with("w1");
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());
    prints::must_be_equal(&before, &prints::of_hosts(&lab));
}

/// kubeadm ends with SUCCESS, and the scheduler that it left crashes: the control plane counts as failed.
pub(super) fn a_scheduler_crashes_after_success() {
    let lab = Lab::up("crash", Shape { control_planes: 3, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    lab.run(&["crashloop", "cp1", "kube-scheduler"]);
    let outcome = run(&lab, "upgrade", "1.21.0", &[]);
    outcome.exits(11).ends_with("cp1").ends_with("scheduler");
    let versions: Vec<String> = ["cp2", "cp3"]
        .map(|host| {
            lab.root(host, "grep -h 'image: .*kube-scheduler' /etc/kubernetes/manifests/kube-scheduler.yaml")
        })
        .into();
    assert!(
        versions.iter().all(|line| line.contains("v1.20.2")),
        "no other control plane was touched: {versions:?}"
    );
    lab.run(&["heal", "cp1"]);
}
