//! What a run cordoned counts until it is uncordoned: against the budget, in the last lines, in the exit code. Over simulated
//! hosts.

use rollbook::simulation::Fault;

use super::support::cluster::{Cluster, Rolled, story};

fn runbook(phases: &str) -> String {
    format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: case }}\nkube: {{ via: control_plane }}\n\
         defaults: {{ become: true }}\nphases:\n{phases}"
    )
}

/// The hardware team takes w1.
const LEAVES_W1: &str = "
  - name: out
    hosts: w1
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
        leave_cordoned: the hardware team takes it from here
";

const ROLLS_WORKERS: &str = "
  - name: workers
    hosts: workers
    rollout: { batches: [1], max_unavailable: 1 }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - command: { argv: [systemctl, restart, kubelet] }
      - uncordon: {}
";

async fn roll(cluster: &mut Cluster, phases: &str) -> Rolled {
    let plan = cluster.plan_of(&runbook(phases), &[]).await.unwrap();
    cluster.roll(plan).await
}

#[test]
fn a_phase_that_leaves_more_nodes_cordoned_than_may_be_out_is_refused() {
    let cluster = Cluster::new(1, 4, "1.30.0");
    let leaves = |hosts: &str, slots: &str| {
        LEAVES_W1
            .replace("hosts: w1", &format!("hosts: {hosts}\n    rollout: {{ max_unavailable: {slots} }}"))
    };
    story(async {
        let refused = cluster.plan_of(&runbook(&leaves("workers", "3")), &[]).await;
        let why = refused.err().unwrap_or_default();
        assert!(
            why.contains("phase `out` would leave 4 nodes cordoned, and 3 may be out of service"),
            "{why}"
        );
        assert!(cluster.plan_of(&runbook(&leaves("workers", "4")), &[]).await.is_ok());

        // Two phases leave one each, and the second counts both among its hosts.
        let second = leaves("\"w2\"", "1").replace("name: out", "name: then");
        let both = format!("{LEAVES_W1}{}", second.replace("hosts: \"w2\"", "hosts: \"w1 | w2\""));
        let why = cluster.plan_of(&runbook(&both), &[]).await.err().unwrap_or_default();
        assert!(why.contains("phase `then` would leave 2 nodes cordoned, and 1 may be"), "{why}");
    });
}

#[test]
fn what_is_left_on_purpose_is_named_and_counts_in_later_phases_at_once() {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let rolled = roll(&mut cluster, LEAVES_W1).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        let named = "w1  is out of service, on purpose: the hardware team takes it from here";
        assert!(rolled.told.contains(named), "{}", rolled.told);
        assert!(rolled.told.contains("to bring it back: kubectl"), "{}", rolled.told);
        cluster.by_hand("cp1", "kubectl uncordon w1").await;

        let before = cluster.simulated.elapsed();
        let phases = format!("{LEAVES_W1}{}", ROLLS_WORKERS.replace("hosts: workers", "hosts: \"w1 | w2\""));
        let phases = phases.replace("batches: [1]", "batches: [2]");
        // w1 is worked on first, and takes nobody else out: its uncordon makes room for w2.
        let rolled = roll(&mut cluster, &phases).await;
        assert_eq!((rolled.code, rolled.out_of_service()), (0, vec!["w1", "w1", "w2"]), "{}", rolled.told);
        assert!(!rolled.told.contains("on purpose"), "{}", rolled.told);

        let others = ROLLS_WORKERS.replace(
            "steps:",
            "steps:\n      - command: { argv: [\"true\"] }\n        when: host.name == 'w1'",
        );
        let others = others.replace("      - drain: { delete_emptydir_data: true, reason: caches only }\n", "      - drain: { delete_emptydir_data: true, reason: caches only }\n        when: host.name != 'w1'\n");
        let others =
            others.replace("restart, kubelet] }", "restart, kubelet] }\n        when: host.name != 'w1'");
        let others = others.replace("- uncordon: {}", "- uncordon: {}\n        when: host.name != 'w1'");
        let rolled = roll(&mut cluster, &format!("{LEAVES_W1}{others}")).await;
        assert_eq!(rolled.code, 10, "{}", rolled.told);
        assert!(
            rolled.told.contains("nodes that this run left cordoned hold the budget: w1"),
            "{}",
            rolled.told
        );
        assert!(rolled.told.contains(named), "{}", rolled.told);
        assert!(!rolled.told.contains("all hosts are in service"), "{}", rolled.told);
        assert!(!cluster.simulated.host("w2").unwrap().cordoned);
        let passed = cluster.simulated.elapsed().as_millis() - before.as_millis();
        assert!(passed < 10 * 60 * 1000, "nobody waits for what the run itself left: {passed} ms");
    });
}

#[test]
fn a_node_of_which_nobody_said_that_it_may_stay_cordoned_is_left_out() {
    let mut cluster = Cluster::new(1, 1, "1.30.0");
    story(async {
        let phases =
            ROLLS_WORKERS.replace("- uncordon: {}", "- uncordon: {}\n        allow_failure: a person looks");
        let plan = cluster.plan_of(&runbook(&phases), &[]).await.unwrap();
        let forbidden = "Error from server (Forbidden): nodes \"w1\" is forbidden".to_owned();
        assert!(cluster.simulated.inject(Fault::OpFails {
            host: "cp1".to_owned(),
            command: "\"value\":false".to_owned(),
            code: 1,
            stderr: forbidden,
            times: 9,
        }));
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 11, "{}", rolled.told);
        assert!(rolled.told.contains("w1  is left out of service"), "{}", rolled.told);
    });
}

#[test]
fn nobody_is_told_that_all_serve_where_others_hold_the_budget() {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(&runbook(ROLLS_WORKERS), &[]).await.unwrap();
        let at = rollbook::value::Duration::ZERO;
        assert!(cluster.simulated.inject(Fault::NodeCordoned { host: "w2".to_owned(), at }));
        let rolled = cluster.roll(plan).await;
        assert!(rolled.told.contains("w2 (cordoned by somebody else)"), "{}", rolled.told);
        assert!(!rolled.told.contains("all hosts are in service"), "{}", rolled.told);
        assert!(rolled.told.contains("this run keeps no host out of service"), "{}", rolled.told);
    });
}
