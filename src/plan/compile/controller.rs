//! Whether a plan restarts the machine that runs Rollbook, in the middle of its own run.

use super::{placeless, warning};
use crate::inventory::TransportKind;
use crate::op::Site;
use crate::plan::{Forecast, HostId, Plan, StepRef, Task};
use crate::source::{Diagnostics, codes};
use crate::step::power_cycles;

/// What is known of the machine that runs Rollbook.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisMachine<'a> {
    /// Its /etc/machine-id; empty where it has none.
    pub id: &'a str,
    /// In a pod, the node that it runs on.
    pub node: &'a str,
}

/// A run must not restart the machine that it runs on, unless that is the last thing that it does and was accepted. Asked
/// after the forecast, where there is one: a restart that is not needed restarts nothing.
pub fn settle_controller(plan: &mut Plan, machine: ThisMachine<'_>, diagnostics: &mut Diagnostics) {
    let restarted = restarted(plan, machine);
    let mut told = Vec::new();
    for (phase, host) in restarted {
        if told.contains(&host) {
            continue;
        }
        told.push(host);
        let name = &plan.host(host).name;
        let what = format!(
            "{name} is this machine, which runs Rollbook, and the phase `{}` restarts it",
            plan.phases[phase].name
        );
        let is_last = is_last(plan, phase, host);
        if is_last && plan.policy.accept_controller_reboot {
            let way = "accepted: the run is cut off there; continue it with `rollbook resume`";
            plan.warnings.insert(0, warning(what, way));
            continue;
        }
        let hint = if is_last {
            "run it from another machine, or accept that the run is cut off there and resumed: \
             --accept-controller-reboot"
        } else {
            "run it from another machine, or take the host out with `--limit`; only the last host, alone in its batch, can be \
             accepted with --accept-controller-reboot"
        };
        diagnostics.push(placeless(codes::CONTROLLER_REBOOT, what, Some(hint.to_owned())));
    }
}

/// Hosts that are this machine and are restarted, with the index of the phase.
fn restarted(plan: &Plan, machine: ThisMachine<'_>) -> Vec<(usize, HostId)> {
    let mut found = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        for tasks in &phase.hosts {
            let is_here = is_here(plan, tasks.host, machine);
            if tasks.tasks.iter().any(|task| restarts(plan, task, is_here)) {
                found.push((index, tasks.host));
            }
        }
    }
    found
}

fn is_here(plan: &Plan, host: HostId, machine: ThisMachine<'_>) -> bool {
    let host = plan.host(host);
    let is_same = |ours: &str, theirs: &str| !ours.is_empty() && ours == theirs;
    host.connection.transport == TransportKind::Local
        || is_same(machine.id, &host.machine_id)
        || is_same(machine.node, host.subject.node.as_deref().unwrap_or_default())
}

fn restarts(plan: &Plan, task: &Task, is_here: bool) -> bool {
    let nothing = task.forecast.is_left_out()
        || matches!(task.forecast, Forecast::Holds { .. } | Forecast::BracketHolds);
    if nothing {
        return false;
    }
    match task.step {
        StepRef::Action(id) => {
            let mut ops = plan.action(id).lowered.ops.iter().filter(|op| power_cycles(op));
            ops.any(|op| op.site == Site::Controller || is_here && op.site == Site::Subject)
        }
        StepRef::Deferred(id) => is_here && plan.deferred[id.0 as usize].kind == "reboot",
    }
}

/// Whether nobody else is worked on at the same time as this host in the phase, or afterwards.
fn is_last(plan: &Plan, phase: usize, host: HostId) -> bool {
    let alone = plan.phases[phase].batches.last().is_some_and(|batch| batch.as_slice() == [host]);
    let later = plan.phases[phase + 1..].iter().flat_map(|phase| &phase.hosts);
    alone && later.into_iter().all(|tasks| tasks.host == host)
}
