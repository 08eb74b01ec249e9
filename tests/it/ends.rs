//! What a run says, and how it exits, when it does not go to its end. Over simulated hosts.

use std::rc::Rc;

use rollbook::engine::StopLevel;
use rollbook::executor::{Setup, StopRequest, roll};
use rollbook::report::Summary;
use rollbook::simulation::Fault;
use rollbook::value::Duration;
use tokio::sync::mpsc;

use super::support::cluster::{Cluster, Shared, story};
use super::support::rollbook::Rollbook;

const DRAIN: &str = "apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
defaults: { become: true }
phases:
  - name: workers
    hosts: workers
    rollout: { batches: [1], max_unavailable: 1 }
    steps:
      - drain: { timeout: 1m, delete_emptydir_data: true, reason: caches only }
      - command: { argv: [systemctl, restart, kubelet] }
      - uncordon: {}
";

const TOUCH: &str = "apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
phases:
  - name: workers
    hosts: workers
    rollout: { max_failures: 12, max_unavailable: 12, parallel: 12 }
    steps:
      - command: { argv: [touch, /tmp/x] }
        effect: changes
";

#[test]
fn a_drain_that_took_its_cordon_back_exits_10_and_all_hosts_are_in_service() {
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(DRAIN, &[]).await.unwrap();
        cluster.simulated.inject(Fault::DrainBlocked { host: "w1".to_owned() });
        let rolled = cluster.roll(plan).await;
        assert!(rolled.told.contains("\nall hosts are in service"), "{}", rolled.told);
        assert!(!rolled.told.contains("is left"), "{}", rolled.told);
        assert_eq!(rolled.code, 10, "{}", rolled.told);
        assert!(!cluster.simulated.host("w1").unwrap().cordoned);
    });
}

#[test]
fn a_stop_is_no_failure_and_says_what_came_back_and_what_was_not_begun() {
    let cluster = Cluster::new(1, 3, "1.30.0");
    let second = "  - name: afterwards\n    hosts: workers\n    steps:\n      - command: [\"true\"]\n";
    let soaking = DRAIN.replace("batches: [1]", "batches: [1], soak: 5m");
    story(async {
        let plan = Rc::new(cluster.plan_of(&(soaking + second), &[]).await.unwrap());
        let (told, summary) = stopped_once_w1_is_out(&cluster, &plan).await;
        let text = told.text() + &summary.text(&plan);
        for line in [
            "batch 1: the run stopped before its soak and its checks had ended",
            "phase workers: stopped before its end",
            "stopped_by: Ctrl-C",
            "came back after that: w1",
            "not started in phase workers: w2, w3",
            "not started: phase afterwards (3 hosts)",
            "all hosts are in service",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("FAILED") && !text.contains("outside its limits"), "{text}");
        assert_eq!(summary.exit_code(), 130);
    });
}

#[test]
fn hosts_that_only_waited_for_a_slot_have_not_started() {
    let cluster = Cluster::new(1, 3, "1.30.0");
    let at_once = DRAIN.replace("batches: [1], ", "");
    story(async {
        let plan = Rc::new(cluster.plan_of(&at_once, &[]).await.unwrap());
        let (_, summary) = stopped_once_w1_is_out(&cluster, &plan).await;
        let text = summary.text(&plan);
        assert!(text.contains("1 changed, 2 not started"), "{text}");
        assert!(!text.contains("2 stopped"), "{text}");
        assert_eq!(summary.exit_code(), 130);
    });
}

#[test]
fn the_version_that_people_look_for_is_told_first() {
    let args = "rehearse runbooks/kubeadm-upgrade.yaml -i inventory.example.yaml -p target=1.31.4 --quiet";
    let said = Rollbook::new(args.split(' ')).run().exits(0).stderr;
    let first = said.lines().find(|line| line.contains(" → ")).expect("versions are told");
    assert!(first.trim_start().starts_with("kubelet "), "{said}");
}

/// Rolls a plan that somebody stops as soon as w1 goes out of service: what was told, and what it came to.
async fn stopped_once_w1_is_out(cluster: &Cluster, plan: &Rc<rollbook::plan::Plan>) -> (Shared, Summary) {
    let (stop, stops) = mpsc::unbounded_channel();
    let told = Shared::default();
    let reporters: Vec<Box<dyn rollbook::report::Reporter>> = vec![
        Box::new(rollbook::report::Plain::new(told.clone(), rollbook::report::Verbosity::Changes)),
        Box::new(StopsAt { line: "w1  goes out of service", told: told.clone(), stop: Some(stop) }),
    ];
    let history = roll(Setup { stops, reporters, ..cluster.setup(plan) }).await.unwrap();
    (told, Summary::of(plan, &history))
}

/// Asks the run to stop once it has told something.
struct StopsAt {
    line: &'static str,
    told: Shared,
    stop: Option<mpsc::UnboundedSender<StopRequest>>,
}

impl rollbook::report::Reporter for StopsAt {
    fn event(
        &mut self,
        _: &rollbook::plan::Plan,
        _: &rollbook::engine::State,
        _: &rollbook::engine::Stamped,
    ) {
        if !self.told.text().contains(self.line) {
            return;
        }
        if let Some(stop) = self.stop.take() {
            let request = StopRequest { level: StopLevel::Graceful, by: "Ctrl-C".to_owned() };
            stop.send(request).expect("the run listens");
        }
    }
}

#[test]
fn hosts_behind_one_way_that_cannot_be_reached_are_told_in_one_line() {
    let mut cluster = Cluster::new(1, 12, "1.30.0");
    story(async {
        let mut plan = cluster.plan_of(TOUCH, &[]).await.unwrap();
        for host in &mut plan.hosts {
            host.connection.jump = Some("bastion".to_owned());
        }
        for worker in 1..=12 {
            let (host, lasting) = (format!("w{worker}"), None);
            cluster.simulated.inject(Fault::Unreachable { host, at: Duration::ZERO, lasting });
        }
        let rolled = cluster.roll(plan).await;
        let text = &rolled.told[rolled.told.rfind("hosts:").unwrap()..];
        let line =
            "12 hosts cannot be reached through bastion: w1, w2, w3, w4, w5, w6, w7, w8, … (12 in all)";
        assert!(text.contains(line), "{text}");
        assert_eq!(text.matches("cannot reach").count(), 1, "the first one's own words: {text}");
        assert_eq!(rolled.code, 12, "{text}");
    });
}
