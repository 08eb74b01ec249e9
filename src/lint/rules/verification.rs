//! Every phase that restarts what runs a node's pods looks at the node afterwards.

use crate::lint::action::{ActionKind, Package};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::NO_VERIFICATION,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
A kubelet that is installed or restarted, a container runtime that is restarted and the reboot of a node that was drained count. A `wait` behind the
last of them will do, and so will `verify:` of the phase's rollout, `kubectl wait`, or a command with `effect: reads`. After
a restart give `stable_for`: the node may still show the Ready of before.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: {}
    - apt: { install: { kubelet: \"{{ params.target }}-*\" }, hold: true }
    - systemctl: { daemon_reload: true, restart: kubelet }
    - wait: { node: ready, stable_for: 20s }
    - uncordon: {}
",
    check,
};

const RUNS_PODS: [&str; 4] = ["kubelet", "containerd", "crio", "docker"];

fn check(cx: &LintContext<'_>, report: &mut Report) {
    // Without Kubernetes there is no node to look at, and what else would tell is the author's to know.
    if cx.runbook.kube.is_none() {
        return;
    }
    for phase in cx.phases.iter().filter(|phase| phase.verify.is_empty()) {
        of_phase(phase, report);
    }
}

fn of_phase(phase: &PhaseView<'_>, report: &mut Report) {
    let actions: Vec<_> = phase.actions().collect();
    // A host that reboots without a drain may be no node at all.
    let drains = phase.does(|what| *what == ActionKind::Drain);
    let disturbs = |what: &ActionKind| disturbs(what) || drains && *what == ActionKind::Reboot;
    let last = actions.iter().rposition(|(_, action)| disturbs(&action.what));
    let Some(last) = last else { return };
    if actions[last..].iter().any(|(_, action)| matches!(action.what, ActionKind::Look(_))) {
        return;
    }
    let (step, action) = actions[last];
    let message = format!("nothing of the phase `{}` looks at the node after this", phase.phase.name.value);
    let warning = report.say(step, action.span, message);
    warning.hint("add `wait: { node: ready, for: 10m, stable_for: 20s }`");
}

fn disturbs(what: &ActionKind) -> bool {
    what.installs(Package::Kubelet) || what.restarts(&RUNS_PODS)
}
