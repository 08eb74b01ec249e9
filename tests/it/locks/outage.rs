//! An API server that is away while its own control plane is upgraded, for longer than the lock may be silent.

use rollbook::op::Exit;
use rollbook::report::{ExitKind, Summary};
use rollbook::value::Duration;

use super::controllers::{BEGIN, claim, controller, unfinished};
use crate::support::cluster::{Cluster, story};
use rollbook::executor::Claim;
use std::rc::Rc;

#[test]
fn a_single_control_plane_is_upgraded_though_its_api_is_away_for_longer_than_a_ttl() {
    let cluster = Cluster::new(1, 1, "1.30.0");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/kubeadm-upgrade.yaml");
    let shipped = std::fs::read_to_string(path).unwrap();
    let accepted = shipped.replace("policy:\n", "policy:\n  control_plane_outage: accept\n");
    story(async {
        let plan = Rc::new(cluster.plan_of(&accepted, &[("target", "1.31.4")]).await.unwrap());
        let ttl = Duration::from_secs(4);
        let history = controller(cluster.setup(&plan), &Claim { ttl, ..claim("a", BEGIN) }).await.unwrap();
        let summary = Summary::of(&plan, &history);
        assert_eq!(summary.exit(), ExitKind::Ok, "{}", summary.text(&plan));
        // It was away: renewals failed, for longer than a ttl.
        let log = cluster.simulated.log();
        let renewals = log.iter().filter(|command| command.argv.iter().any(|word| word == "replace"));
        let failed: Vec<Duration> = renewals
            .filter(|command| command.exit != Some(Exit::Code(0)))
            .map(|command| command.at)
            .collect();
        let (Some(first), Some(last)) = (failed.first(), failed.last()) else { panic!("no renewal failed") };
        assert!(last.saturating_sub(*first) > ttl, "away from {first} to {last}");
        assert_eq!(unfinished("a").run, "a");
    });
}
