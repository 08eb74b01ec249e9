//! A program that asks is answered by nobody.

use crate::lint::command::CommandLine;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::ASKS,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
A command of a runbook has no terminal, and nothing on its standard input. A program that asks gets no answer and ends with an
error, when the node is drained already; one that opens an editor does the same. `DEBIAN_FRONTEND=noninteractive` answers the
questions of packages, not the one of apt-get.",
    bad: "\
- name: tools
  hosts: workers
  steps:
    - command: [apt-get, install, jq]
      effect: changes
",
    good: "\
- name: tools
  hosts: workers
  steps:
    - command: [apt-get, install, -y, jq]
      effect: changes
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, command) in cx.commands().filter(|(_, command)| command.acts) {
        let span = command.first().span(step, cx.sources);
        let name = shown(command);
        if opens_editor(command) {
            let message = format!("`{name}` opens an editor, and nobody is there to use it");
            report
                .say(step, span, message)
                .hint("write the file with the step `copy`, or change it with a command");
        } else if let Some(answer) = unanswered(command).filter(|_| !is_answered(step, command)) {
            let message = format!("`{name}` asks, and nobody answers");
            report.say(step, span, message).hint(format!("add `{answer}`"));
        }
    }
}

/// The program with its verb: `kubeadm upgrade apply`.
fn shown(command: &CommandLine) -> String {
    let most = if matches!(command.program(), "kubeadm" | "docker" | "nerdctl") { 2 } else { 1 };
    let is_verb = |text: &&str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let verbs = command.operands().map(|word| word.text.as_str()).take(most).take_while(is_verb);
    std::iter::once(command.program()).chain(verbs).collect::<Vec<_>>().join(" ")
}

/// Whether its standard input says something.
fn is_answered(step: &Step, command: &CommandLine) -> bool {
    const ANSWERS: [&str; 6] = ["yes ", "echo ", "printf ", "<<", "expect ", "spawn "];
    let by_shell = command.script.as_ref().is_some_and(|script| {
        script.lines().any(|line| {
            line.contains(command.program()) && ANSWERS.iter().any(|answer| line.contains(answer))
        })
    });
    by_shell
        || step.args.get("stdin").is_some_and(|arg| arg.span.is_some())
        || command.words().iter().any(|word| word.text == "<")
}

/// The flag that answers what a command asks, where it is not given.
fn unanswered(command: &CommandLine) -> Option<&'static str> {
    if command.is_trial() {
        return None;
    }
    let has = |flags: &[&str]| flags.iter().any(|flag| command.flag(flag).is_some());
    let short = |letter: char| command.short(letter);
    let verb = command.operands().next().map(|word| word.text.as_str())?;
    // A variable may hold the answer.
    let is_open = command.args().iter().any(|word| word.text.starts_with('$'));
    let (given, answer) = match command.program() {
        "apt" | "apt-get" if is_one_of(verb, &APT) => {
            let by_option = command.args().iter().any(|word| {
                word.text.to_ascii_lowercase().contains("assume-yes")
                    || ["-qq", "--quiet=2"].contains(&word.text.as_str())
            });
            let fetched = short('d') || has(&["--download-only"]);
            (has(&["--yes", "--force-yes"]) || short('y') || by_option || fetched, "-y")
        }
        "yum" | "dnf" | "microdnf" if is_one_of(verb, &RPM) => {
            (has(&["--assumeyes", "--downloadonly", "--setopt=assumeyes"]) || short('y'), "-y")
        }
        "zypper" if is_one_of(verb, &ZYPPER) => {
            (has(&["--non-interactive", "--no-confirm"]) || short('n') || short('y'), "--non-interactive")
        }
        "do-release-upgrade" => (short('f') || has(&["--frontend"]), "-f DistUpgradeViewNonInteractive"),
        "kubeadm" if command.says(&["upgrade", "apply"]) => {
            // An answer may stand in the file that `--config` names.
            (has(&["--yes", "--force", "--config"]) || short('y') || short('f'), "--yes")
        }
        "kubeadm" if verb == "reset" => (has(&["--force", "--config"]) || short('f'), "--force"),
        "docker" | "nerdctl" if command.operands().nth(1).is_some_and(|word| word.text == "prune") => {
            (has(&["--force"]) || short('f'), "--force")
        }
        _ => return None,
    };
    (!given && !is_open).then_some(answer)
}

const APT: [&str; 7] =
    ["install", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove"];
const RPM: [&str; 10] = [
    "install",
    "update",
    "upgrade",
    "downgrade",
    "remove",
    "erase",
    "autoremove",
    "reinstall",
    "distro-sync",
    "swap",
];
const ZYPPER: [&str; 12] = [
    "install",
    "in",
    "update",
    "up",
    "patch",
    "remove",
    "rm",
    "dist-upgrade",
    "dup",
    "addrepo",
    "ar",
    "refresh",
];

fn is_one_of(verb: &str, verbs: &[&str]) -> bool {
    verbs.contains(&verb)
}

fn opens_editor(command: &CommandLine) -> bool {
    let says = |verbs: &[&str]| command.says(verbs);
    match command.program() {
        // `vi -es` and `vim -c … -c wq` are programs for a script; such have options.
        "vi" | "vim" | "nano" | "emacs" => command.args().iter().all(|word| !word.text.starts_with('-')),
        "visudo" => !command.short('c') && !command.short('f'),
        "crontab" => command.short('e'),
        "kubectl" => says(&["edit"]),
        "systemctl" => says(&["edit"]) && command.flag("--stdin").is_none(),
        _ => false,
    }
}
