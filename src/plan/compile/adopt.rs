//! Cordons that were there before: whose they are, and which of them this plan takes over.

use std::collections::{BTreeMap, BTreeSet};

use super::hosts::{HostRow, HostTable};
use super::{CompileInput, placeless, warning};
use crate::facts::NodeFacts;
use crate::plan::{HostId, Warning};
use crate::source::{Diagnostics, codes};

/// The run whose cordon is taken over on this host.
pub(super) fn from<'a>(input: &CompileInput<'a>, row: &HostRow<'_>) -> Option<&'a str> {
    let run = input.overrides.adopt?;
    cordon(input, row).filter(|node| node.cordoned_by == run).map(|_| run)
}

/// The host's node, where it is cordoned.
fn cordon<'a>(input: &CompileInput<'a>, row: &HostRow<'_>) -> Option<&'a NodeFacts> {
    let node = input.knowledge.cluster()?.nodes.get(row.subject.node.as_deref()?)?;
    node.cordoned.then_some(node)
}

/// Nothing is taken over from a run that left nothing: its id is mistyped, or somebody was faster.
pub(super) fn check(input: &CompileInput<'_>, adopted: &BTreeSet<HostId>, diagnostics: &mut Diagnostics) {
    let Some(run) = input.overrides.adopt.filter(|_| adopted.is_empty()) else { return };
    let (message, hint) = match input.knowledge.cluster() {
        None => (
            format!("the cordons of run {run} cannot be taken over: nobody looks at the cluster"),
            "leave out --offline; the runbook must say by `kube:` where kubectl runs",
        ),
        Some(cluster) if cluster.nodes.values().any(|node| node.cordoned && node.cordoned_by == run) => (
            format!("no phase of this plan cordons a node that run {run} left cordoned"),
            "widen --limit, or put the cordons back with `rollbook runs undo`",
        ),
        Some(_) => (
            format!("no node is cordoned by run {run}"),
            "the annotation rollbook.dev/cordoned-by of a node names the run that cordoned it",
        ),
    };
    diagnostics.push(placeless(codes::ADOPT, message, Some(hint.to_owned())));
}

/// Nodes that are cordoned already stay so, and count as out of service: that is for the reader to know.
pub(super) fn warn_about_cordons(
    input: &CompileInput<'_>,
    table: &HostTable<'_>,
    adopted: &BTreeSet<HostId>,
    warnings: &mut Vec<Warning>,
) {
    let mut by_owner: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, row) in table.rows().filter(|(id, _)| !adopted.contains(id)) {
        if let Some(node) = cordon(input, row) {
            by_owner.entry(&node.cordoned_by).or_default().push(row.host.name.as_str());
        }
    }
    for (run, hosts) in by_owner {
        let hosts = hosts.join(", ");
        warnings.push(if run.is_empty() {
            warning(
                format!("cordoned already, and stays so: {hosts}"),
                "the person who cordoned it has to uncordon it; until then it counts as out of service",
            )
        } else {
            warning(
                format!("cordoned by run {run}, and stays so: {hosts}"),
                format!(
                    "`rollbook resume {run}` goes on with that run, `rollbook runs undo {run}` puts back what it left, \
                     --adopt-cordons {run} takes the cordons over"
                ),
            )
        });
    }
}
