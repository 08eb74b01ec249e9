//! A run does not restart the machine that it runs on.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::RESTARTS_CONTROLLER,
    severity: Severity::Warning,
    needs_values: true,
    why: "\
A host with `connection: { transport: local }` is the machine that runs Rollbook. Restarting it, by `reboot` or by any command,
cuts the run off. A plan refuses that (RB0619) unless it is the last thing that the run does and was accepted; a script may
hide it from the plan.",
    bad: "\
- name: patch
  hosts: bastion
  steps:
    - script: |
        test ! -e /var/run/reboot-required || shutdown -r now
",
    good: "\
- name: patch
  hosts: bastion
  steps:
    - command: [uptime]
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    if cx.runbook.policy.accept_controller_reboot {
        return;
    }
    for phase in &cx.phases {
        let here = phase.hosts.iter().flatten().find(|host| cx.local_hosts.contains(*host));
        let Some(host) = here else { continue };
        let views = phase.steps.iter().chain(&phase.aside);
        let actions = views.flat_map(|view| view.actions.iter().map(move |action| (view.step, action)));
        for (step, action) in actions.filter(|(_, action)| action.what == ActionKind::Reboot) {
            let message = format!("{host} is this machine, which runs Rollbook, and this restarts it");
            report.say(step, action.span, message).hint("run it from another machine, or leave the host out");
        }
    }
}
