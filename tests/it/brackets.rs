//! A bracket's condition is decided once, whatever its steps make of the facts, over a simulated cluster that stays.

use std::rc::Rc;

use rollbook::engine::{Event, History, SkipReason, Stamped};
use rollbook::executor::{Setup, roll};
use rollbook::plan::Plan;
use rollbook::report::Summary;

use super::support::cluster::{Cluster, shown, story};

fn runbook(steps: &str) -> String {
    let steps = steps.trim_matches('\n').replace('\n', "\n      ");
    format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: case }}\nkube: {{ via: control_plane }}\n\
         defaults: {{ become: true }}\nphases:\n  - name: workers\n    hosts: workers\n    rollout: {{ batches: [1] }}\n    \
         steps:\n      {steps}\n"
    )
}

const UPGRADES: &str = "
- drain: { timeout: 10m, delete_emptydir_data: true, reason: caches only }
  when: facts.kubelet < '1.30.4'
- apt: { install: { kubelet: 1.30.4-* }, hold: true }
  when: facts.kubelet < '1.30.4'
- systemctl: { daemon_reload: true, restart: kubelet }
  when: facts.kubelet < '1.30.4'
- wait: { node: ready, kubelet: 1.30.4, for: 10m }
  when: facts.kubelet < '1.30.4'
- uncordon: {}
  when: facts.kubelet < '1.30.4'
";

fn decisions(history: &History) -> usize {
    history.events.iter().filter(|event| matches!(event.event, Event::ConditionDecided { .. })).count()
}

#[test]
fn what_a_bracket_changes_does_not_change_its_condition() {
    let mut cluster = Cluster::new(3, 2, "1.30.1");
    story(async {
        let plan = cluster.plan_of(&runbook(UPGRADES), &[]).await.unwrap();
        let text = shown(&plan);
        assert!(text.contains("[closes the bracket]"), "{text}");
        assert!(!text.contains("known later, from facts"), "it is known already: {text}");
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        for host in ["w1", "w2"] {
            let after = cluster.simulated.host(host).unwrap();
            assert_eq!(after.packages["kubelet"], "1.30.4-1.1", "{host}");
            assert!(!after.cordoned && after.ready == "True", "{host}: {after:?}");
        }
    });
}

const HOLDS: &str = "
- apt_mark: { unhold: [kubeadm] }
- apt_mark: { hold: [kubeadm] }
- apt_mark: { unhold: [kubectl] }
  when: facts.packages.kubectl.held
- command: { argv: ['true'] }
  effect: changes
  when: facts.packages.kubectl.held
- apt_mark: { hold: [kubectl] }
  when: facts.packages.kubectl.held
";

fn is_end(event: &Stamped) -> bool {
    matches!(event.event, Event::TaskEnded { .. })
}

async fn go_on(cluster: &Cluster, plan: &Rc<Plan>, past: Option<History>) -> History {
    roll(Setup { past, ..cluster.setup(plan) }).await.unwrap()
}

#[test]
fn a_condition_that_is_known_late_is_asked_once_also_by_a_resumed_run() {
    let cluster = Cluster::new(3, 1, "1.30.1");
    story(async {
        let plan = Rc::new(cluster.plan_of(&runbook(HOLDS), &[]).await.unwrap());
        let text = shown(&plan);
        assert!(
            text.contains("known later, from facts.packages.kubectl.held  [changes]  [closes the bracket]"),
            "{text}"
        );
        let whole = go_on(&cluster, &plan, None).await;
        assert_eq!((decisions(&whole), Summary::of(&plan, &whole).exit_code()), (1, 0));
        let held = || cluster.simulated.host("w1").unwrap().held.contains(&"kubectl".to_owned());
        assert!(held(), "unheld under a condition that its own step made false");

        // Cut off right behind every event from the decision on; each time over hosts that know nothing of it.
        let is_decided = |event: &Stamped| matches!(event.event, Event::ConditionDecided { .. });
        let decided = whole.events.iter().position(is_decided).unwrap();
        // Hosts that know nothing of an op that was sent would contradict its record.
        let is_between_ops = |cut: &usize| {
            let mut last = whole.events[..*cut].iter().rev().take_while(|event| !is_end(event));
            !last.any(|event| matches!(event.event, Event::OpStarted { .. }))
        };
        for cut in (decided + 1..whole.events.len()).filter(is_between_ops) {
            let cluster = Cluster::new(3, 1, "1.30.1");
            let past = History::of(&plan, whole.events[..cut].to_vec()).unwrap();
            let resumed = go_on(&cluster, &plan, Some(past)).await;
            assert_eq!(
                (decisions(&resumed), Summary::of(&plan, &resumed).exit_code()),
                (1, 0),
                "cut behind {cut}"
            );
            let is_skipped =
                |event: &Stamped| matches!(event.event, Event::TaskSkipped { why: SkipReason::When, .. });
            assert!(!resumed.events.iter().any(is_skipped), "cut behind {cut}");
        }
    });
}

#[test]
fn where_it_does_not_hold_the_whole_bracket_is_skipped() {
    let mut cluster = Cluster::new(3, 1, "1.30.1");
    story(async {
        cluster.by_hand("w1", "apt-mark unhold kubectl").await;
        let plan = Rc::new(cluster.plan_of(&runbook(HOLDS), &[]).await.unwrap());
        let whole = go_on(&cluster, &plan, None).await;
        assert_eq!((decisions(&whole), Summary::of(&plan, &whole).exit_code()), (1, 0));
        assert!(!cluster.simulated.host("w1").unwrap().held.contains(&"kubectl".to_owned()));
    });
}

#[test]
fn an_include_is_decided_when_its_first_step_comes() {
    let cluster = Cluster::new(3, 2, "1.30.1");
    story(async {
        let steps = "
- include: { file: steps/tools.yaml, with: { version: 1.30.4 } }
- include: { file: steps/kubelet.yaml, with: { version: 1.30.4 } }
  when: facts.kubelet != '1.30.4'
";
        for _ in 0..2 {
            let plan = Rc::new(cluster.plan_of(&runbook(steps), &[]).await.unwrap());
            let whole = go_on(&cluster, &plan, None).await;
            assert_eq!(Summary::of(&plan, &whole).exit_code(), 0);
            assert!(decisions(&whole) <= 2, "once per host");
            for host in ["w1", "w2"] {
                let after = cluster.simulated.host(host).unwrap();
                assert_eq!(after.packages["kubelet"], "1.30.4-1.1", "{host}");
                assert!(!after.cordoned && after.ready == "True", "{host}: {after:?}");
            }
        }
    });
}

#[test]
fn packages_that_turn_out_to_disrupt_do_not_move_on_a_node_whose_drain_was_skipped() {
    let mut cluster = Cluster::new(3, 1, "1.30.1");
    story(async {
        let steps = "
- drain: { delete_emptydir_data: true, reason: caches only }
  when: facts.swap_total > 0
- apt: { upgrade: all }
  when: facts.systemd
- uncordon: {}
  when: facts.swap_total > 0
";
        let plan = cluster.plan_of(&runbook(steps), &[]).await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 10, "{}", rolled.told);
        assert!(rolled.told.contains("would disrupt a node that was not cordoned"), "{}", rolled.told);
        assert_eq!(cluster.simulated.log(), [], "nothing was sent");
    });
}

const SWITCHES: &str = "
- drain: { timeout: 10m, delete_emptydir_data: true, reason: caches only }
- apt_repo: { kubernetes: '1.31' }
- apt: { install: { kubeadm: 1.31.4-* }, hold: true }
- systemctl: { daemon_reload: true, restart: kubelet }
- wait: { node: ready, for: 10m }
- uncordon: {}
";

/// The look before a bracket sees the host as it is, with the lists of the old repository.
#[test]
fn a_version_that_a_repository_inside_the_bracket_brings_is_not_refused_before_it() {
    let mut cluster = Cluster::new(3, 2, "1.30.1");
    story(async {
        let plan = cluster.plan_of(&runbook(SWITCHES), &[]).await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        for host in ["w1", "w2"] {
            let after = cluster.simulated.host(host).unwrap();
            assert_eq!(after.packages["kubeadm"], "1.31.4-1.1", "{host}");
        }
    });
}
