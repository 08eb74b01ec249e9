//! One `kubeadm upgrade apply` after the other goes to the same minor or to the next.

use crate::kubernetes::skew::check_hop;
use crate::lint::action::{ActionKind, version};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, Span, codes};
use crate::value::Version;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::SKIPPED_MINOR,
    severity: Severity::Error,
    needs_values: true,
    why: "\
Compares the versions of a runbook that upgrades several times. Whether the first of them is a legal hop from where the
cluster is now is asked of the cluster, by `version_skew` and by `kubeadm` itself, when a plan is made. Source: Kubernetes
version skew policy.",
    bad: "\
- name: to 1.30
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: 1.30.8 }
- name: to 1.32
  hosts: control_plane[0]
  steps:
    - kubeadm: { upgrade: apply, version: 1.32.1 }
",
    good: "\
- name: to 1.31
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: 1.31.8 }
- name: to 1.32
  hosts: control_plane[0]
  steps:
    - kubeadm: { upgrade: apply, version: 1.32.1 }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let mut before: Option<(Version, Span)> = None;
    for (_, step, action) in cx.actions().filter(|(_, _, action)| action.what.applies()) {
        let ActionKind::Upgrade { version: text, .. } = &action.what else { continue };
        let Some(target) = version(text.as_deref()) else {
            before = None;
            continue;
        };
        if let Some((from, place)) = &before
            && let Err(error) = check_hop(from.clone(), &target)
        {
            let finding = report.say(step, action.span, error.to_string());
            finding.related(*place, "from here").hint("add a phase for each minor between them");
        }
        before = Some((target, action.span));
    }
}
