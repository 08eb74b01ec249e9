//! What must be refused before anything changes.

use std::fs;

use super::audit::writes;
use super::rollbook::{BRISK, Files, Outcome, run_with};
use super::{ACCEPT, Level, prints};
use crate::lab::{Lab, Shape, Stage};

pub(super) fn nothing_changes(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let before = prints::of_hosts(&lab);
    let began = lab.now();
    let mut changes = vec![("nodes: ready, for: 1m", "nodes: ready, for: 5s")];
    changes.extend_from_slice(BRISK);
    let files = Files::but(&lab, &changes);
    let refused_over = |files: &Files, name: &str, target: &str, code: i32| -> Outcome {
        let outcome = run_with(&lab, files, name, target, ACCEPT);
        outcome.exits(code);
        outcome
    };
    let refused = |name: &str, target: &str, code: i32| refused_over(&files, name, target, code);

    refused("two minors at once", "1.22.0", 10).ends_with("leaves out a minor version");
    // The candidates of the new minor are looked up in private: the repository is not switched for that.
    refused("no repository has it", "1.21.99", 10).ends_with("1.21.99");

    lab.run(&["swap", "w2"]);
    refused("swap is on", "1.21.0", 10).ends_with("w2").ends_with("Swap is on");
    lab.run(&["heal", "w2"]);

    // Nothing would bring it back.
    lab.run(&["workload", "bare"]);
    refused("a pod without a controller", "1.21.0", 10).ends_with("lab/bare");
    // Gone before its node is cut off: one that is still terminating is a reason to refuse, too.
    lab.kubectl(&["-n", "lab", "delete", "pod", "bare", "--now"]);

    // The connection to w1 leads to the machine of w2, and its host key fits: machine ids tell.
    refused_over(&swapped(&lab, &files), "addresses are swapped", "1.21.0", 65).ends_with("w1");

    // Stopped, not ended: its start time is a fingerprint. Its node needs a while to be found silent.
    lab.root("w2", "kill -STOP $(pidof kubelet)");
    lab.run(&["partition", "w1"]);
    refused("a host cannot be reached", "1.21.0", 12).ends_with("w1");
    lab.run(&["heal", "w1"]);

    lab.eventually("only w2 is not Ready", |lab| {
        let nodes = lab.nodes();
        nodes.iter().filter(|node| !node.ready).map(|node| node.name.as_str()).eq(["w2"])
    });
    refused("a node is not ready", "1.21.0", 10).ends_with("w2");
    lab.root("w2", "kill -CONT $(pidof kubelet)");
    lab.all_ready();

    // A run that is refused by its own preflight had the lock of the cluster, and gave it back.
    let lock = |write: &String| !write.contains("/namespaces/kube-system/leases");
    let written: Vec<String> = writes(&lab.audit(&began)).into_iter().filter(lock).collect();
    assert_eq!(written, Vec::<String>::new());
    let lease = lab.kubectl(&["-n", "kube-system", "get", "lease", "rollbook", "-o", "yaml"]);
    let left =
        lease.lines().find(|line| line.contains("holderIdentity: ") || line.contains("rollbook.dev/run:"));
    assert_eq!(left, None, "{lease}");
    prints::must_be_equal(&before, &prints::of_hosts(&lab));
}

/// The names of `w1` and `w2` change places in what ssh is told; addresses and key aliases stay together.
fn swapped(lab: &Lab, files: &Files) -> Files {
    let swapped = |line: &str| match line {
        "Host w1" => "Host w2".to_owned(),
        "Host w2" => "Host w1".to_owned(),
        _ => line.to_owned(),
    };
    let theirs = lab.dir.join("ssh_config");
    let config: Vec<String> = fs::read_to_string(&theirs).unwrap().lines().map(swapped).collect();
    let ours = lab.kept.join("ssh_config");
    fs::write(&ours, config.join("\n") + "\n").unwrap();
    let (theirs, ours) = (theirs.to_str().expect("UTF-8"), ours.to_str().expect("UTF-8"));
    let inventory = fs::read_to_string(lab.inventory()).unwrap();
    assert!(inventory.contains(theirs), "{inventory}");
    let path = lab.kept.join("swapped.yaml");
    fs::write(&path, inventory.replace(theirs, ours)).unwrap();
    Files { inventory: path, ..files.clone() }
}
