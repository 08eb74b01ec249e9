//! A drain ends.

use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::Step;
use crate::source::{Severity, codes};
use crate::value::Value;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::DRAIN_WITHOUT_TIMEOUT,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
`kubectl drain --timeout` is 0 when it is left out, which waits for ever. The step `drain` has ten minutes, cannot be
endless, and takes back its cordon when it fails. The common key `timeout` beside it is not heeded by the drain: what is meant for
the drain stands below it.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubectl, drain, w1, --ignore-daemonsets]
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for view in cx.every_step().filter(|view| view.step.kind.name() == "drain") {
        beside_the_drain(view.step, report);
    }
    for (step, command) in cx.commands().filter(|(_, command)| command.drains()) {
        let timeout = command.flag("--timeout");
        let endless = timeout.is_some_and(|word| is_zero(&word.text));
        if timeout.is_none() || endless {
            let word = timeout.unwrap_or(command.first());
            let message = "this drain waits for ever when a PodDisruptionBudget allows nothing";
            let warning = report.say(step, word.span(step, cx.sources), message);
            warning.hint("write the step `drain: { timeout: 10m }`, or add `--timeout=10m`");
        }
    }
}

/// A time limit that stands beside the drain and is shorter than its own, which alone counts: it was meant for the drain.
fn beside_the_drain(step: &Step, report: &mut Report) {
    let duration = |arg: Option<&crate::template::Arg>| match arg.and_then(|arg| arg.as_const()) {
        Some(Value::Duration(duration)) => Some(*duration),
        _ => None,
    };
    // One that nobody wrote was meant for nothing.
    let written = step.timeout.as_ref().filter(|arg| arg.span.is_some());
    let Some(at_most) = duration(written) else { return };
    let Some(wanted) = duration(step.args.get("timeout")) else { return };
    if at_most < wanted {
        let span = written.and_then(|arg| arg.span).unwrap_or(step.origin.span);
        let message =
            format!("this `timeout` is the step's, which the drain does not heed: it takes up to {wanted}");
        report
            .say(step, span, message)
            .hint(format!("indent it below the kind, `drain: {{ timeout: {at_most} }}`, or leave it out"));
    }
}

/// `--timeout=0`, `--timeout=0s`
fn is_zero(word: &str) -> bool {
    let value = word.split_once('=').map(|(_, value)| value.trim_end_matches(['s', 'm', 'h']));
    value.is_some_and(|value| !value.is_empty() && value.bytes().all(|byte| byte == b'0'))
}
