//! Ops that a fault singles out by the name of their launch: they fail, or never end.

use super::process::{Next, Output, Pid};
use super::world::{Millis, World};
use crate::value::Duration;

/// What becomes of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doom {
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
pub(super) struct Doomed {
    /// Beginning of the names of their launches.
    pub(super) launches: String,
    /// What becomes of them.
    pub(super) doom: Doom,
    /// How many times still.
    pub(super) times: u32,
}

/// What becomes of the op of a launch, if a fault means it. Counts it.
pub(super) fn of(world: &mut World, launch: &str) -> Option<Doom> {
    let meant = |doomed: &&mut Doomed| doomed.times > 0 && launch.starts_with(&doomed.launches);
    let doomed = world.doomed.iter_mut().find(meant)?;
    doomed.times -= 1;
    Some(doomed.doom.clone())
}

/// Starts the process of an op that is doomed.
pub(super) fn start(world: &mut World, host: usize, limit: Duration, logged: usize, doom: Doom) -> Pid {
    world.spawn_with(host, Some(limit), Some(logged), move |_, out| carry_out(doom, out))
}

fn carry_out(doom: Doom, out: &mut Output) -> Next {
    match doom {
        Doom::Fails { code, stderr } => {
            out.complain(stderr);
            Next::after(1000, move |_, _| Next::Exit(code))
        }
        Doom::NeverEnds => Next::after(Millis::MAX / 4, |_, _| Next::Exit(1)),
    }
}
