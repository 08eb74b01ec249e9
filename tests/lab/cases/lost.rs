//! Everything is lost at once: power in the middle of a node's upgrade, the controller, and its record. And an API server
//! that is away for longer than the lock of the cluster lives. On the smallest cluster.

use std::fs;

use super::audit::{longest_gap, writes};
use super::rollbook::{BRISK, Files, call, roll, run_with, start_with};
use super::upgrade::everything_is_at;
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

/// The shortest that a lock may live.
const BRIEF: (&str, &str) = ("ttl: 10m", "ttl: 1m");

/// A worker between apt's end and the restart of its kubelet. The cluster and the hosts themselves are all that still knows
/// of the run; a plan shows what they know, and a new run does the rest.
pub(super) fn a_new_run_finishes_what_is_left(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    let mut changes = vec![BRIEF];
    changes.extend_from_slice(BRISK);
    let run = everything_is_lost(&lab, &changes);
    // Only now: they have the names of those that were rolled before.
    let files = Files::but(&lab, &changes);
    lab.run(&["start", "w1"]);
    lab.all_ready();
    let left = lab.nodes().into_iter().find(|node| node.name == "w1").expect("w1 is a node");
    assert!(left.cordoned, "{left:?}");
    assert_eq!(lab.root("w1", "apt-mark showhold kubelet"), "", "the hold was open");

    let began = lab.now();
    let mut args = vec!["-p", "target=1.21.0"];
    args.extend_from_slice(ACCEPT);
    let planned = start_with(&lab, &files, "plan", "plan", &args).wait();
    for word in [&run, "w1", "cordoned", "--adopt-cordons"] {
        let said = format!("{}{}", planned.stdout, planned.stderr);
        assert!(said.contains(word), "the plan does not say {word:?}:\n{said}");
    }
    run_with(&lab, &files, "refused", "1.21.0", ACCEPT).exits(75).ends_with(&run);
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());

    let inventory = files.inventory.to_str().expect("UTF-8");
    let reason = "its controller and its record are gone";
    let give_up = ["lock", "release", "-i", inventory, "--supersede", &run, "--reason", reason];
    call(&lab, "given up", &give_up).wait().exits(0);
    run_with(&lab, &files, "the rest", "1.21.0", &[ACCEPT[0], "--adopt-cordons", &run]).exits(0);
    everything_is_at(&lab, "1.21.0");
}

/// Rolls until kubelet's package is there and its process still the old one, and takes the power from the worker and the
/// life and the record from the controller. Gives the run's id.
fn everything_is_lost(lab: &Lab, changes: &[(&str, &str)]) -> String {
    run_with(
        lab,
        &Files::but(lab, changes),
        "control plane",
        "1.21.0",
        &[ACCEPT[0], "--limit", "control_plane"],
    )
    .exits(0);
    let hold = "  - apt_mark: { hold: [kubelet] }\n";
    let stop = format!(
        "  - script: {{ text: touch /run/apt-has-ended; exec sleep 3600 }}\n    effect: changes\n{hold}"
    );
    let mut changes = changes.to_vec();
    changes.push((hold, &stop));
    let files = Files::but(lab, &changes);
    let running = roll(lab, &files, "lost", "1.21.0", &[ACCEPT[0], "--limit", "w1"]);
    lab.eventually("apt has ended", |lab| lab.root("w1", "ls /run").contains("apt-has-ended"));
    let state = running.dir.join("rollbook");
    let runs: Vec<_> = fs::read_dir(state.join("runs")).unwrap().map(|entry| entry.unwrap()).collect();
    let [run] = runs.as_slice() else { panic!("one run has a record, not {runs:?}") };
    let run = run.file_name().into_string().expect("UTF-8");
    // SIGKILL.
    drop(running);
    lab.run(&["kill", "w1"]);
    fs::remove_dir_all(state).unwrap();
    run
}

/// While a single control plane is upgraded nobody can renew the lock of the cluster, and nobody can take it either: the run
/// goes on when the API is there again, though its lock has lived for too long.
pub(super) fn a_lock_outlives_the_api(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    let mut changes = vec![BRIEF];
    changes.extend_from_slice(BRISK);
    let files = Files::but(&lab, &changes);
    let began = lab.now();
    // The new API server is stopped where it begins, for longer than the lock lives.
    let stop = "old=$(pidof kube-apiserver); new=$old
        while [ -z \"$new\" ] || [ \"$new\" = \"$old\" ]; do sleep 0.1; new=$(pidof kube-apiserver); done
        kill -STOP $new; echo stopped >/run/api-was-away; sleep 80; kill -CONT $new";
    lab.root("cp1", &format!("systemd-run --quiet --collect --unit=lab-fault-absent sh -c '{stop}'"));
    run_with(&lab, &files, "upgrade", "1.21.0", ACCEPT).exits(0);
    assert_eq!(lab.root("cp1", "cat /run/api-was-away"), "stopped\n");
    everything_is_at(&lab, "1.21.0");
    let gap = longest_gap(&lab.audit(&began), "/leases/rollbook");
    assert!(gap.as_secs() > 60, "the lock was renewed all the time: {gap:?} at most between two looks");
}
