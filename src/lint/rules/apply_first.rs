//! `kubeadm upgrade apply` runs once, on the first control plane, and before every `kubeadm upgrade node`.

use std::cmp::Ordering;

use crate::lint::cx::{Cx, PhaseView};
use crate::lint::deed::{Deed, Verb, What, relation};
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
struct Upgrade<'c, 'a> {
    phase: &'c PhaseView<'a>,
    step: &'a Step,
    deed: &'c Deed,
    verb: Verb,
    version: Option<&'c str>,
}

fn check(cx: &Cx<'_>, report: &mut Report) {
    let upgrades: Vec<Upgrade<'_, '_>> = cx
        .deeds()
        .filter_map(|(phase, step, deed)| match &deed.what {
            What::Upgrade { verb, version } => {
                Some(Upgrade { phase, step, deed, verb: *verb, version: version.as_deref() })
            }
            _ => None,
        })
        .collect();
    for (index, upgrade) in upgrades.iter().enumerate() {
        match upgrade.verb {
            Verb::Apply => apply(upgrade, &upgrades[..index], report),
            Verb::Node => node(upgrade, &upgrades[index..], &upgrades[..index], report),
        }
    }
}

fn same(left: &Upgrade<'_, '_>, right: &Upgrade<'_, '_>) -> bool {
    relation(left.version, right.version) == Some(Ordering::Equal)
}

fn apply(upgrade: &Upgrade<'_, '_>, earlier: &[Upgrade<'_, '_>], report: &mut Report) {
    if let Some(hosts) = upgrade.phase.hosts.as_ref().filter(|hosts| hosts.len() > 1) {
        let message = format!("`kubeadm upgrade apply` would run on {} hosts", hosts.len());
        let error = report.say(upgrade.step, upgrade.deed.span, message);
        error.related(upgrade.phase.phase.hosts.span, "these hosts");
        error.hint("write `hosts: control_plane[0]` here, and `upgrade: node` in a phase for the others");
        return;
    }
    let first = earlier.iter().find(|first| {
        first.verb == Verb::Apply && same(first, upgrade) && !std::ptr::eq(first.phase, upgrade.phase)
    });
    if let Some(first) = first {
        let message = "`kubeadm upgrade apply` comes a second time";
        let error = report.say(upgrade.step, upgrade.deed.span, message);
        error.related(first.deed.span, "the first time");
        error.hint("write `upgrade: node`: one `apply` upgrades the cluster");
    }
}

fn node(
    upgrade: &Upgrade<'_, '_>,
    later: &[Upgrade<'_, '_>],
    earlier: &[Upgrade<'_, '_>],
    report: &mut Report,
) {
    let applies = |other: &&Upgrade<'_, '_>| other.verb == Verb::Apply && same(other, upgrade);
    if earlier.iter().any(|other| applies(&other)) {
        return;
    }
    if let Some(apply) = later.iter().find(applies) {
        let message = "`kubeadm upgrade node` comes before `kubeadm upgrade apply`";
        let error = report.say(upgrade.step, upgrade.deed.span, message);
        error.related(apply.deed.span, "the cluster is upgraded here");
        error.hint("move the phase of the first control plane before this one");
    }
}
