//! Packages of Kubernetes have a version, with its patch.

use crate::lint::action::{ActionKind, version};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::UNPINNED,
    severity: Severity::Warning,
    needs_values: true,
    why: "\
`latest`, `*` and an `apt-get install kubelet` without a version take what the repository has to offer at that moment.
`1.31.4-*` is one version whose Debian revision is open, which is right: revisions look like `1.31.4-1.1` and are looked up,
never guessed (pkgs.k8s.io; the revision `-00` of older guides is gone). `present` of the step `apt` moves nothing and is
no finding.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - apt: { install: { kubectl: latest }, hold: true }
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - apt: { install: { kubectl: \"{{ params.target }}-*\" }, hold: true }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, action) in cx.every_action() {
        let (ActionKind::Install { package, version } | ActionKind::Download { package, version }) =
            &action.what
        else {
            continue;
        };
        let name = package.name();
        let message = match version.as_deref() {
            None => format!("{name} is installed without a version"),
            Some("latest" | "*") => format!("{name} is installed at whatever version is newest"),
            Some(text) if is_minor(text) => format!("`{text}` leaves the patch of {name} open"),
            Some(_) => continue,
        };
        report.say(step, action.span, message).hint("write the whole version, such as `1.31.4-*`");
    }
}

/// `1.31.*` and `1.31`: no patch.
fn is_minor(text: &str) -> bool {
    version(Some(text)).is_some_and(|version| version.release().is_none())
}
