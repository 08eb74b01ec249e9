//! How a verb ends.

use crate::app::AppError;
use crate::report::ExitKind;

/// A verb gives how the program ends, or why it did not do its work: that is shown by the caller.
pub(super) type Outcome = Result<ExitKind, AppError>;
