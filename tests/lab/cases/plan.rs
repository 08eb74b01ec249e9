//! What a plan shows is what its run does, and making it writes nothing. On the smallest cluster: one control plane, whose
//! API is away while it is upgraded, and one worker.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use super::audit::{writes, writes_of_others};
use super::rollbook::{Files, call, run, start_with};
use super::upgrade::everything_is_at;
use super::{ACCEPT, Level, etcd, prints};
use crate::lab::{Lab, Shape, Stage, text_at};

pub(super) fn shows_what_its_run_does(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    lab.run(&["workload"]);
    // Its pods have no other node to go to: the budget would never let the drain end.
    lab.kubectl(&["-n", "lab", "delete", "pdb", "web"]);
    let refused = run(&lab, "outage not accepted", "1.21.0", &[]);
    assert_ne!(refused.code, 0, "{refused:?}");
    refused.ends_with("--accept-control-plane-outage");

    let saved = a_plan_writes_nothing(&lab);
    let events = lab.kept.join("events.jsonl");
    let path = events.to_str().expect("UTF-8");
    call(&lab, "its run", &["run", &saved, "--yes", "--verbose", "--events", path]).wait().exits(0);
    everything_is_at(&lab, "1.21.0");
    the_run_did_what_was_shown(&json(&saved), &fs::read_to_string(&events).unwrap());
    // The same plan once more: it was used.
    call(&lab, "its run", &["run", &saved, "--yes"]).wait().exits(14);
}

/// Neither on hosts nor in the cluster: files, packages and units; the requests of our client; and what others write in the
/// meantime are heartbeats, as the audit log has it and as etcd has it, where every revision names what was written.
fn a_plan_writes_nothing(lab: &Lab) -> String {
    let before = prints::of_hosts(lab);
    let began = lab.now();
    let revision = etcd::revision(lab);
    let saved = lab.kept.join("up.plan.json");
    let saved = saved.to_str().expect("UTF-8");
    let mut args = vec!["-p", "target=1.21.0", "-o", saved, "--detailed-exitcode"];
    args.extend_from_slice(ACCEPT);
    let planned = start_with(lab, &Files::brisk(lab), "plan", "plan", &args).wait();
    planned.exits(2);
    assert!(planned.stdout.contains("kubeadm upgrade apply"), "{}", planned.stdout);
    let audit = lab.audit(&began);
    assert_eq!(writes(&audit), Vec::<String>::new());
    assert_eq!(writes_of_others(&audit), BTreeSet::new());
    assert_eq!(etcd::written_since(lab, revision), BTreeSet::new(), "only heartbeats move etcd's revision");
    prints::must_be_equal(&before, &prints::of_hosts(lab));
    saved.to_owned()
}

/// Every task that was shown as a change, or as one that runs, did change something; and nothing else did, but for what
/// was shown as known later.
fn the_run_did_what_was_shown(plan: &Json, events: &str) {
    let mut done = BTreeSet::new();
    for event in events.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
        if text_at(&event, "/event/type") == "task_ended" && event.pointer("/event/end/changed").is_some() {
            let index =
                |pointer| event.pointer(pointer).and_then(Json::as_u64).expect("task ids are numbers");
            done.insert((index("/event/task/phase"), index("/event/task/host"), index("/event/task/index")));
        }
    }
    let (mut shown, mut possible) = (BTreeSet::new(), BTreeSet::new());
    for (phase, planned) in (0..).zip(list(plan, "/plan/phases")) {
        for tasks in list(planned, "/hosts") {
            let host = tasks.get("host").and_then(Json::as_u64).expect("host ids are numbers");
            for (index, task) in (0..).zip(list(tasks, "/tasks")) {
                let forecast = &task["forecast"];
                let fidelity = ["/changes/fidelity", "/runs/fidelity"].map(|at| text_at(forecast, at));
                if fidelity.contains(&"exact") || fidelity.contains(&"predicted") {
                    shown.insert((phase, host, index));
                }
                let quiet = forecast.get("holds").is_some()
                    || matches!(forecast.as_str(), Some("bracket_holds" | "excluded"));
                if !quiet {
                    possible.insert((phase, host, index));
                }
            }
        }
    }
    assert!(done.len() > 10 && shown.len() > 10, "{done:?}, {shown:?}");
    let missing: Vec<_> = shown.difference(&done).collect();
    assert!(missing.is_empty(), "shown, and not done (phase, host, task): {missing:?}");
    let extra: Vec<_> = done.difference(&possible).collect();
    assert!(extra.is_empty(), "done, and not shown (phase, host, task): {extra:?}");
}

fn list<'a>(json: &'a Json, pointer: &str) -> &'a [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn json(path: &str) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
