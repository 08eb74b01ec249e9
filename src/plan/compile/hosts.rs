//! The plan's hosts: who they are, which node each one is, and whether the node is the machine behind the connection.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexSet;

use super::scopes::host_value;
use super::{CompileInput, Selection, placeless};
use crate::facts::ClusterFacts;
use crate::inventory::{Host, HostName};
use crate::kubernetes::node::is_node_name;
use crate::plan::{HostId, PlannedHost};
use crate::source::{Diagnostics, codes};
use crate::step::Subject;

/// Every host that a phase names or that kubectl may run on, in the inventory's order.
pub(super) struct HostTable<'a> {
    rows: Vec<HostRow<'a>>,
    ids: HashMap<HostName, HostId>,
}

/// One host of the table.
pub(super) struct HostRow<'a> {
    pub(super) host: &'a Host,
    pub(super) subject: Subject,
    machine_id: String,
    node_uid: String,
}

impl<'a> HostTable<'a> {
    pub(super) fn build(
        input: &CompileInput<'a>,
        selections: &[Selection],
        via: &[HostName],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let named: IndexSet<&HostName> =
            selections.iter().flat_map(|selection| &selection.population).chain(via).collect();
        let nodes = input.knowledge.cluster().map(NodesByMachine::of);
        let mut table =
            Self { rows: Vec::with_capacity(named.len()), ids: HashMap::with_capacity(named.len()) };
        for host in input.inventory.hosts.values().filter(|host| named.contains(&host.name)) {
            let id = HostId(u32::try_from(table.rows.len()).expect("invariant: fewer than 2^32 hosts"));
            table.ids.insert(host.name.clone(), id);
            table.rows.push(row(input, host, via, nodes.as_ref(), diagnostics));
        }
        table.refuse_shared_machines(diagnostics);
        table.refuse_shared_nodes(diagnostics);
        table
    }

    pub(super) fn id(&self, name: &HostName) -> HostId {
        self.ids[name]
    }

    pub(super) fn row(&self, id: HostId) -> &HostRow<'a> {
        &self.rows[id.0 as usize]
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (HostId, &HostRow<'a>)> {
        (0..).map(HostId).zip(&self.rows)
    }

    /// Two names of one machine would be drained as if they were two.
    fn refuse_shared_machines(&self, diagnostics: &mut Diagnostics) {
        let mut seen: BTreeMap<&str, &HostName> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| !row.machine_id.is_empty()) {
            if let Some(first) = seen.insert(&row.machine_id, &row.host.name) {
                let message = format!(
                    "hosts `{first}` and `{}` are one machine: both have machine id {}",
                    row.host.name, row.machine_id
                );
                let hint = "correct their addresses in the inventory; cloned machines need `systemd-machine-id-setup`";
                diagnostics.push(placeless(codes::SHARED_MACHINE, message, Some(hint.to_owned())));
            }
        }
    }

    /// Where no machine was asked, a node's name is what the inventory says, and it may say one twice.
    fn refuse_shared_nodes(&self, diagnostics: &mut Diagnostics) {
        let mut seen: BTreeMap<&str, &HostName> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.machine_id.is_empty()) {
            let Some(node) = row.subject.node.as_deref() else { continue };
            if let Some(first) = seen.insert(node, &row.host.name) {
                let message = format!("hosts `{first}` and `{}` are both node `{node}`", row.host.name);
                let hint = "one node would be drained for two hosts: correct `node_name` in the inventory";
                diagnostics.push(placeless(codes::SHARED_HOST, message, Some(hint.to_owned())));
            }
        }
    }

    pub(super) fn into_planned(self, input: &CompileInput<'_>, with_scope: bool) -> Vec<PlannedHost> {
        let _ = input;
        let rows = self.rows.into_iter();
        rows.map(|row| PlannedHost {
            name: row.host.name.clone(),
            address: row.host.address.clone(),
            connection: row.host.connection.clone(),
            r#become: row.host.r#become,
            scope: with_scope.then(|| host_value(row.host)),
            subject: row.subject,
            machine_id: row.machine_id,
            node_uid: row.node_uid,
        })
        .collect()
    }
}

struct NodesByMachine<'a> {
    cluster: &'a ClusterFacts,
    by_machine: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> NodesByMachine<'a> {
    fn of(cluster: &'a ClusterFacts) -> Self {
        let mut by_machine: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, node) in &cluster.nodes {
            by_machine.entry(node.machine_id.as_str()).or_default().push(name);
        }
        Self { cluster, by_machine }
    }

    /// The node that this machine is. A node's name alone proves nothing: addresses get swapped.
    fn find(&self, host: &Host, machine_id: &str) -> Result<Option<&'a str>, String> {
        let same_machine = self.by_machine.get(machine_id).map_or(&[][..], Vec::as_slice);
        if let Some(wanted) = &host.node_name {
            return match self.cluster.nodes.get_key_value(wanted.as_str()) {
                Some((name, node)) if node.machine_id == machine_id => Ok(Some(name)),
                Some((_, node)) => Err(format!(
                    "host `{}` is not the machine of node `{wanted}`: its machine id is {machine_id}, the node's is {}",
                    host.name, node.machine_id
                )),
                None => Err(format!("host `{}`: the cluster has no node `{wanted}`", host.name)),
            };
        }
        match (same_machine, self.cluster.nodes.get(host.name.as_str())) {
            // Whoever limits a run to `w1` means the node of that name: were it another machine's address that stands
            // in the inventory, another node would be drained.
            (_, Some(node)) if node.machine_id != machine_id => Err(format!(
                "host `{}` is not the machine of the node of that name: its machine id is {machine_id}, the node's is {}{}",
                host.name,
                node.machine_id,
                same_machine.first().map(|other| format!("; it is node `{other}`")).unwrap_or_default()
            )),
            ([node], _) => Ok(Some(node)),
            ([], _) => Ok(None),
            (several, _) => Err(format!(
                "machine id {machine_id} of host `{}` is that of several nodes: {}",
                host.name,
                several.join(", ")
            )),
        }
    }
}

fn row<'a>(
    input: &CompileInput<'a>,
    host: &'a Host,
    via: &[HostName],
    nodes: Option<&NodesByMachine<'_>>,
    diagnostics: &mut Diagnostics,
) -> HostRow<'a> {
    let machine_id =
        input.knowledge.facts(&host.name).map(|facts| facts.machine_id.clone()).unwrap_or_default();
    let mut control_plane = via.contains(&host.name);
    let mut node_uid = String::new();
    let node = match nodes {
        // Offline, or a host that could not be read: the name is what the inventory promises.
        _ if input.runbook.kube.is_none() => None,
        Some(nodes) if !machine_id.is_empty() => match nodes.find(host, &machine_id) {
            Ok(found) => found.map(|name| {
                let node = &nodes.cluster.nodes[name];
                control_plane = node.control_plane;
                node_uid.clone_from(&node.uid);
                name.to_owned()
            }),
            Err(message) => {
                let hint =
                    "check the addresses in the inventory; `rollbook facts` shows every host's machine id";
                diagnostics.push(placeless(codes::NOT_THE_MACHINE, message, Some(hint.to_owned())));
                None
            }
        },
        _ => Some(host.node_name.clone().unwrap_or_else(|| host.name.as_str().to_owned()))
            .filter(|name| is_node_name(name)),
    };
    let subject = Subject { host: host.name.as_str().to_owned(), node, control_plane };
    HostRow { host, subject, machine_id, node_uid }
}
