//! In which order a phase takes its hosts, and what `inventory check` says of node names.

use std::fs;

use serde_json::Value;

use super::support::rollbook::{Outcome, Rollbook};

const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\n";

fn folder(inventory: &str, phase: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("inv.yaml"), format!("{INVENTORY}{inventory}")).unwrap();
    let runbook = format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nphases: [{{ name: p, {phase}, steps: [command: [ls]] }}]\n"
    );
    fs::write(dir.path().join("rb.yaml"), runbook).unwrap();
    dir
}

/// The hosts of a plan's only phase, as its batches take them.
fn order(phase: &str) -> String {
    let inventory = "hosts: { w1: {}, w2: {}, w3: {}, w10: {}, x: {} }\n\
                     groups:\n  racks: { hosts: [w3, w10, w1] }\n  more: { hosts: [x, w2] }\n  picked: { select: \"w*\" }\n";
    let dir = folder(inventory, phase);
    let args = ["plan", "rb.yaml", "-i", "inv.yaml", "--offline", "--format", "json"];
    let outcome = Rollbook::new(args).dir(dir.path()).run().exits(0);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let plan = plan.get("plan").unwrap_or(&plan);
    let hosts =
        plan["phases"][0]["batches"].as_array().unwrap().iter().flat_map(|batch| batch.as_array().unwrap());
    let name =
        |id: &Value| plan["hosts"][usize::try_from(id.as_u64().unwrap()).unwrap()]["name"].as_str().unwrap();
    hosts.map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_phase_takes_its_hosts_in_the_order_that_it_asks_for() {
    let cases = [
        // The list of a group is the order of its hosts.
        ("hosts: racks", "", "w3 w10 w1"),
        ("hosts: picked", "", "w1 w2 w3 w10"),
        ("hosts: racks | more", "", "w1 w2 w3 w10 x"),
        ("hosts: racks", "order: inventory", "w1 w3 w10"),
        ("hosts: racks", "order: reverse", "w1 w10 w3"),
        ("hosts: picked", "order: reverse", "w10 w3 w2 w1"),
        ("hosts: racks", "order: sorted", "w1 w10 w3"),
        ("hosts: more | racks", "order: group", "x w2 w3 w10 w1"),
        ("hosts: picked & !more", "order: group", "w1 w3 w10"),
        // Slices count as the inventory does, whatever the order.
        ("hosts: \"racks[0]\"", "order: group", "w1"),
        ("hosts: \"racks[1:]\"", "order: group", "w3 w10"),
    ];
    for (hosts, rollout, expected) in cases {
        for batches in ["", "batches: [1]"] {
            let rollout: Vec<&str> = [rollout, batches].into_iter().filter(|part| !part.is_empty()).collect();
            let phase = format!("{hosts}, rollout: {{ {} }}", rollout.join(", "));
            assert_eq!(order(&phase), expected, "{phase}");
        }
    }
}

/// The hosts in the order in which they went out of service.
fn went_out(stderr: &str) -> Vec<&str> {
    let out = stderr.lines().filter(|line| line.ends_with("goes out of service"));
    out.filter_map(|line| line.split_whitespace().nth(1)).collect()
}

#[test]
fn hosts_of_one_batch_go_out_in_their_order_too() {
    let inventory = "hosts: { w1: {}, w2: {}, w3: {} }\ngroups: { racks: { hosts: [w3, w1, w2] } }\n";
    let dir = folder(inventory, "hosts: racks, rollout: { parallel: 3 }");
    let args = ["rehearse", "rb.yaml", "-i", "inv.yaml", "--allow-commands"];
    let outcome = Rollbook::new(args).dir(dir.path()).run().exits(0);
    assert_eq!(went_out(&outcome.stderr), ["w3", "w1", "w2"], "{}", outcome.stderr);
}

fn check(hosts: &str) -> Outcome {
    let dir = folder(&format!("hosts: {hosts}\n"), "hosts: all");
    Rollbook::new(["inventory", "check", "-i", "inv.yaml"]).dir(dir.path()).run()
}

#[test]
fn node_names_that_cannot_be_are_found_by_inventory_check() {
    check("{ a: { node_name: n1 }, b: { node_name: n2 } }").exits(0);
    check("{ a: { node_name: N_1 } }").exits(65).says("`N_1` is no node name");
    check("{ a: { node_name: n1 }, b: { node_name: n1 } }").exits(65).says("`a` and `b` are both node `n1`");
    check("{ a: { node_name: b }, b: {} }").exits(65).says("`a` and `b` are both node `b`");
}
