//! How a verb ends.

use crate::report::exit;

/// A verb gives its exit code, or why it stopped.
pub(super) type Outcome = Result<u8, Stopped>;

/// Why a verb did not go to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The user was told; this is the exit code.
    Told(u8),
    /// The controller's own trouble: shown by the caller, exit code 1.
    Error(anyhow::Error),
}

impl From<anyhow::Error> for Stopped {
    fn from(error: anyhow::Error) -> Self {
        Self::Error(error)
    }
}

/// Stops because a file or a selection is invalid; the diagnostics were shown.
pub(super) fn invalid() -> Stopped {
    Stopped::Told(exit::INVALID)
}
