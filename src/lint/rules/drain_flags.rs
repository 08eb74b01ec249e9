//! A drain ignores DaemonSets, and gives up nothing that it does not say.

use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::lint::values::KnownValue;
use crate::source::{Severity, codes};
use crate::value::Value;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::DRAIN_FLAGS,
    severity: Severity::Warning,
    needs_values: true,
    why: "\
kube-proxy and nearly every network plugin are DaemonSets, so a drain without `--ignore-daemonsets` ends at once on every
node of a kubeadm cluster. `--force` deletes pods that nothing brings back, `--delete-emptydir-data` deletes data,
`--disable-eviction` deletes pods past every PodDisruptionBudget. In the step `drain`, each of the three needs a `reason`,
which the plan shows; a `kubectl drain` in a command has no place for one.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubectl, drain, w1, --timeout=10m]
    - uncordon: {}
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - drain: { timeout: 10m, delete_emptydir_data: true, reason: caches only }
    - uncordon: {}
",
    check,
};

/// What gives something up, and what is lost.
const GIVES_UP: [(&str, &str); 4] = [
    ("--force", "pods that nothing brings back"),
    ("--delete-emptydir-data", "the data of `emptyDir` volumes"),
    ("--delete-local-data", "the data of `emptyDir` volumes"),
    ("--disable-eviction", "what PodDisruptionBudgets protect"),
];

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let never = KnownValue::Known(Value::Bool(false));
    for view in cx.every_step().filter(|view| view.step.kind.name() == "drain") {
        let Some(arg) = view.step.args.get("ignore_daemonsets") else { continue };
        if cx.values.see(view.step, arg) == never {
            let span = arg.span.unwrap_or(view.step.origin.span);
            let message = "the drain ends at once on every node with a pod of a DaemonSet";
            report.say(view.step, span, message).hint("leave `ignore_daemonsets` out: such pods stay");
        }
    }
    for (step, command) in cx.commands().filter(|(_, command)| command.drains()) {
        let ignores = command.flag("--ignore-daemonsets");
        if ignores.is_none_or(|word| word.text.ends_with("=false")) {
            let word = ignores.unwrap_or(command.first());
            let message = "the drain ends at once on every node with a pod of a DaemonSet";
            let warning = report.say(step, word.span(step, cx.sources), message);
            warning.hint("write the step `drain`, or add `--ignore-daemonsets`");
        }
        for (flag, lost) in GIVES_UP {
            let given = command.flag(flag).filter(|word| !word.text.ends_with("=false"));
            if let Some(word) = given {
                let message = format!("`{flag}` gives up {lost}, and nothing says why");
                let warning = report.say(step, word.span(step, cx.sources), message);
                warning.hint("write the step `drain` with a `reason`");
            }
        }
    }
}
