//! Where kubectl runs, and what disrupting control planes asks for.

use std::collections::BTreeMap;

use super::CompileInput;
use super::hosts::HostTable;
use crate::inventory::HostName;
use crate::kubernetes::KubeCx;
use crate::plan::PlannedKube;
use crate::runbook::KubeVia;

/// The hosts of `kube.via`, in the inventory's order; none where kubectl runs on the controller.
pub(super) fn via_hosts(input: &CompileInput<'_>) -> Vec<HostName> {
    match input.runbook.kube.as_ref().map(|kube| &kube.via) {
        Some(KubeVia::Hosts(selector)) => selector.value.select(input.inventory).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// `kube:` as the plan keeps it.
pub(super) fn planned(
    input: &CompileInput<'_>,
    table: &HostTable<'_>,
    via: &[HostName],
) -> Option<PlannedKube> {
    let spec = input.runbook.kube.as_ref()?;
    let on_hosts = matches!(spec.via, KubeVia::Hosts(_));
    let cx = KubeCx {
        kubeconfig: spec.kubeconfig.clone(),
        context: spec.context.clone(),
        request_timeout: spec.request_timeout,
        // admin.conf is root's; on the controller kubectl reads the user's own configuration.
        r#become: on_hosts,
    };
    let known: std::collections::HashSet<&str> =
        table.rows().filter_map(|(_, row)| row.subject.node.as_deref()).collect();
    let other_nodes: Option<BTreeMap<String, String>> = input.knowledge.cluster().map(|cluster| {
        let others = cluster.nodes.iter().filter(|(name, _)| !known.contains(name.as_str()));
        others.map(|(name, node)| (name.clone(), node.uid.clone())).collect()
    });
    Some(PlannedKube {
        cx,
        hosts: via.iter().map(|host| table.id(host)).collect(),
        retry_for: spec.retry_for,
        strangers: other_nodes.iter().flat_map(BTreeMap::keys).cloned().collect(),
        other_nodes,
        new_nodes: spec.new_nodes,
    })
}
