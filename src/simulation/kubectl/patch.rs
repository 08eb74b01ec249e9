//! `kubectl patch`: JSON patches (RFC 6902) with their tests, and merge patches (RFC 7386).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::objects::ObjectKey;
use super::super::pod;
use super::super::process::Output;
use super::super::world::World;
use super::object::conflict;
use super::{KubectlCall, get, json, not_found, resource_and_names};

/// What kubectl prints when the API server answers 422 to a patch whose test failed or whose path is not there.
const REJECTED: &str =
    "The request is invalid: the server rejected our request due to an error in our request";

/// `kubectl patch RESOURCE NAME --type=json|merge -p PATCH`.
pub(super) fn patch(world: &mut World, call: &KubectlCall<'_>, out: &mut Output) -> i32 {
    let (resource, names) = resource_and_names(&call.args);
    let text = call.option(&["--patch", "-p"]).unwrap_or_default();
    let Ok(patch) = serde_json::from_str::<Value>(text) else {
        out.complain(format!("error: unable to parse \"{text}\": yaml: not a patch"));
        return 1;
    };
    let kind = call.option(&["--type"]).unwrap_or("strategic");
    for name in names {
        let done = if resource == "nodes" {
            patch_node(world, name, kind, &patch)
        } else {
            patch_object(world, call, resource, name, kind, &patch)
        };
        match done {
            Ok(true) => out.line(format!("{}/{name} patched", get::singular(resource))),
            Ok(false) => out.line(format!("{}/{name} patched (no change)", get::singular(resource))),
            Err(text) => {
                out.complain(text);
                return 1;
            }
        }
    }
    0
}

fn patch_node(world: &mut World, name: &str, kind: &str, patch: &Value) -> Result<bool, String> {
    let index = world.cluster.node_index(name).ok_or_else(|| not_found("nodes", name))?;
    let before = json::node(world, index);
    let after = patched(&before, kind, patch, "nodes", name)?;
    if after == before {
        return Ok(false);
    }
    let node = &mut world.cluster.nodes[index];
    node.labels = pairs(&after["metadata"]["labels"]);
    node.annotations = pairs(&after["metadata"]["annotations"]);
    node.unschedulable = after["spec"]["unschedulable"].as_bool().unwrap_or(false);
    world.cluster.touch(index);
    pod::schedule_pending(world);
    Ok(true)
}

fn pairs(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn patch_object(
    world: &mut World,
    call: &KubectlCall<'_>,
    resource: &str,
    name: &str,
    kind: &str,
    patch: &Value,
) -> Result<bool, String> {
    let namespace = call.namespace.unwrap_or("default").to_owned();
    let key = ObjectKey { resource: get::singular(resource), namespace, name: name.to_owned() };
    let before = world.cluster.objects.get(&key).cloned().ok_or_else(|| not_found(resource, name))?;
    let after = patched(&before, kind, patch, resource, name)?;
    let revision = world.cluster.new_revision();
    let changed = after != before;
    world.cluster.objects.replace(key, after, revision).map_err(|_| conflict(resource, name))?;
    Ok(changed)
}

/// The object after a patch, or what the API server says against it.
fn patched(before: &Value, kind: &str, patch: &Value, resource: &str, name: &str) -> Result<Value, String> {
    let mut after = before.clone();
    if kind == "json" {
        for operation in patch.as_array().ok_or_else(|| REJECTED.to_owned())? {
            operate(&mut after, operation).ok_or_else(|| REJECTED.to_owned())?;
        }
    } else {
        merge(&mut after, patch);
    }
    // Whoever names a resource version wants the object that he read, or none.
    if after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"] {
        return Err(conflict(resource, name));
    }
    Ok(after)
}

/// One operation of a JSON patch; `None` where it fails.
fn operate(object: &mut Value, operation: &Value) -> Option<()> {
    let (verb, path) = (operation.get("op")?.as_str()?, operation.get("path")?.as_str()?);
    let keys: Vec<String> =
        path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
    let (last, parents) = keys.split_last()?;
    let parent = parents.iter().try_fold(object, |at, key| at.get_mut(key.as_str()))?.as_object_mut()?;
    let value = operation.get("value");
    match verb {
        // The API server's patch library takes a missing member for null.
        "test" => (parent.get(last).unwrap_or(&Value::Null) == value.unwrap_or(&Value::Null)).then_some(()),
        "add" => parent.insert(last.clone(), value?.clone()).map_or(Some(()), |_| Some(())),
        "replace" => parent.get_mut(last).map(|at| *at = value.cloned().unwrap_or(Value::Null)),
        "remove" => parent.shift_remove(last).map(drop),
        _ => None,
    }
}

/// Merges a patch into an object: members replace, null takes away.
pub(in super::super) fn merge(object: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(members) = object.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            members.shift_remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_json_patch_is_done_as_a_whole_or_not_at_all() {
        let node = json!({"metadata": {"resourceVersion": "7", "annotations": {"a/b": "x"}}, "spec": {}});
        let cases = [
            (
                json!([{"op": "test", "path": "/spec/unschedulable", "value": null},
                    {"op": "add", "path": "/spec/unschedulable", "value": true}]),
                true,
            ),
            (json!([{"op": "test", "path": "/metadata/annotations/a~1b", "value": "x"}]), true),
            (
                json!([{"op": "add", "path": "/spec/unschedulable", "value": true},
                    {"op": "test", "path": "/metadata/annotations/a~1b", "value": "y"}]),
                false,
            ),
            (json!([{"op": "remove", "path": "/spec/unschedulable"}]), false),
            (json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "6"}]), false),
            (json!([{"op": "add", "path": "/no/where", "value": 1}]), false),
        ];
        for (patch, expected) in cases {
            assert_eq!(patched(&node, "json", &patch, "nodes", "w1").is_ok(), expected, "{patch}");
        }
    }

    #[test]
    fn a_merge_patch_takes_away_with_null() {
        let mut object = json!({"a": {"b": 1, "c": 2}, "d": 3});
        merge(&mut object, &json!({"a": {"b": null, "e": 4}, "d": [1]}));
        assert_eq!(object, json!({"a": {"c": 2, "e": 4}, "d": [1]}));
    }
}
