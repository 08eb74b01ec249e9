//! What `rollbook facts --record` wrote down, as the simulation begins with it.

use std::collections::BTreeMap;

use camino::Utf8Path;

use crate::app::AppError;
use crate::app::load::bytes_of;
use crate::facts::{HostFacts, NodeFacts, RecordedCluster, RecordedPod, Recording};
use crate::report::ExitKind;
use crate::simulation::{
    Allowance, RecordedHost, RecordedNode, SimulatedHost, SimulatedRecord, SimulatedWorkload, WorkloadKind,
};
use crate::source::read_utf8;
use crate::value::Version;

/// The beginning of a rehearsal.
pub(super) struct Beginning {
    pub(super) record: SimulatedRecord,
    /// The API server's version; nothing where no cluster was recorded.
    pub(super) kubernetes: Option<Version>,
}

/// Reads a recording, and makes these hosts those of it.
pub(super) fn read(file: &Utf8Path, hosts: &mut [SimulatedHost]) -> Result<Beginning, AppError> {
    let text = read_utf8(bytes_of(file)?)
        .map_err(|error| AppError::new(ExitKind::Invalid, format!("{file}: {error}")))?;
    let recording = Recording::read(&text).map_err(|reason| {
        AppError::new(ExitKind::Invalid, format!("{file} is no recording: {reason}"))
            .hint("write one with `rollbook facts -i INVENTORY --record FILE`")
    })?;
    // The controller is a machine of the rehearsal alone.
    let missing: Vec<&str> = hosts
        .iter()
        .filter(|host| host.name.as_str() != "controller")
        .map(|host| host.name.as_str())
        .filter(|name| !recording.hosts.contains_key(*name))
        .collect();
    if let Some(first) = missing.first() {
        let more = missing.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" and {more} other hosts are") };
        let verb = if more.is_empty() { " is" } else { "" };
        return Err(AppError::new(ExitKind::Invalid, format!("{first}{more}{verb} not in {file}"))
            .hint("record the fleet again, with the inventory of this rehearsal"));
    }
    let mut record = SimulatedRecord::default();
    let cluster = recording.cluster.as_ref();
    for host in hosts.iter_mut() {
        let Some(facts) = recording.hosts.get(host.name.as_str()) else { continue };
        let node = cluster.and_then(|cluster| node_of(cluster, host, facts));
        if let Some((name, node)) = node {
            host.node_name = Some(name.to_owned());
            host.control_plane = node.control_plane;
        }
        let recorded = machine(facts, node.map(|(_, node)| node));
        record.hosts.insert(host.name.as_str().to_owned(), recorded);
    }
    record.workloads = cluster.map(workloads).unwrap_or_default();
    let kubernetes = cluster.and_then(|cluster| Version::parse(&cluster.facts.server_version).ok());
    Ok(Beginning { record, kubernetes })
}

/// A host's node: the one that is the same machine, else the one of its name.
fn node_of<'c>(
    cluster: &'c RecordedCluster,
    host: &SimulatedHost,
    facts: &HostFacts,
) -> Option<(&'c str, &'c NodeFacts)> {
    // A runbook without Kubernetes has no nodes.
    let wanted = host.node_name.as_ref()?;
    let nodes = &cluster.facts.nodes;
    let same =
        nodes.iter().find(|(_, node)| !node.machine_id.is_empty() && node.machine_id == facts.machine_id);
    same.or_else(|| nodes.get_key_value(wanted)).map(|(name, node)| (name.as_str(), node))
}

fn machine(facts: &HostFacts, node: Option<&NodeFacts>) -> RecordedHost {
    let known = facts.packages.iter().filter(|(_, package)| !(package.held && package.version.is_empty()));
    let held = facts.packages.iter().filter(|(_, package)| package.held);
    let units =
        facts.units.iter().map(|(name, unit)| (name.clone(), (unit.active.clone(), unit.enabled.clone())));
    RecordedHost {
        packages: known.map(|(name, package)| (name.clone(), package.version.clone())).collect(),
        held: held.map(|(name, _)| name.clone()).collect(),
        dpkg_broken: facts.dpkg_broken,
        units: units.collect(),
        swap: facts.swap_total > 0,
        reboot_required: facts.reboot_required,
        free: facts.disks.get("/var").map(|disk| disk.free),
        cgroup: facts.cgroup.clone(),
        os: facts.os.clone(),
        os_version: facts.os_version.clone(),
        node: node.map(|node| RecordedNode {
            ready: node.ready.clone(),
            cordoned: node.cordoned,
            cordoned_by: node.cordoned_by.clone(),
            kubelet: node.kubelet_version.trim_start_matches('v').to_owned(),
            runtime: node.runtime.clone(),
            labels: node.labels.clone(),
        }),
    }
}

/// Pods by what keeps them, in the order of their names.
fn workloads(cluster: &RecordedCluster) -> Vec<SimulatedWorkload> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&RecordedPod>> = BTreeMap::new();
    for pod in &cluster.pods {
        let owner = if pod.controller.is_empty() { pod.name.as_str() } else { pod.owner.as_str() };
        groups.entry((pod.namespace.as_str(), pod.controller.as_str(), owner)).or_default().push(pod);
    }
    let workload = |((namespace, controller, owner), pods): ((&str, &str, &str), Vec<&RecordedPod>)| {
        let kind = match controller {
            // A static pod's mirror, without its annotation; it follows from the control plane.
            "Node" => return None,
            "" => WorkloadKind::Bare { node: pods[0].node.clone() },
            "DaemonSet" => WorkloadKind::DaemonSet,
            _ => {
                let placed = pods.iter().map(|pod| (pod.node.clone(), pod.ready));
                WorkloadKind::Placed { pods: placed.collect() }
            }
        };
        let covers = |pod: &&RecordedPod| {
            let mut budgets = cluster.budgets.iter();
            budgets.find(|budget| budget.namespace == namespace && budget.covers.contains(&pod.name))
        };
        let budget = pods.iter().find_map(covers);
        Some(SimulatedWorkload {
            namespace: namespace.to_owned(),
            name: name_of(controller, owner).to_owned(),
            kind,
            empty_dir: pods.iter().any(|pod| pod.empty_dir),
            budget: budget.map(|budget| {
                Allowance::MinAvailable(u32::try_from(budget.needed.max(0)).unwrap_or(u32::MAX))
            }),
        })
    };
    groups.into_iter().filter_map(workload).collect()
}

/// `web` of the ReplicaSet `web-5d4f7c9b8d`, which a Deployment named with a hash of letters and digits.
fn name_of<'n>(controller: &str, owner: &'n str) -> &'n str {
    match owner.rsplit_once('-') {
        Some((name, hash))
            if controller == "ReplicaSet"
                && (5..=10).contains(&hash.len())
                && hash.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) =>
        {
            name
        }
        _ => owner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, controller: &str, owner: &str, node: &str) -> RecordedPod {
        RecordedPod {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            node: node.to_owned(),
            controller: controller.to_owned(),
            owner: owner.to_owned(),
            empty_dir: false,
            ready: true,
        }
    }

    #[test]
    fn pods_are_grouped_by_what_keeps_them() {
        let cluster = RecordedCluster {
            pods: vec![
                pod("web-5d4f7c9b8d-a", "ReplicaSet", "web-5d4f7c9b8d", "w1"),
                pod("web-5d4f7c9b8d-b", "ReplicaSet", "web-5d4f7c9b8d", "w2"),
                pod("db-0", "StatefulSet", "db", "w1"),
                pod("bare", "", "", "w2"),
                pod("agent-x", "DaemonSet", "agent", "w1"),
                pod("agent-y", "DaemonSet", "agent", "w2"),
            ],
            ..RecordedCluster::default()
        };
        let found: Vec<_> =
            workloads(&cluster).into_iter().map(|workload| (workload.name, workload.kind)).collect();
        let placed = |nodes: &[&str]| WorkloadKind::Placed {
            pods: nodes.iter().map(|node| ((*node).to_owned(), true)).collect(),
        };
        let expected = [
            ("bare", WorkloadKind::Bare { node: "w2".to_owned() }),
            ("agent", WorkloadKind::DaemonSet),
            ("web", placed(&["w1", "w2"])),
            ("db", placed(&["w1"])),
        ];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
