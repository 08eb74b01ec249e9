//! How long a plan takes when everything that may take its time does: every op and every wait to its limit.

use super::{Action, Gate, GateOpens, HostTasks, Plan, PlannedPhase, StepRef};
use crate::op::Effect;
use crate::step::{PauseFor, pause_of};
use crate::value::Duration;

/// The worst case of a phase: batches one after the other, disrupting hosts in waves of `max_unavailable`.
pub fn of_phase(plan: &Plan, phase: &PlannedPhase) -> Duration {
    let batch_of = |hosts: &[super::HostId]| {
        let tasks = hosts.iter().filter_map(|host| phase.tasks_of(*host));
        let (longest, disrupts) = tasks.fold((Duration::ZERO, false), |(longest, disrupts), tasks| {
            (
                longest.max(of_host(plan, tasks)),
                disrupts || tasks.tasks.iter().any(|task| task.effect == Effect::Disrupts),
            )
        });
        longest
            .saturating_mul(waves(phase, hosts.len(), disrupts))
            .saturating_add(phase.rollout.soak)
            .saturating_add(of_verify(plan, phase))
    };
    let gates = (0..u16::try_from(phase.batches.len()).unwrap_or(u16::MAX)).filter_map(|batch| {
        let gate = phase.gate_after(batch)?;
        gate.time()
    });
    let gates = gates.fold(Duration::ZERO, Duration::saturating_add);
    phase.batches.iter().fold(gates, |sum, batch| sum.saturating_add(batch_of(batch)))
}

/// In how many waves so many hosts of a batch are done.
fn waves(phase: &PlannedPhase, hosts: usize, disrupts: bool) -> u64 {
    let at_once = if disrupts { phase.rollout.slots() } else { phase.rollout.parallel };
    hosts.div_ceil(at_once.max(1) as usize) as u64
}

/// Whether a phase also takes as long as somebody takes to answer.
pub fn waits_for_people(plan: &Plan, phase: &PlannedPhase) -> bool {
    let asks = |gate: &Gate| matches!(gate.opens, GateOpens::Approve { within: None, .. });
    let gate = phase.batches.len() > 1 && phase.gate.as_ref().is_some_and(asks);
    let mut tasks = phase.hosts.iter().flat_map(|host| &host.tasks);
    gate || tasks.any(|task| match task.step {
        StepRef::Action(action) if !task.forecast.is_left_out() => {
            let action = plan.action(action);
            matches!(pause_of(&action.kind, &action.args), Some(PauseFor::Person(_)))
        }
        StepRef::Action(_) => false,
        StepRef::Deferred(id) => {
            let step = &plan.deferred[id.0 as usize];
            step.kind == "pause" && step.args.contains_key("manual")
        }
    })
}

/// The worst case of all phases.
pub fn of_plan(plan: &Plan) -> Duration {
    plan.phases.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(of_phase(plan, phase)))
}

fn of_host(plan: &Plan, tasks: &HostTasks) -> Duration {
    let each = tasks.tasks.iter().map(|task| match task.step {
        StepRef::Action(action) => of_action(plan.action(action)),
        StepRef::Deferred(deferred) => plan.deferred[deferred.0 as usize].timeout,
    });
    each.fold(Duration::ZERO, Duration::saturating_add)
}

fn of_action(action: &Action) -> Duration {
    let lowered = &action.lowered;
    let ops = lowered.ops.iter().map(|op| op.timeout);
    let waits = lowered
        .poll
        .iter()
        .map(|poll| poll.within)
        .chain(lowered.verify.iter().map(|verify| verify.poll.within));
    let pause = match pause_of(&action.kind, &action.args) {
        Some(PauseFor::Time(time)) => Some(time),
        _ => None,
    };
    let once = ops.chain(waits).chain(pause).fold(Duration::ZERO, Duration::saturating_add);
    let Some(retry) = action.retry else { return once };
    once.saturating_mul(u64::from(retry.attempts.max(1))).saturating_add(retry.delays())
}

fn of_verify(plan: &Plan, phase: &PlannedPhase) -> Duration {
    let checks = phase.verify.iter().map(|action| of_action(plan.action(*action)));
    checks.fold(Duration::ZERO, Duration::saturating_add)
}
