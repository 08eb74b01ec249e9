//! What a drain would do now, from the node, its pods and the budgets; and whether it did.

use super::{DrainArgs, OnNotReady, options};
use crate::kubernetes::drain::{DrainForecast, forecast};
use crate::kubernetes::node::NodeRow;
use crate::kubernetes::pdb::{Pressure, parse_budgets, weigh};
use crate::kubernetes::pod::{PodRow, parse_pods};
use crate::kubernetes::some_of;
use crate::op::ProbeOutput;
use crate::step::build::{change, exactly, refused, satisfied, would_change};
use crate::step::node_state::{
    CordonOwner, api_away, no_such_node, read_cordon, read_nodes, succeeded, unreadable_rows,
};
use crate::step::{AssessError, Assessment, Change, Fidelity, Subject};

/// Reads node, run, pods and budgets.
pub(super) fn assess(
    args: &DrainArgs,
    subject: &Subject,
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let [nodes, run, pods, budgets] = exactly::<4>(answers)?;
    let Some((node, owner)) = read_cordon(nodes, run)? else { return Ok(no_such_node(subject)) };
    if !node.is_ready() {
        return Ok(not_ready(args, &node));
    }
    let pods = read_pods(pods)?;
    let told = forecast(&pods, options(args));
    if let Some((reason, hint)) = told.refusal() {
        return Ok(refused(format!("kubectl would refuse to drain {}: {reason}", node.name), hint));
    }
    let (pressures, torn) = budget_pressure(args, budgets, &told)?;
    if !torn.is_empty() {
        return Ok(refused(
            format!(
                "under more than one PodDisruptionBudget, which the API server never evicts: {}",
                some_of(&torn)
            ),
            "leave one budget for each pod",
        ));
    }
    let cordoned = matches!(owner, CordonOwner::Us | CordonOwner::Run(_) | CordonOwner::Somebody);
    if cordoned && told.evicted.is_empty() {
        return Ok(satisfied(format!("{} is cordoned and empty", node.name)));
    }
    let mut changes = Vec::new();
    match owner {
        CordonOwner::Nobody | CordonOwner::Lifted => changes.push(change("node", "schedulable", "cordoned")),
        CordonOwner::Run(_) | CordonOwner::Somebody => {
            changes.push(change("node", format!("cordoned by {owner}"), "stays theirs"));
        }
        CordonOwner::Us => {}
    }
    changes.extend(pod_changes(&told));
    changes.extend(pressures.iter().map(pressure_change));
    if args.disable_eviction == Some(true) {
        changes.push(change("budgets", "respected", "ignored: pods are deleted, not evicted"));
    }
    Ok(would_change(changes, Fidelity::Predicted))
}

/// A node whose kubelet does not report never ends a pod, so neither would the drain end.
fn not_ready(args: &DrainArgs, node: &NodeRow<'_>) -> Assessment {
    let state = format!("{} is {}", node.name, node.condition());
    if args.on_not_ready == OnNotReady::Fail {
        return refused(
            format!("{state}: no kubelet would end its pods"),
            "bring the node back, or set `on_not_ready: skip`",
        );
    }
    satisfied(format!("{state}: its pods are left as they are (`on_not_ready: skip`)"))
}

fn read_pods(answer: &ProbeOutput) -> Result<Vec<PodRow>, AssessError> {
    succeeded("kubectl get pods", answer)?;
    parse_pods(&answer.stdout).map_err(|error| unreadable_rows("kubectl get pods", &error))
}

/// The budgets that do not let all pods go at once, and the pods that are under two of them.
fn budget_pressure(
    args: &DrainArgs,
    answer: &ProbeOutput,
    told: &DrainForecast<'_>,
) -> Result<(Vec<Pressure>, Vec<String>), AssessError> {
    if args.disable_eviction == Some(true) {
        return Ok((Vec::new(), Vec::new()));
    }
    let command = "kubectl get poddisruptionbudgets";
    succeeded(command, answer)?;
    let budgets = parse_budgets(&answer.stdout).map_err(|error| unreadable_rows(command, &error))?;
    Ok(weigh(&budgets, &told.evicted))
}

fn pod_changes(told: &DrainForecast<'_>) -> Vec<Change> {
    let going: Vec<_> = told.evicted.iter().map(|pod| pod.path()).collect();
    let all = going.len() + told.staying.len();
    let mut changes = vec![match going.len() {
        0 => change("pods", format!("{all} on the node"), "none has to go"),
        n => change("pods", format!("{all} on the node"), format!("{n} evicted: {}", some_of(&going))),
    }];
    changes.extend(told.losses().into_iter().map(|loss| change("lost", "", loss)));
    changes
}

fn pressure_change(pressure: &Pressure) -> Change {
    let before = format!("needs {} healthy, has {}", pressure.needed, pressure.healthy);
    change(format!("budget {}", pressure.budget), before, pressure.verdict())
}

/// Reads the pods afterwards: none that would be evicted may be left, on a node that is there. Plans of before ask for the
/// pods alone.
pub(super) fn assess_verify(
    args: &DrainArgs,
    subject: &Subject,
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let (pods, nodes) = match answers {
        [pods] => (pods, None),
        _ => exactly::<2>(answers).map(|[pods, nodes]| (pods, Some(nodes)))?,
    };
    if let Some(away) = answers.iter().find_map(api_away) {
        return Ok(away);
    }
    if let Some(nodes) = nodes
        && read_nodes(nodes)?.is_empty()
    {
        let node = subject.node.as_deref().unwrap_or(&subject.host);
        let reason = format!("node {node} no longer exists: somebody deleted it while it was drained");
        return Ok(refused(reason, "make it a node again, then plan again"));
    }
    let pods = read_pods(pods)?;
    let told = forecast(&pods, options(args));
    let left: Vec<_> = told.evicted.iter().map(|pod| pod.path()).collect();
    let node = subject.node.as_deref().unwrap_or(&subject.host);
    if let Some((reason, _)) = told.refusal() {
        return Ok(Assessment::NotYet { reason: format!("new pods came to {node}: {reason}") });
    }
    if left.is_empty() {
        return Ok(satisfied(format!("{node} is empty")));
    }
    Ok(Assessment::NotYet { reason: format!("still on {node}: {}", some_of(&left)) })
}
