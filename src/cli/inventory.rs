//! `rollbook inventory`: lists and shows hosts as the selectors see them.

use std::fmt::Write;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::args::{DataFormat, Format, Inventory as Args, InventoryCommand};
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::app::load::{check_inventory, load_inventory, selected};
use crate::inventory::{Host, HostName, Inventory};
use crate::report::ExitKind;
use crate::transport::missing_files;
use crate::value::to_yaml;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    match &args.command {
        InventoryCommand::List { selector: text, inventory, format } => {
            let inventory = load_inventory(inventory, terminal)?;
            let hosts = selected(text, "the selector", &inventory)?;
            let hosts: Vec<&Host> = hosts.iter().map(|host| &inventory.hosts[host]).collect();
            match format {
                Format::Text => terminal.data(&lines(&hosts)),
                Format::Json => {
                    let each: Vec<serde_json::Value> = hosts.iter().map(|host| json(host)).collect();
                    terminal.data(&format!("{:#}\n", serde_json::Value::Array(each)))
                }
            }
        }
        InventoryCommand::Graph { inventory } => terminal.data(&graph(&load_inventory(inventory, terminal)?)),
        InventoryCommand::Check { inventory: path } => {
            check(path, &check_inventory(path, terminal)?, terminal);
            Ok(ExitKind::Ok)
        }
        InventoryCommand::Show { host, inventory, format } => {
            let inventory = load_inventory(inventory, terminal)?;
            let found = HostName::parse(host).ok().and_then(|name| inventory.hosts.get(&name));
            let Some(found) = found else {
                return Err(AppError::new(ExitKind::Invalid, format!("the inventory has no host `{host}`"))
                    .hint("`rollbook inventory list` names them all"));
            };
            let data = json(found);
            terminal.data(&match format {
                DataFormat::Json => format!("{data:#}\n"),
                DataFormat::Yaml => to_yaml(&data),
            })
        }
    }
}

/// Every group with its hosts, and what is in none.
fn graph(inventory: &Inventory) -> String {
    let mut out = format!("{}: {}\n", inventory.name, counted(inventory.hosts.len(), "host"));
    let mut section = |title: String, hosts: &[&str]| {
        write!(out, "\n{title}: {}\n", counted(hosts.len(), "host"))
            .expect("invariant: writing to a string works");
        for host in hosts {
            writeln!(out, "  {host}").expect("invariant: writing to a string works");
        }
    };
    for group in inventory.groups.values().filter(|group| group.name.value != "all") {
        let hosts: Vec<&str> = group.hosts.iter().map(HostName::as_str).collect();
        section(group.name.value.clone(), &hosts);
    }
    let alone = in_no_group(inventory);
    if !alone.is_empty() {
        section("in no group".to_owned(), &alone);
    }
    out
}

fn in_no_group(inventory: &Inventory) -> Vec<&str> {
    let alone = inventory.hosts.values().filter(|host| host.groups.is_empty());
    alone.map(|host| host.name.as_str()).collect()
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// What is odd about an inventory without mistakes.
fn check(path: &Utf8Path, inventory: &Inventory, terminal: &Terminal) {
    let alone = in_no_group(inventory);
    if !alone.is_empty() {
        terminal.say(&format!("note: in no group: {}", alone.join(", ")));
    }
    for group in inventory.groups.values().filter(|group| group.hosts.is_empty()) {
        terminal.say(&format!("note: the group `{}` has no hosts", group.name.value));
    }
    // Another machine may have them, such as the one that the hosts are rolled from.
    let missing = missing_files_of(inventory);
    for (words, hosts) in &missing {
        terminal.say(&format!("warning: {}: {words}", hosts.join(", ")));
    }
    let found = match missing.len() {
        0 => "no mistakes".to_owned(),
        count => {
            format!("no mistakes in it, and {} that it names cannot be read here", counted(count, "file"))
        }
    };
    let groups = inventory.groups.len() - 1;
    terminal.say(&format!(
        "{path}: {} in {}: {found}",
        counted(inventory.hosts.len(), "host"),
        counted(groups, "group")
    ));
}

/// Files of this machine that connections name and nobody can read, each once with its hosts.
fn missing_files_of(inventory: &Inventory) -> IndexMap<String, Vec<&str>> {
    let mut missing: IndexMap<String, Vec<&str>> = IndexMap::new();
    for host in inventory.hosts.values() {
        for (_, words) in missing_files(&host.connection) {
            missing.entry(words).or_default().push(host.name.as_str());
        }
    }
    missing
}

fn lines(hosts: &[&Host]) -> String {
    let width = hosts.iter().map(|host| host.name.as_str().len()).max().unwrap_or(0);
    let mut out = String::new();
    for host in hosts {
        let groups = host.groups.join(",");
        writeln!(out, "{:width$}  {}  {groups}", host.name, host.address)
            .expect("invariant: writing to a string works");
    }
    out
}

fn json(host: &Host) -> serde_json::Value {
    serde_json::json!({
        "name": host.name,
        "address": host.address,
        "node_name": host.node_name,
        "groups": host.groups,
        "labels": host.labels,
        "vars": host.vars.iter().map(|(key, value)| (key.clone(), serde_json::Value::String(value.to_string()))).collect::<serde_json::Map<_, _>>(),
        "connection": host.connection,
        "become": host.r#become,
    })
}
