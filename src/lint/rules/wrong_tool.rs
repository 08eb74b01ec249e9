//! Words that belong to another command.

use crate::kubernetes::flags::meant;
use crate::lint::command::{CommandLine, CommandWord};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::lint::values::is_open;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::WRONG_TOOL,
    severity: Severity::Error,
    needs_values: false,
    why: "\
Each of these was found in guides and runbooks that people had published, and each fails in the middle of an upgrade, when
the node is drained already.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [systemctl, kubelet, restart]
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - systemctl: { restart: kubelet }
    - wait: { node: ready }
",
    check,
};

const OF_KUBECTL: [&str; 8] =
    ["drain", "cordon", "uncordon", "taint", "get", "describe", "label", "annotate"];
const OF_KUBEADM: [&str; 5] = ["upgrade", "init", "join", "reset", "certs"];
const OF_SYSTEMCTL: [&str; 14] = [
    "start",
    "stop",
    "restart",
    "reload",
    "enable",
    "disable",
    "mask",
    "unmask",
    "status",
    "is-active",
    "is-enabled",
    "try-restart",
    "reload-or-restart",
    "daemon-reload",
];
const OF_APT_MARK: [&str; 11] = [
    "auto",
    "manual",
    "minimize-manual",
    "hold",
    "unhold",
    "showauto",
    "showmanual",
    "showhold",
    "showinstall",
    "showremove",
    "showpurge",
];
/// Verbs of apt-mark that set what dpkg is to do; its manual page lists them apart.
const OF_DPKG: [&str; 3] = ["install", "remove", "purge"];

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, command) in cx.commands() {
        if let Some((message, instead)) = wrong(command) {
            let span = command.first().span(step, cx.sources);
            report.say(step, span, message).hint(format!("write {instead}"));
        }
        for (word, flag, meant) in misspelt(command) {
            let message = format!("`{}` has no flag `{flag}`", command.program());
            report.say(step, word.span(step, cx.sources), message).hint(format!("write `--{meant}`"));
        }
    }
}

/// Flags that the command nearly has.
fn misspelt(command: &CommandLine) -> impl Iterator<Item = (&CommandWord, &str, &'static str)> {
    let verb = command.operands().next().map(|word| word.text.as_str()).unwrap_or_default();
    // What stands behind `--` is another command's.
    command.args().iter().take_while(|word| word.text != "--").filter_map(move |word| {
        let flag = word.text.split('=').next().unwrap_or_default();
        Some((word, flag, meant(command.program(), verb, flag)?))
    })
}

/// What is wrong with a command, and what to write.
fn wrong(command: &CommandLine) -> Option<(String, String)> {
    let mut operands = command.operands().map(|word| word.text.as_str());
    let (first, second) = (operands.next()?, operands.next());
    // Behind an option, the first operand may be the option's value.
    let is_verb = command.args().first().is_some_and(|word| word.text == first);
    if !is_verb || is_open(first) || first.contains('$') {
        return None;
    }
    let program = command.program();
    let no_verb = || format!("`{program}` has no `{first}`");
    match program {
        "kubelet" | "kubeadm" if OF_KUBECTL.contains(&first) => {
            let instead = match first {
                "drain" | "cordon" | "uncordon" => format!("the step `{first}`"),
                _ => format!("`kubectl {first}`"),
            };
            Some((no_verb(), instead))
        }
        "kubelet" if OF_KUBEADM.contains(&first) => Some((no_verb(), format!("`kubeadm {first}`"))),
        // Plugins may give kubectl other verbs; these two nobody would.
        "kubectl" if ["upgrade", "join"].contains(&first) => Some((no_verb(), format!("`kubeadm {first}`"))),
        "systemctl" if !OF_SYSTEMCTL.contains(&first) => {
            let verb = second.filter(|second| OF_SYSTEMCTL.contains(second))?;
            Some((
                format!("`systemctl {first} {verb}` has the unit before the verb"),
                format!("`systemctl {verb} {first}`, or the step `systemctl`"),
            ))
        }
        "systemctl" if first == "daemon-reload" => second.map(|unit| {
            let message = format!("`systemctl daemon-reload` takes no unit, and `{unit}` makes it fail");
            (message, "`systemctl daemon-reload` alone".to_owned())
        }),
        "service" if OF_SYSTEMCTL.contains(&first) => second.map(|unit| {
            let message = format!("`service {first} {unit}` has the verb before the unit");
            (message, format!("`service {unit} {first}`, or the step `systemctl`"))
        }),
        "apt-mark" if !OF_APT_MARK.contains(&first) && !OF_DPKG.contains(&first) => {
            Some((no_verb(), format!("`apt-mark hold {first}`, or the step `apt_mark`")))
        }
        "apt" | "apt-get" if ["hold", "unhold", "showhold"].contains(&first) => {
            Some((no_verb(), format!("`apt-mark {first}`, or the step `apt_mark`")))
        }
        _ => None,
    }
}
