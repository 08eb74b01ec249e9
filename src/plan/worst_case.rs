//! How long a plan takes when everything that may take its time does: every op and every wait to its limit.

use super::expected::{Room, Turn};
use super::{Action, HostId, HostTasks, Plan, PlannedPhase, StepRef};
use crate::op::Effect;
use crate::step::{PauseFor, pause_of};
use crate::value::Duration;

/// The worst case of a phase: batches one after the other, disrupting hosts in waves of `max_unavailable`.
pub(super) fn of_phase(plan: &Plan, phase: &PlannedPhase) -> Duration {
    let batch_of = |hosts: &[HostId]| {
        let tasks = hosts.iter().filter_map(|host| phase.tasks_of(*host));
        let longest = tasks.map(|tasks| of_host(plan, tasks)).max().unwrap_or(Duration::ZERO);
        longest
            .saturating_mul(waves(plan, phase, hosts))
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

/// In how many waves these hosts of a batch are done: in as many as seconds, if each took one.
fn waves(plan: &Plan, phase: &PlannedPhase, hosts: &[HostId]) -> u64 {
    const SECOND: Duration = Duration::from_secs(1);
    let disrupts = |tasks: &HostTasks| tasks.tasks.iter().any(|task| task.effect == Effect::Disrupts);
    let tasks = || hosts.iter().filter_map(|host| phase.tasks_of(*host));
    let any = tasks().any(disrupts);
    let turns: Vec<Turn> = tasks()
        .map(|tasks| {
            let (before, out) = if any { (Duration::ZERO, Some(SECOND)) } else { (SECOND, None) };
            Turn { host: tasks.host, before, out }
        })
        .collect();
    Room::of(plan, phase).ends(&turns).as_secs()
}

/// Whether a step waits for a person.
pub(super) fn asks_a_person(plan: &Plan, step: StepRef) -> bool {
    match step {
        StepRef::Action(action) => {
            let action = plan.action(action);
            matches!(pause_of(&action.kind, &action.args), Some(PauseFor::Person(_)))
        }
        StepRef::Deferred(id) => {
            let step = &plan.deferred[id.0 as usize];
            step.kind == "pause" && step.args.contains_key("manual")
        }
    }
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
