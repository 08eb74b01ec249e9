//! systemd reads its units again before one of them is restarted.

use crate::lint::action::{ActionKind, Package};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, Span, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::NO_DAEMON_RELOAD,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
Looked at are files below systemd's unit folders that a step writes, and kubelet's package, which brings a unit and a
drop-in: the Kubernetes documentation has `systemctl daemon-reload` before the restart (\"Upgrading Linux nodes\").",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - copy: { dest: /etc/systemd/system/agent.service, content: \"[Service]\\nExecStart=/usr/bin/agent\\n\" }
    - systemctl: { restart: agent }
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - copy: { dest: /etc/systemd/system/agent.service, content: \"[Service]\\nExecStart=/usr/bin/agent\\n\" }
    - systemctl: { daemon_reload: true, restart: agent }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        of_phase(phase, report);
    }
}

fn of_phase(phase: &PhaseView<'_>, report: &mut Report) {
    let mut changed: Option<(Span, String)> = None;
    let mut kubelet: Option<Span> = None;
    for (step, action) in phase.actions() {
        match &action.what {
            ActionKind::Unit(path) => changed = Some((action.span, format!("`{path}` changes here"))),
            what if what.installs(Package::Kubelet) => kubelet = Some(action.span),
            ActionKind::Reload | ActionKind::Reboot => (changed, kubelet) = (None, None),
            ActionKind::Restart(units) => {
                let package = kubelet.filter(|_| action.what.restarts(&["kubelet"]));
                let cause = changed
                    .clone()
                    .or(package.map(|span| (span, "kubelet's unit comes with its package".to_owned())));
                let Some((place, label)) = cause else { continue };
                let message =
                    format!("{} is restarted with the unit that systemd read before", units.join(", "));
                let warning = report.say(step, action.span, crate::op::show_symbols(&message));
                warning.related(place, label);
                warning.hint("write `systemctl: { daemon_reload: true, restart: … }`");
            }
            _ => {}
        }
    }
}
