//! A daemon reads its configuration when it starts.

use crate::lint::action::ActionKind;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::op::show_symbols;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::CONFIG_NOT_READ,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
kubelet's config.yaml and kubeadm-flags.env in /var/lib/kubelet, /etc/default/kubelet, /etc/sysconfig/kubelet and its
kubelet.conf, the files of containerd and CRI-O, and /etc/docker/daemon.json are read when the service starts. Written
without a restart behind it, the change waits for the next reboot, when nobody expects it.",
    bad: "\
- name: kubelet
  hosts: workers
  steps:
    - script: \"sed -i 's/a/b/' /var/lib/kubelet/config.yaml\"
      effect: changes
",
    good: "\
- name: kubelet
  hosts: workers
  steps:
    - script: \"sed -i 's/a/b/' /var/lib/kubelet/config.yaml\"
      effect: changes
    - systemctl: { restart: kubelet, always: true }
    - wait: { node: ready, for: 10m }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for phase in &cx.phases {
        let way = cx.way(phase);
        let mut told = Vec::new();
        for (place, turn) in way.of(phase) {
            let ActionKind::Config { unit, path } = &turn.action.what else { continue };
            if told.contains(unit) || way.behind(place, |what| what.reads_again(unit)) {
                continue;
            }
            told.push(unit);
            let message = format!("{} is written, and nothing restarts {unit}", show_symbols(path));
            report.say(turn.step, turn.action.span, message).hint(format!(
                "add `systemctl: {{ restart: {unit}, always: true }}` behind it, and a `wait` for the node"
            ));
        }
    }
}
