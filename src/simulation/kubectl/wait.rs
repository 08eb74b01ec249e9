//! `kubectl wait`.

use super::super::process::{Output, ProcessStep};
use super::super::world::World;
use super::{KubectlCall, not_found, resource_and_names};

/// `kubectl wait --for=condition=ReadyCondition node/NAME --timeout=…`.
pub(super) fn wait(world: &mut World, call: &KubectlCall<'_>, out: &mut Output) -> ProcessStep {
    let condition = call.option(&["--for"]).unwrap_or_default().to_owned();
    let timeout = match call.millis("--timeout") {
        0 => 30_000,
        given => given,
    };
    let (resource, names) = resource_and_names(&call.args);
    let mut nodes = Vec::new();
    if call.has("--all") {
        nodes.extend(world.cluster.all_nodes().map(|(node, _)| node));
    }
    for name in names {
        let Some(node) = world.cluster.node_index(name).filter(|_| resource == "nodes") else {
            out.complain(not_found(resource, name));
            return ProcessStep::Exit(1);
        };
        nodes.push(node);
    }
    let until = world.now + timeout;
    look(world, nodes, &condition, until, out)
}

fn look(
    world: &mut World,
    mut nodes: Vec<usize>,
    condition: &str,
    until: i64,
    out: &mut Output,
) -> ProcessStep {
    let wanted = condition.strip_prefix("condition=").unwrap_or(condition);
    let wanted = wanted.split_once('=').map_or("True", |(_, status)| status).to_owned();
    nodes.retain(|node| {
        let node = &world.cluster.nodes[*node];
        let met = node.ready.status() == wanted;
        if met {
            out.line(format!("node/{} condition met", node.name));
        }
        !met
    });
    if nodes.is_empty() {
        return ProcessStep::Exit(0);
    }
    if world.now >= until {
        for node in nodes {
            let name = &world.cluster.nodes[node].name;
            out.complain(format!("error: timed out waiting for the condition on nodes/{name}"));
        }
        return ProcessStep::Exit(1);
    }
    let condition = condition.to_owned();
    ProcessStep::after(1000, move |world, out| look(world, nodes, &condition, until, out))
}
