//! kubeadm's package, `kubeadm upgrade`, drain, kubelet's package, restart, uncordon.

use crate::lint::action::{ActionKind, Package, StepAction, UpgradeVerb};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::UPGRADE_ORDER,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Only what stands in one phase is compared, because another phase may be about other hosts. Two steps out of order have
rules of their own: a drain before `kubeadm upgrade apply`, and a kubelet before the control plane. Source: \"Upgrading
kubeadm clusters\" and \"Upgrading Linux nodes\" in the Kubernetes documentation; kubelet's package restarts the service when
it is installed (kubeadm#1311), and from 1.31 on that restarts every container of the node (kubernetes#129659).",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }
    - drain: {}
    - systemctl: { daemon_reload: true, restart: kubelet }
    - wait: { node: ready }
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
    - wait: { node: ready }
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        kubeadm_too_late(phase, report);
        restart_too_early(phase, report);
        // Without a drain the phase may be about hosts that run no pods.
        if phase.does(|what| *what == ActionKind::Drain) {
            outside_of_the_drain(phase, report);
        } else {
            without_a_drain(cx, phase, report);
        }
    }
}

fn position(actions: &[(&Step, &StepAction)], wanted: impl Fn(&ActionKind) -> bool) -> Option<usize> {
    actions.iter().position(|(_, action)| wanted(&action.what))
}

/// A node on which `kubeadm upgrade node` has run goes to another version, and its kubelet's package restarts kubelet.
fn without_a_drain(cx: &LintContext<'_>, phase: &PhaseView<'_>, report: &mut Report) {
    let way = cx.way(phase);
    let upgrades = |what: &ActionKind| matches!(what, ActionKind::Upgrade { verb: UpgradeVerb::Node, .. });
    let drains = |what: &ActionKind| matches!(what, ActionKind::Drain | ActionKind::Join);
    let kubelet = way.of(phase).find(|(place, turn)| {
        !turn.aside && turn.action.what.installs(Package::Kubelet) && way.before(*place, upgrades)
    });
    if let Some((_, turn)) = kubelet.filter(|(place, _)| !way.before(*place, drains)) {
        let message = "kubelet is installed while the node has its pods: nothing drains it";
        let warning = report.say(turn.step, turn.action.span, message);
        warning.hint("put `drain` before it, and `uncordon` behind it");
    }
}

fn kubeadm_too_late(phase: &PhaseView<'_>, report: &mut Report) {
    let actions: Vec<_> = phase.actions().collect();
    let Some(upgrade) = position(&actions, |what| matches!(what, ActionKind::Upgrade { .. })) else { return };
    let Some(package) = position(&actions, |what| what.installs(Package::Kubeadm)) else { return };
    let used_later = actions[package.min(actions.len())..]
        .iter()
        .any(|(_, action)| matches!(action.what, ActionKind::Upgrade { .. }));
    if package > upgrade && !used_later {
        let (step, action) = actions[package];
        let message = "kubeadm is installed after `kubeadm upgrade` has run";
        let warning = report.say(step, action.span, message);
        warning.related(actions[upgrade].1.span, "the upgrade runs here, with the kubeadm of before");
        warning.hint("install kubeadm first");
    }
}

fn restart_too_early(phase: &PhaseView<'_>, report: &mut Report) {
    let actions: Vec<_> = phase.actions().collect();
    let restarts = |what: &ActionKind| what.restarts(&["kubelet"]) || *what == ActionKind::Reboot;
    let Some(restart) = position(&actions, restarts) else { return };
    let package = actions.iter().rposition(|(_, action)| action.what.installs(Package::Kubelet));
    let Some(package) = package.filter(|package| *package > restart) else { return };
    if actions[package..].iter().all(|(_, action)| !restarts(&action.what)) {
        let (step, action) = actions[restart];
        let warning = report.say(step, action.span, "kubelet restarts before its new version is installed");
        warning.related(actions[package].1.span, "installed here").hint("restart it afterwards");
    }
}

/// What disturbs the pods of a node while they are on it.
fn outside_of_the_drain(phase: &PhaseView<'_>, report: &mut Report) {
    let actions: Vec<_> = phase.actions().collect();
    let has_kubelet = phase.does(|what| what.installs(Package::Kubelet));
    let mut drained = false;
    let mut uncordoned = None;
    for (index, (step, action)) in actions.iter().enumerate() {
        match &action.what {
            ActionKind::Drain => drained = true,
            ActionKind::Uncordon => {
                drained = false;
                uncordoned = Some(action.span);
            }
            // A kubelet that comes before the control plane is another rule's.
            what if what.installs(Package::Kubelet)
                && !drained
                && actions[index..].iter().all(|(_, later)| !later.what.applies()) =>
            {
                let message = "kubelet is installed while the node has its pods";
                let warning = report.say(step, action.span, message);
                warning.hint("move it between `drain` and `uncordon`: the package restarts kubelet");
            }
            what if what.restarts(&["kubelet"]) && has_kubelet => {
                if let Some(uncordon) = uncordoned.filter(|_| !drained) {
                    let message = "kubelet restarts after the node takes pods again";
                    let warning = report.say(step, action.span, message);
                    warning.related(uncordon, "uncordoned here").hint("restart it before `uncordon`");
                }
            }
            _ => {}
        }
    }
}
