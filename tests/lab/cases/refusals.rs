//! What must be refused before anything changes.

use super::audit::writes;
use super::prints;
use super::rollbook::{Outcome, run};
use crate::lab::{Lab, Shape};

pub(super) fn nothing_changes() {
    let lab = Lab::up("refusals", Shape { control_planes: 3, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    let before = prints::of_hosts(&lab);
    let began = lab.now();
    let refused = |name: &str, target: &str, code: i32| -> Outcome {
        let outcome = run(&lab, name, target, &[]);
        outcome.exits(code);
        outcome
    };

    refused("two minors at once", "1.22.0", 10).ends_with("leaves out a minor version");

    lab.run(&["partition", "w1"]);
    lab.eventually("w1 is not Ready", |lab| lab.nodes().iter().any(|node| node.name == "w1" && !node.ready));
    refused("a host cannot be reached", "1.21.0", 12).ends_with("w1");
    lab.run(&["heal", "w1"]);
    lab.all_ready();

    // Stopped, not ended: its start time is a fingerprint.
    lab.root("w2", "kill -STOP $(pidof kubelet)");
    lab.eventually("w2 is not Ready", |lab| lab.nodes().iter().any(|node| node.name == "w2" && !node.ready));
    refused("a node is not ready", "1.21.0", 10).ends_with("w2");
    lab.root("w2", "kill -CONT $(pidof kubelet)");
    lab.all_ready();

    lab.run(&["swap", "w2"]);
    refused("swap is on", "1.21.0", 10).ends_with("w2").ends_with("Swap is on");
    lab.run(&["heal", "w2"]);

    // The candidates of the new minor are looked up in private: the repository is not switched for that.
    refused("no repository has it", "1.21.99", 10).ends_with("1.21.99");

    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());
    prints::must_be_equal(&before, &prints::of_hosts(&lab));
}
