//! The linter: what experienced people would say about an upgrade before it begins. Pure, over the runbook as it is
//! written, and again with every value that is known when a plan is made. One rule is one file of `rules/`.
//!
//! A rule speaks only where it is certain. What depends on a value that is not known yet is judged when it is.

mod action;
mod allow;
mod command;
mod context;
mod order;
mod quotes;
mod registry;
mod report;
mod rule;
mod rules;
mod shell;
mod values;
mod variables;

#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use crate::inventory::Inventory;
use crate::runbook::Runbook;
use crate::source::{Diagnostics, SourceMap};
use crate::value::Value;

pub use registry::{ELSEWHERE, RULES, find};
pub use rule::Rule;

use context::LintContext;
use report::Report;

/// What the linter looks at.
#[derive(Clone, Copy, Debug)]
pub struct LintInput<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// The files that it was read from.
    pub sources: &'a SourceMap,
    /// Every parameter's value; `None` when only the files are known.
    pub params: Option<&'a IndexMap<String, Value>>,
    /// The inventory, where one is given.
    pub inventory: Option<&'a Inventory>,
}

/// Adds what the rules say, in the order of the rules, without what the runbook allows itself.
pub fn check(input: &LintInput<'_>, diagnostics: &mut Diagnostics) {
    let cx = LintContext::new(input);
    let mut report = Report::default();
    for rule in RULES {
        report.begin(rule);
        (rule.check)(&cx, &mut report);
    }
    allow::settle(input, report, diagnostics);
}
