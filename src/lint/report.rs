//! What the rules have said so far.

use super::Rule;
use crate::runbook::Step;
use crate::source::{Diagnostic, Severity, Span};

/// One thing that a rule said.
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    /// The step that it is about, whose opt-outs count.
    pub(super) step: Span,
}

/// Everything that the rules said.
#[derive(Default)]
pub(super) struct Report {
    rule: Option<&'static Rule>,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// What is said from here on comes from this rule.
    pub(super) fn begin(&mut self, rule: &'static Rule) {
        self.rule = Some(rule);
    }

    /// Says something about a step; give it hints through the result.
    pub(super) fn say(&mut self, step: &Step, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let rule = self.rule.expect("invariant: a rule was begun");
        let mut diagnostic = Diagnostic::new(rule.code, rule.severity, message);
        diagnostic.span = Some(span);
        // The name, by which it can be allowed.
        rule.name().clone_into(&mut diagnostic.label);
        self.findings.push(Finding { diagnostic, step: step.origin.span });
        &mut self.findings.last_mut().expect("invariant: just pushed").diagnostic
    }

    /// The same, and it cannot work at all.
    pub(super) fn say_error(
        &mut self,
        step: &Step,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let diagnostic = self.say(step, span, message);
        diagnostic.severity = Severity::Error;
        diagnostic
    }
}
