//! A simulation that begins as a real cluster was when it was recorded: what machines and nodes said, and the pods that
//! stood on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, inject};
use super::host::{ControlGroups, LONG_AGO};
use super::pod::{self, SimulatedWorkload};
use super::unit::SimulatedUnit;
use super::world::World;
use super::{kubelet, os};
use crate::value::Duration;

/// Everything of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedRecord {
    /// Machines by their inventory names.
    pub hosts: BTreeMap<String, RecordedHost>,
    /// All pods that controllers keep or nobody does; static pods follow from the control planes.
    pub workloads: Vec<SimulatedWorkload>,
}

/// A machine and its node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedHost {
    /// Packages that are known to be there, with their versions, and those that are known not to be, with an empty one.
    pub packages: BTreeMap<String, String>,
    /// Packages on hold.
    pub held: Vec<String>,
    /// dpkg left something half-way.
    pub dpkg_broken: bool,
    /// `ActiveState` and `UnitFileState` of services, by their names without suffix.
    pub units: BTreeMap<String, (String, String)>,
    /// Swap is on.
    pub swap: bool,
    /// /var/run/reboot-required is there.
    pub reboot_required: bool,
    /// Free bytes where everything lies; nothing where it is not known.
    pub free: Option<u64>,
    /// The version of its control groups, "v1" or "v2"; empty where it is not known.
    #[serde(default)]
    pub cgroup: String,
    /// Its node, where it is one.
    pub node: Option<RecordedNode>,
    /// `ID` of /etc/os-release; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os: String,
    /// `VERSION_ID` of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedNode {
    /// Status of the condition Ready.
    pub ready: String,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// Who cordoned it, where a run did; empty otherwise.
    pub cordoned_by: String,
    /// Its kubelet's version, without the `v`.
    pub kubelet: String,
    /// Its container runtime, as its kubelet names it; empty where it is not known.
    #[serde(default)]
    pub runtime: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Makes a new world what was recorded.
pub(super) fn apply(world: &mut World, record: &SimulatedRecord) {
    for (name, recorded) in &record.hosts {
        if let Some(index) = world.host_index(name) {
            machine(world, index, recorded);
            if let Some(node) = &recorded.node {
                self::node(world, index, name, node);
            }
            kubelet::recorded(world, index);
        }
    }
    for workload in &record.workloads {
        pod::add(world, workload);
    }
}

fn machine(world: &mut World, index: usize, recorded: &RecordedHost) {
    let host = &mut world.hosts[index];
    let at = LONG_AGO - 60_000;
    for (name, version) in &recorded.packages {
        if version.is_empty() {
            host.packages.remove(name);
        } else {
            host.packages.put(name, version, at);
        }
    }
    host.packages.hold_exactly(&recorded.held);
    if recorded.dpkg_broken {
        host.packages.interrupted = Some("base-files".to_owned());
    }
    if let Some(version) = host.packages.kubernetes_version("kubeadm").filter(|_| host.node.is_some()) {
        host.use_repository_of(&version);
    }
    for (name, (active, enabled)) in &recorded.units {
        let unit = SimulatedUnit::recorded(active, enabled, at);
        host.units.insert(format!("{name}.service"), unit);
    }
    host.free = recorded.free.unwrap_or(host.free);
    host.control_groups = if recorded.cgroup == "v1" { ControlGroups::V1 } else { ControlGroups::V2 };
    let reported = recorded.node.as_ref().map(|node| node.runtime.clone()).unwrap_or_default();
    host.runtime = Some(reported).filter(|reported| !reported.is_empty() && *reported != host.runtime());
    if !recorded.os.is_empty() {
        let release = os::release_of(&recorded.os, &recorded.os_version);
        host.files.put("/etc/os-release", release, "644", at);
    }
    let runtime = host.runtime();
    if let Some(node) = host.node {
        world.cluster.nodes[node].runtime = runtime;
    }
    let host = || world.hosts[index].name.as_str().to_owned();
    let swap = recorded.swap.then(|| Fault::SwapOn { host: host() });
    let reboot = recorded.reboot_required.then(|| Fault::RebootRequired { host: host() });
    let faults: Vec<Fault> = swap.into_iter().chain(reboot).collect();
    for fault in faults {
        inject(world, fault);
    }
}

fn node(world: &mut World, index: usize, name: &str, recorded: &RecordedNode) {
    let Some(node) = world.hosts[index].node else { return };
    let ours = &mut world.cluster.nodes[node];
    ours.kubelet.clone_from(&recorded.kubelet);
    ours.labels.extend(recorded.labels.clone());
    if !recorded.cordoned_by.is_empty() {
        ours.annotations.insert("rollbook.dev/cordoned-by".to_owned(), recorded.cordoned_by.clone());
    }
    ours.unschedulable = recorded.cordoned;
    world.cluster.touch(node);
    if recorded.ready != "True" {
        inject(world, Fault::NodeNotReady { host: name.to_owned(), at: Duration::ZERO });
    }
}
