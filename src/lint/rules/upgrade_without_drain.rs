//! All packages of a node are upgraded only while its pods are elsewhere.

use crate::lint::cx::{Cx, PhaseView};
use crate::lint::deed::What;
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

fn check(cx: &Cx<'_>, report: &mut Report) {
    if cx.runbook.kube.is_some() {
        for phase in &cx.phases {
            of_phase(phase, report);
        }
    }
}

fn of_phase(phase: &PhaseView<'_>, report: &mut Report) {
    let mut drained = false;
    for (step, deed) in phase.deeds() {
        match &deed.what {
            What::Drain => drained = true,
            What::Uncordon => drained = false,
            What::UpgradeAll if !drained => {
                let message = "every package moves while the node's pods run, also its container runtime";
                report.say(step, deed.span, message).hint("put `drain` before it, and `uncordon` behind it");
            }
            _ => {}
        }
    }
}
