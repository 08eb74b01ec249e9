//! Nodes that somebody uncordons between the drain and what disrupts them. Over simulated hosts.

use std::rc::Rc;

use rollbook::engine::{Event, Stamped, State};
use rollbook::executor::{Setup, roll};
use rollbook::plan::Plan;
use rollbook::report::{Plain, Reporter, Summary, Verbosity};
use rollbook::simulation::{Fault, Simulated};

use super::support::cluster::{Cluster, DRAINED, Shared, story};

const TOP: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane, retry_for: 1m }
policy: { control_plane_outage: accept }
defaults: { become: true }
phases:
  - name: all
    hosts: HOSTS
    rollout: { batches: [1] }
    steps:
";

/// A drain, something that takes a while, a disruption, and the uncordon.
const STEPS: &str = r"
      - drain: { delete_emptydir_data: true, reason: caches only }
      - { name: the wait, command: { argv: [sleep, '60'] }, effect: changes }
      - { name: the restart, command: { argv: [systemctl, restart, kubelet] } }
      - uncordon: {}
";

/// Somebody who does something whenever a step of this title begins, so many times.
struct Meddler {
    at: &'static str,
    times: usize,
    simulated: Simulated,
    faults: Vec<Fault>,
}

impl Reporter for Meddler {
    fn event(&mut self, plan: &Plan, _: &State, stamped: &Stamped) {
        let begins = matches!(stamped.event, Event::TaskStarted { task, .. } if plan.title(task) == self.at);
        if begins && self.times > 0 {
            self.times -= 1;
            self.faults.iter().for_each(|fault| assert!(self.simulated.inject(fault.clone())));
        }
    }
}

/// How a run went that somebody meddled with.
struct Meddled {
    code: u8,
    told: String,
    drains: usize,
    restarts: usize,
    cordoned: bool,
}

fn node_uncordoned(host: &str) -> Fault {
    Fault::NodeUncordoned { host: host.to_owned() }
}

/// Rolls these steps over one host; somebody does this to it whenever the step begins.
fn meddled(host: &str, steps: &str, (at, times): (&'static str, usize), faults: Vec<Fault>) -> Meddled {
    story(async {
        let cluster = Cluster::new(1, 2, "1.30.0");
        let runbook = TOP.replace("HOSTS", host) + steps;
        let plan = Rc::new(cluster.plan_of(&runbook, &[]).await.unwrap());
        let (told, simulated) = (Shared::default(), cluster.simulated.clone());
        let reporters: Vec<Box<dyn Reporter>> = vec![
            Box::new(Plain::new(told.clone(), Verbosity::Changes)),
            Box::new(Meddler { at, times, simulated, faults }),
        ];
        let history = roll(Setup { reporters, ..cluster.setup(&plan) }).await.unwrap();
        let summary = Summary::of(&plan, &history);
        let log = cluster.simulated.log();
        let count =
            |text: &str| log.iter().filter(|command| !command.probe && command.line().contains(text)).count();
        Meddled {
            code: summary.exit_code(),
            told: told.text() + &summary.text(&plan),
            drains: count(&format!("drain {host}")),
            restarts: count("systemctl restart kubelet"),
            cordoned: cluster.simulated.host(host).unwrap().cordoned,
        }
    })
}

#[test]
fn a_node_that_is_uncordoned_is_drained_again_before_it_is_disrupted() {
    let undisturbed = meddled("w1", STEPS, ("the wait", 0), Vec::new());
    assert_eq!(
        (undisturbed.code, undisturbed.drains, undisturbed.restarts),
        (0, 1, 1),
        "{}",
        undisturbed.told
    );
    let run = meddled("w1", STEPS, ("the wait", 1), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.drains, run.restarts, run.cordoned), (0, 2, 1, false), "{}", run.told);
    let told = "the restart  not sent: somebody uncordoned w1";
    assert!(run.told.contains(told), "{}", run.told);
    assert!(run.told.contains("it is drained again before `the restart`"), "{}", run.told);
    assert!(run.told.contains("warning: w1: somebody uncordoned w1"), "{}", run.told);
}

#[test]
fn a_host_whose_runbook_says_so_fails_instead() {
    let steps = STEPS.replace("caches only", "caches only, if_uncordoned: fail");
    let run = meddled("w1", &steps, ("the wait", 1), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.drains, run.restarts), (11, 1, 0), "{}", run.told);
    assert!(run.told.contains("(`if_uncordoned: fail`): `the restart` was not sent"), "{}", run.told);
}

#[test]
fn somebody_who_uncordons_again_and_again_means_it() {
    let run = meddled("w1", STEPS, ("the restart", 9), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.drains, run.restarts), (11, 4, 0), "{}", run.told);
    assert!(run.told.contains("after it was drained again as often as it may be"), "{}", run.told);
    let run = meddled("w1", STEPS, ("the restart", 3), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.drains, run.restarts), (0, 4, 1), "{}", run.told);
}

#[test]
fn a_node_that_is_not_ready_is_not_drained_again() {
    let dies = |at| Fault::NodeNotReady { host: "w1".to_owned(), at };
    let faults = vec![node_uncordoned("w1"), dies(rollbook::value::Duration::ZERO)];
    let run = meddled("w1", STEPS, ("the wait", 1), faults);
    assert_eq!((run.code, run.drains, run.restarts), (11, 1, 0), "{}", run.told);
    assert!(run.told.contains("so no kubelet would end its pods"), "{}", run.told);
}

#[test]
fn a_bracket_of_cordon_is_only_cordoned_again() {
    let steps = STEPS.replace("drain: { delete_emptydir_data: true, reason: caches only }", "cordon: {}");
    let run = meddled("w1", &steps, ("the wait", 1), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.drains, run.restarts, run.cordoned), (0, 0, 1, false), "{}", run.told);
    assert!(run.told.contains("it is cordoned again before `the restart`"), "{}", run.told);
    let fails = steps.replace("- cordon: {}", "- cordon: { if_uncordoned: fail }");
    let run = meddled("w1", &fails, ("the wait", 1), vec![node_uncordoned("w1")]);
    assert_eq!((run.code, run.restarts), (11, 0), "{}", run.told);
}

#[test]
fn a_cordon_that_somebody_else_set_meanwhile_stays_theirs() {
    // Theirs from before: the node is drained under it, uncordoned by its owner, and is ours then.
    let cordoned = |at| Fault::NodeCordoned { host: "w1".to_owned(), at };
    let faults = vec![node_uncordoned("w1"), cordoned(rollbook::value::Duration::ZERO)];
    let run = meddled("w1", STEPS, ("the wait", 1), faults);
    // kubectl leaves the annotation: a cordon of both hands is this run's, and pods came in between.
    assert_eq!((run.code, run.restarts), (0, 1), "{}", run.told);
}

#[test]
fn an_api_that_does_not_answer_holds_a_disruption_back_and_fails_the_host_in_the_end() {
    let away =
        Fault::Unreachable { host: "cp1".to_owned(), at: rollbook::value::Duration::ZERO, lasting: None };
    let run = meddled("w1", STEPS, ("the restart", 1), vec![away]);
    assert_eq!((run.code, run.restarts), (11, 0), "{}", run.told);
    assert!(run.told.contains("cannot see whether the node is still cordoned"), "{}", run.told);
}

#[test]
fn an_outage_of_its_own_that_was_accepted_holds_a_control_plane_back_no_longer_than_a_look() {
    let steps = r"
      - drain: { delete_emptydir_data: true, reason: caches only }
      - { name: the stop, command: { argv: [systemctl, stop, kubelet] } }
      - { name: the restart, command: { argv: [systemctl, restart, kubelet] } }
      - uncordon: {}
";
    let says =
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?";
    let silent = Fault::OpFails {
        host: "cp1".to_owned(),
        command: "tolerations".to_owned(),
        code: 1,
        stderr: says.to_owned(),
        times: 1000,
    };
    let run = meddled("cp1", steps, ("the restart", 1), vec![silent]);
    assert_eq!((run.code, run.restarts), (0, 1), "{}", run.told);
}

#[test]
fn a_drained_run_that_nobody_disturbs_looks_and_drains_once() {
    story(async {
        let mut cluster = Cluster::new(1, 2, "1.30.0");
        let plan = cluster.plan_of(DRAINED, &[]).await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        assert!(!rolled.told.contains("again"), "{}", rolled.told);
    });
}
