//! Whether the cluster is still the one that the plan was made over: every host's node by its UID, and nobody new. Pure:
//! the caller read the nodes again.
//!
//! A name proves nothing. Whoever deletes a node and lets its kubelet register again has a node of the same name that
//! carries other pods, labels and cordons, and a plan that was made over the old one says nothing of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{HostId, Plan, PlannedHost};
use crate::facts::{ClusterFacts, NodeFacts};
use crate::kubernetes::node::NodeRow;

/// How a cluster differs from the one that a plan saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterDrift {
    /// Hosts whose node is not what it was, each with a sentence.
    pub hosts: Vec<(HostId, String)>,
    /// Nodes of no host that are there now and were not: names, or what became of a name.
    pub new: Vec<String>,
    /// Nodes of no host that were there and are not any more.
    pub gone: Vec<String>,
}

/// A host's node that is not the planned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMoved {
    /// How it differs, as a sentence.
    pub what: String,
    /// Its object is gone from the cluster, and whatever was written into it.
    pub is_lost: bool,
}

/// Whether the plan knows the nodes of its cluster: those that were made offline, or without a cluster, do not.
pub fn knows_nodes(plan: &Plan) -> bool {
    plan.kube.is_some() && (others(plan).is_some() || plan.hosts.iter().any(|host| !host.node_uid.is_empty()))
}

/// Compares a cluster with what the plan saw. Nodes of `own` hosts are what the run itself made of them: it deleted
/// them, or let them join.
pub fn compare(plan: &Plan, now: &ClusterFacts, own: &BTreeSet<HostId>) -> ClusterDrift {
    let mut by_machine: HashMap<&str, &str> = HashMap::new();
    for (name, node) in now.nodes.iter().filter(|(_, node)| !node.machine_id.is_empty()) {
        by_machine.insert(&node.machine_id, name);
    }
    let elsewhere = |host: &PlannedHost| by_machine.get(host.machine_id.as_str()).copied();
    let ids = (0..).map(HostId).zip(&plan.hosts).filter(|(id, _)| !own.contains(id));
    let hosts = ids.filter_map(|(id, host)| Some((id, changed(plan, host, now, elsewhere(host))?))).collect();
    let (new, gone) = others(plan).map(|others| strangers(plan, others, now)).unwrap_or_default();
    ClusterDrift { hosts, new, gone }
}

/// How a host's node differs from what the plan saw; `None` where it is the same, or where the plan saw none. `row` is the
/// node of its name.
pub fn moved(host: &PlannedHost, row: Option<&NodeRow<'_>>) -> Option<NodeMoved> {
    let what = is_other(host, row.map(|row| (row.uid, row.machine_id)), None)?;
    let is_there = row.is_some_and(|row| row.uid == host.node_uid);
    Some(NodeMoved { what, is_lost: !is_there })
}

fn changed(plan: &Plan, host: &PlannedHost, now: &ClusterFacts, elsewhere: Option<&str>) -> Option<String> {
    if let Some(node) = &host.subject.node {
        let there = now.nodes.get(node);
        let elsewhere = elsewhere.filter(|name| name != node);
        let elsewhere = elsewhere.map(|name| (name, now.nodes[name].uid.as_str()));
        return is_other(host, there.map(|node| (node.uid.as_str(), node.machine_id.as_str())), elsewhere);
    }
    // A machine without an id was not read: the plan cannot have known its node.
    let name = elsewhere.filter(|_| others(plan).is_some())?;
    Some(format!("it is node {name} of the cluster now, and was none when the plan was made"))
}

/// `there`: UID and machine id of the node of the planned name. `elsewhere`: the name and UID that the machine has now.
fn is_other(
    host: &PlannedHost,
    there: Option<(&str, &str)>,
    elsewhere: Option<(&str, &str)>,
) -> Option<String> {
    let planned = host.node_uid.as_str();
    let node = host.subject.node.as_deref().filter(|_| !planned.is_empty())?;
    let Some((uid, machine)) = there else {
        return Some(match elsewhere {
            Some((name, uid)) => format!(
                "its node {node} was renamed: the plan saw it with UID {planned}, and the machine is node {name} with \
                 UID {uid} now"
            ),
            None => {
                format!("node {node} no longer exists: the plan saw it with UID {planned}, and it is gone")
            }
        });
    };
    if uid != planned {
        return Some(format!(
            "node {node} was replaced: the plan saw it with UID {planned}, and the node of that name has UID {uid} now"
        ));
    }
    let is_swapped = !machine.is_empty() && !host.machine_id.is_empty() && machine != host.machine_id;
    is_swapped.then(|| {
        format!(
            "node {node} is another machine now: the plan saw machine id {}, and it is {machine} now",
            host.machine_id
        )
    })
}

fn others(plan: &Plan) -> Option<&BTreeMap<String, String>> {
    plan.kube.as_ref()?.other_nodes.as_ref()
}

/// Nodes of no host that came, and those that went.
fn strangers(
    plan: &Plan,
    planned: &BTreeMap<String, String>,
    now: &ClusterFacts,
) -> (Vec<String>, Vec<String>) {
    let names: BTreeSet<&str> = plan.hosts.iter().filter_map(|host| host.subject.node.as_deref()).collect();
    let machines: BTreeSet<&str> = plan.hosts.iter().map(|host| host.machine_id.as_str()).collect();
    let is_of_a_host = |name: &str, node: &NodeFacts| {
        names.contains(name) || !node.machine_id.is_empty() && machines.contains(node.machine_id.as_str())
    };
    let mut new = Vec::new();
    for (name, node) in now.nodes.iter().filter(|(name, node)| !is_of_a_host(name, node)) {
        match planned.get(name) {
            Some(uid) if *uid == node.uid => {}
            Some(_) => new.push(format!("{name} (another node of this name was there)")),
            None => new.push(name.clone()),
        }
    }
    let gone = planned.keys().filter(|name| !now.nodes.contains_key(*name)).cloned().collect();
    (new, gone)
}
