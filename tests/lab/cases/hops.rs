//! One minor after the other, as Kubernetes wants it, over the state that the upgrade before left.

use super::rollbook::Files;
use super::rollbook::run_with;
use super::upgrade::{a_second_run_does_nothing, everything_is_at, stayed_within_budget};
use super::watch::Watch;
use crate::lab::{Lab, Shape};

pub(super) fn two_minors() {
    let lab = Lab::up("hops", Shape { control_planes: 3, workers: 2, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    // The second hop as it is shipped, with all its soaks.
    for (target, files) in [("1.21.0", Files::brisk(&lab)), ("1.22.0", Files::shipped(&lab))] {
        let watch = Watch::start(&lab);
        let upgraded = run_with(&lab, &files, &format!("to {target}"), target, &[]);
        let samples = watch.end();
        upgraded.exits(0);
        everything_is_at(&lab, target);
        stayed_within_budget(&samples, 2);
    }
    a_second_run_does_nothing(&lab, &Files::shipped(&lab), "1.22.0");
}
