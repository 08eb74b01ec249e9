//! Nodes that somebody deletes, and those that come back as others under their old names: between plan and run, while a run
//! stands still, and in the middle of one. Over simulated hosts.

use std::cell::RefCell;
use std::rc::Rc;

use rollbook::engine::{Event, History, Stamped, State, TaskEnd};
use rollbook::executor::{ClusterSince, Setup, cluster_since, roll};
use rollbook::plan::Plan;
use rollbook::report::{Plain, Reporter, Summary, Verbosity};
use rollbook::simulation::{Fault, LoggedCommand, Simulated};
use rollbook::value::Duration;

use super::support::cluster::{Cluster, DRAINED, Shared, story};

fn deleted(host: &str) -> Fault {
    Fault::NodeDeleted { host: host.to_owned() }
}

/// Its node is deleted, and its kubelet registers again.
fn replaced(host: &str) -> Vec<Fault> {
    vec![deleted(host), Fault::KubeletRestarted { host: host.to_owned() }]
}

fn inject(cluster: &Cluster, faults: &[Fault]) {
    for fault in faults {
        assert!(cluster.simulated.inject(fault.clone()));
    }
}

async fn since(cluster: &Cluster, plan: &Plan, events: &[Stamped]) -> ClusterSince {
    let (pool, controller) = cluster.pools();
    cluster_since(plan, events, (Duration::ZERO, &tell_nobody), &pool, &controller).await.unwrap()
}

/// Host and message of every node that is not the planned one.
fn told(since: &ClusterSince) -> Vec<(&str, &str)> {
    since.drifted.iter().map(|(host, failure)| (host.as_str(), failure.message.as_str())).collect()
}

#[test]
fn a_node_that_is_gone_or_another_since_the_plan_is_drift() {
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        assert_eq!(since(&cluster, &plan, &[]).await, ClusterSince::default());
        let planned =
            |plan: &Plan| plan.hosts.iter().find(|host| host.name.as_str() == "w2").unwrap().node_uid.clone();
        let old = planned(&plan);
        assert!(!old.is_empty());

        inject(&cluster, &[deleted("w2")]);
        let gone = since(&cluster, &plan, &[]).await;
        let expected = format!("node w2 no longer exists: the plan saw it with UID {old}, and it is gone");
        assert_eq!(told(&gone), [("w2", expected.as_str())]);

        inject(&cluster, &[Fault::KubeletRestarted { host: "w2".to_owned() }]);
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        let again = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let new = planned(&again);
        assert_ne!(old, new);
        let expected = format!(
            "node w2 was replaced: the plan saw it with UID {old}, and the node of that name has UID {new} now"
        );
        assert_eq!(told(&since(&cluster, &plan, &[]).await), [("w2", expected.as_str())]);
        assert_eq!(
            since(&cluster, &again, &[]).await,
            ClusterSince::default(),
            "a new plan is for the new node"
        );
    });
}

#[test]
fn a_cluster_that_does_not_answer_is_waited_for_and_that_is_told_once() {
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let away = Duration::from_secs(90);
        inject(&cluster, &[Fault::PowerLost { host: "cp1".to_owned(), lasting: Some(away) }]);
        let (pool, controller) = cluster.pools();
        let said = RefCell::new(Vec::new());
        let tell = |text: &str| said.borrow_mut().push(text.to_owned());
        let patience = Duration::from_secs(600);
        let since = cluster_since(&plan, &[], (patience, &tell), &pool, &controller).await.unwrap();
        assert_eq!(since, ClusterSince::default());
        let said = said.into_inner();
        assert!(matches!(&said[..], [one] if one.ends_with("; asked again for 10m at most")), "{said:?}");
        // Without patience it is an error at once.
        inject(&cluster, &[Fault::PowerLost { host: "cp1".to_owned(), lasting: Some(away) }]);
        let failed = cluster_since(&plan, &[], (Duration::ZERO, &tell_nobody), &pool, &controller).await;
        assert!(failed.is_err());
    });
}

fn tell_nobody(_: &str) {}

/// A drain, something that takes a while, a disruption, a word about the end, and the uncordon.
const STEPS: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane, retry_for: 1m }
policy: { control_plane_outage: accept }
defaults: { become: true }
phases:
  - name: all
    hosts: w1
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - { name: the wait, command: { argv: [sleep, '60'] }, effect: changes }
      - { name: the restart, command: { argv: [systemctl, restart, containerd] } }
      - { name: the end, command: { argv: [logger, done] }, effect: changes }
      - uncordon: {}
";

/// Somebody who does something once, so many seconds after an event is true.
struct Meddler {
    when: fn(&Plan, &Event) -> bool,
    after: u64,
    simulated: Simulated,
    faults: Vec<Fault>,
}

impl Reporter for Meddler {
    fn event(&mut self, plan: &Plan, _: &State, stamped: &Stamped) {
        if (self.when)(plan, &stamped.event) {
            let (faults, simulated) = (std::mem::take(&mut self.faults), self.simulated.clone());
            let strikes = move || faults.into_iter().for_each(|fault| assert!(simulated.inject(fault)));
            match self.after {
                0 => strikes(),
                secs => {
                    let later = tokio::time::sleep(std::time::Duration::from_secs(secs));
                    tokio::task::spawn_local(async move {
                        later.await;
                        strikes();
                    });
                }
            }
        }
    }
}

struct Meddled {
    code: u8,
    told: String,
    sent: Vec<String>,
    uncordoned: bool,
}

fn meddled(steps: &str, when: fn(&Plan, &Event) -> bool, faults: Vec<Fault>) -> Meddled {
    meddled_after(steps, when, 0, faults)
}

fn meddled_after(steps: &str, when: fn(&Plan, &Event) -> bool, after: u64, faults: Vec<Fault>) -> Meddled {
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let plan = Rc::new(cluster.plan_of(steps, &[]).await.unwrap());
        let (told, simulated) = (Shared::default(), cluster.simulated.clone());
        let reporters: Vec<Box<dyn Reporter>> = vec![
            Box::new(Plain::new(told.clone(), Verbosity::Changes)),
            Box::new(Meddler { when, after, simulated, faults }),
        ];
        let history = roll(Setup { reporters, ..cluster.setup(&plan) }).await.unwrap();
        let summary = Summary::of(&plan, &history);
        let log = cluster.simulated.log();
        let sent: Vec<String> =
            log.iter().filter(|command| !command.probe).map(LoggedCommand::line).collect();
        let ended_well = |stamped: &Stamped| {
            matches!(
                &stamped.event,
                Event::TaskEnded { task, end: TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }, .. }
                    if plan.title(*task).starts_with("uncordon")
            )
        };
        Meddled {
            code: summary.exit_code(),
            told: told.text() + &summary.text(&plan),
            uncordoned: history.events.iter().any(ended_well),
            sent,
        }
    })
}

impl Meddled {
    /// The host failed by this word about its node, and nothing behind it was sent.
    fn fails(&self, word: &str, not_sent: &[&str]) {
        assert!(matches!(self.code, 11 | 13), "{}: {}", self.code, self.told);
        assert!(self.told.contains(word), "{word:?}: {}", self.told);
        assert!(!self.uncordoned, "it counts as uncordoned: {}", self.told);
        assert!(!self.told.contains("all hosts are in service"), "{}", self.told);
        assert!(!self.told.contains("kubectl uncordon w1"), "there is no such cordon: {}", self.told);
        for text in not_sent {
            assert!(!self.sent.iter().any(|line| line.contains(text)), "{text:?} was sent: {:#?}", self.sent);
        }
    }
}

fn begins(plan: &Plan, event: &Event, title: &str) -> bool {
    matches!(event, Event::TaskStarted { task, .. } if plan.title(*task).starts_with(title))
}

#[test]
fn a_node_that_goes_between_its_drain_and_the_disruption_fails_its_host() {
    let run = meddled(STEPS, |plan, event| begins(plan, event, "the wait"), vec![deleted("w1")]);
    run.fails("node w1 no longer exists", &["systemctl restart", "logger"]);
    let run = meddled(STEPS, |plan, event| begins(plan, event, "the wait"), replaced("w1"));
    run.fails("node w1 was replaced", &["systemctl restart", "logger"]);
}

#[test]
fn a_node_that_is_gone_before_its_drain_is_not_drained() {
    let run = meddled(STEPS, |plan, event| begins(plan, event, "drain"), vec![deleted("w1")]);
    run.fails("node w1 no longer exists", &["kubectl", "sleep"]);
    let run = meddled(STEPS, |plan, event| begins(plan, event, "drain"), replaced("w1"));
    run.fails("node w1 was replaced", &["drain w1", "sleep"]);
}

#[test]
fn a_node_that_is_deleted_while_it_is_drained_was_not_drained_well() {
    let evicts = |plan: &Plan, event: &Event| matches!(event, Event::OpStarted { task, op: 2, .. } if plan.title(*task).starts_with("drain"));
    // Before kubectl asks for it, and while it waits for pods to end, which go with their node.
    for after in [0, 5] {
        let run = meddled_after(STEPS, evicts, after, vec![deleted("w1")]);
        run.fails("node w1 no longer exists", &["sleep", "systemctl restart"]);
    }
    let run = meddled_after(STEPS, evicts, 5, replaced("w1"));
    run.fails("node w1 was replaced", &["sleep", "systemctl restart"]);
}

#[test]
fn a_node_that_is_gone_or_another_is_not_uncordoned() {
    let run = meddled(STEPS, |plan, event| begins(plan, event, "the end"), vec![deleted("w1")]);
    run.fails("node w1 no longer exists", &[]);
    // The new node takes pods: that is not this run's doing.
    let run = meddled(STEPS, |plan, event| begins(plan, event, "the end"), replaced("w1"));
    run.fails("node w1 was replaced", &[]);
}

/// The run itself deletes the node, and lets it come back.
const OWN: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane, retry_for: 1m }
defaults: { become: true }
phases:
  - name: all
    hosts: w1
    rollout: { batches: [1] }
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - kubectl: { args: [delete, node, w1] }
      - { name: the return, command: { argv: [systemctl, restart, kubelet] } }
      - wait: { node: ready, for: 5m }
      - uncordon: {}
";

#[test]
fn what_the_run_itself_made_of_its_nodes_is_no_drift() {
    let run = meddled(OWN, |_, _| false, Vec::new());
    assert_eq!(run.code, 0, "{}", run.told);
    assert!(run.sent.iter().any(|line| line.contains("delete node w1")), "{:#?}", run.sent);
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let plan = Rc::new(cluster.plan_of(OWN, &[]).await.unwrap());
        let history: History = roll(cluster.setup(&plan)).await.unwrap();
        // As a resumed run sees it, wherever it was cut off.
        assert_eq!(since(&cluster, &plan, &history.events).await, ClusterSince::default());
        let before = history.events.iter().position(|stamped| {
            matches!(stamped.event, Event::TaskEnded { task, .. } if plan.title(task).starts_with("drain"))
        });
        let before = &history.events[..before.unwrap()];
        assert_eq!(
            since(&cluster, &plan, before).await.drifted.len(),
            1,
            "the run had not deleted it by then"
        );
        // What others make of other nodes is drift as before.
        inject(&cluster, &replaced("w2"));
        assert_eq!(
            since(&cluster, &plan, &history.events).await.drifted.len(),
            0,
            "w2 is none of the plan's hosts"
        );
    });
}

#[test]
fn a_new_node_of_no_host_is_a_warning_or_drift_where_the_runbook_says_so() {
    for (setting, refused) in [("", false), (", new_nodes: drift", true)] {
        story(async {
            let cluster = Cluster::new(1, 3, "1.30.0");
            let runbook = DRAINED
                .replace("via: control_plane", &format!("via: control_plane{setting}"))
                .replace("hosts: workers", "hosts: w1");
            // When the plan is made, w3 is no node: afterwards it joins, and w2 leaves.
            inject(&cluster, &[deleted("w3")]);
            let plan = cluster.plan_of(&runbook, &[]).await.unwrap();
            inject(&cluster, &[Fault::KubeletRestarted { host: "w3".to_owned() }, deleted("w2")]);
            let since = since(&cluster, &plan, &[]).await;
            assert_eq!(told(&since), [("", ""); 0]);
            let what = "nodes of no host that it did not have when the plan was made: w3";
            let left = "gone that the cluster had when the plan was made: w2";
            let (stops, warns): (Vec<&str>, Vec<&str>) = (
                since.refused.iter().map(|failure| failure.message.as_str()).collect(),
                since.warnings.iter().map(String::as_str).collect(),
            );
            assert_eq!(stops.iter().any(|text| text.contains(what)), refused, "{since:?}");
            assert_eq!(warns.iter().any(|text| text.contains(what)), !refused, "{since:?}");
            assert!(warns.iter().any(|text| text.contains(left)), "{since:?}");
        });
    }
}

#[test]
fn plans_of_before_know_no_uid_and_are_rolled_as_before() {
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let mut plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        plan.hosts.iter_mut().for_each(|host| host.node_uid.clear());
        plan.kube.as_mut().unwrap().other_nodes = None;
        inject(&cluster, &replaced("w2"));
        assert_eq!(since(&cluster, &plan, &[]).await, ClusterSince::default());
    });
}
