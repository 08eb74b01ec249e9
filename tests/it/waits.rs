//! Waiting is never silent: a line when it begins, with its reason, and a line when it is over. Over simulated hosts.

use rollbook::simulation::Fault;
use rollbook::value::Duration;

use super::support::cluster::{Cluster, story};

fn runbook(rollout: &str, steps: &str) -> String {
    let steps = steps.lines().fold(String::new(), |text, line| text + "      " + line + "\n");
    format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: case }}\nkube: {{ via: control_plane }}\n\
         defaults: {{ become: true }}\nphases:\n  - name: workers\n    hosts: workers\n    rollout: {{ {rollout} }}\n    \
         steps:\n{steps}"
    )
}

/// Rolls the runbook over two workers with this trouble; gives what was told.
fn told(rollout: &str, steps: &str, faults: Vec<Fault>) -> String {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(&runbook(rollout, steps), &[]).await.unwrap();
        for fault in faults {
            cluster.simulated.inject(fault);
        }
        cluster.roll(plan).await.told
    })
}

fn says(told: &str, lines: &[&str]) {
    for line in lines {
        assert_eq!(told.matches(line).count(), 1, "not once: {line}\n{told}");
    }
}

const DRAIN: &str = "- drain: { delete_emptydir_data: true, reason: caches only }\n\
                     - command: { argv: [systemctl, restart, kubelet] }\n- uncordon: {}";

#[test]
fn a_host_that_waits_for_the_budget_says_who_spends_it() {
    let cordoned = Fault::NodeCordoned { host: "w2".to_owned(), at: Duration::ZERO };
    let told = told("batches: [1], max_unavailable: 1, wait_for_budget: 2m", DRAIN, vec![cordoned]);
    says(
        &told,
        &[
            "w1  waits for the budget: out of service: w2 (cordoned by somebody else)",
            "HALT: others held the budget for 2m",
        ],
    );
}

#[test]
fn a_retry_says_when_the_next_attempt_comes() {
    let fails = Fault::OpFails {
        host: "w1".to_owned(),
        command: "/bin/fetch".to_owned(),
        code: 4,
        stderr: "not yet".to_owned(),
        times: 1,
    };
    let step = "- command: { argv: [/bin/fetch] }\n  effect: changes\n  retry: { attempts: 3, delay: 7s }";
    let told = told("batches: [1]", step, vec![fails]);
    says(&told, &["FAILED (one of 3 attempts; the next in 7s): ", "again (attempt 2)"]);
}

#[test]
fn a_step_that_waits_says_what_for_and_how_long_at_most() {
    let step = "- wait: { node: ready, for: 10m, stable_for: 20s }";
    let down = Fault::NodeNotReady { host: "w1".to_owned(), at: Duration::ZERO };
    let told = told("batches: [1]", step, vec![down]);
    says(&told, &["waits, 10m at most: "]);
}

#[test]
fn a_soak_says_how_long_and_what_is_checked() {
    let step = "- command: { argv: [\"true\"] }\n  effect: changes";
    let told = told("batches: [1], soak: 5m", step, Vec::new());
    says(&told, &["batch 1: soaks for 5m"]);
}
