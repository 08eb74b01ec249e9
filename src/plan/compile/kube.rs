//! Where kubectl runs, and what disrupting control planes asks for.

use super::hosts::HostTable;
use super::{Input, placeless, warning};
use crate::inventory::HostName;
use crate::plan::{PlannedKube, PlannedPhase, Warning};
use crate::runbook::KubeVia;
use crate::source::{Diagnostics, codes};
use crate::step::KubeCx;

/// The hosts of `kube.via`, in the inventory's order; none where kubectl runs on the controller.
pub(super) fn via_hosts(input: &Input<'_>) -> Vec<HostName> {
    match input.runbook.kube.as_ref().map(|kube| &kube.via) {
        Some(KubeVia::Hosts(selector)) => selector.value.select(input.inventory).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// `kube:` as the plan keeps it.
pub(super) fn planned(input: &Input<'_>, table: &HostTable<'_>, via: &[HostName]) -> Option<PlannedKube> {
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
    let nodes = input.knowledge.cluster().into_iter().flat_map(|cluster| cluster.nodes.keys());
    let strangers = nodes.filter(|node| !known.contains(node.as_str())).cloned().collect();
    Some(PlannedKube {
        cx,
        hosts: via.iter().map(|host| table.id(host)).collect(),
        retry_for: spec.retry_for,
        strangers,
    })
}

/// With one or two control planes the API will be away for a while: that has to be accepted, never assumed.
pub(super) fn check_outage(
    input: &Input<'_>,
    table: &HostTable<'_>,
    phases: &[PlannedPhase],
    diagnostics: &mut Diagnostics,
    warnings: &mut Vec<Warning>,
) {
    let control_planes = match input.knowledge.cluster() {
        Some(cluster) => cluster.nodes.values().filter(|node| node.control_plane).count(),
        None => table.rows().filter(|(_, row)| row.subject.control_plane).count(),
    };
    let disrupted = phases.iter().any(|phase| phase.rollout.control_planes);
    if !disrupted || control_planes > 2 {
        return;
    }
    let away = match control_planes {
        1 => "the only control plane is upgraded in place: the Kubernetes API will be away for some minutes"
            .to_owned(),
        n => format!(
            "{n} control planes have no quorum without each other: the Kubernetes API will be away for some minutes"
        ),
    };
    if input.runbook.policy.control_plane_outage || input.overrides.accept_outage {
        warnings.push(warning(away, "accepted"));
    } else {
        let hint = "accept it with `policy: { control_plane_outage: accept }` in the runbook or --accept-control-plane-outage";
        diagnostics.push(placeless(codes::OUTAGE, away, Some(hint.to_owned())));
    }
}
