//! What kubectl says against the patch of a cordon: only a failed test means that somebody else was first. Over simulated
//! hosts.

use rollbook::transport::simulated::Fault;

use super::support::cluster::{Cluster, Rolled, story};

const RUNBOOK: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - command: { argv: [systemctl, restart, kubelet] }
      - uncordon: {}
";

/// The patch that sets a cordon, and the one that releases it.
const SETS: &str = "\"value\":null";
const RELEASES: &str = "\"value\":false";
const AWAY: &str = "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)";

/// kubectl on the control plane fails once at a command that holds this text, and says so.
fn fails(command: &str, says: &str) -> Fault {
    let (command, stderr) = (command.to_owned(), says.to_owned());
    Fault::OpFails { host: "cp1".to_owned(), command, code: 1, stderr, times: 1 }
}

/// Rolls over two workers with these faults; gives what came of it, and whether w1 is cordoned in the end.
fn rolled(faults: Vec<Fault>) -> (Rolled, bool) {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(RUNBOOK, &[]).await.unwrap();
        for fault in faults {
            assert!(cluster.simulated.inject(fault));
        }
        let rolled = cluster.roll(plan).await;
        let w1 = cluster.simulated.host("w1").unwrap();
        (rolled, w1.cordoned)
    })
}

#[test]
fn a_cordon_that_may_not_be_set_is_nobody_elses() {
    let forbidden = "Error from server (Forbidden): nodes \"w1\" is forbidden: User \"nobody\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope";
    for (says, meaning) in [
        (forbidden, "the credentials may not do this"),
        ("Error from server (NotFound): nodes \"w1\" not found", "there is no such object"),
        ("The Node \"w1\" is invalid: metadata.annotations: Invalid value: \"x\"", "is invalid"),
    ] {
        let (rolled, cordoned) = rolled(vec![fails(SETS, says)]);
        assert_ne!(rolled.code, 0, "{says}\n{}", rolled.told);
        assert!(rolled.told.contains(meaning), "{says}\n{}", rolled.told);
        assert!(!rolled.told.contains("somebody else"), "{says}\n{}", rolled.told);
        assert!(!cordoned, "{says}\n{}", rolled.told);
    }
}

#[test]
fn a_cordon_is_set_once_the_api_answers_again() {
    let (rolled, cordoned) = rolled(vec![fails(SETS, AWAY)]);
    assert_eq!((rolled.code, cordoned), (0, false), "{}", rolled.told);
}

#[test]
fn a_failed_test_in_either_kubectls_words_leaves_the_cordon_to_whoever_was_first() {
    for says in [
        "The request is invalid",
        "The request is invalid: the server rejected our request due to an error in our request",
    ] {
        // The node is not cordoned in truth, so that the second patch, which makes sure of that, fails in the same words.
        let (rolled, _) = rolled(vec![fails(SETS, says)]);
        assert_ne!(rolled.code, 0, "{says}\n{}", rolled.told);
        assert!(rolled.told.contains("make sure that w1 is cordoned"), "{says}\n{}", rolled.told);
    }
}

#[test]
fn a_failed_drain_takes_its_cordon_back_also_where_the_api_is_away_at_first() {
    let (rolled, cordoned) =
        rolled(vec![fails("drain w1", "error: something nobody knows"), fails(RELEASES, AWAY)]);
    assert_eq!((rolled.code, cordoned), (10, false), "{}", rolled.told);
    assert!(rolled.told.contains("the API server does not answer"), "{}", rolled.told);
}
