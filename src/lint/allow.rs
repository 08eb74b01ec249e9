//! Opt-outs: what a runbook breaks on purpose is not told again; a name that is no rule, and an opt-out that nothing needs,
//! are.

use std::collections::HashSet;

use super::report::{Finding, Report};
use super::{LintInput, RULES, find};
use crate::runbook::{Allow, Phase, Runbook};
use crate::source::codes::{UNKNOWN_RULE, UNUSED_OPT_OUT};
use crate::source::{Code, Diagnostics, Span, nearest, shorten};

/// An opt-out, and the step it is about; `None`: the whole runbook.
struct OptOut<'a> {
    allow: &'a Allow,
    step: Option<Span>,
    code: Code,
    used: bool,
}

impl OptOut<'_> {
    fn covers(&self, finding: &Finding) -> bool {
        self.code == finding.diagnostic.code && self.step.is_none_or(|step| step == finding.step)
    }
}

/// Moves what is not allowed to the diagnostics, each once: a fragment is judged in every place that includes it.
pub(super) fn settle(input: &LintInput<'_>, report: Report, diagnostics: &mut Diagnostics) {
    let mut opt_outs = opt_outs(input.runbook, diagnostics);
    let mut told = HashSet::new();
    for finding in report.findings {
        let mut allowed = false;
        for opt_out in opt_outs.iter_mut().filter(|opt_out| opt_out.covers(&finding)) {
            opt_out.used = true;
            allowed = true;
        }
        let diagnostic = finding.diagnostic;
        if !allowed && told.insert((diagnostic.code, diagnostic.span, diagnostic.message.clone())) {
            diagnostics.push(diagnostic);
        }
    }
    for opt_out in opt_outs.iter().filter(|opt_out| !opt_out.used && is_certain(opt_out, input)) {
        let message = format!("nothing here breaks the rule `{}`", opt_out.allow.rule.value);
        diagnostics
            .warning(UNUSED_OPT_OUT, opt_out.allow.rule.span, message)
            .hint("remove it, so that it hides nothing that comes later");
    }
}

/// Whether an opt-out that nothing needed now is not needed at all. A rule that looks at values may need it with others,
/// and one that stands in a step that is left out this time, next time.
fn is_certain(opt_out: &OptOut<'_>, input: &LintInput<'_>) -> bool {
    let rule = RULES.iter().find(|rule| rule.code == opt_out.code);
    rule.is_some_and(|rule| !rule.needs_values) && input.params.is_none()
}

/// Every opt-out of a runbook that names a rule; the others are reported.
fn opt_outs<'a>(runbook: &'a Runbook, diagnostics: &mut Diagnostics) -> Vec<OptOut<'a>> {
    let of_runbook = runbook.allow.iter().map(|allow| (allow, None));
    let steps = runbook.phases.iter().flat_map(Phase::all_steps);
    let of_steps = steps.flat_map(|step| step.allow.iter().map(|allow| (allow, Some(step.origin.span))));
    let mut known = Vec::new();
    let mut seen = HashSet::new();
    for (allow, step) in of_runbook.chain(of_steps).filter(|(allow, _)| seen.insert(allow.rule.span)) {
        match find(&allow.rule.value) {
            Some(rule) => known.push(OptOut { allow, step, code: rule.code, used: false }),
            None => unknown(allow, diagnostics),
        }
    }
    known
}

fn unknown(allow: &Allow, diagnostics: &mut Diagnostics) {
    let name = allow.rule.value.as_str();
    let message = format!("there is no rule `{}`", shorten(name));
    let error = diagnostics.error(UNKNOWN_RULE, allow.rule.span, message);
    match nearest(name, RULES.iter().map(super::Rule::name)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("docs/reference/lint.md lists the rules"),
    };
}
