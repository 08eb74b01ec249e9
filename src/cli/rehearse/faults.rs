//! Faults of a scenario as the simulation knows them.

use crate::inventory::HostName;
use crate::plan::TaskId;
use crate::scenario::{FaultKind, HeldLock, InhibitorMode};
use crate::simulation::{Fault, OpFault, Simulated, SimulatedHost};
use crate::value::Duration;

/// As good as for ever: no roll takes that long.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Whether a fault can befall a host at all; why not, where it cannot.
pub(super) fn can_inject_on(kind: &FaultKind, host: &SimulatedHost) -> Result<(), &'static str> {
    match kind {
        FaultKind::CrashLoop { .. } if !host.control_plane => Err("it is no control plane"),
        FaultKind::BudgetBlocks
        | FaultKind::PodStuck
        | FaultKind::BarePod
        | FaultKind::NodeCordoned { .. }
        | FaultKind::NodeUncordoned
        | FaultKind::NodeDeleted { .. }
        | FaultKind::NodeNotReady { .. }
        | FaultKind::KubeletDoesNotStart
            if host.node_name.is_none() =>
        {
            Err("it is no node of a cluster")
        }
        _ => Ok(()),
    }
}

/// Lets a fault befall a host now. Gives what ends it, and when, where the simulation does not end it by itself.
pub(super) fn inject_on(
    simulated: &Simulated,
    kind: &FaultKind,
    host: &HostName,
    task: Option<TaskId>,
) -> Option<(Duration, Fault)> {
    let at = simulated.elapsed();
    let host = || host.as_str().to_owned();
    let (fault, end) = match kind.clone() {
        FaultKind::NeverFinishes => (faulty_op(host(), task?, OpFault::NeverEnds, u32::MAX), None),
        FaultKind::Fails { exit, stderr, times } => (
            faulty_op(
                host(),
                task?,
                OpFault::Fails { code: i32::from(exit), stderr: stderr.unwrap_or_default().0 },
                times,
            ),
            None,
        ),
        FaultKind::BudgetBlocks => (Fault::DrainBlocked { host: host() }, None),
        FaultKind::PodStuck => (Fault::PodStuck { host: host() }, None),
        FaultKind::BarePod => (Fault::BarePod { host: host() }, None),
        FaultKind::LinkLost { lasting } => (Fault::Unreachable { host: host(), at, lasting }, None),
        FaultKind::PowerLost { lasting } => (Fault::PowerLost { host: host(), lasting }, None),
        FaultKind::MirrorDies { lasting } => {
            (Fault::MirrorDead { host: host() }, lasting.zip(Some(Fault::MirrorAnswers { host: host() })))
        }
        FaultKind::PackageMissing { package, version } => {
            (Fault::PackageMissing { host: host(), package: package.0, version: version.0 }, None)
        }
        FaultKind::LockHeld { lock, by, lasting } => {
            let until = at.saturating_add(lasting.unwrap_or(FOR_EVER));
            let lists = lock == HeldLock::Lists;
            (Fault::LockHeld { host: host(), holder: by.0, until, lists }, None)
        }
        FaultKind::ShutdownInhibited { by, mode, lasting } => {
            let until = at.saturating_add(lasting.unwrap_or(FOR_EVER));
            let blocks = mode == InhibitorMode::Block;
            (Fault::ShutdownInhibited { host: host(), who: by.0, blocks, until }, None)
        }
        FaultKind::KubeletDoesNotStart => (Fault::KubeletDoesNotStart { host: host() }, None),
        FaultKind::CrashLoop { component } => {
            let component = component.name().to_owned();
            (Fault::StaticPodCrashLoops { host: host(), component }, None)
        }
        FaultKind::ApiServerStarts { lasting } => (Fault::ApiServerStarts { host: host(), lasting }, None),
        FaultKind::NodeCordoned { lasting } => (
            Fault::NodeCordoned { host: host(), at },
            lasting.zip(Some(Fault::NodeUncordoned { host: host() })),
        ),
        FaultKind::NodeUncordoned => (Fault::NodeUncordoned { host: host() }, None),
        FaultKind::NodeDeleted { lasting } => {
            (Fault::NodeDeleted { host: host() }, lasting.zip(Some(Fault::KubeletRestarted { host: host() })))
        }
        FaultKind::NodeNotReady { lasting } => (
            Fault::NodeNotReady { host: host(), at },
            lasting.zip(Some(Fault::KubeletRecovers { host: host() })),
        ),
        FaultKind::ClockJumps { by } => (Fault::ClockJumps { host: host(), millis: by.0 }, None),
        FaultKind::SwapOn => (Fault::SwapOn { host: host() }, None),
        FaultKind::RebootRequired => (Fault::RebootRequired { host: host() }, None),
        FaultKind::UpToDate => (Fault::UpToDate { host: host() }, None),
        // These befall no host.
        FaultKind::ControllerKilled { .. } | FaultKind::Stopped { .. } | FaultKind::ApprovalRefused => {
            return None;
        }
    };
    simulated.inject(fault);
    end
}

fn faulty_op(
    host: String,
    TaskId { phase, host: id, index }: TaskId,
    op_fault: OpFault,
    times: u32,
) -> Fault {
    // As the executor names launches: phase, host, index, and what the launch is of the task.
    Fault::OpsDoomed { host, launches: format!("{phase}-{}-{index}-", id.0), op_fault, times }
}
