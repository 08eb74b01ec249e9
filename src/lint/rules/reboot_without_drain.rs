//! A node restarts only while its pods are elsewhere.

use crate::lint::action::ActionKind;
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
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
    if cx.runbook.kube.is_some() {
        for phase in &cx.phases {
            of_phase(phase, report);
        }
    }
}

fn of_phase(phase: &PhaseView<'_>, report: &mut Report) {
    let mut drained = false;
    for (step, action) in phase.actions() {
        match &action.what {
            // What leaves the cluster has no pods to lose.
            ActionKind::Drain | ActionKind::Leave => drained = true,
            ActionKind::Uncordon | ActionKind::Join => drained = false,
            // A script may look first where it is and what it may do.
            ActionKind::Reboot if !drained && step.kind.name() != "script" => {
                report
                    .say(step, action.span, "the node restarts while its pods run")
                    .hint("put `drain` before it, and `uncordon` behind it");
            }
            _ => {}
        }
    }
}
