//! All packages of a node are upgraded only while its pods are elsewhere.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::UPGRADE_WITHOUT_DRAIN,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Told in runbooks with `kube:`, for an `apt: { upgrade: all }`, an `apt-get upgrade`, a `dnf update` and their like that do
not stand between a drain and its uncordon. `download_only` may stand anywhere.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - apt: { upgrade: all }
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - apt: { upgrade: all }
    - reboot: { when_required: true }
    - wait: { node: ready, for: 10m }
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let message = "every package moves while the node's pods run, also its container runtime";
    for (step, action) in cx.undrained() {
        if matches!(action.what, ActionKind::UpgradeAll) {
            report.say(step, action.span, message).hint("put `drain` before it, and `uncordon` behind it");
        }
    }
}
