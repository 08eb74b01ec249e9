//! Reporters: each reads the same events and shows them its own way. None of them decides anything, and none is
//! needed for the run to go on.

mod events;
mod exit;
mod gates;
mod left;
mod live;
mod nodes;
mod pace;
mod phases;
mod plain;
mod stopped;
mod summary;
mod took;
mod trouble;
mod waits;
mod ways_back;

use crate::engine::{Stamped, State};
use crate::plan::{HostId, Plan};

pub use events::Events;
pub use exit::ExitKind;
pub use left::Left;
pub use live::{Live, TerminalStyle};
pub use pace::Pace;
pub use plain::{Plain, Verbosity, said_of};
pub use summary::{Summary, Troubled};
pub use took::took;
pub use trouble::LastWords;

/// Shows a run while it happens. Called after an event became true, never before.
pub trait Reporter {
    /// An event became true; `state` has it applied already.
    fn event(&mut self, plan: &Plan, state: &State, event: &Stamped);

    /// The end of what a host's command said so far, at most a few times a second. Nothing of it is recorded here.
    fn output(&mut self, _host: HostId, _said: &[String]) {}

    /// Whether [`Reporter::output`] does anything.
    fn listens(&self) -> bool {
        false
    }
}
