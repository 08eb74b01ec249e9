//! etcd is saved before the first `kubeadm upgrade apply`.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::NO_ETCD_SNAPSHOT,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Found is the step `etcd_snapshot`, or `etcdctl snapshot save` in any command or script, before the first `apply`. A
snapshot counts when it was opened again (`etcdctl snapshot status`, from etcd 3.6 on `etcdutl`), and it holds every secret
of the cluster: mode 0600.
Downgrading a control plane is not supported (Kubernetes version skew policy). Clusters that are saved in another way allow
themselves this rule, with that way as the reason.",
    bad: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
",
    good: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/rollbook/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (_, step, action) in cx.actions() {
        if action.what == ActionKind::Snapshot {
            return;
        }
        if action.what.applies() {
            let message = "nothing saves etcd before the control plane is upgraded";
            let warning = report.say(step, action.span, message);
            warning.hint(
                "add a step `etcd_snapshot: { to: \"/var/backups/rollbook/{{ run.id }}.db\" }` before it",
            );
            return;
        }
    }
}
