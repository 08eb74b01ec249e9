//! `kubeadm upgrade apply` runs once, on the first control plane, and before every `kubeadm upgrade node`.

use std::cmp::Ordering;

use crate::lint::action::{ActionKind, StepAction, UpgradeVerb, relation};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::APPLY_FIRST,
    severity: Severity::Error,
    needs_values: true,
    why: "\
`apply` writes the cluster's configuration and moves its addons; `node` reads what `apply` wrote, and on a worker whose
cluster was not upgraded it exits 0 and does nothing. How many hosts a phase has is known with an inventory: give
`validate` one with `-i`. Source: \"Upgrading kubeadm clusters\" in the Kubernetes documentation.",
    bad: "\
- name: control planes
  hosts: control_plane
  rollout: { batches: [1] }
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
",
    good: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
- name: other control planes
  hosts: control_plane[1:]
  rollout: { batches: [1] }
  steps:
    - kubeadm: { upgrade: node, version: \"{{ params.target }}\" }
",
    check,
};

/// A `kubeadm upgrade` and where it stands.
#[derive(Clone, Copy)]
struct KubeadmUpgrade<'c, 'a> {
    phase: &'c PhaseView<'a>,
    step: &'a Step,
    action: &'c StepAction,
    verb: UpgradeVerb,
    version: Option<&'c str>,
}

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let upgrades: Vec<KubeadmUpgrade<'_, '_>> = cx
        .actions()
        .filter_map(|(phase, step, action)| match &action.what {
            ActionKind::Upgrade { verb, version } => {
                Some(KubeadmUpgrade { phase, step, action, verb: *verb, version: version.as_deref() })
            }
            _ => None,
        })
        .collect();
    for (index, upgrade) in upgrades.iter().enumerate() {
        match upgrade.verb {
            UpgradeVerb::Apply => apply(upgrade, &upgrades[..index], report),
            UpgradeVerb::Node => node(upgrade, &upgrades[index..], &upgrades[..index], report),
        }
    }
}

fn same(left: &KubeadmUpgrade<'_, '_>, right: &KubeadmUpgrade<'_, '_>) -> bool {
    relation(left.version, right.version) == Some(Ordering::Equal)
}

fn apply(upgrade: &KubeadmUpgrade<'_, '_>, earlier: &[KubeadmUpgrade<'_, '_>], report: &mut Report) {
    if let Some(hosts) = upgrade.phase.hosts.as_ref().filter(|hosts| hosts.len() > 1) {
        let message = format!("`kubeadm upgrade apply` would run on {} hosts", hosts.len());
        let error = report.say(upgrade.step, upgrade.action.span, message);
        error.related(upgrade.phase.phase.hosts.span, "these hosts");
        error.hint("write `hosts: control_plane[0]` here, and `upgrade: node` in a phase for the others");
        return;
    }
    let first = earlier.iter().find(|first| {
        first.verb == UpgradeVerb::Apply && same(first, upgrade) && !std::ptr::eq(first.phase, upgrade.phase)
    });
    if let Some(first) = first {
        let message = "`kubeadm upgrade apply` comes a second time";
        let error = report.say(upgrade.step, upgrade.action.span, message);
        error.related(first.action.span, "the first time");
        error.hint("write `upgrade: node`: one `apply` upgrades the cluster");
    }
}

fn node(
    upgrade: &KubeadmUpgrade<'_, '_>,
    later: &[KubeadmUpgrade<'_, '_>],
    earlier: &[KubeadmUpgrade<'_, '_>],
    report: &mut Report,
) {
    let applies = |other: &&KubeadmUpgrade<'_, '_>| other.verb == UpgradeVerb::Apply && same(other, upgrade);
    if earlier.iter().any(|other| applies(&other)) {
        return;
    }
    if let Some(apply) = later.iter().find(applies) {
        let message = "`kubeadm upgrade node` comes before `kubeadm upgrade apply`";
        let error = report.say(upgrade.step, upgrade.action.span, message);
        error.related(apply.action.span, "the cluster is upgraded here");
        error.hint("move the phase of the first control plane before this one");
    }
}
