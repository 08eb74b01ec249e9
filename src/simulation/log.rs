//! What simulated hosts were told to do: the oracle of tests.

use crate::op::Exit;
use crate::value::Duration;

/// A command that may have changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCommand {
    /// When it started, since the simulation began.
    pub at: Duration,
    /// The host it ran on, by its inventory name.
    pub host: String,
    /// Program and arguments. A file that was written shows as `write PATH`, a restart of the machine as `reboot`.
    pub argv: Vec<String>,
    /// Whether it came in a probe, where nothing may change anything.
    pub probe: bool,
    /// How it ended; `None` while it runs.
    pub exit: Option<Exit>,
}

impl LoggedCommand {
    /// The command line with single spaces, for messages and searches.
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }
}
