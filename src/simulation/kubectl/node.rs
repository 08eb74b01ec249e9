//! Verbs on nodes: `cordon`, `uncordon`, `annotate`, `label`; and `version`.

use std::collections::BTreeMap;

use super::super::pod;
use super::super::process::Output;
use super::super::world::World;
use super::{KubectlCall, not_found, resource_and_names};
use crate::value::KubeVersion;

/// `kubectl cordon|uncordon NODE…`.
pub(super) fn cordon(world: &mut World, call: &KubectlCall<'_>, wanted: bool, out: &mut Output) -> i32 {
    let mut code = 0;
    let done = if wanted { "cordoned" } else { "uncordoned" };
    for name in &call.args {
        let Some(node) = world.cluster.node_index(name) else {
            out.complain(not_found("nodes", name));
            code = 1;
            continue;
        };
        if world.cluster.nodes[node].unschedulable == wanted {
            out.line(format!("node/{name} already {done}"));
            continue;
        }
        world.cluster.set_cordon(node, wanted);
        pod::schedule_pending(world);
        out.line(format!("node/{name} {done}"));
    }
    code
}

/// `kubectl annotate|label node NAME key=value key-… [--overwrite]`.
pub(super) fn annotate(world: &mut World, call: &KubectlCall<'_>, verb: &str, out: &mut Output) -> i32 {
    let is_change = |arg: &&str| arg.contains('=') || arg.ends_with('-');
    let changes: Vec<&str> = call.args.iter().copied().filter(is_change).collect();
    let rest: Vec<&str> = call.args.iter().copied().filter(|arg| !is_change(arg)).collect();
    let (resource, names) = resource_and_names(&rest);
    let overwrite = call.has("--overwrite");
    let done = if verb == "label" { "labeled" } else { "annotated" };
    for name in names {
        let Some(node) = world.cluster.node_index(name).filter(|_| resource == "nodes") else {
            out.complain(not_found(resource, name));
            return 1;
        };
        let object = &mut world.cluster.nodes[node];
        let pairs = if verb == "label" { &mut object.labels } else { &mut object.annotations };
        if let Err(key) = change(pairs, &changes, overwrite) {
            out.complain(format!("error: --overwrite is false but found the following declared {verb}(s): '{key}' already has a value"));
            return 1;
        }
        world.cluster.touch(node);
        out.line(format!("node/{name} {done}"));
    }
    0
}

fn change<'a>(
    pairs: &mut BTreeMap<String, String>,
    changes: &[&'a str],
    overwrite: bool,
) -> Result<(), &'a str> {
    let taken = |pair: &&&'a str| {
        pair.split_once('=').is_some_and(|(key, value)| pairs.get(key).is_some_and(|is| is != value))
    };
    if let Some(pair) = changes.iter().find(taken).filter(|_| !overwrite) {
        return Err(pair);
    }
    for pair in changes {
        match pair.split_once('=') {
            Some((key, value)) => drop(pairs.insert(key.to_owned(), value.to_owned())),
            None => drop(pairs.remove(pair.trim_end_matches('-'))),
        }
    }
    Ok(())
}

/// `kubectl version`.
pub(super) fn print_version(
    call: &KubectlCall<'_>,
    client: &KubeVersion,
    server: Option<&KubeVersion>,
    out: &mut Output,
) {
    if call.output() == "json" {
        let describe = |version: &KubeVersion| {
            serde_json::json!({
                "major": version.minor().major.to_string(),
                "minor": version.minor().minor.to_string(),
                "gitVersion": format!("v{version}"),
                "platform": "linux/amd64",
            })
        };
        let mut object = serde_json::json!({"clientVersion": describe(client)});
        if let Some(server) = server {
            object["serverVersion"] = describe(server);
        }
        out.line(format!("{object:#}"));
        return;
    }
    out.line(format!("Client Version: v{client}"));
    if let Some(server) = server {
        out.line(format!("Server Version: v{server}"));
    }
}
