//! Whether the cluster is the one of the plan: all of it before a run begins or goes on, and a host's own node whenever a
//! look reads it.

use tokio::time::{Instant, sleep};

use super::Pool;
use super::context::Shared;
use super::drift::drifted;
use super::gather_facts::cluster_facts;
use crate::engine::{Cause, Failure, Membership, Stamped};
use crate::inventory::HostName;
use crate::kubernetes::node::{NODES, ONE_NODE, parse_nodes};
use crate::op::{ProbeOutput, Query};
use crate::plan::nodes::{ClusterDrift, NodeMoved, compare, knows_nodes, moved};
use crate::plan::{HostId, Plan};
use crate::runbook::NewNodes;
use crate::value::{Duration, escape};

/// What became of the cluster since the plan was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSince {
    /// Hosts whose node is not the planned one.
    pub drifted: Vec<(HostName, Failure)>,
    /// What else is not as planned and stops the run.
    pub refused: Vec<Failure>,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Between two looks at a cluster that does not answer.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Compares the cluster with what the plan saw. What these events of the run itself made of nodes is as it should be. A
/// cluster that does not answer is asked again for this long, which is told once.
pub async fn cluster_since(
    plan: &Plan,
    events: &[Stamped],
    (patience, tell): (Duration, &dyn Fn(&str)),
    pool: &Pool,
    controller: &Pool,
) -> Result<ClusterSince, Failure> {
    let Some(kube) = plan.kube.as_ref().filter(|_| knows_nodes(plan)) else {
        return Ok(ClusterSince::default());
    };
    let via: Vec<HostName> = kube.hosts.iter().map(|host| plan.host(*host).name.clone()).collect();
    let end = Instant::now() + patience.to_std();
    let mut is_told = false;
    let now = loop {
        match cluster_facts(pool, controller, &kube.cx, &via).await {
            Ok(now) => break now,
            Err(failure) if Instant::now() >= end => return Err(failure),
            Err(failure) => {
                if !std::mem::replace(&mut is_told, true) {
                    tell(&format!("{}; asked again for {patience} at most", failure.message));
                }
                sleep(ASK_AGAIN).await;
            }
        }
    };
    let own = Membership::of(plan, events).hosts();
    let ClusterDrift { hosts, new, gone } = compare(plan, &now, &own);
    let named = |(host, what): &(HostId, String)| (plan.host(*host).name.clone(), drifted(what));
    let mut since = ClusterSince { drifted: hosts.iter().map(named).collect(), ..ClusterSince::default() };
    if !new.is_empty() {
        let what = format!(
            "the cluster has nodes of no host that it did not have when the plan was made: {}",
            escape(&new.join(", "))
        );
        match kube.new_nodes {
            NewNodes::Warn => since.warnings.push(what),
            NewNodes::Drift => {
                since.refused.push(drifted(&format!("{what} (`kube: {{ new_nodes: drift }}`)")));
            }
        }
    }
    if !gone.is_empty() {
        since.warnings.push(format!(
            "nodes of no host are gone that the cluster had when the plan was made: {}",
            escape(&gone.join(", "))
        ));
    }
    Ok(since)
}

/// An error where a look at the host's own node finds another one, or none. What the run itself made of it is its own work.
pub(super) fn own_node(
    shared: &Shared,
    host: HostId,
    query: &Query,
    answer: &ProbeOutput,
) -> Result<(), Failure> {
    let planned = shared.plan.host(host);
    let Some(node) = planned.subject.node.as_deref().filter(|_| !planned.node_uid.is_empty()) else {
        return Ok(());
    };
    let is_of_node =
        query.argv.iter().any(|word| word.strip_prefix(ONE_NODE).is_some_and(|name| name == node));
    let is_asked = is_of_node && query.argv.iter().any(|word| word == NODES);
    if !is_asked || !answer.ok() || shared.membership.borrow().is_own(host) {
        return Ok(());
    }
    // Rows of another shape are told by whoever asked for them.
    let Ok(rows) = parse_nodes(&answer.stdout) else { return Ok(()) };
    match moved(planned, rows.first()) {
        Some(NodeMoved { what, is_lost: true }) => Err(node_lost(&what)),
        Some(NodeMoved { what, is_lost: false }) => Err(drifted(&what)),
        None => Ok(()),
    }
}

/// The node of a host is gone, or another one has its name: nothing that this run knew of it holds.
pub(super) fn node_lost(what: &str) -> Failure {
    Failure {
        cause: Cause::NodeLost,
        message: escape(what),
        hint: "look at `kubectl get nodes`: make the host a node again where it is none, then plan again"
            .to_owned(),
    }
}

/// What kubectl says where the host's own node is gone, as a failure. What the run itself made of it is its own work.
pub(super) fn not_found(shared: &Shared, host: HostId, title: &str, stderr: &str) -> Option<Failure> {
    let node = shared.plan.host(host).subject.node.as_deref()?;
    let is_gone = stderr.contains("(NotFound)") && stderr.contains(&format!("nodes \"{node}\" not found"));
    let is_own = shared.membership.borrow().is_own(host);
    (is_gone && !is_own)
        .then(|| node_lost(&format!("{title}: node {node} no longer exists: kubectl does not find it")))
}
