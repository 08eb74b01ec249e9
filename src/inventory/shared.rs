//! Hosts that are one machine or one node by what is written. Each would be worked on as if the other were not there.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Host, TransportKind};
use crate::source::Diagnostics;
use crate::source::codes::SHARED_HOST;

/// Refuses what cannot be right whatever the machines say: one `node_name` at two hosts.
pub(super) fn refuse_one_node<'h>(hosts: impl Iterator<Item = &'h Host>, diagnostics: &mut Diagnostics) {
    refuse(hosts.filter(|host| host.node_name.is_some()), |host| Some(node(host)), same_node, diagnostics);
}

/// Refuses what nearly always is a mistake: names that stand for a node of another host, one address twice, and two names
/// of the controller.
pub fn refuse_doubtful<'h>(hosts: impl Iterator<Item = &'h Host> + Clone, diagnostics: &mut Diagnostics) {
    let over_ssh = |host: &Host| host.connection.transport == TransportKind::Ssh;
    let place = |host: &'h Host| {
        let connection = &host.connection;
        over_ssh(host).then_some((host.address.as_str(), connection.port, connection.jump.as_deref()))
    };
    refuse(hosts.clone(), place, same_address, diagnostics);
    let is_here = |host: &'h Host| (!over_ssh(host)).then_some(());
    refuse(hosts.clone(), is_here, same_controller, diagnostics);
    refuse(hosts, |host| Some(node(host)), same_node, diagnostics);
}

/// The node that a host is by what is written, or by its own name.
fn node(host: &Host) -> &str {
    host.node_name.as_deref().unwrap_or(host.name.as_str())
}

fn same_node(first: &Host, second: &Host) -> (String, &'static str) {
    let message = format!("`{}` and `{}` are both node `{}`", first.name, second.name, node(second));
    (message, "one node would be drained for two hosts: correct `node_name`")
}

fn same_address(first: &Host, second: &Host) -> (String, &'static str) {
    let message = format!("`{}` and `{}` have the same address, {}", first.name, second.name, second.address);
    (message, "two names of one machine would be worked on at the same time: keep one of them")
}

fn same_controller(first: &Host, second: &Host) -> (String, &'static str) {
    let message = format!("`{}` and `{}` are both the machine that runs Rollbook", first.name, second.name);
    (message, "`transport: local` is for one host: keep one of them")
}

/// Every host whose key another one has before it, at its place.
fn refuse<'h, K: Eq + Hash>(
    hosts: impl Iterator<Item = &'h Host>,
    key: impl Fn(&'h Host) -> Option<K>,
    words: impl Fn(&Host, &Host) -> (String, &'static str),
    diagnostics: &mut Diagnostics,
) {
    let mut seen: HashMap<K, &Host> = HashMap::new();
    for host in hosts {
        let Some(first) = key(host).and_then(|key| seen.insert(key, host)) else { continue };
        let (message, hint) = words(first, host);
        let error = diagnostics.error(SHARED_HOST, host.span, message);
        error.hint(hint);
        if first.span != host.span {
            error.related(first.span, "the other host is defined here");
        }
    }
}
