//! Ops that a fault singles out by the name of their launch: they fail, or never end.

use super::process::{Output, Pid, ProcessStep};
use super::world::{Millis, World};
use crate::value::Duration;

/// What becomes of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpFault {
    /// It does nothing and fails after a second.
    Fails {
        /// Exit code.
        code: i32,
        /// Standard error.
        stderr: String,
    },
    /// It does nothing and never ends by itself: its time limit ends it.
    NeverEnds,
}

/// Ops to single out.
#[derive(Clone, Debug)]
pub(super) struct DoomedOp {
    /// Beginning of the names of their launches.
    pub(super) launches: String,
    /// What becomes of them.
    pub(super) op_fault: OpFault,
    /// How many times still.
    pub(super) times: u32,
}

/// What becomes of the op of a launch, if a fault means it. Counts it.
pub(super) fn of(world: &mut World, launch: &str) -> Option<OpFault> {
    let meant = |faulty_ops: &&mut DoomedOp| faulty_ops.times > 0 && launch.starts_with(&faulty_ops.launches);
    let faulty_ops = world.faulty_ops.iter_mut().find(meant)?;
    faulty_ops.times -= 1;
    Some(faulty_ops.op_fault.clone())
}

/// Starts the process of an op that is doomed.
pub(super) fn start(
    world: &mut World,
    host: usize,
    limit: Duration,
    logged: usize,
    op_fault: OpFault,
) -> Pid {
    world.spawn_with(host, Some(limit), Some(logged), move |_, out| carry_out(op_fault, out))
}

fn carry_out(op_fault: OpFault, out: &mut Output) -> ProcessStep {
    match op_fault {
        OpFault::Fails { code, stderr } => {
            out.complain(stderr);
            ProcessStep::after(1000, move |_, _| ProcessStep::Exit(code))
        }
        OpFault::NeverEnds => ProcessStep::after(Millis::MAX / 4, |_, _| ProcessStep::Exit(1)),
    }
}
