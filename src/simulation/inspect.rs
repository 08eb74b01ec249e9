//! How a simulated host stands, for tests and for the end of a rehearsal.

use std::collections::BTreeMap;

use super::cluster::ReadyCondition;
use super::world::World;
use super::{kubelet, static_pod};

/// A host and its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    /// Installed packages and their versions.
    pub packages: BTreeMap<String, String>,
    /// Packages on hold.
    pub held: Vec<String>,
    /// A package was left half-configured.
    pub dpkg_broken: bool,
    /// Content of /etc/apt/sources.list.d/kubernetes.list.
    pub repository: String,
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// The node's name; empty where the host is none.
    pub node: String,
    /// Status of the node's condition Ready.
    pub ready: String,
    /// What keeps its kubelet from running, where the node is not Ready and that is known; empty otherwise.
    pub held_back_by: String,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// The node's annotations.
    pub annotations: BTreeMap<String, String>,
    /// The kubelet's version as the node shows it: `1.31.4`.
    pub kubelet: String,
    /// Tags of the static pods' images, by component.
    pub static_pods: BTreeMap<String, String>,
    /// Pods on the node.
    pub pods: Vec<String>,
}

impl HostState {
    /// Of a host by its inventory name.
    pub(super) fn of(world: &World, name: &str) -> Option<Self> {
        let host = &world.hosts[world.host_index(name)?];
        let mut state = Self {
            packages: host.packages.all().map(|(name, of)| (name.to_owned(), of.version.clone())).collect(),
            held: host.packages.held().map(str::to_owned).collect(),
            dpkg_broken: host.packages.interrupted.is_some(),
            repository: host.files.read(super::host::SOURCES).unwrap_or_default().to_owned(),
            boot_id: host.boot_id.clone(),
            ..Self::default()
        };
        if let Some(index) = host.node.filter(|index| !world.cluster.nodes[*index].deleted) {
            let node = &world.cluster.nodes[index];
            state.node.clone_from(&node.name);
            node.ready.status().clone_into(&mut state.ready);
            if node.ready != ReadyCondition::True {
                state.held_back_by = kubelet::held_back_by(world, node.host).unwrap_or_default();
            }
            state.cordoned = node.unschedulable;
            state.annotations = node.annotations.clone();
            state.kubelet.clone_from(&node.kubelet);
            state.static_pods = static_pod::tags(world, index);
            state.pods = world.cluster.pods_on(index).map(|(_, pod)| pod.name.clone()).collect();
        }
        Some(state)
    }
}
