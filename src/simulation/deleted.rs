//! A node that somebody deletes while its machine goes on, and what follows when its kubelet registers again.

use super::pod::{self, PodOwner};
use super::world::World;

/// `kubectl delete node`: nobody sees it any more, and its pods are collected. Its kubelet does not notice; only one
/// that starts registers again. Static pods are the kubelet's alone, and go on.
pub(super) fn delete(world: &mut World, node: usize) {
    world.cluster.nodes[node].deleted = true;
    world.cluster.touch(node);
    let collected: Vec<u32> = world
        .cluster
        .pods_on(node)
        .filter(|(_, pod)| !matches!(pod.owner, PodOwner::Node(_)))
        .map(|(number, _)| number)
        .collect();
    for number in collected {
        pod::change(world, number, |pod| pod.stuck = false);
        pod::delete(world, number);
        pod::gone(world, number);
    }
}

/// A kubelet starts: where its node was deleted, it makes a new one, with a UID of its own and without what others had
/// written into the old one.
pub(super) fn register(world: &mut World, host: usize) {
    let machine = &mut world.hosts[host];
    let Some(node) = machine.node.filter(|node| world.cluster.nodes[*node].deleted) else { return };
    let uid = machine.random.uuid();
    let node_object = &mut world.cluster.nodes[node];
    node_object.uid = uid;
    node_object.deleted = false;
    node_object.unschedulable = false;
    node_object.annotations.retain(|key, _| key == super::cluster::TTL);
    node_object.labels.retain(|key, _| key.starts_with("kubernetes.io/"));
    world.cluster.touch(node);
}
