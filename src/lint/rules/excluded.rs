//! Packages that the repository's file excludes are installed with the flag that takes them in.

use crate::lint::action::Package;
use crate::lint::command::CommandLine;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::EXCLUDED_PACKAGE,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
The repository file of the Kubernetes documentation has `exclude=kubelet kubeadm kubectl …`, so that no `yum update` moves them.
An install without `--disableexcludes=kubernetes` then finds no such package; with the package there at an older version, yum
says \"Nothing to do\" and ends with 0. A runbook that writes the repository's file without `exclude` is no finding. Source:
\"Installing kubeadm\" and \"Upgrading kubeadm clusters\" in the Kubernetes documentation.",
    bad: "\
- name: tools
  hosts: workers
  steps:
    - command: [yum, install, -y, kubectl-1.31.4]
      effect: changes
",
    good: "\
- name: tools
  hosts: workers
  steps:
    - command: [yum, install, -y, kubectl-1.31.4, --disableexcludes=kubernetes]
      effect: changes
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    if writes_own_repository(cx) {
        return;
    }
    for (step, command) in cx.commands().filter(|(_, command)| command.acts && !command.is_trial()) {
        let takes_in =
            command.args().iter().any(|word| word.text.contains("exclude") || word.text.starts_with('$'));
        if !["yum", "dnf", "microdnf"].contains(&command.program()) || takes_in {
            continue;
        }
        let verbs = ["install", "update", "upgrade", "downgrade"];
        let Some(mut names) = verbs.iter().find_map(|verb| command.operands_of(verb)) else { continue };
        let is_file = |text: &str| camino::Utf8Path::new(text).extension() == Some("rpm");
        let excluded = names.find(|word| {
            let name = word.text.split('-').next().unwrap_or_default();
            Package::named(name).is_some() && !is_file(&word.text)
        });
        if let Some(word) = excluded {
            let message =
                "the repository file of Kubernetes excludes this package, and the install finds nothing";
            report
                .say(step, word.span(step, cx.sources), message)
                .hint("add `--disableexcludes=kubernetes`; dnf 5: `--setopt=disable_excludes=kubernetes`");
        }
    }
}

/// Whether the runbook writes the file of the repository, and excludes nothing in it.
fn writes_own_repository(cx: &LintContext<'_>) -> bool {
    const FOLDER: &str = "/etc/yum.repos.d";
    let by_copy = cx.every_step().filter(|view| view.step.kind.name() == "copy").any(|view| {
        let text = |field: &str| cx.values.text(view.step, field).unwrap_or_default();
        text("dest").starts_with(FOLDER) && !text("content").contains("exclude=")
    });
    let by_hand = |command: &CommandLine| {
        command.acts
            && command.args().iter().any(|word| word.text.starts_with(FOLDER))
            && command.script.as_deref().is_some_and(|script| !script.contains("exclude="))
    };
    by_copy || cx.commands().any(|(_, command)| by_hand(command))
}
