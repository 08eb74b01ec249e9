//! `rollbook inventory`: lists and shows hosts as the selectors see them.

use std::fmt::Write;

use super::args::{Format, Inventory as Args, InventoryCommand};
use super::load::{load_inventory, selected};
use super::outcome::{Outcome, invalid};
use super::terminal::Terminal;
use crate::inventory::{Host, HostName};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    match &args.command {
        InventoryCommand::List { selector: text, inventory, format } => {
            let inventory = load_inventory(inventory, terminal)?;
            let hosts = selected(text, "the selector", &inventory, terminal)?;
            let hosts: Vec<&Host> = hosts.iter().map(|host| &inventory.hosts[host]).collect();
            match format {
                Format::Text => terminal.data(&lines(&hosts)),
                Format::Json => {
                    let each: Vec<serde_json::Value> = hosts.iter().map(|host| json(host)).collect();
                    terminal.data(&format!("{:#}\n", serde_json::Value::Array(each)))
                }
            }
        }
        InventoryCommand::Show { host, inventory } => {
            let inventory = load_inventory(inventory, terminal)?;
            let found = HostName::parse(host).ok().and_then(|name| inventory.hosts.get(&name));
            let Some(found) = found else {
                terminal.error(&format!("the inventory has no host `{host}`"));
                terminal.hint("`rollbook inventory list` names them all");
                return Err(invalid());
            };
            terminal.data(&format!("{:#}\n", json(found)))
        }
    }
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
