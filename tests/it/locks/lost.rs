//! A controller that dies in the middle of a host, and its state directory with it: the cluster and the hosts still tell
//! what stands, and a new run finishes the job.

use std::rc::Rc;
use std::time::Duration;

use rollbook::executor::{Claim, LockError, LockRefusal, LockRequest};
use rollbook::simulation::{HostState, Simulated};
use tokio::time::sleep;

use super::controllers::{BEGIN, claim, controller, take, unfinished};
use crate::support::cluster::{Cluster, shown, story};

const HOSTS: [&str; 5] = ["cp1", "cp2", "cp3", "w1", "w2"];

/// Comes back when the host's kubelet is replaced and its old process still runs.
async fn kubelet_is_stale(world: &Simulated, host: &str) {
    let is_stale =
        |host: HostState| host.packages["kubelet"].starts_with("1.31.4") && host.kubelet == "1.30.0";
    while !is_stale(world.host(host).unwrap()) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// The hosts, without what depends on when something happened.
fn hosts(cluster: &Cluster) -> Vec<HostState> {
    let host = |name| HostState { pods: Vec::new(), ..cluster.simulated.host(name).unwrap() };
    HOSTS.map(host).into()
}

#[test]
fn with_its_state_directory_lost_a_dead_run_is_told_by_the_cluster_and_a_new_one_finishes_its_work() {
    let upgraded = story(async {
        let mut cluster = Cluster::new(3, 2, "1.30.0");
        let plan = cluster.plan("1.31.4").await.unwrap();
        assert_eq!(cluster.roll(plan).await.code, 0);
        hosts(&cluster)
    });
    story(async {
        let mut cluster = Cluster::new(3, 2, "1.30.0");
        let plan = Rc::new(cluster.plan("1.31.4").await.unwrap());
        let claim_a = claim("a", BEGIN);
        // Whatever the controller had on its disk ends with it.
        let killed = tokio::select! {
            _ = Box::pin(controller(cluster.setup(&plan), &claim_a)) => false,
            () = kubelet_is_stale(&cluster.simulated, "w1") => true,
        };
        assert!(killed, "it was over before it was killed");
        sleep(Duration::from_hours(1)).await;

        let told = shown(&cluster.plan("1.31.4").await.unwrap());
        for tells in
            ["cordoned by run a, and stays so: w1", "--adopt-cordons a", "runs a binary that was replaced"]
        {
            assert!(told.contains(tells), "{tells}\n{told}");
        }
        let setup = cluster.setup(&plan);
        let refused = take(&setup, &claim("b", BEGIN)).await.err().unwrap();
        assert_eq!(refused, LockError::Refused(LockRefusal::CutOff(unfinished("a"))));

        let give_up = LockRequest::Clear { run: Some("a".to_owned()), dead: false };
        let lock = take(&setup, &Claim { unfinished: None, ..claim("b", give_up) }).await.unwrap();
        lock.clear(&["a".to_owned()], "ops@b: its disk is gone").await.unwrap();
        cluster.adopt = Some("a".to_owned());
        let plan = Rc::new(cluster.plan("1.31.4").await.unwrap());
        let history = controller(cluster.setup(&plan), &claim("b", BEGIN)).await.unwrap();
        assert!(history.state.halted().is_none(), "{:?}", history.state.halted());
        assert_eq!(hosts(&cluster), upgraded);
    });
}
