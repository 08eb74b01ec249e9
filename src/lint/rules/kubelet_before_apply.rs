//! kubelet waits for the control plane.

use std::cmp::Ordering;

use crate::lint::action::{ActionKind, Package, relation};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::KUBELET_BEFORE_APPLY,
    severity: Severity::Error,
    needs_values: true,
    why: "\
Looked at is every kubelet that is installed before the first `apply` of the runbook, on whatever host. One that is older
than the target is right there: it may have to catch up before the control plane goes on. Fetching packages beforehand is
right, too. Source: Kubernetes version skew policy; kubeadm#1311 for the package that restarts the service.",
    bad: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - apt: { install: { kubeadm: \"{{ params.target }}-*\", kubelet: \"{{ params.target }}-*\" }, hold: true }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
    - wait: { node: ready }
",
    good: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - apt: { install: { kubeadm: \"{{ params.target }}-*\" }, hold: true }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
    - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }
    - wait: { node: ready }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let Some((_, _, apply)) = cx.actions().find(|(_, _, action)| action.what.applies()) else { return };
    let ActionKind::Upgrade { version: target, .. } = &apply.what else { return };
    for (_, step, action) in cx.actions().take_while(|(_, _, action)| !action.what.applies()) {
        let ActionKind::Install { package: Package::Kubelet, version } = &action.what else { continue };
        let relation = relation(version.as_deref(), target.as_deref());
        if matches!(relation, Some(Ordering::Equal | Ordering::Greater)) {
            let message = "kubelet is installed before the control plane is upgraded";
            let error = report.say(step, action.span, message);
            error.related(apply.span, "the control plane is upgraded here");
            error.hint("install kubelet after `kubeadm upgrade`, once the node is drained");
        }
    }
}
