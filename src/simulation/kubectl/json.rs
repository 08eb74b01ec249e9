//! Objects of the simulated cluster as JSON: as much of them as anybody reads.

use serde_json::{Value, json};

use super::super::budget::SimulatedBudget;
use super::super::host::cluster_kubelet_config;
use super::super::pod::{Pod, PodOwner};
use super::super::world::World;
use crate::value::Minor;

/// A node.
pub(super) fn node(world: &World, index: usize) -> Value {
    let node = &world.cluster.nodes[index];
    let host = &world.hosts[node.host];
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "uid": node.uid,
            "resourceVersion": node.resource_version.to_string(),
            "labels": node.labels,
            "annotations": node.annotations,
        },
        "spec": {},
        "status": {
            "addresses": [{"address": host.address, "type": "InternalIP"}],
            "conditions": [{"type": "Ready", "status": node.ready.status()}],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": node.boot_id,
                "containerRuntimeVersion": node.runtime,
                "kernelVersion": "6.1.0-28-amd64",
                "kubeletVersion": format!("v{}", node.kubelet),
                "machineID": host.machine_id,
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
            },
        },
    });
    if node.unschedulable {
        object["spec"]["unschedulable"] = Value::Bool(true);
    }
    object
}

/// A pod.
pub(super) fn pod(world: &World, pod: &Pod) -> Value {
    let node = pod.node.map(|node| world.cluster.nodes[node].name.as_str());
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": pod.labels},
        "spec": {"containers": [{"image": pod.image}]},
        "status": {
            "phase": pod.phase(),
            "conditions": [{"type": "Ready", "status": if pod.ready { "True" } else { "False" }}],
            "containerStatuses": [{"restartCount": pod.restarts, "ready": pod.ready}],
        },
    });
    if let Some(node) = node {
        object["spec"]["nodeName"] = Value::from(node);
    }
    if let Some(kind) = controller(pod) {
        object["metadata"]["ownerReferences"] = json!([{"kind": kind, "controller": true}]);
    }
    if pod.terminating {
        object["metadata"]["deletionTimestamp"] = Value::from("2026-01-01T00:00:00Z");
    }
    object
}

/// The kind of a pod's controller.
pub(super) fn controller(pod: &Pod) -> Option<&'static str> {
    match pod.owner {
        PodOwner::ReplicaSet(_) => Some("ReplicaSet"),
        PodOwner::DaemonSet(_) => Some("DaemonSet"),
        PodOwner::Node(_) => Some("Node"),
        PodOwner::Nobody => None,
    }
}

/// A PodDisruptionBudget.
pub(super) fn budget(world: &World, budget: &SimulatedBudget) -> Value {
    let status = world.cluster.status_of(budget);
    let app = &world.cluster.workloads[budget.workload].name;
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": budget.name, "namespace": budget.namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {
            "currentHealthy": status.healthy,
            "desiredHealthy": status.desired,
            "disruptionsAllowed": status.allowed(),
            "expectedPods": status.expected,
        },
    })
}

/// One of kubeadm's ConfigMaps, by its name.
pub(super) fn kubeadm_config_map(world: &World, name: &str) -> Option<Value> {
    let version = &world.cluster.kubeadm_config;
    let registry = if version.minor() < Minor::new(1, 25) { "k8s.gcr.io" } else { "registry.k8s.io" };
    let (data, revision) = match name {
        "kubeadm-config" => {
            let configuration = format!(
                "apiVersion: kubeadm.k8s.io/v1beta3\ncertificatesDir: /etc/kubernetes/pki\nclusterName: kubernetes\n\
                 etcd:\n  local:\n    dataDir: /var/lib/etcd\nimageRepository: {registry}\nkind: ClusterConfiguration\n\
                 kubernetesVersion: v{version}\nnetworking:\n  dnsDomain: cluster.local\n"
            );
            (json!({"ClusterConfiguration": configuration}), 310)
        }
        "kubelet-config" => {
            (json!({"kubelet": cluster_kubelet_config(version)}), world.cluster.kubelet_config)
        }
        // Up to 1.23 there is one per minor, and the old ones stay.
        other => {
            let minor: u64 = other.strip_prefix("kubelet-config-1.")?.parse().ok()?;
            let known = Minor::new(1, minor) <= version.minor() && minor < 24;
            let object = known.then(|| json!({"kubelet": cluster_kubelet_config(version)}))?;
            (object, world.cluster.kubelet_config)
        }
    };
    Some(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "kube-system", "resourceVersion": revision.to_string()},
        "data": data,
    }))
}
