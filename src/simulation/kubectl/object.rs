//! `kubectl create`, `replace`, `apply` and `delete` of objects that come as JSON.

use serde_json::Value;

use super::super::objects::{ObjectKey, WriteRefusal};
use super::super::process::Output;
use super::super::world::World;
use super::{KubectlCall, get, not_found, plural, resource_and_names};

/// Writes the object on standard input, or deletes one by name.
pub(super) fn write(world: &mut World, call: &KubectlCall<'_>, verb: &str, out: &mut Output) -> i32 {
    let namespace = call.namespace.unwrap_or("default").to_owned();
    if verb == "delete" {
        return delete(world, call, &namespace, out);
    }
    // YAML manifests of users are taken as they are: what is in them is their business.
    let Ok(object) = serde_json::from_str::<Value>(&call.command.stdin) else {
        out.assume(super::assumed::succeeds(call.command));
        out.line(format!("object {verb}d"));
        return 0;
    };
    let Some(key) = ObjectKey::of(&object, &namespace) else {
        out.complain("error: error validating data: kind or metadata.name is not set");
        return 1;
    };
    let (revision, objects) = (world.cluster.new_revision(), &mut world.cluster.objects);
    let shown = plural(&key.resource).to_owned();
    let done = match verb {
        "create" => objects.create(key.clone(), object, revision).map(|()| "created"),
        "replace" => objects.replace(key.clone(), object, revision).map(|()| "replaced"),
        _ => {
            objects.apply(key.clone(), object, revision);
            Ok("configured")
        }
    };
    match done {
        Ok(_) if call.output() == "json" => {
            let written = objects.get(&key).expect("invariant: it was just written");
            out.line(format!("{written:#}"));
            0
        }
        Ok(done) => {
            out.line(format!("{shown}/{} {done}", key.name));
            0
        }
        Err(refusal) => {
            out.complain(explain(refusal, &shown, &key.name));
            1
        }
    }
}

/// As kubectl 1.32.4 says it of an object that came on standard input.
fn explain(refusal: WriteRefusal, resource: &str, name: &str) -> String {
    let from_stdin =
        |text: &str, doing: &str| text.replacen(": ", &format!(": error when {doing} \"STDIN\": "), 1);
    match refusal {
        WriteRefusal::AlreadyExists => from_stdin(
            &format!("Error from server (AlreadyExists): {resource} \"{name}\" already exists"),
            "creating",
        ),
        WriteRefusal::NotFound => from_stdin(&not_found(resource, name), "replacing"),
        WriteRefusal::Conflict => from_stdin(&conflict(resource, name), "replacing"),
    }
}

/// What a late writer hears.
pub(super) fn conflict(resource: &str, name: &str) -> String {
    format!(
        "Error from server (Conflict): Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; \
         please apply your changes to the latest version and try again"
    )
}

fn delete(world: &mut World, call: &KubectlCall<'_>, namespace: &str, out: &mut Output) -> i32 {
    let (resource, names) = resource_and_names(&call.args);
    let mut code = 0;
    for name in names {
        let key = ObjectKey {
            resource: get::singular(resource),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let pod = world.cluster.pods.iter().find(|(_, pod)| pod.namespace == namespace && pod.name == name);
        let pod = pod.map(|(number, _)| *number).filter(|_| resource == "pods");
        if let Some(node) = world.cluster.node_index(name).filter(|_| resource == "nodes") {
            super::super::deleted::delete(world, node);
            out.line(format!("node \"{name}\" deleted"));
        } else if let Some(number) = pod {
            super::super::pod::delete(world, number);
            out.line(format!("pod \"{name}\" deleted"));
        } else if world.cluster.objects.delete(&key) {
            out.line(format!("{resource} \"{name}\" deleted"));
        } else if !call.has("--ignore-not-found") {
            out.complain(not_found(resource, name));
            code = 1;
        }
    }
    code
}
