//! Whether the plan has everything that an event names. Asked before anything else is done with the event, so that the
//! transitions, and whoever reads the events after them, may look things up in the plan.

use crate::engine::{Event, HaltCause, IllegalReason};
use crate::plan::{HostId, OutOfService, Plan, PlannedPhase, StepRef, TaskId};

pub(super) fn known(plan: &Plan, event: &Event) -> Result<(), IllegalReason> {
    match event {
        Event::RunStarted { .. }
        | Event::RunResumed { .. }
        | Event::StopRequested { .. }
        | Event::LockLost { .. }
        | Event::ClusterSilent { .. }
        | Event::ClusterAnswers
        | Event::RunEnded
        | Event::RunUndone { .. }
        // Which phase and which batch may be next is judged where they begin.
        | Event::PhaseStarted { .. } => Ok(()),
        Event::BatchStarted { phase, batch }
        | Event::SoakStarted { phase, batch, .. }
        | Event::VerifyStarted { phase, batch }
        | Event::Verified { phase, batch, .. }
        | Event::BatchEnded { phase, batch, .. } => {
            let known = usize::from(*batch) < phase_of(plan, *phase)?.batches.len();
            if known { Ok(()) } else { Err(IllegalReason::Batch { phase: *phase, batch: *batch }) }
        }
        Event::GateReached { phase, batch, .. }
        | Event::GateWaiting { phase, batch, .. }
        | Event::GatePassed { phase, batch, .. }
        | Event::GateRefused { phase, batch, .. } => {
            let gate = phase_of(plan, *phase)?.gate_after(*batch);
            let what = || format!("gate behind batch {batch} of phase {phase}");
            gate.map(drop).ok_or_else(|| IllegalReason::Unknown { what: what() })
        }
        Event::ObservationStarted { phase } | Event::PhaseEnded { phase, .. } => {
            phase_of(plan, *phase).map(drop)
        }
        Event::HostStarted { phase, host }
        | Event::SlotTaken { phase, host }
        | Event::SectionStarted { phase, host, .. }
        | Event::HostEnded { phase, host, .. } => host_of(plan, *phase, *host),
        Event::BracketProbeStarted { phase, host, bracket }
        | Event::BracketProbed { phase, host, bracket, .. } => bracket_of(plan, *phase, *host, *bracket),
        Event::Observed { phase, out, etcd, .. } => {
            phase_of(plan, *phase)?;
            etcd.iter().try_for_each(|seen| any_host(plan, seen.host))?;
            hosts_of(plan, out)
        }
        Event::BudgetWaiting { phase, host, out, .. } => {
            host_of(plan, *phase, *host)?;
            hosts_of(plan, out)
        }
        Event::HostSilent { host, .. } | Event::HostAnswers { host } => any_host(plan, *host),
        Event::TaskStarted { task, .. }
        | Event::TaskWaiting { task, .. }
        | Event::TaskAsks { task, .. }
        | Event::TaskApproved { task, .. }
        | Event::TaskProbed { task, .. }
        | Event::ConditionDecided { task, .. }
        | Event::TaskEnded { task, .. }
        | Event::TaskSkipped { task, .. } => task_of(plan, *task),
        Event::OpStarted { task, op, on, .. } => {
            on.map_or(Ok(()), |on| any_host(plan, on))?;
            op_of(plan, *task, *op)
        }
        Event::OpEnded { task, op, .. }
        | Event::OpSaid { task, op, .. }
        | Event::OpNotStarted { task, op, .. } => op_of(plan, *task, *op),
        Event::Halted { phase, cause } => {
            phase_of(plan, *phase)?;
            match cause {
                HaltCause::BudgetSpentByOthers { out, .. } => hosts_of(plan, out),
                HaltCause::BudgetSpentByCordons { hosts } => {
                    hosts.iter().try_for_each(|host| any_host(plan, *host))
                }
                HaltCause::DomainsSpentByFailures { host, .. } => host_of(plan, *phase, *host),
                _ => Ok(()),
            }
        }
    }
}

fn phase_of(plan: &Plan, phase: u16) -> Result<&PlannedPhase, IllegalReason> {
    plan.phases.get(usize::from(phase)).ok_or(IllegalReason::Phase { phase })
}

/// A host that the phase works on.
fn host_of(plan: &Plan, phase: u16, host: HostId) -> Result<(), IllegalReason> {
    let found = phase_of(plan, phase)?.tasks_of(host);
    found.map(drop).ok_or(IllegalReason::NoSuchHost { phase, host: host.0 })
}

/// A host of the plan, whatever it is there for.
fn any_host(plan: &Plan, host: HostId) -> Result<(), IllegalReason> {
    let found = plan.hosts.get(host.0 as usize);
    found.map(drop).ok_or_else(|| IllegalReason::Unknown { what: format!("host {}", host.0) })
}

fn hosts_of(plan: &Plan, out: &[OutOfService]) -> Result<(), IllegalReason> {
    out.iter().try_for_each(|out| any_host(plan, out.host))
}

fn bracket_of(plan: &Plan, phase: u16, host: HostId, bracket: u16) -> Result<(), IllegalReason> {
    host_of(plan, phase, host)?;
    let found = plan.phase(phase).tasks_of(host).and_then(|tasks| tasks.brackets.get(usize::from(bracket)));
    found.map(drop).ok_or_else(|| IllegalReason::Unknown {
        what: format!("bracket {bracket} of host {} in phase {phase}", host.0),
    })
}

fn task_of(plan: &Plan, task: TaskId) -> Result<(), IllegalReason> {
    let TaskId { phase, host, index } = task;
    host_of(plan, phase, host)?;
    let found = plan.phase(phase).tasks_of(host).and_then(|tasks| tasks.tasks.get(usize::from(index)));
    found.map(drop).ok_or_else(|| IllegalReason::Unknown {
        what: format!("task {index} of host {} in phase {phase}", host.0),
    })
}

/// Ops of a deferred step are known to nobody but the worker that lowered it.
fn op_of(plan: &Plan, task: TaskId, op: u16) -> Result<(), IllegalReason> {
    task_of(plan, task)?;
    let known = match plan.task(task).step {
        StepRef::Action(action) => usize::from(op) < plan.action(action).lowered.ops.len(),
        StepRef::Deferred(_) => true,
    };
    if known {
        return Ok(());
    }
    let TaskId { phase, host, index } = task;
    Err(IllegalReason::Unknown {
        what: format!("op {op} of task {index} of host {} in phase {phase}", host.0),
    })
}
