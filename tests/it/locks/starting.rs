//! An API server that has only just started and forbids everything: nobody takes that for a missing right, and nothing
//! starts on a lock that grew old meanwhile.

use std::rc::Rc;

use rollbook::engine::Event;
use rollbook::executor::{Claim, LeaseError, Leave, LockError, LockRequest};
use rollbook::op::Exit;
use rollbook::report::{ExitKind, Summary};
use rollbook::simulation::Fault;
use rollbook::value::Duration;
use tokio::time::sleep;

use super::controllers::{BEGIN, claim, controller, marks, take, unfinished};
use crate::support::cluster::{Cluster, story};

fn starts(cluster: &Cluster, secs: Option<u64>) {
    let lasting = secs.map(Duration::from_secs);
    cluster.simulated.inject(Fault::ApiServerStarts { host: "cp1".to_owned(), lasting });
}

#[test]
fn a_plan_and_the_lock_wait_until_the_api_server_has_read_its_rules() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        starts(&cluster, Some(20));
        let plan = marks(&cluster, "a").await;
        assert!(cluster.simulated.elapsed() >= Duration::from_secs(20));
        let setup = cluster.setup(&plan);
        for request in
            [BEGIN, LockRequest::GoOn { run: "a".to_owned(), journal: String::new(), machine: String::new() }]
        {
            starts(&cluster, Some(20));
            let before = cluster.simulated.elapsed();
            let lock = take(&setup, &claim("a", request)).await.unwrap();
            let waited = cluster.simulated.elapsed().saturating_sub(before).as_secs();
            assert!((20..25).contains(&waited), "{waited} s");
            starts(&cluster, Some(20));
            while let Err(error) = lock.leave(Leave::Over).await {
                assert!(matches!(error, LeaseError::Starting(_)), "{error}");
                sleep(std::time::Duration::from_secs(2)).await;
            }
        }
    });
}

#[test]
fn a_minute_of_it_is_enough() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        starts(&cluster, None);
        let before = cluster.simulated.elapsed();
        let error = take(&cluster.setup(&plan), &claim("a", BEGIN)).await.err().unwrap();
        let LockError::Lease(LeaseError::Refused { what, .. }) = error else { panic!("{error:?}") };
        assert!(what.starts_with("the API server has forbidden everything for 1m: "), "{what}");
        let waited = cluster.simulated.elapsed().saturating_sub(before).as_secs();
        assert!((60..70).contains(&waited), "{waited} s");
    });
}

/// Renewals are refused for longer than half of a ttl: what a worker would start waits, and no node is touched by it.
#[test]
fn while_it_starts_nothing_begins_on_a_lock_that_was_renewed_half_a_ttl_ago() {
    let cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        let ttl = Duration::from_secs(20);
        let claim_a = Claim { ttl, ..claim("a", BEGIN) };
        let setup = cluster.setup(&plan);
        let again = async {
            sleep(std::time::Duration::from_secs(15)).await;
            starts(&cluster, Some(40));
        };
        let (history, ()) = tokio::join!(Box::pin(controller(setup, &claim_a)), again);
        let history = history.unwrap();
        assert_eq!(Summary::of(&plan, &history).exit(), ExitKind::Ok);
        let log = cluster.simulated.log();
        let renewed = |before: Duration| {
            let is_renewal = |argv: &[String]| argv.iter().any(|word| word == "replace" || word == "create");
            let landed =
                log.iter().filter(|command| is_renewal(&command.argv) && command.exit == Some(Exit::Code(0)));
            landed.map(|command| command.at).filter(|at| *at <= before).max().unwrap_or_default()
        };
        let begun: Vec<Duration> =
            log.iter().filter(|command| command.argv[0] == "sleep").map(|command| command.at).collect();
        for at in &begun {
            let age = at.saturating_sub(renewed(*at));
            assert!(age.as_millis() <= ttl.as_millis() / 2, "{at}: the last renewal landed {age} before");
        }
        let pauses = begun.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs());
        assert!(pauses.max().unwrap() >= 30, "nothing waited: {begun:?}");
        assert_eq!((begun.len(), unfinished("a").run.as_str()), (6, "a"));
    });
}

/// What a reboot of a single control plane looks like since 1.29: looks, polls and the lock meet a server that forbids
/// everything, and the host comes back in service.
#[test]
fn a_single_control_plane_comes_back_from_its_reboot() {
    const REBOOT: &str = r"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
kube: { via: control_plane }
policy: { control_plane_outage: accept }
defaults: { become: true }
phases:
  - name: planes
    hosts: control_plane
    steps:
      - drain: { delete_emptydir_data: true, reason: caches only }
      - reboot: {}
      - wait: { node: ready, for: 5m }
      - uncordon: {}
";
    let mut cluster = Cluster::new(1, 2, "1.30.0");
    story(async {
        let plan = cluster.plan_of(REBOOT, &[]).await.unwrap();
        let rolled = cluster.roll(plan).await;
        assert_eq!(rolled.code, 0, "{}", rolled.told);
        let told = rolled.events.iter().filter_map(|event| match &event.event {
            Event::ClusterSilent { starting, .. } => Some(*starting),
            _ => None,
        });
        assert!(!told.collect::<Vec<_>>().is_empty(), "{}", rolled.told);
        assert!(!cluster.simulated.host("cp1").unwrap().cordoned, "{}", rolled.told);
    });
}

/// An account without the right is told at once, by name.
#[test]
fn a_right_that_is_missing_is_named_at_once() {
    let cluster = Cluster::new(1, 1, "1.30.0");
    story(async {
        let plan = marks(&cluster, "a").await;
        let before = cluster.simulated.elapsed();
        let mut plan = Rc::into_inner(plan).unwrap();
        plan.kube.as_mut().unwrap().cx.kubeconfig = "/etc/kubernetes/kubelet.conf".to_owned();
        let error = take(&cluster.setup(&Rc::new(plan)), &claim("a", BEGIN)).await.err().unwrap();
        let text = format!("{error:?}");
        assert!(text.contains("may not get leases.coordination.k8s.io in kube-system"), "{text}");
        assert!(cluster.simulated.elapsed().saturating_sub(before) < Duration::from_secs(10));
    });
}
