//! A budget of every host is no budget.

use crate::lint::action::{ActionKind, Package};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};
use crate::value::Amount;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::ALL_AT_ONCE,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Counted are phases that drain or restart nodes, replace kubelet or restart what runs the pods. Control planes go one at a
time whatever is written, so a phase of control planes alone is no finding, and neither is a phase of one host. Where no
user is served by the hosts, allow the rule and say why.",
    bad: "\
- name: workers
  hosts: workers
  rollout: { max_unavailable: 100% }
  steps:
    - drain: {}
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  rollout: { max_unavailable: 1 }
  steps:
    - drain: {}
    - uncordon: {}
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in cx.phases.iter().filter(|phase| takes_all(phase) && !cx.is_of_control_planes(phase)) {
        let Some((step, action)) = phase.actions().find(|(_, action)| disrupts(&action.what)) else {
            continue;
        };
        let span = phase.phase.rollout.span.unwrap_or(action.span);
        let message = format!(
            "all hosts of `{}` may be out of service at once: `max_unavailable` is {}",
            phase.phase.name.value, phase.phase.rollout.max_unavailable
        );
        let warning = report.say(step, span, message);
        warning.related(action.span, "this takes a host out of service");
        warning.hint("write `max_unavailable: 1`, or a share such as 25%");
    }
}

/// Whether the budget is every host of the phase, and there are several.
fn takes_all(phase: &PhaseView<'_>) -> bool {
    let hosts = phase.hosts.as_ref().map(Vec::len);
    let all = match phase.phase.rollout.max_unavailable {
        Amount::Percent(percent) => percent.get() >= 100,
        Amount::Count(count) => {
            hosts.is_some_and(|hosts| usize::try_from(count).is_ok_and(|count| count >= hosts))
        }
    };
    all && hosts.is_none_or(|hosts| hosts > 1)
}

fn disrupts(what: &ActionKind) -> bool {
    matches!(what, ActionKind::Drain | ActionKind::Reboot | ActionKind::UpgradeAll)
        || what.installs(Package::Kubelet)
        || what.restarts(&["kubelet", "containerd", "crio", "docker"])
}
