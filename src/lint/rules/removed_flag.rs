//! Flags and subcommands that the target version no longer has.

use crate::kubernetes::removed::{REMOVED, Removed};
use crate::lint::action::{ActionKind, version};
use crate::lint::command::CommandLine;
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, Span, codes};
use crate::value::{Minor, Version};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::REMOVED_FLAG,
    severity: Severity::Error,
    needs_values: true,
    why: "\
The target is the highest version that the runbook upgrades or installs to; where none is known, only what is gone since
1.20 or longer is told. Flags of kubelet are also looked for in the files that `copy` writes for it, such as
/etc/default/kubelet.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubeadm, upgrade, node, --kubelet-version, v1.31.4]
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubeadm, upgrade, node]
",
    check,
};

/// The oldest version that Rollbook is tested with.
const OLDEST: Version = Version::Minor(Minor::new(1, 20));

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let target = target(cx).unwrap_or(OLDEST);
    let gone: Vec<&Removed> = REMOVED.iter().filter(|removed| removed.is_gone_in(&target)).collect();
    for (step, command) in cx.commands() {
        for removed in gone.iter().filter(|removed| removed.program == command.program()) {
            let Some(word) = used(removed, command) else { continue };
            let error = report.say(step, word.span(step, cx.sources), message(removed));
            error.hint(format!("{} ({})", removed.instead, removed.source));
        }
    }
    files(cx, &gone, report);
}

fn target(cx: &LintContext<'_>) -> Option<Version> {
    let versions = cx.actions().filter_map(|(_, _, action)| match &action.what {
        ActionKind::Upgrade { version: text, .. } | ActionKind::Install { version: text, .. } => {
            version(text.as_deref())
        }
        _ => None,
    });
    versions.max_by(Version::cmp_precedence)
}

fn used<'c>(removed: &Removed, command: &'c CommandLine) -> Option<&'c crate::lint::command::CommandWord> {
    if !command.says(removed.verbs) {
        return None;
    }
    if removed.flag.is_empty() { Some(command.first()) } else { command.flag(removed.flag) }
}

fn message(removed: &Removed) -> String {
    let verbs: Vec<&str> = std::iter::once(removed.program).chain(removed.verbs.iter().copied()).collect();
    match removed.flag {
        "" => format!("`{}` is gone since {}", verbs.join(" "), removed.since),
        flag => format!("`{flag}` of `{}` is gone since {}", verbs.join(" "), removed.since),
    }
}

/// Flags of kubelet in the files that are written for it.
fn files(cx: &LintContext<'_>, gone: &[&Removed], report: &mut Report) {
    for view in cx.every_step().filter(|view| view.step.kind.name() == "copy") {
        let text = |field: &str| cx.values.text(view.step, field).unwrap_or_default();
        if !text("dest").contains("kubelet") {
            continue;
        }
        let content = text("content");
        for removed in gone.iter().filter(|removed| removed.program == "kubelet") {
            if has_flag(&content, removed.flag) {
                let span = place(cx, view.step, removed.flag);
                let error = report.say(view.step, span, message(removed));
                error.hint(format!("{} ({})", removed.instead, removed.source));
            }
        }
    }
}

/// Whether a flag stands in a text: `--container-runtime`, and not `--container-runtime-endpoint`.
fn has_flag(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        next.is_none_or(|next| !next.is_ascii_alphanumeric() && next != '-')
    })
}

fn place(cx: &LintContext<'_>, step: &crate::runbook::Step, flag: &str) -> Span {
    let Some(span) = step.args.get("content").and_then(|arg| arg.span) else { return step.origin.span };
    match cx.sources.slice(span).find(flag) {
        Some(at) => {
            let start = span.start as usize + at;
            Span::new(span.file, start, start + flag.len())
        }
        None => span,
    }
}
