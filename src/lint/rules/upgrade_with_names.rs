//! `apt-get upgrade` takes no packages.

use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::op::show_symbols;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::UPGRADE_WITH_NAMES,
    severity: Severity::Error,
    needs_values: false,
    why: "\
apt-get(8): `upgrade` is \"used to install the newest versions of all packages currently installed\". Names after it are
installed along with everything else, so one line moves the kernel, the container runtime and kubelet together.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [apt-get, upgrade, -y, \"kubeadm=1.31.4-1.1\"]
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - apt: { install: { kubeadm: \"1.31.4-*\" }, hold: true }
",
    check,
};

const VERBS: [&str; 3] = ["upgrade", "dist-upgrade", "full-upgrade"];

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, command) in cx.commands() {
        if !matches!(command.program(), "apt" | "apt-get") {
            continue;
        }
        let is_trial = ["-s", "--simulate", "--dry-run"].iter().any(|flag| command.flag(flag).is_some());
        let verb = command.operands().next().filter(|word| VERBS.contains(&word.text.as_str()));
        let Some(verb) = verb.filter(|_| !is_trial) else { continue };
        let named = command.operands().nth(1).filter(|word| !word.text.starts_with(['>', '<']));
        if let Some(named) = named {
            let message =
                format!("`{} {}` upgrades everything, not only what is named", command.program(), verb.text);
            let name = show_symbols(named.text.split('=').next().unwrap_or_default());
            let hint = format!("write `apt: {{ install: {{ {name}: … }} }}`, or `apt-get install`");
            report.say(step, verb.span(step, cx.sources), message).hint(hint);
        }
    }
}
