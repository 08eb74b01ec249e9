//! What a rule is.

use super::{LintContext, Report};
use crate::source::codes::{CodeInfo, code_info};
use crate::source::{Code, Severity};

/// A rule: data, and one pure function.
pub struct Rule {
    /// Its code; name, title and text stand in the table of codes.
    pub code: Code,
    /// How bad it is to break it. Single findings may be worse.
    pub severity: Severity,
    /// Whether it looks at values, so that it may say nothing before they are known.
    pub needs_values: bool,
    /// Why, with the source of every fact. Markdown.
    pub why: &'static str,
    /// Phases that break this rule and no other.
    pub bad: &'static str,
    /// Phases that break none.
    pub good: &'static str,
    /// Looks at a runbook.
    pub(super) check: fn(&LintContext<'_>, &mut Report),
}

impl Rule {
    /// Its row in the table of codes.
    fn info(&self) -> &'static CodeInfo {
        code_info(self.code).expect("invariant: every rule has a row in the table of codes")
    }

    /// Its name: `drain-without-timeout`.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// What it says, on one line.
    pub fn title(&self) -> &'static str {
        self.info().title
    }

    /// What it means and what to do.
    pub fn text(&self) -> &'static str {
        self.info().text
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("name", &self.name()).finish_non_exhaustive()
    }
}
