//! Whom a use case tells what it does while it works, and whom it asks: the terminal of the command line, or a list in a
//! test.

use super::AppError;
use crate::executor::Redactor;
use crate::plan::{Expected, Plan};
use crate::report::Reporter;
use crate::source::{Diagnostics, SourceMap};

/// Somebody who reads along.
pub(crate) trait Tell {
    /// A line for people.
    fn say(&self, text: &str);

    /// What to do about the last line; nothing where it is empty.
    fn hint(&self, text: &str);

    /// Why something did not work that ends nothing by itself.
    fn error(&self, error: &AppError);

    /// Mistakes in files.
    fn diagnostics(&self, diagnostics: &Diagnostics, sources: &SourceMap);

    /// From here on, secrets that this filter knows are not told.
    fn hide(&self, redactor: Redactor);

    /// Shows a plan and how long it is expected to take, for somebody who is asked to approve it.
    fn plan(&self, plan: &Plan, digest: &str, expected: &Expected);

    /// Asks; only a clear yes is a yes.
    fn confirm(&self, question: &str) -> bool;
}

/// Those who watch a run.
pub(crate) trait Audience {
    /// Finds out before a record is begun whether everybody can be told.
    fn check(&self) -> anyhow::Result<()>;

    /// Everybody who wants to hear of events.
    fn reporters(&self) -> anyhow::Result<Vec<Box<dyn Reporter>>>;
}
