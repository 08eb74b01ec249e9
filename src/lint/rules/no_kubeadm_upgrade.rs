//! New packages are not yet an upgrade: `kubeadm upgrade` is.

use crate::lint::action::{ActionKind, Package};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::NO_KUBEADM_UPGRADE,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
kubeadm's package is only the tool. `kubeadm upgrade apply` and, on every other node, `kubeadm upgrade node` move the control
plane and kubelet's configuration; without them a new kubelet runs with the configuration of the old version, on a control
plane beside an old API server. Looked at are phases that install kubelet on nodes that are in use: with kubeadm's package,
or in a runbook that upgrades the cluster. A runbook that moves kubelet alone, by a patch, is no finding. Source:
\"Upgrading kubeadm clusters\" and \"Upgrading Linux nodes\" in the Kubernetes documentation.",
    bad: "\
- name: control plane
  hosts: control_plane
  steps:
    - drain: {}
    - apt: { install: { kubeadm: 1.31.4-*, kubelet: 1.31.4-* }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
    - wait: { node: ready, for: 10m }
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - apt: { install: { kubelet: 1.31.4-* }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
    - wait: { node: ready, for: 10m }
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let upgrades =
        |what: &ActionKind| matches!(what, ActionKind::Upgrade { .. } | ActionKind::Join | ActionKind::Leave);
    let applies = cx.every_action().any(|(_, action)| action.what.applies());
    for phase in cx.phases.iter().filter(|phase| is_of_nodes(phase)) {
        let way = cx.way(phase);
        if way.ever(upgrades) || !(applies || way.ever(|what| what.installs(Package::Kubeadm))) {
            continue;
        }
        let Some((step, action)) = phase.actions().find(|(_, action)| action.what.installs(Package::Kubelet))
        else {
            continue;
        };
        let message = "kubelet is installed, and `kubeadm upgrade` never runs on these hosts";
        let warning = report.say(step, action.span, message);
        warning.related(phase.phase.hosts.span, "these hosts");
        warning.hint(
            "before kubelet's package, add `kubeadm: { upgrade: apply, … }` on the first control plane and \
             `kubeadm: { upgrade: node, … }` on every other node",
        );
    }
}

/// Whether the hosts are nodes that are in use, and not machines that become some.
fn is_of_nodes(phase: &PhaseView<'_>) -> bool {
    phase.does(|what| matches!(what, ActionKind::Drain | ActionKind::Cordon | ActionKind::Uncordon))
        || phase
            .steps
            .iter()
            .any(|view| view.step.kind.name() == "wait" && view.step.args.contains_key("node"))
}
