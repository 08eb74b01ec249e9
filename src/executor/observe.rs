//! Looks at the world for the budget: which hosts are out of service by the cluster's or the network's own word.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use tokio::task::JoinSet;

use super::context::{EventSender, Shared};
use super::look::{ask, look, unreadable};
use crate::engine::{EtcdSeen, Event, Failure};
use crate::facts::{
    EtcdFacts, EtcdMember, NodeTable, cluster_probe, etcd_member_probe, etcd_presence, etcd_probe,
    parse_etcd, parse_node_table, read_etcd_member, runs_etcd,
};
use crate::kubernetes::quorum::quorum_allows;
use crate::op::{Probe, ProbeOutput, Site};
use crate::plan::{HostId, OutCause, OutOfService, Plan};
use crate::value::Duration;

/// Looks and says what was seen. `batch` are the hosts of the current batch: only those are connected to.
pub(super) async fn run(shared: Rc<Shared>, event_sender: EventSender, phase: u16, batch: Vec<HostId>) {
    let ReachedHosts { mut out, members } = reach(&shared, &batch).await;
    let etcd = members_of_etcd(&shared, members).await;
    let blocked = match cluster(&shared, phase, &batch).await {
        Ok((down, blocked)) => {
            out.extend(down);
            blocked
        }
        Err(failure) => Some(format!("the cluster cannot be asked: {}", failure.message)),
    };
    let mut seen = HashSet::new();
    out.retain(|host| seen.insert(host.host));
    event_sender.say(Event::Observed { phase, out, blocked, etcd });
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

/// What a connection to each host of the batch gave.
struct ReachedHosts {
    /// Hosts that cannot be reached over SSH now.
    out: Vec<OutOfService>,
    /// Hosts that run a member of an etcd of their own.
    members: Vec<HostId>,
}

async fn reach(shared: &Rc<Shared>, batch: &[HostId]) -> ReachedHosts {
    let probe = Probe {
        site: Site::Subject,
        queries: etcd_presence(),
        r#become: false,
        timeout: Duration::from_secs(20),
    };
    let named = shared.plan.etcd.as_ref().map(|etcd| etcd.hosts.clone()).unwrap_or_default();
    let mut reached = ReachedHosts { out: Vec::new(), members: Vec::new() };
    for (host, answers) in ask_each(shared, batch, probe).await {
        match answers {
            Err(_) => reached.out.push(OutOfService { host, cause: OutCause::Unreachable }),
            Ok(answers) if named.contains(&host) || runs_etcd(&answers) => reached.members.push(host),
            Ok(_) => {}
        }
    }
    reached
}

/// What etcd itself says of these members. One that cannot be asked stays up.
async fn members_of_etcd(shared: &Rc<Shared>, hosts: Vec<HostId>) -> Vec<EtcdSeen> {
    let access = shared.plan.etcd.as_ref().map(|etcd| etcd.access.clone()).unwrap_or_default();
    let accepted = shared.plan.policy.control_plane_outage;
    let answers = ask_each(shared, &hosts, etcd_member_probe(&access)).await;
    let seen = answers.into_iter().map(|(host, answers)| {
        let name = shared.name(host);
        let member = match answers {
            Ok(answers) => read_etcd_member(&answers, &access, accepted),
            Err(failure) => {
                let blocked = Some(format!("etcd cannot be asked: {}", failure.message));
                EtcdMember { cluster: String::new(), blocked }
            }
        };
        let blocked = member.blocked.map(|reason| format!("{name}: {reason}"));
        EtcdSeen { host, cluster: member.cluster, blocked }
    });
    seen.collect()
}

/// Asks several hosts at the same time; the answers in the hosts' order.
async fn ask_each(
    shared: &Rc<Shared>,
    hosts: &[HostId],
    probe: Probe,
) -> BTreeMap<HostId, Result<Vec<ProbeOutput>, Failure>> {
    let probe = Rc::new(probe);
    let mut looks = JoinSet::new();
    for host in hosts.iter().copied() {
        let (shared, probe) = (Rc::clone(shared), Rc::clone(&probe));
        looks.spawn_local(async move { (host, ask(&shared.pool, shared.name(host), &probe).await) });
    }
    let mut answers = BTreeMap::new();
    while let Some(look) = looks.join_next().await {
        answers.extend([look.expect("invariant: a look does not panic")]);
    }
    answers
}
