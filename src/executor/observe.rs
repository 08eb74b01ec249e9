//! Looks at the world for the budget: which hosts are out of service by the cluster's or the network's own word.

use std::collections::HashSet;
use std::rc::Rc;

use tokio::task::JoinSet;

use super::control::{Shared, Teller};
use super::look::{ask, look, unreadable};
use crate::engine::{Event, Failure};
use crate::facts::{EtcdFacts, NodeTable, cluster_probe, etcd_probe, parse_etcd, parse_node_table};
use crate::kubernetes::quorum::quorum_allows;
use crate::op::{Probe, Query, Site};
use crate::plan::{HostId, OutCause, OutOfService, Plan};
use crate::value::Duration;

/// Looks and says what was seen. `batch` are the hosts of the current batch: only those are connected to.
pub(super) async fn run(shared: Rc<Shared>, teller: Teller, phase: u16, batch: Vec<HostId>) {
    let mut out = unreachable(&shared, &batch).await;
    let blocked = match cluster(&shared, phase, &batch).await {
        Ok((down, blocked)) => {
            out.extend(down);
            blocked
        }
        Err(failure) => Some(format!("the cluster cannot be asked: {}", failure.message)),
    };
    let mut seen = HashSet::new();
    out.retain(|host| seen.insert(host.host));
    teller.say(Event::Observed { phase, out, blocked });
}

/// Hosts whose node is out of service, and why no slot can be given, if so.
async fn cluster(
    shared: &Shared,
    phase: u16,
    batch: &[HostId],
) -> Result<(Vec<OutOfService>, Option<String>), Failure> {
    let (Some(kube), Some(subject)) = (&shared.plan.kube, batch.first()) else {
        return Ok((Vec::new(), None));
    };
    let nodes = cluster_probe(&kube.cx);
    let etcd = shared.plan.phase(phase).rollout.control_planes.then(|| etcd_probe(&kube.cx));
    let mut probes: Vec<&Probe> = vec![&nodes];
    probes.extend(&etcd);
    let answers = look(shared, *subject, &probes).await?;
    let nodes = parse_node_table(&answers[0]).map_err(unreadable)?;
    let etcd = answers.get(1).map(|answers| parse_etcd(answers)).transpose().map_err(unreadable)?;
    let down = out_of_service(&shared.plan, phase, &nodes, &shared.run);
    Ok((down, control_planes_blocked(shared, phase, &nodes, etcd.as_ref())))
}

/// Hosts of the population whose node is out of service, whoever took it out. Our own cordons are the run's business.
fn out_of_service(plan: &Plan, phase: u16, nodes: &NodeTable<'_>, run: &str) -> Vec<OutOfService> {
    let mut find = nodes.finder();
    let mut cause = |host: &HostId| {
        let name = plan.host(*host).subject.node.as_ref()?;
        let Some(node) = find(name) else { return Some(OutCause::NodeGone) };
        if !node.is_ready() {
            return Some(OutCause::NotReady(node.ready.to_owned()));
        }
        (node.cordoned && node.cordoned_by != run).then_some(OutCause::Cordoned)
    };
    let population = plan.phase(phase).population.iter();
    population.filter_map(|host| cause(host).map(|cause| OutOfService { host: *host, cause })).collect()
}

/// Why no control plane may be disrupted now, if so.
fn control_planes_blocked(
    shared: &Shared,
    phase: u16,
    nodes: &NodeTable<'_>,
    etcd: Option<&EtcdFacts>,
) -> Option<String> {
    // One or two control planes cannot keep a quorum; the plan was accepted with that.
    if !shared.plan.phase(phase).rollout.control_planes || shared.plan.policy.control_plane_outage {
        return None;
    }
    // A cluster without etcd pods keeps its etcd elsewhere: then the nodes are all there is to count.
    let (total, healthy) = match etcd {
        Some(etcd) if !etcd.members.is_empty() => {
            (etcd.members.len(), etcd.members.values().filter(|ready| **ready).count())
        }
        _ => {
            let planes = || nodes.iter().filter(|node| node.is_control_plane());
            (planes().count(), planes().filter(|node| node.is_ready()).count())
        }
    };
    quorum_allows(total, healthy).err()
}

/// Hosts of the batch that cannot be reached over SSH now.
async fn unreachable(shared: &Rc<Shared>, batch: &[HostId]) -> Vec<OutOfService> {
    let argv = vec!["true".to_owned()];
    let query = Query { argv, stdin: String::new(), site: None, r#become: None };
    let probe = Probe {
        site: Site::Subject,
        queries: vec![query],
        r#become: false,
        timeout: Duration::from_secs(20),
    };
    let probe = Rc::new(probe);
    let mut looks = JoinSet::new();
    for host in batch.iter().copied() {
        let (shared, probe) = (Rc::clone(shared), Rc::clone(&probe));
        looks.spawn_local(async move {
            ask(&shared.pool, shared.name(host), &probe).await.is_err().then_some(host)
        });
    }
    let mut out = Vec::new();
    while let Some(look) = looks.join_next().await {
        if let Some(host) = look.expect("invariant: a look does not panic") {
            out.push(OutOfService { host, cause: OutCause::Unreachable });
        }
    }
    out.sort_by_key(|out| out.host);
    out
}
