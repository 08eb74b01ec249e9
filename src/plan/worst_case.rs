//! How long a plan takes when everything that may take its time does: every op and every wait to its limit.

use super::{Action, HostTasks, Plan, PlannedPhase, StepRef};
use crate::op::Effect;
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
        let at_once = match (disrupts, phase.rollout.control_planes) {
            (true, true) => 1,
            (true, false) => phase.rollout.max_unavailable.max(1),
            (false, _) => phase.rollout.parallel.max(1),
        };
        let waves = hosts.len().div_ceil(at_once as usize) as u64;
        longest
            .saturating_mul(waves)
            .saturating_add(phase.rollout.soak)
            .saturating_add(of_verify(plan, phase))
    };
    phase.batches.iter().fold(Duration::ZERO, |sum, batch| sum.saturating_add(batch_of(batch)))
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
    let once = ops.chain(waits).fold(Duration::ZERO, Duration::saturating_add);
    once.saturating_mul(action.retry.map_or(1, |retry| u64::from(retry.attempts.max(1))))
}

fn of_verify(plan: &Plan, phase: &PlannedPhase) -> Duration {
    let checks = phase.verify.iter().map(|action| of_action(plan.action(*action)));
    checks.fold(Duration::ZERO, Duration::saturating_add)
}
