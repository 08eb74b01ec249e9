//! Static pods of control planes: their manifests on disk, their mirrors in the API, and whether they work.

use std::collections::BTreeMap;

use super::cluster::SimulatedNode;
use super::host::LONG_AGO;
use super::pod::{self, Pod, PodOwner};
use super::world::{SimulationEvent, World};
use crate::value::{KubeVersion, Minor};

/// `waiting.reason` of a container that crashes again and again.
pub(super) const CRASH_LOOP: &str = "CrashLoopBackOff";
/// `waiting.reason` of a container whose pod is being made.
pub(super) const CREATING: &str = "ContainerCreating";

/// Components of a stacked control plane in the order in which kubeadm replaces them.
pub(super) const COMPONENTS: [&str; 4] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// etcd's tag by Kubernetes minor from 1.20, as far as kubeadm's own constants went; only a label here.
const ETCD: [&str; 16] = [
    "3.4.13-0", "3.4.13-0", "3.5.0-0", "3.5.1-0", "3.5.3-0", "3.5.4-0", "3.5.6-0", "3.5.7-0", "3.5.9-0",
    "3.5.10-0", "3.5.12-0", "3.5.15-0", "3.5.16-0", "3.5.21-0", "3.6.4-0", "3.6.5-0",
];

/// The image of a component at a Kubernetes version.
pub(super) fn image(component: &str, version: &KubeVersion) -> String {
    let registry = if version.minor() < Minor::new(1, 25) { "k8s.gcr.io" } else { "registry.k8s.io" };
    if component == "etcd" {
        let row = usize::try_from(version.minor().minor).unwrap_or(usize::MAX).saturating_sub(20);
        return format!("{registry}/etcd:{}", ETCD[row.min(ETCD.len() - 1)]);
    }
    format!("{registry}/{component}:v{version}")
}

/// Path of a component's manifest.
pub(super) fn manifest_path(component: &str) -> String {
    format!("/etc/kubernetes/manifests/{component}.yaml")
}

fn manifest(component: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    component: {component}\n    tier: control-plane\n  \
         name: {component}\n  namespace: kube-system\nspec:\n  containers:\n  - command:\n    - {component}\n    \
         image: {image}\n    imagePullPolicy: IfNotPresent\n    name: {component}\n  hostNetwork: true\n  \
         priorityClassName: system-node-critical\n"
    )
}

/// Puts the static pods of a new control plane in place.
pub(super) fn place_all(world: &mut World, host: usize) {
    let version = world.cluster.kubeadm_config.clone();
    for component in COMPONENTS {
        write_manifest(world, host, component, &version, LONG_AGO);
        let Some(node) = world.hosts[host].node else { continue };
        let labels = [("component", component), ("tier", "control-plane")];
        let pod = Pod {
            namespace: "kube-system".to_owned(),
            name: format!("{component}-{}", world.cluster.nodes[node].name),
            uid: world.cluster.random.uuid(),
            node: Some(node),
            owner: PodOwner::Node(component.to_owned()),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            image: image(component, &version),
            ready: true,
            waiting: "",
            restarts: 0,
            terminating: false,
            stuck: false,
            empty_dir: false,
            created: LONG_AGO,
            generation: 0,
        };
        pod::insert(world, pod);
    }
}

fn write_manifest(world: &mut World, host: usize, component: &str, version: &KubeVersion, at: i64) {
    let text = manifest(component, &image(component, version));
    world.hosts[host].files.put(&manifest_path(component), text, "600", at);
}

/// The static pod of a component.
pub(super) fn find(world: &World, node: usize, component: &str) -> Option<u32> {
    let is_it = |pod: &Pod| matches!(&pod.owner, PodOwner::Node(name) if name == component);
    world.cluster.pods_on(node).find(|(_, pod)| is_it(pod)).map(|(number, _)| number)
}

/// The version that a node's API server serves, unless it is down.
pub(super) fn serving_version(world: &World, node: &SimulatedNode) -> Option<KubeVersion> {
    let is_api = |pod: &&Pod| matches!(&pod.owner, PodOwner::Node(name) if name == "kube-apiserver");
    let pods = node.pods.iter().filter_map(|number| world.cluster.pods.get(number));
    let pod = pods.filter(is_api).find(|pod| pod.waiting.is_empty())?;
    KubeVersion::parse(pod.image.rsplit(':').next()?).ok()
}

/// Writes a component's manifest for `version`; its kubelet ends the old container and starts the new one. `false`
/// where the manifest was the same already and nothing restarts.
pub(super) fn upgrade(world: &mut World, host: usize, component: &str, version: &KubeVersion) -> bool {
    let wanted = image(component, version);
    let path = manifest_path(component);
    let unchanged =
        world.hosts[host].files.read(&path).is_some_and(|text| text.contains(&format!("{wanted}\n")));
    if unchanged {
        return false;
    }
    let now = world.now;
    write_manifest(world, host, component, version, now);
    let Some(number) = world.hosts[host].node.and_then(|node| find(world, node, component)) else {
        return true;
    };
    let mut generation = 0;
    let created = world.now;
    pod::change(world, number, |pod| {
        pod.image.clone_from(&wanted);
        pod.ready = false;
        pod.waiting = CREATING;
        pod.restarts = 0;
        pod.created = created;
        pod.generation += 1;
        generation = pod.generation;
    });
    let start = world.hosts[host].random.secs(6, 12);
    let broken = world.hosts[host].active_faults.crash_loops.iter().any(|name| name == component);
    if broken {
        // It comes up, is seen as Running by kubeadm, and dies a moment later.
        world.after(start + 1000, SimulationEvent::PodCrashes { pod: number, generation });
    } else {
        world.after(start, SimulationEvent::PodReady { pod: number, generation });
    }
    true
}

/// After a restart of the kubelet static pods show as not ready for 60 to 90 seconds, though they work: their probes
/// begin anew (measured on real clusters). `rebooted`: their containers started anew as well.
pub(super) fn kubelet_restarted(world: &mut World, host: usize, rebooted: bool) {
    let Some(node) = world.hosts[host].node else { return };
    let numbers: Vec<u32> = world
        .cluster
        .pods_on(node)
        .filter(|(_, pod)| matches!(pod.owner, PodOwner::Node(_)) && pod.waiting != CRASH_LOOP)
        .map(|(number, _)| number)
        .collect();
    for number in numbers {
        let mut generation = 0;
        pod::change(world, number, |pod| {
            pod.ready = false;
            pod.restarts += u32::from(rebooted);
            pod.generation += 1;
            generation = pod.generation;
            if rebooted {
                pod.waiting = "";
            }
        });
        let start = world.hosts[host].random.secs(60, 90);
        world.after(start, SimulationEvent::PodReady { pod: number, generation });
    }
}

/// Versions of a cluster's static pods, for messages and tests: component → tag.
pub(super) fn tags(world: &World, node: usize) -> BTreeMap<String, String> {
    let of = |pod: &Pod| match &pod.owner {
        PodOwner::Node(component) => {
            Some((component.clone(), pod.image.rsplit(':').next().unwrap_or_default().to_owned()))
        }
        _ => None,
    };
    world.cluster.pods_on(node).filter_map(|(_, pod)| of(pod)).collect()
}
