//! The first control plane is drained after `kubeadm upgrade apply`.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, Span, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::DRAIN_BEFORE_APPLY,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
An error where the inventory has a single control plane, a warning elsewhere. The Job `upgrade-health-check` came with 1.30
and cannot be scheduled on a cordoned node (kubeadm#3050).",
    bad: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - drain: {}
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
    - uncordon: {}
",
    good: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
    - drain: {}
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        let mut drained: Option<Span> = None;
        for (step, action) in phase.actions() {
            match &action.what {
                ActionKind::Drain => drained = Some(action.span),
                ActionKind::Uncordon => drained = None,
                what if what.applies() => {
                    let Some(drain) = drained else { continue };
                    let message = "`kubeadm upgrade apply` runs on a drained node";
                    let finding = match cx.control_planes.as_deref() {
                        Some([_]) => report.say_error(step, action.span, message),
                        _ => report.say(step, action.span, message),
                    };
                    finding.related(drain, "drained here");
                    finding.hint("move the drain behind it: its health check needs a node that takes pods");
                }
                _ => {}
            }
        }
    }
}
