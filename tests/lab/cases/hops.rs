//! Every minor that the lab has, on the smallest cluster: one control plane, whose API is away while it is upgraded.

use std::fs;

use super::audit::writes;
use super::rollbook::{run, start};
use super::upgrade::everything_is_at;
use super::{ACCEPT, prints};
use crate::lab::{Lab, Shape};

pub(super) fn one_control_plane() {
    let lab = Lab::up("hops", Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    a_plan_writes_nothing(&lab);
    let refused = run(&lab, "outage not accepted", "1.21.0", &[]);
    assert_ne!(refused.code, 0, "{refused:?}");
    refused.ends_with("--accept-control-plane-outage");
    for target in ["1.21.0", "1.22.0"] {
        run(&lab, &format!("to {target}"), target, ACCEPT).exits(0);
        everything_is_at(&lab, target);
    }
}

/// Neither on hosts nor in the cluster: files, packages and units, and the requests of our client. (etcd's revision tells
/// nothing: kubelets and leaders renew their leases all the time.)
fn a_plan_writes_nothing(lab: &Lab) {
    let before = prints::of_hosts(lab);
    let began = lab.now();
    let saved = lab.kept.join("up.plan.json");
    let saved = saved.to_str().expect("UTF-8");
    let mut args = vec!["-p", "target=1.21.0", "-o", saved, "--detailed-exitcode"];
    args.extend_from_slice(ACCEPT);
    let planned = start(lab, "plan", "plan", &args).wait();
    planned.exits(2);
    assert!(planned.stdout.contains("kubeadm upgrade apply"), "{}", planned.stdout);
    assert!(fs::metadata(saved).unwrap().len() > 1000, "the plan was saved");
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());
    prints::must_be_equal(&before, &prints::of_hosts(lab));
}
