//! What kubectl says against the patch of a cordon: only a failed test means that somebody else was first, and an answer
//! that was lost means that nobody knows. Over simulated hosts.

use rollbook::engine::History;
use rollbook::executor::undoing;
use rollbook::plan::Plan;
use rollbook::simulation::{Fault, SimulatedCommand};
use rollbook::value::Duration;

use super::support::cluster::{Cluster, DRAINED, Rolled, refusals, shown, story};

/// The patch that sets a cordon, and the one that releases it.
const SETS: &str = "\"value\":null";
const RELEASES: &str = "\"value\":false";
const AWAY: &str = "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)";

/// kubectl on the control plane fails once at a command that holds this text, and says so.
fn fails(command: &str, says: &str) -> Fault {
    fails_on("cp1", command, says, 1)
}

fn fails_on(host: &str, command: &str, says: &str, times: u32) -> Fault {
    let (command, stderr) = (command.to_owned(), says.to_owned());
    Fault::OpFails { host: host.to_owned(), command, code: 1, stderr, times }
}

/// kubectl on the control plane does once what a command that holds this text is for, and its answer is lost.
fn answer_lost(command: &str) -> Fault {
    let (command, stderr) = (command.to_owned(), AWAY.to_owned());
    Fault::AnswerLost { host: "cp1".to_owned(), command, code: 1, stderr, times: 1 }
}

/// kubectl on the control plane does not get through with a command that holds this text, for a while.
fn is_away_for(command: &str) -> Fault {
    fails_on("cp1", command, AWAY, LONGER)
}

/// More often than a run asks that gives up after ten seconds; whoever comes after it gets through.
const LONGER: u32 = 5;

/// Rolls over two workers with these faults; gives what came of it, and whether w1 is cordoned in the end.
fn rolled(faults: Vec<Fault>) -> (Rolled, bool) {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        for fault in faults {
            assert!(cluster.simulated.inject(fault));
        }
        let rolled = cluster.roll(plan).await;
        let w1 = cluster.simulated.host("w1").unwrap();
        (rolled, w1.cordoned)
    })
}

#[test]
fn where_a_control_plane_lacks_its_kubeconfig_another_one_is_asked() {
    let mut cluster = Cluster::new(3, 4, "1.30.0");
    story(async {
        cluster.by_hand("cp1", "rm -f /etc/kubernetes/admin.conf").await;
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let told = shown(&plan);
        assert!(told.contains("kubectl cannot be used on cp1: kubectl cannot use its kubeconfig"), "{told}");
        assert!(told.contains("mend it on cp1, or leave it out there"), "{told}");
        // All hosts are looked at together, and each asks another one.
        assert_eq!(refusals(&plan), []);
        let run = cluster.roll(plan).await;
        assert_eq!(run.code, 0, "{}", run.told);
    });
}

#[test]
fn where_kubectl_is_missing_on_one_control_plane_the_others_are_asked() {
    let mut cluster = Cluster::new(3, 2, "1.30.0");
    let missing = |host: &str| SimulatedCommand {
        hosts: vec![host.to_owned()],
        text: "kubectl".to_owned(),
        exit: 127,
        stdout: String::new(),
        stderr: "sh: 1: kubectl: not found".to_owned(),
        takes: Duration::from_secs(1),
        creates: None,
        needs: None,
        installs: Vec::new(),
    };
    story(async {
        cluster.simulated.tell(missing("cp2"));
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        assert_eq!(refusals(&plan), []);
        let run = cluster.roll(plan).await;
        assert_eq!(run.code, 0, "{}", run.told);
        cluster.simulated.tell(missing("cp1"));
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let told = shown(&plan);
        assert!(told.contains("kubectl cannot be used on cp1: there is no kubectl"), "{told}");
        assert_eq!(refusals(&plan), []);
    });
}

#[test]
fn a_node_that_was_never_cordoned_is_half_changed_and_not_out_of_service() {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    let runbook = DRAINED.replace("      - drain: { delete_emptydir_data: true, reason: caches only }\n", "");
    let runbook = runbook.replace("      - uncordon: {}\n", "");
    story(async {
        let plan = cluster.plan_of(&runbook, &[]).await.unwrap();
        cluster.breaks("w1", "restart kubelet");
        let run = cluster.roll(plan).await;
        assert_eq!(run.code, 11, "{}", run.told);
        assert!(
            run.told.contains("w1  is left half-changed, and was not cordoned by this run"),
            "{}",
            run.told
        );
        assert!(!run.told.contains("left out of service"), "{}", run.told);
    });
}

#[test]
fn a_cordon_that_may_not_be_set_is_nobody_elses() {
    let [host, verb, resource] = ["cp1", "patch", "nodes"].map(str::to_owned);
    for (fault, meaning) in [
        (
            Fault::RightMissing { host, verb, resource },
            "the account \"kubernetes-admin\" may not patch nodes: Error from server (Forbidden): nodes \"w1\" is",
        ),
        (
            fails(
                SETS,
                "Error from server (Forbidden): nodes \"w1\" is forbidden: policy \"p\" denied request: no",
            ),
            "the API server refuses it: Error from server (Forbidden): nodes \"w1\" is forbidden: policy",
        ),
        (fails(SETS, "Error from server (NotFound): nodes \"w1\" not found"), "node w1 no longer exists"),
        (fails(SETS, "The Node \"w1\" is invalid: metadata.annotations: Invalid value: \"x\""), "is invalid"),
    ] {
        let (rolled, cordoned) = rolled(vec![fault]);
        assert_ne!(rolled.code, 0, "{meaning}\n{}", rolled.told);
        assert!(rolled.told.contains(meaning), "{meaning}\n{}", rolled.told);
        assert!(!rolled.told.contains("somebody else"), "{meaning}\n{}", rolled.told);
        assert!(!rolled.told.contains("is starting"), "{meaning}\n{}", rolled.told);
        assert!(!cordoned, "{meaning}\n{}", rolled.told);
    }
}

#[test]
fn a_right_that_an_op_needs_is_missed_before_anything_starts() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let (pool, controller) = cluster.pools();
        let needed = plan.needed_rights();
        let missing = async || rollbook::executor::missing_rights(&plan, &needed, &pool, &controller).await;
        assert_eq!(missing().await, []);
        for (verb, resource, words) in
            [("patch", "nodes", "patch nodes"), ("create", "pods", "create pods/eviction")]
        {
            let [host, verb, resource] = ["cp1", verb, resource].map(str::to_owned);
            assert!(cluster.simulated.inject(Fault::RightMissing { host, verb, resource }));
            let told: Vec<String> =
                missing().await.iter().map(rollbook::kubernetes::rights::Right::words).collect();
            assert!(told.iter().any(|told| told == words), "{words} is missing in {told:?}");
        }
    });
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

/// A run of which somebody has the journal.
struct Doubtful {
    cluster: Cluster,
    plan: Plan,
    rolled: Rolled,
}

impl Doubtful {
    /// Rolls over one worker with these faults, and gives an API up that is away for ten seconds.
    async fn roll(faults: Vec<Fault>) -> Self {
        let mut cluster = Cluster::new(1, 1, "1.30.0");
        let patient = "kube: { via: control_plane, retry_for: 10s }";
        let plan =
            cluster.plan_of(&DRAINED.replace("kube: { via: control_plane }", patient), &[]).await.unwrap();
        for fault in faults {
            assert!(cluster.simulated.inject(fault));
        }
        let rolled = cluster.roll(plan.clone()).await;
        Self { cluster, plan, rolled }
    }

    /// Whose the cordon of the worker is.
    fn cordoned_by(&self) -> Option<String> {
        let mut w1 = self.cluster.simulated.host("w1").unwrap();
        let by = w1.annotations.remove("rollbook.dev/cordoned-by");
        assert_eq!(w1.cordoned, by.is_some(), "cordoned, and by {by:?}");
        by
    }

    /// What `rollbook runs undo` does: the exit code of what it rolls, if it finds anything to do.
    async fn undo(&mut self) -> Option<i32> {
        let history = History::of(&self.plan, self.rolled.events.clone()).unwrap();
        let (pool, controller) = self.cluster.pools();
        let found = undoing(&self.plan, &history, true, (&pool, &controller), &mut |_| {}).await.unwrap();
        assert!(found.kept.is_empty(), "{:?}", found.kept);
        Some(self.cluster.roll(found.plan?).await.code)
    }

    fn told(&self) -> &str {
        &self.rolled.told
    }
}

#[test]
fn a_cordon_whose_answer_was_lost_is_released_by_the_run_that_set_it() {
    for faults in [vec![answer_lost(SETS)], vec![answer_lost(SETS), answer_lost(RELEASES)]] {
        story(async {
            let run = Doubtful::roll(faults).await;
            assert_eq!((run.rolled.code, run.cordoned_by()), (0, None), "{}", run.told());
        });
    }
}

#[test]
fn a_cordon_whose_answer_was_lost_is_told_of_where_it_stands_and_can_be_put_back() {
    let drain_fails = fails("drain w1", "error: something nobody knows");
    story(async {
        let mut run = Doubtful::roll(vec![answer_lost(SETS), drain_fails, is_away_for(RELEASES)]).await;
        assert_eq!(run.cordoned_by().as_deref(), Some("run-1"), "{}", run.told());
        assert!(run.told().contains("w1  is left out of service"), "{}", run.told());
        assert!(run.told().contains("to bring it back: rollbook runs undo run-1 "), "{}", run.told());
        assert!(!run.told().contains("kubectl uncordon"), "it may be somebody else's: {}", run.told());
        assert_eq!(run.rolled.code, 11, "{}", run.told());
        assert_eq!((run.undo().await, run.cordoned_by()), (Some(0), None), "{}", run.told());
        assert_eq!(run.undo().await, None, "there is nothing to do any more");
    });
}

#[test]
fn a_cordon_that_never_arrived_may_be_anybodys_and_only_a_look_tells() {
    story(async {
        let mut run = Doubtful::roll(vec![is_away_for(SETS), is_away_for(RELEASES)]).await;
        assert_eq!((run.rolled.code, run.cordoned_by()), (11, None), "{}", run.told());
        assert!(run.told().contains("to bring it back: rollbook runs undo run-1 "), "{}", run.told());
        assert!(
            run.cluster.simulated.inject(Fault::NodeCordoned { host: "w1".to_owned(), at: Duration::ZERO })
        );
        assert_eq!(run.undo().await, None, "nobody undoes what a person did");
        assert!(run.cluster.simulated.host("w1").unwrap().cordoned);
    });
}

#[test]
fn a_drain_that_failed_under_the_cordon_of_another_hand_says_nothing_of_taking_that_away() {
    let theirs = Fault::NodeCordoned { host: "w1".to_owned(), at: Duration::ZERO };
    story(async {
        let breaks = fails_on("w1", "systemctl restart kubelet", "no", 1);
        let run = Doubtful::roll(vec![theirs, breaks]).await;
        assert!(run.told().contains("w1  is left out of service"), "{}", run.told());
        assert!(!run.told().contains("uncordon w1 "), "{}", run.told());
        assert!(!run.told().contains("runs undo"), "{}", run.told());
        assert!(run.cluster.simulated.host("w1").unwrap().cordoned);
    });
}
