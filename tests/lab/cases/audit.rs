//! What the API servers' audit log says of a roll.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;

use crate::lab::text_at;

/// The user of admin.conf on the hosts: Rollbook's kubectl and kubeadm. The lab's own requests have another.
const CLIENT: &str = "kubernetes-admin";

/// What an account asks of its own rights: posted, answered, and stored nowhere.
const QUESTION: &str = "selfsubjectaccessreviews";

/// Requests of Rollbook, and of what it runs, that were not mere reading; those that were refused, too.
pub(crate) fn writes(events: &[Json]) -> Vec<String> {
    let ours = events.iter().filter(|event| text_at(event, "/user/username") == CLIENT);
    let writes = ours.filter(|event| {
        let reads = matches!(text_at(event, "/verb"), "get" | "list" | "watch");
        !reads && text_at(event, "/objectRef/resource") != QUESTION
    });
    writes
        .map(|event| {
            let (verb, uri) = (text_at(event, "/verb"), text_at(event, "/requestURI"));
            format!("{verb} {uri} by {}", text_at(event, "/userAgent"))
        })
        .collect()
}

/// What everybody else but the lab wrote that is no heartbeat: user, verb and resource. Leases, the status of nodes and
/// pods, and the events and endpoints that follow from them come and go all the time.
pub(crate) fn writes_of_others(events: &[Json]) -> BTreeSet<String> {
    let others = events.iter().filter(|event| !matches!(text_at(event, "/user/username"), CLIENT | "lab"));
    let writes = others.filter(|event| !matches!(text_at(event, "/verb"), "get" | "list" | "watch"));
    let told = writes.filter(|event| {
        let resource = text_at(event, "/objectRef/resource");
        let status = text_at(event, "/objectRef/subresource") == "status";
        let heartbeat = match resource {
            "leases"
            | "events"
            | "endpoints"
            | "endpointslices"
            | "subjectaccessreviews"
            | "tokenreviews" => true,
            "serviceaccounts" => text_at(event, "/objectRef/subresource") == "token",
            _ => status,
        };
        !heartbeat
    });
    told.map(|event| {
        let at = |pointer| text_at(event, pointer);
        format!("{} {} {}", at("/user/username"), at("/verb"), at("/objectRef/resource"))
    })
    .collect()
}

/// A node was cordoned or uncordoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) node: String,
    pub(crate) cordoned: bool,
    pub(crate) by: String,
}

/// Every change of `spec.unschedulable`, in order, from the node that each successful write answered with.
pub(crate) fn turns(events: &[Json]) -> Vec<Turn> {
    let mut cordoned: BTreeSet<String> = BTreeSet::new();
    let mut turns = Vec::new();
    for event in events {
        let is_node = text_at(event, "/objectRef/resource") == "nodes"
            && text_at(event, "/objectRef/subresource").is_empty();
        if !is_node || text_at(event, "/responseObject/kind") != "Node" {
            continue;
        }
        let node = text_at(event, "/objectRef/name").to_owned();
        let now =
            event.pointer("/responseObject/spec/unschedulable").and_then(Json::as_bool).unwrap_or(false);
        if now != cordoned.contains(&node) {
            let by = text_at(event, "/user/username").to_owned();
            turns.push(Turn { node: node.clone(), cordoned: now, by });
            if now {
                cordoned.insert(node);
            } else {
                cordoned.remove(&node);
            }
        }
    }
    turns
}

/// The most nodes that were cordoned at the same time, of those whose names start with `prefix`.
pub(crate) fn most_at_once(turns: &[Turn], prefix: &str) -> usize {
    let mut out: BTreeSet<&str> = BTreeSet::new();
    let mut most = 0;
    for turn in turns.iter().filter(|turn| turn.node.starts_with(prefix)) {
        if turn.cordoned {
            out.insert(&turn.node);
        } else {
            out.remove(turn.node.as_str());
        }
        most = most.max(out.len());
    }
    most
}

/// The nodes in the order in which they were cordoned.
pub(crate) fn order(turns: &[Turn]) -> Vec<&str> {
    turns.iter().filter(|turn| turn.cordoned).map(|turn| turn.node.as_str()).collect()
}

/// The longest time between two answered writes of Rollbook's to what lies at the end of this path.
pub(crate) fn longest_gap(events: &[Json], path: &str) -> Duration {
    let writes = events.iter().filter(|event| {
        let uri = text_at(event, "/requestURI").split('?').next().unwrap_or_default();
        text_at(event, "/user/username") == CLIENT
            && matches!(text_at(event, "/verb"), "create" | "update" | "patch")
            && (uri.ends_with(path) || uri.ends_with("/leases"))
            && event.pointer("/responseStatus/code").and_then(Json::as_u64).is_some_and(|code| code < 300)
    });
    let at = |event: &Json| text_at(event, "/requestReceivedTimestamp").parse::<jiff::Timestamp>().unwrap();
    let times: Vec<_> = writes.map(at).collect();
    let gaps = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).unsigned_abs());
    gaps.max().expect("the lock was written more than once")
}
