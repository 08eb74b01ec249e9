//! The package repository is of the minor that is installed from it.

use crate::lint::action::{ActionKind, version};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::REPOSITORY_MINOR,
    severity: Severity::Error,
    needs_values: true,
    why: "\
pkgs.k8s.io has one repository for each minor, from 1.24 on, and each replaces the one before it in the host's sources. So
a package comes from the last repository that the runbook named before it. Source: \"Changing the Kubernetes package
repository\" in the Kubernetes documentation.",
    bad: "\
- name: prepare
  hosts: all
  steps:
    - apt_repo: { kubernetes: 1.30 }
    - apt: { download: { kubelet: \"1.31.4-*\" } }
",
    good: "\
- name: prepare
  hosts: all
  steps:
    - apt_repo: { kubernetes: \"{{ params.target | minor }}\" }
    - apt: { download: { kubelet: \"{{ params.target }}-*\" } }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let mut repository = None;
    for (_, step, action) in cx.actions() {
        match &action.what {
            ActionKind::Repository(minor) => {
                repository = version(minor.as_deref()).map(|version| (version, action.span));
            }
            ActionKind::Install { package, version: text }
            | ActionKind::Download { package, version: text } => {
                let (Some((minor, place)), Some(wanted)) = (&repository, version(text.as_deref())) else {
                    continue;
                };
                if minor.minor() == wanted.minor() {
                    continue;
                }
                let message =
                    format!("{} {wanted} is not in the repository of {}", package.name(), minor.minor());
                let error = report.say(step, action.span, message);
                error.related(*place, "the repository");
                error.hint(format!("name the repository of {}", wanted.minor()));
            }
            _ => {}
        }
    }
}
