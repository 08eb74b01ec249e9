//! Reads an inventory from its tree, with all mistakes in one go. Pure: a tree in, an inventory or diagnostics out.

mod etcd;
mod groups;
mod hosts;
mod root;
mod settings;
mod tables;

use super::{Inventory, shared};
use crate::source::codes::{MISSING_KEY, NOT_AN_INVENTORY};
use crate::source::{Diagnostics, Entry, FromNode, MapReader, Metadata, Node, NodeKind, Spanned};
use crate::value::{Table, escape};

pub use tables::INVENTORY;

/// Every mapping of an inventory, for the reference page.
pub fn tables() -> [&'static Table; 9] {
    [
        &tables::INVENTORY,
        Metadata::table(),
        &tables::CONNECTION_KEYS,
        &tables::RECONNECT,
        &tables::HOST,
        &tables::GROUP,
        etcd::Kube::table(),
        etcd::Etcd::table(),
        root::BecomeKeys::table(),
    ]
}

/// Keys that people bring along, and what to write instead.
const HABITS: [(&str, &str); 5] = [
    ("all", "the group `all` always exists: write `hosts:` and `groups:` at the top"),
    ("ungrouped", "hosts need no group: write them below `hosts:`"),
    ("children", "write `groups: { name: { select: \"a | b\" } }`"),
    ("labels", "labels stand at a host or a group"),
    ("defaults", "write `connection:` or `become:`; defaults of steps belong to the runbook"),
];

/// Reads an inventory. `None` when nothing usable came out; the diagnostics say why.
pub fn parse(root: &Node, diagnostics: &mut Diagnostics) -> Option<Inventory> {
    let mut errors = Diagnostics::default();
    let inventory = parse_leniently(root, &mut errors);
    let failed = errors.has_errors();
    diagnostics.append(errors);
    inventory.filter(|_| !failed)
}

/// Like [`parse`], but gives what could be read also where there are errors: enough to look for further mistakes in
/// parameters, and good for nothing else.
pub fn parse_leniently(root: &Node, diagnostics: &mut Diagnostics) -> Option<Inventory> {
    let NodeKind::Map(entries) = &root.kind else {
        let diagnostic = diagnostics.error(NOT_AN_INVENTORY, root.span, "an inventory is a mapping");
        diagnostic.hint("begin with `apiVersion: rollbook/v1`, `kind: Inventory` and `hosts:`");
        return None;
    };
    let has = |wanted: &str| entries.iter().any(|entry| entry.key.value == wanted);
    if !has("apiVersion") && (has("all") || !has("kind") && are_groups_of_ansible(entries)) {
        let diagnostic =
            diagnostics.error(NOT_AN_INVENTORY, root.at(0), "the file is an inventory of Ansible");
        diagnostic.hint("begin with `apiVersion: rollbook/v1`, `kind: Inventory` and `hosts:`, a mapping from names to hosts");
        return None;
    }
    let mut top = MapReader::open_table(root, &tables::INVENTORY, diagnostics)?;
    header(&mut top, diagnostics);
    let kind = entries.iter().find(|entry| entry.key.value == "kind").and_then(|entry| entry.value.scalar());
    if kind.is_some_and(|kind| ["Runbook", "Scenario", "Steps"].contains(&kind)) {
        // What stands in a file of another kind would only be misread.
        return None;
    }
    let name = metadata(&mut top, diagnostics);
    let defaults = settings::read(&mut top, settings::Level::Top, diagnostics);
    let mut drafts = if let Some(entry) = top.take("hosts") {
        hosts::read(&entry.value, diagnostics)
    } else {
        if !top.is_misspelt("hosts") {
            let diagnostic = diagnostics.error(MISSING_KEY, root.at(0), "an inventory needs `hosts`");
            diagnostic.hint("write `hosts: { w1.example.com: {} }`");
        }
        hosts::Drafts::default()
    };
    let groups = match top.take("groups") {
        Some(entry) => groups::read(&entry.value, &mut drafts, diagnostics),
        None => groups::only_all(&drafts, root.span),
    };
    let params = top.take("params").map(|entry| raw_params(&entry.value, diagnostics)).unwrap_or_default();
    let kube = top.take("kube");
    top.finish_with_foreign_keys("an inventory", &HABITS, diagnostics);
    let hosts = drafts.settle(&defaults, &groups);
    shared::refuse_one_node(hosts.values(), diagnostics);
    let mut inventory = Inventory { name, hosts, groups, etcd: None, params };
    inventory.etcd = kube.and_then(|entry| etcd::read(&entry.value, &inventory, diagnostics));
    Some(inventory)
}

/// Groups at the top, each with hosts, variables or groups below it.
fn are_groups_of_ansible(entries: &[Entry]) -> bool {
    let is_group = |entry: &Entry| match &entry.value.kind {
        NodeKind::Map(members) => {
            !members.is_empty()
                && members
                    .iter()
                    .all(|member| ["hosts", "vars", "children"].contains(&member.key.value.as_str()))
        }
        kind => matches!(kind, NodeKind::Null),
    };
    !entries.is_empty() && entries.iter().all(is_group)
}

fn header(top: &mut MapReader<'_>, diagnostics: &mut Diagnostics) {
    for (key, expected) in [("apiVersion", "rollbook/v1"), ("kind", "Inventory")] {
        let Some(entry) = top.require(key, "an inventory", diagnostics) else { continue };
        if entry.value.scalar() != Some(expected) {
            let message = format!("`{key}` of an inventory is `{expected}`");
            let error = diagnostics.error(NOT_AN_INVENTORY, entry.value.span, message);
            match entry.value.scalar() {
                Some("Runbook") => {
                    error.hint("this is a runbook: it comes first, and the inventory behind `-i`")
                }
                Some("Scenario") => {
                    error.hint("this is a scenario: `rollbook rehearse --scenario FILE` plays it")
                }
                Some("Steps") => error.hint("this is a fragment: a runbook includes it with `include: FILE`"),
                _ => error,
            };
        }
    }
}

fn metadata(top: &mut MapReader<'_>, diagnostics: &mut Diagnostics) -> String {
    let entry = top.require("metadata", "an inventory", diagnostics);
    let metadata = entry.and_then(|entry| Metadata::from_entry(entry, &Metadata::ty(), diagnostics));
    metadata.map(|metadata| escape(&metadata.name)).unwrap_or_default()
}

/// Values stay as written, because only the runbook knows their types.
fn raw_params(node: &Node, diagnostics: &mut Diagnostics) -> Vec<(Spanned<String>, Node)> {
    match &node.kind {
        NodeKind::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
        }
        NodeKind::Null => Vec::new(),
        _ => {
            diagnostics.wrong_type(node, "a mapping from parameters to values");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
