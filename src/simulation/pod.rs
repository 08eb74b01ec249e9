//! Pods, the controllers that replace them, and the scheduler that places them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::{Allowance, SimulatedBudget};
use super::cluster::ReadyCondition;
use super::host::LONG_AGO;
use super::world::{Millis, SimulationEvent, World};
use super::{kubelet, static_pod};

/// Pods that a node takes: the kubelet's default.
const NODE_CAPACITY: usize = 110;

/// Pods to simulate beyond those of a plain cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedWorkload {
    /// Namespace.
    pub namespace: String,
    /// Name, also of its PodDisruptionBudget.
    pub name: String,
    /// What keeps them.
    pub kind: WorkloadKind,
    /// Whether the pods have an emptyDir volume.
    pub empty_dir: bool,
    /// A PodDisruptionBudget over them.
    pub budget: Option<Allowance>,
}

/// What keeps pods running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// A Deployment with so many replicas, spread over the nodes that take pods.
    Deployment {
        /// How many.
        replicas: u32,
    },
    /// The same, with a replica for each of these, on the nodes that they stood on.
    Placed {
        /// Node, and whether the pod was Ready.
        pods: Vec<(String, bool)>,
    },
    /// A DaemonSet: one pod on every node, control planes included.
    DaemonSet,
    /// A pod that nothing replaces, on this node.
    Bare {
        /// The node's name.
        node: String,
    },
}

/// A controller of pods.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    /// Namespace.
    pub(super) namespace: String,
    /// Name.
    pub(super) name: String,
    /// Suffix of its ReplicaSet.
    pub(super) template: String,
    /// Wanted pods.
    pub(super) replicas: u32,
    /// Pods that are Ready and not being deleted.
    pub(super) healthy: u32,
    /// Its pods have emptyDir volumes.
    pub(super) empty_dir: bool,
    /// Tolerates the taint of control planes.
    pub(super) on_control_planes: bool,
}

/// What a pod belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PodOwner {
    /// A Deployment's ReplicaSet: index of the workload.
    ReplicaSet(usize),
    /// A DaemonSet of that name.
    DaemonSet(String),
    /// The node itself: a static pod of that component.
    Node(String),
    /// Nothing.
    Nobody,
}

/// A pod.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a pod by itself")]
pub(super) struct Pod {
    /// Namespace.
    pub(super) namespace: String,
    /// Name.
    pub(super) name: String,
    /// `metadata.uid`.
    pub(super) uid: String,
    /// Index of its node; `None` while no node takes it.
    pub(super) node: Option<usize>,
    /// What it belongs to.
    pub(super) owner: PodOwner,
    /// Labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Image of its only container.
    pub(super) image: String,
    /// Its condition Ready.
    pub(super) ready: bool,
    /// `waiting.reason` of its container; empty while it runs.
    pub(super) waiting: &'static str,
    /// Restarts of its container.
    pub(super) restarts: u32,
    /// It has a deletion time stamp.
    pub(super) terminating: bool,
    /// Its end never comes: a finalizer holds it, or its process cannot be killed.
    pub(super) stuck: bool,
    /// It has an emptyDir volume.
    pub(super) empty_dir: bool,
    /// When it was created.
    pub(super) created: Millis,
    /// Counts changes of its container, so that an answer to an earlier one is known as stale.
    pub(super) generation: u32,
}

impl Pod {
    /// Index of the Deployment.
    pub(super) fn workload(&self) -> Option<usize> {
        match self.owner {
            PodOwner::ReplicaSet(workload) => Some(workload),
            _ => None,
        }
    }

    /// `status.phase`.
    pub(super) fn phase(&self) -> &'static str {
        if self.node.is_none() || self.waiting == "ContainerCreating" { "Pending" } else { "Running" }
    }

    fn counts(&self) -> bool {
        self.ready && !self.terminating
    }
}

/// What runs on a plain cluster: DNS, the network's and the proxy's agents, and one application with a budget.
pub(super) fn usual_workloads(world: &mut World) {
    if !world.cluster.nodes.iter().any(|node| node.control_plane) {
        return;
    }
    let workers = world.cluster.nodes.iter().filter(|node| !node.control_plane).count();
    let workers = u32::try_from(workers).unwrap_or(u32::MAX / 2);
    let deployment = |namespace: &str, name: &str, replicas, budget| SimulatedWorkload {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        kind: WorkloadKind::Deployment { replicas },
        empty_dir: false,
        budget,
    };
    let agent = |name: &str| SimulatedWorkload {
        namespace: "kube-system".to_owned(),
        name: name.to_owned(),
        kind: WorkloadKind::DaemonSet,
        empty_dir: false,
        budget: None,
    };
    add(world, &agent("kube-proxy"));
    add(world, &agent("network"));
    add(world, &deployment("kube-system", "coredns", 2, None));
    if workers > 0 {
        // One worker cannot keep a budget while it is drained; nobody writes one there.
        let budget = (workers > 1).then_some(Allowance::MaxUnavailablePercent(25));
        add(world, &deployment("default", "web", workers * 2, budget));
    }
}

/// Adds pods that are there and Ready from the start.
pub(super) fn add(world: &mut World, spec: &SimulatedWorkload) {
    match &spec.kind {
        WorkloadKind::DaemonSet => {
            let nodes: Vec<usize> = world.cluster.all_nodes().map(|(node, _)| node).collect();
            for node in nodes {
                let suffix = world.cluster.random.suffix(5);
                let name = format!("{}-{suffix}", spec.name);
                let owner = PodOwner::DaemonSet(spec.name.clone());
                put(world, spec, name, owner, Some(node));
            }
        }
        WorkloadKind::Bare { node } => {
            let node = world.cluster.node_index(node);
            put(world, spec, spec.name.clone(), PodOwner::Nobody, node);
        }
        WorkloadKind::Placed { pods } => {
            let index = controller(world, spec, u32::try_from(pods.len()).unwrap_or(u32::MAX));
            for (node, ready) in pods {
                let node = world.cluster.node_index(node);
                let name = pod_name(world, index);
                let number = put(world, spec, name, PodOwner::ReplicaSet(index), node);
                if node.is_none() {
                    world.cluster.pending.insert(number);
                } else if !ready {
                    change(world, number, |pod| {
                        pod.ready = false;
                        pod.waiting = static_pod::CRASH_LOOP;
                    });
                }
            }
            schedule_pending(world);
        }
        WorkloadKind::Deployment { replicas } => {
            let index = controller(world, spec, *replicas);
            for _ in 0..*replicas {
                let node = best_node(world, index);
                let name = pod_name(world, index);
                let number = put(world, spec, name, PodOwner::ReplicaSet(index), node);
                if node.is_none() {
                    world.cluster.pending.insert(number);
                }
            }
        }
    }
}

/// A controller of so many pods, which do not exist yet, with its budget if it has one; gives its index.
fn controller(world: &mut World, spec: &SimulatedWorkload, replicas: u32) -> usize {
    let index = world.cluster.workloads.len();
    let template = world.cluster.random.suffix(10);
    world.cluster.workloads.push(Workload {
        namespace: spec.namespace.clone(),
        name: spec.name.clone(),
        template,
        replicas,
        healthy: 0,
        empty_dir: spec.empty_dir,
        on_control_planes: spec.namespace == "kube-system",
    });
    if let Some(allowance) = spec.budget {
        let (namespace, name) = (spec.namespace.clone(), spec.name.clone());
        world.cluster.budgets.push(SimulatedBudget { namespace, name, workload: index, allowance });
    }
    index
}

/// Adds one replicated pod that stands on this node, with its budget if it has one; gives its number.
pub(super) fn add_pinned(world: &mut World, node: usize, name: &str, budget: Option<Allowance>) -> u32 {
    let spec = SimulatedWorkload {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        kind: WorkloadKind::Deployment { replicas: 1 },
        empty_dir: false,
        budget,
    };
    let index = controller(world, &spec, 1);
    let pod = pod_name(world, index);
    put(world, &spec, pod, PodOwner::ReplicaSet(index), Some(node))
}

fn pod_name(world: &mut World, workload: usize) -> String {
    let suffix = world.cluster.random.suffix(5);
    let workload = &world.cluster.workloads[workload];
    format!("{}-{}-{suffix}", workload.name, workload.template)
}

/// The label that names a pod's workload.
pub(super) fn label_key(namespace: &str) -> &'static str {
    if namespace == "kube-system" { "k8s-app" } else { "app" }
}

fn put(
    world: &mut World,
    spec: &SimulatedWorkload,
    name: String,
    owner: PodOwner,
    node: Option<usize>,
) -> u32 {
    let label = label_key(&spec.namespace);
    let pod = Pod {
        namespace: spec.namespace.clone(),
        name,
        uid: world.cluster.random.uuid(),
        node,
        owner,
        labels: BTreeMap::from([(label.to_owned(), spec.name.clone())]),
        image: format!("registry.invalid/{}:1", spec.name),
        ready: node.is_some(),
        waiting: "",
        restarts: 0,
        terminating: false,
        stuck: false,
        empty_dir: spec.empty_dir,
        created: LONG_AGO,
        generation: 0,
    };
    insert(world, pod)
}

/// Puts a pod into the cluster.
pub(super) fn insert(world: &mut World, pod: Pod) -> u32 {
    let number = world.cluster.new_pod();
    if let Some(node) = pod.node {
        world.cluster.nodes[node].pods.insert(number);
    }
    if let Some(workload) = pod.workload().filter(|_| pod.counts()) {
        world.cluster.workloads[workload].healthy += 1;
    }
    world.cluster.pods.insert(number, pod);
    number
}

/// Changes a pod and keeps the count of healthy ones right.
pub(super) fn change(world: &mut World, number: u32, change: impl FnOnce(&mut Pod)) {
    let Some(pod) = world.cluster.pods.get_mut(&number) else { return };
    let before = pod.counts();
    change(pod);
    let (after, workload) = (pod.counts(), pod.workload());
    let Some(workload) = workload else { return };
    let healthy = &mut world.cluster.workloads[workload].healthy;
    match (before, after) {
        (true, false) => *healthy -= 1,
        (false, true) => *healthy += 1,
        _ => {}
    }
}

/// The node with the fewest pods of those that take one of this workload.
fn best_node(world: &World, workload: usize) -> Option<usize> {
    let on_control_planes = world.cluster.workloads[workload].on_control_planes;
    let nodes = world.cluster.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| node.takes_pods() && (on_control_planes || !node.control_plane))
        .filter(|(_, node)| node.pods.len() < NODE_CAPACITY)
        .min_by_key(|(index, node)| (node.pods.len(), *index))
        .map(|(index, _)| index)
}

/// Begins a pod's deletion. Its controller replaces it at once; the pod itself goes when its kubelet has ended it.
pub(super) fn delete(world: &mut World, number: u32) {
    let Some(pod) = world.cluster.pods.get(&number).filter(|pod| !pod.terminating) else { return };
    let (workload, node) = (pod.workload(), pod.node);
    change(world, number, |pod| pod.terminating = true);
    let grace = world.cluster.random.secs(10, 30);
    // A kubelet that does not answer never reports the end: the pod stays until it does.
    if node.is_none_or(|node| world.cluster.nodes[node].ready == ReadyCondition::True) {
        world.after(grace, SimulationEvent::PodGone { pod: number });
    }
    if let Some(workload) = workload {
        replace(world, workload);
    }
}

fn replace(world: &mut World, workload: usize) {
    let name = pod_name(world, workload);
    let uid = world.cluster.random.uuid();
    let owner = &world.cluster.workloads[workload];
    let label = label_key(&owner.namespace);
    let pod = Pod {
        namespace: owner.namespace.clone(),
        name,
        uid,
        node: None,
        owner: PodOwner::ReplicaSet(workload),
        labels: BTreeMap::from([(label.to_owned(), owner.name.clone())]),
        image: format!("registry.invalid/{}:1", owner.name),
        ready: false,
        waiting: "ContainerCreating",
        restarts: 0,
        terminating: false,
        stuck: false,
        empty_dir: owner.empty_dir,
        created: world.now,
        generation: 0,
    };
    let number = insert(world, pod);
    world.cluster.pending.insert(number);
    schedule_pending(world);
}

/// Places pods that wait for a node.
pub(super) fn schedule_pending(world: &mut World) {
    let waiting: Vec<u32> = world.cluster.pending.iter().copied().collect();
    for number in waiting {
        let Some(workload) = world.cluster.pods.get(&number).and_then(Pod::workload) else {
            world.cluster.pending.remove(&number);
            continue;
        };
        let Some(node) = best_node(world, workload) else { continue };
        world.cluster.pending.remove(&number);
        world.cluster.nodes[node].pods.insert(number);
        let start = world.cluster.random.secs(3, 10);
        change(world, number, |pod| {
            pod.node = Some(node);
            pod.waiting = "ContainerCreating";
        });
        world.after(start, SimulationEvent::PodReady { pod: number, generation: 0 });
    }
}

/// A pod's container has passed its readiness check.
pub(super) fn ready(world: &mut World, number: u32, generation: u32) {
    let mut started = false;
    change(world, number, |pod| {
        if pod.generation == generation && !pod.terminating {
            let is_api_server = matches!(&pod.owner, PodOwner::Node(name) if name == "kube-apiserver");
            started = is_api_server && pod.waiting == static_pod::CREATING;
            pod.ready = true;
            pod.waiting = "";
        }
    });
    let node = world.cluster.pods.get(&number).and_then(|pod| pod.node).filter(|_| started);
    if let Some(node) = node {
        world.start_api_server(world.cluster.nodes[node].host);
        // A kubelet that was newer than every API server registers now.
        (0..world.hosts.len()).for_each(|host| kubelet::try_again(world, host));
    }
}

/// A static pod's container ended again and waits for its next start.
pub(super) fn crashes(world: &mut World, number: u32, generation: u32) {
    let Some(pod) = world.cluster.pods.get(&number).filter(|pod| pod.generation == generation) else {
        return;
    };
    // The kubelet's back-off: 10 s, doubled each time up to 5 minutes.
    let back_off = (10_000_i64 << pod.restarts.min(5)).min(300_000);
    change(world, number, |pod| {
        pod.ready = false;
        pod.waiting = static_pod::CRASH_LOOP;
        pod.restarts += 1;
    });
    world.after(back_off, SimulationEvent::PodCrashes { pod: number, generation });
}

/// A pod is gone for good.
pub(super) fn gone(world: &mut World, number: u32) {
    if world.cluster.pods.get(&number).is_some_and(|pod| pod.stuck) {
        return;
    }
    let Some(pod) = world.cluster.pods.remove(&number) else { return };
    if let Some(node) = pod.node {
        world.cluster.nodes[node].pods.remove(&number);
        schedule_pending(world);
    }
}
