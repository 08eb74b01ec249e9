//! The simulated Kubernetes cluster: nodes, and what kubeadm keeps in it. Lookups are by index; nothing is cloned.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::budget::SimulatedBudget;
use super::host::SimulatedHost;
use super::objects::Objects;
use super::pod::{Pod, Workload};
use super::random::SimulationRandom;
use super::world::{Millis, World};
use crate::value::{KubeVersion, Minor};

/// The annotation that every node has.
pub(super) const TTL: &str = "node.alpha.kubernetes.io/ttl";

/// How long an API server takes to read its RBAC rules once it answers.
const RULES_TAKE: Millis = 4_000;

/// The condition Ready of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadyCondition {
    /// The kubelet says so.
    True,
    /// The kubelet says it is not.
    False,
    /// Nobody has heard of the kubelet for 40 seconds.
    Unknown,
}

impl ReadyCondition {
    /// The condition's status.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct SimulatedNode {
    /// `metadata.name`.
    pub(super) name: String,
    /// `metadata.uid`.
    pub(super) uid: String,
    /// Somebody deleted its object: nobody sees it until its kubelet registers again.
    pub(super) deleted: bool,
    /// Index of its machine.
    pub(super) host: usize,
    /// Labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Annotations.
    pub(super) annotations: BTreeMap<String, String>,
    /// `spec.unschedulable`.
    pub(super) unschedulable: bool,
    /// The condition Ready.
    pub(super) ready: ReadyCondition,
    /// `status.nodeInfo.kubeletVersion` without the `v`.
    pub(super) kubelet: String,
    /// `status.nodeInfo.bootID`, by the kubelet's last word.
    pub(super) boot_id: String,
    /// `status.nodeInfo.containerRuntimeVersion`, likewise.
    pub(super) runtime: String,
    /// `metadata.resourceVersion`.
    pub(super) resource_version: u64,
    /// Its line in the look at all nodes, kept until the node changes: a thousand of them are asked for again and again.
    pub(super) row: OnceCell<String>,
    /// Whether it is a control plane.
    pub(super) control_plane: bool,
    /// Its pods.
    pub(super) pods: BTreeSet<u32>,
}

impl SimulatedNode {
    /// The machine's kubelet answers and pods may be placed here.
    pub(super) fn takes_pods(&self) -> bool {
        self.ready == ReadyCondition::True && !self.unschedulable && !self.deleted
    }
}

/// The cluster.
pub(super) struct Cluster {
    /// Its nodes.
    pub(super) nodes: Vec<SimulatedNode>,
    /// Those of them that are control planes.
    pub(super) control_planes: Vec<usize>,
    /// Its pods by number.
    pub(super) pods: BTreeMap<u32, Pod>,
    /// Deployments and DaemonSets.
    pub(super) workloads: Vec<Workload>,
    /// PodDisruptionBudgets.
    pub(super) budgets: Vec<SimulatedBudget>,
    /// Pods that no node could take.
    pub(super) pending: BTreeSet<u32>,
    /// `kubernetesVersion` of the kubeadm-config ConfigMap.
    pub(super) kubeadm_config: KubeVersion,
    /// `metadata.resourceVersion` of the kubelet-config ConfigMap.
    pub(super) kubelet_config: u64,
    /// Objects that somebody created through kubectl, such as Leases.
    pub(super) objects: Objects,
    /// The cluster's own chance.
    pub(super) random: SimulationRandom,
    by_name: HashMap<String, usize>,
    next_pod: u32,
    revision: u64,
}

impl Cluster {
    /// A cluster without nodes.
    pub(super) fn new(version: KubeVersion, seed: u64) -> Self {
        Self {
            nodes: Vec::new(),
            control_planes: Vec::new(),
            pods: BTreeMap::new(),
            workloads: Vec::new(),
            budgets: Vec::new(),
            pending: BTreeSet::new(),
            kubeadm_config: version,
            kubelet_config: 312,
            objects: Objects::default(),
            random: SimulationRandom::of(seed, "cluster"),
            by_name: HashMap::new(),
            next_pod: 0,
            revision: 1000,
        }
    }

    /// Keeps the name of a node that joins next, and gives its index.
    pub(super) fn next_node(&mut self, name: &str) -> usize {
        let index = self.by_name.len();
        *self.by_name.entry(name.to_owned()).or_insert(index)
    }

    /// Index of a node by name.
    pub(super) fn node_index(&self, name: &str) -> Option<usize> {
        self.by_name
            .get(name)
            .copied()
            .filter(|index| self.nodes.get(*index).is_some_and(|node| !node.deleted))
    }

    /// Every node that the API server knows, by index.
    pub(super) fn all_nodes(&self) -> impl Iterator<Item = (usize, &SimulatedNode)> {
        self.nodes.iter().enumerate().filter(|(_, node)| !node.deleted)
    }

    /// A number for a new pod.
    pub(super) fn new_pod(&mut self) -> u32 {
        self.next_pod += 1;
        self.next_pod
    }

    /// A resource version that none had before.
    pub(super) fn new_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    /// Says that a node's object changed.
    pub(super) fn touch(&mut self, node: usize) {
        self.nodes[node].resource_version = self.new_revision();
        self.nodes[node].row.take();
    }

    /// Sets or takes away `spec.unschedulable`.
    pub(super) fn set_cordon(&mut self, node: usize, cordoned: bool) {
        self.nodes[node].unschedulable = cordoned;
        self.touch(node);
    }

    /// Pods of a node.
    pub(super) fn pods_on(&self, node: usize) -> impl Iterator<Item = (u32, &Pod)> {
        self.nodes[node].pods.iter().filter_map(|number| Some((*number, self.pods.get(number)?)))
    }
}

impl World {
    /// Makes a machine a node of the cluster.
    pub(super) fn join(&mut self, host: usize, name: &str, spec: &SimulatedHost) {
        let mut labels: BTreeMap<String, String> = [
            ("kubernetes.io/arch", "amd64"),
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        if spec.control_plane {
            labels.insert("node-role.kubernetes.io/control-plane".to_owned(), String::new());
            // Up to 1.23 kubeadm set both.
            if self.cluster.kubeadm_config.minor() < Minor::new(1, 24) {
                labels.insert("node-role.kubernetes.io/master".to_owned(), String::new());
            }
        }
        if let Some(zone) = spec.labels.get("zone") {
            labels.insert("topology.kubernetes.io/zone".to_owned(), zone.clone());
        }
        let uid = self.hosts[host].random.uuid();
        let node = SimulatedNode {
            name: name.to_owned(),
            uid,
            deleted: false,
            host,
            labels,
            annotations: BTreeMap::from([(TTL.to_owned(), "0".to_owned())]),
            unschedulable: false,
            ready: ReadyCondition::True,
            kubelet: self.cluster.kubeadm_config.to_string(),
            boot_id: self.hosts[host].boot_id.clone(),
            runtime: self.hosts[host].runtime(),
            resource_version: self.cluster.new_revision(),
            row: OnceCell::new(),
            control_plane: spec.control_plane,
            pods: BTreeSet::new(),
        };
        if spec.control_plane {
            self.cluster.control_planes.push(self.cluster.nodes.len());
        }
        self.cluster.nodes.push(node);
        if spec.control_plane {
            super::static_pod::place_all(self, host);
        }
    }

    /// Whether an API server answers, and with which version: the newest of those that do, as behind a load balancer
    /// that prefers none.
    pub(super) fn api_server(&self) -> Option<KubeVersion> {
        self.cluster
            .control_planes
            .iter()
            .map(|index| &self.cluster.nodes[*index])
            .filter(|node| !self.hosts[node.host].down)
            .filter_map(|node| super::static_pod::serving_version(self, node))
            .max_by(KubeVersion::cmp_precedence)
    }

    /// Whether every API server that answers has only just started, and forbids everything until it has read its rules.
    pub(super) fn api_server_starts(&self) -> bool {
        let nodes = self.cluster.control_planes.iter().map(|index| &self.cluster.nodes[*index]);
        let mut answering = nodes
            .filter(|node| !self.hosts[node.host].down)
            .filter(|node| super::static_pod::serving_version(self, node).is_some())
            .peekable();
        answering.peek().is_some()
            && answering.all(|node| self.now < self.hosts[node.host].active_faults.forbids_until)
    }

    /// The API server of a control plane starts. Since 1.29 kubeadm's admin.conf is not of `system:masters`, so that it
    /// is forbidden everything at first.
    pub(super) fn start_api_server(&mut self, host: usize) {
        let Some(node) = self.hosts[host].node.map(|node| &self.cluster.nodes[node]) else { return };
        let serves = super::static_pod::serving_version(self, node);
        if serves.is_some_and(|version| version.minor() >= Minor::new(1, 29)) {
            self.hosts[host].active_faults.forbids_until = self.now + RULES_TAKE;
        }
    }

    /// Age of something in the way kubectl shows it.
    pub(super) fn age(&self, since: Millis) -> String {
        let secs = ((self.now - since) / 1000).max(0);
        match secs {
            0..120 => format!("{secs}s"),
            120..7200 => format!("{}m", secs / 60),
            7200..172_800 => format!("{}h", secs / 3600),
            _ => format!("{}d", secs / 86_400),
        }
    }
}
