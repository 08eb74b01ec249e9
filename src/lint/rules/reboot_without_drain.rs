//! A node restarts only while its pods are elsewhere.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::REBOOT_WITHOUT_DRAIN,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Told in runbooks with `kube:`, for the step `reboot` and for a `command` that restarts or stops the machine, where the phase has not
drained its hosts before. A phase that only cordons its hosts leaves their pods where they are, and is told, too. Where the hosts of
a phase are no nodes, say so with `allow`. Scripts are not looked into.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - reboot: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - reboot: { when_required: true }
    - wait: { node: ready, for: 10m }
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    // A script may look first where it is and what it may do.
    let is_told = |step: &Step| step.kind.name() != "script";
    for (step, action) in cx.undrained() {
        if matches!(action.what, ActionKind::Reboot) && is_told(step) {
            report
                .say(step, action.span, "the node restarts while its pods run")
                .hint("put `drain` before it, and `uncordon` behind it");
        }
    }
}
