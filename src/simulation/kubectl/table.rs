//! What people see: `kubectl get` without `-o`.

use super::super::pod::Pod;
use super::super::world::World;

/// Columns as wide as their widest cell, three spaces between them.
pub(super) fn print(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain(header.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    let mut text = line(header.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

/// Cells of a node.
pub(super) fn node(world: &World, index: usize) -> Vec<String> {
    let node = &world.cluster.nodes[index];
    let ready = if node.ready.status() == "True" { "Ready" } else { "NotReady" };
    let status = if node.unschedulable { format!("{ready},SchedulingDisabled") } else { ready.to_owned() };
    let roles: Vec<&str> =
        node.labels.keys().filter_map(|label| label.strip_prefix("node-role.kubernetes.io/")).collect();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    let age = world.age(super::super::host::LONG_AGO);
    vec![node.name.clone(), status, roles, age, format!("v{}", node.kubelet)]
}

/// Cells of a pod; with its namespace first where all of them were asked for.
pub(super) fn pod(world: &World, pod: &Pod, all: bool) -> Vec<String> {
    let status = match (pod.terminating, pod.waiting) {
        (true, _) => "Terminating",
        (false, "") => pod.phase(),
        (false, waiting) => waiting,
    };
    let node = pod.node.map_or("<none>", |node| world.cluster.nodes[node].name.as_str());
    let namespace = all.then(|| pod.namespace.clone());
    let cells = [
        pod.name.clone(),
        format!("{}/1", u8::from(pod.ready)),
        status.to_owned(),
        pod.restarts.to_string(),
        world.age(pod.created),
        node.to_owned(),
    ];
    namespace.into_iter().chain(cells).collect()
}
