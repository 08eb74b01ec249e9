//! The go-templates that Rollbook's own looks send, recognised by what only they hold, and the lines that they print.
//! This is no template engine: a template that is not known here is an error.

use std::fmt::Write as _;

use super::super::budget::SimulatedBudget;
use super::super::cluster::SimulatedNode;
use super::super::host::SimulatedMachine;
use super::super::pod::{Pod, PodOwner, label_key};
use super::super::world::World;
use super::json;
use crate::value::Minor;

/// A look that prints one line per object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Nodes, with identity, cordon and versions.
    Nodes,
    /// Pods, as a drain sees them.
    Pods,
    /// The same, with what they tolerate.
    Tolerating,
    /// Pods with what they belong to, as a recording keeps them.
    Owned,
    /// Static pods of control planes.
    Components,
    /// PodDisruptionBudgets.
    Budgets,
}

impl Rows {
    /// Which look a template is.
    pub(super) fn of(template: &str) -> Option<Self> {
        let known = [
            ("machineID", Self::Nodes),
            ("spec.nodeName", Self::Owned),
            ("spec.tolerations", Self::Tolerating),
            ("config.mirror", Self::Pods),
            ("restartCount", Self::Components),
            ("disruptionsAllowed", Self::Budgets),
        ];
        known.into_iter().find(|(marker, _)| template.contains(marker)).map(|(_, rows)| rows)
    }
}

/// The lines of nodes. Every slot of a roll asks for all of them, so the text is made in one go.
pub(super) fn nodes(world: &World, chosen: &[usize], text: &mut String) {
    let row = |index: &usize| {
        let node = &world.cluster.nodes[*index];
        node.row.get_or_init(|| node_row(node, &world.hosts[node.host])).as_str()
    };
    text.reserve(chosen.iter().map(|index| row(index).len()).sum());
    for index in chosen {
        text.push_str(row(index));
    }
}

fn node_row(node: &SimulatedNode, host: &SimulatedMachine) -> String {
    let mut text = String::with_capacity(320);
    let cordoned = if node.unschedulable { "true" } else { "<no value>" };
    let annotation =
        |key: &str| node.annotations.get(key).map_or_else(String::new, |value| format!("{value:?}"));
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        text,
        "{}\t{}\t\"{}\"\t{cordoned}\t{}\t{}\t\"v{}\"\t\"{}\"\t\"{}\"\t\"{}\"\t",
        node.name,
        node.uid,
        node.ready.status(),
        annotation("rollbook.dev/cordoned-by"),
        annotation("rollbook.dev/kubeadm-node"),
        node.kubelet,
        host.machine_id,
        node.boot_id,
        node.runtime,
    );
    labels(&node.labels, &mut text);
    text.push('\n');
    text
}

fn labels(labels: &std::collections::BTreeMap<String, String>, text: &mut String) {
    for (key, value) in labels {
        let _ = write!(text, "{key}={value},");
    }
}

/// The line of a pod.
pub(super) fn pod(pod: &Pod, text: &mut String) {
    let deleting = if pod.terminating { "deleting" } else { "" };
    let controller = json::controller(pod).map_or_else(String::new, |kind| format!("\"{kind}\""));
    let mirror = if controller == "\"Node\"" { "mirror" } else { "" };
    let volumes = if pod.empty_dir { "emptyDir " } else { "" };
    let ready = if pod.ready { "True" } else { "False" };
    let _ = write!(
        text,
        "{}\t{}\t\"{}\"\t{deleting}\t{controller}\t{mirror}\t{volumes}\t\"{ready}\"\t",
        pod.namespace,
        pod.name,
        pod.phase()
    );
    labels(&pod.labels, text);
    text.push('\n');
}

/// The line of a pod with its tolerations before that of a drain. Nobody here but DaemonSets tolerates anything.
pub(super) fn tolerating(pod: &Pod, text: &mut String) {
    if matches!(pod.owner, PodOwner::DaemonSet(_)) {
        text.push_str("node.kubernetes.io/unschedulable:Exists::NoSchedule,");
    }
    text.push('\t');
    self::pod(pod, text);
}

/// The line of a pod with its node and the name of what it belongs to, before that of a drain.
pub(super) fn owned(world: &World, pod: &Pod, text: &mut String) {
    let node = pod.node.map_or_else(String::new, |node| format!("{:?}", world.cluster.nodes[node].name));
    let owner = match &pod.owner {
        PodOwner::ReplicaSet(workload) => {
            let workload = &world.cluster.workloads[*workload];
            format!("\"{}-{}\"", workload.name, workload.template)
        }
        PodOwner::DaemonSet(name) | PodOwner::Node(name) => format!("{name:?}"),
        PodOwner::Nobody => String::new(),
    };
    let _ = write!(text, "{node}\t{owner}\t");
    self::pod(pod, text);
}

/// The line of a control plane's static pod.
pub(super) fn component(pod: &Pod, text: &mut String) {
    let component = pod.labels.get("component").map_or("", String::as_str);
    let ready = if pod.ready { "True" } else { "False" };
    let waiting = if pod.waiting.is_empty() { String::new() } else { format!("\"{}\"", pod.waiting) };
    let _ = writeln!(
        text,
        "{}\t{component}\t\"{ready}\"\t\"{}\"\t{} \t{waiting}",
        pod.name, pod.image, pod.restarts
    );
}

/// The line of a budget.
pub(super) fn budget(world: &World, budget: &SimulatedBudget, text: &mut String) {
    let status = world.cluster.status_of(budget);
    let api =
        if world.cluster.kubeadm_config.minor() < Minor::new(1, 21) { "policy/v1beta1" } else { "policy/v1" };
    let workload = &world.cluster.workloads[budget.workload];
    let (app, label) = (&workload.name, label_key(&workload.namespace));
    let _ = writeln!(
        text,
        "{api}\t{}\t{}\t{}\t{}\t{}\t\tselector\t{label}={app},\t",
        budget.namespace,
        budget.name,
        status.allowed(),
        status.healthy,
        status.desired
    );
}
