//! Versions that one runbook gives to kubeadm, kubelet and kubectl go together.

use std::cmp::Ordering;

use crate::kubernetes::skew::check_kubelet;
use crate::lint::action::{ActionKind, Package, StepAction, core, relation, version};
use crate::lint::context::{LintContext, PhaseView};
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::op::show_symbols;
use crate::runbook::Step;
use crate::source::{Severity, codes};
use crate::value::Version;

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::VERSIONS_DISAGREE,
    severity: Severity::Error,
    needs_values: true,
    why: "\
Each version is compared with the one before it in the runbook: kubeadm's package with the `kubeadm upgrade` of its phase,
kubelet and kubectl with the last `kubeadm upgrade`, `wait: { kubelet: … }` with the kubelet that was installed.

kubelet may be up to three minors older than the API server (two before kubelet 1.25; one where kubeadm before 1.29 checks
it, kubernetes#120825), and never newer. kubectl is supported within one minor of it. Source: Kubernetes version skew policy.",
    bad: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - apt: { install: { kubeadm: \"1.31.2-*\" }, hold: true }
    - kubeadm: { upgrade: apply, version: 1.31.4 }
",
    good: "\
- name: first control plane
  hosts: control_plane[0]
  steps:
    - etcd_snapshot: { to: \"/var/backups/{{ run.id }}.db\" }
    - apt: { install: { kubeadm: \"{{ params.target }}-*\" }, hold: true }
    - kubeadm: { upgrade: apply, version: \"{{ params.target }}\" }
",
    check,
};

fn check(cx: &LintContext<'_>, report: &mut Report) {
    let mut server = None;
    for phase in &cx.phases {
        kubeadm(phase, report);
        for (step, action) in phase.actions() {
            match &action.what {
                ActionKind::Upgrade { version: Some(target), .. } => {
                    server = version(Some(target)).or(server);
                }
                ActionKind::Install { package, version } => {
                    under(server.as_ref(), *package, version.as_deref(), step, action, report);
                }
                _ => {}
            }
        }
        waits(phase, report);
    }
}

/// The package against what it is then asked for.
fn kubeadm(phase: &PhaseView<'_>, report: &mut Report) {
    let mut installed: Option<(&str, &StepAction)> = None;
    for (step, action) in phase.actions() {
        match &action.what {
            ActionKind::Install { package: Package::Kubeadm, version: Some(version) } => {
                installed = Some((version, action));
            }
            ActionKind::Upgrade { version: Some(target), .. } => {
                let Some((version, package)) = installed else { continue };
                if differ(version, target) {
                    let message = format!(
                        "kubeadm {} is installed, and then upgrades to {}",
                        shown(version),
                        shown(target)
                    );
                    let error = report.say(step, action.span, message);
                    error.related(package.span, "installed here").hint("give both the same version");
                }
            }
            _ => {}
        }
    }
}

/// A package under the API server that the runbook has brought to a version.
fn under(
    server: Option<&Version>,
    package: Package,
    text: Option<&str>,
    step: &Step,
    action: &StepAction,
    report: &mut Report,
) {
    let (Some(server), Some(version)) = (server, version(text)) else { return };
    let wrong = match package {
        Package::Kubelet => check_kubelet(version.clone(), server).err().map(|error| error.to_string()),
        Package::Kubectl => {
            let (ours, theirs) = (version.minor(), server.minor());
            let apart = ours.minor.abs_diff(theirs.minor) > 1 || ours.major != theirs.major;
            apart.then(|| {
                format!("kubectl {version} is more than one minor away from the API server's {server}")
            })
        }
        Package::Kubeadm => None,
    };
    if let Some(message) = wrong {
        report.say(step, action.span, message).hint("see the Kubernetes version skew policy");
    }
}

/// What is waited for against what was installed.
fn waits(phase: &PhaseView<'_>, report: &mut Report) {
    let mut installed: Option<(&str, &StepAction)> = None;
    for (step, action) in phase.actions() {
        match &action.what {
            ActionKind::Install { package: Package::Kubelet, version: Some(version) } => {
                installed = Some((version, action));
            }
            ActionKind::Look(Some(wanted)) => {
                let Some((version, package)) = installed.filter(|(version, _)| differ(version, wanted))
                else {
                    continue;
                };
                let message =
                    format!("waits for kubelet {}, and {} is installed", shown(wanted), shown(version));
                let error = report.say(step, action.span, message);
                error.related(package.span, "installed here").hint("give both the same version");
            }
            _ => {}
        }
    }
}

fn differ(left: &str, right: &str) -> bool {
    relation(Some(left), Some(right)).is_some_and(|relation| relation != Ordering::Equal)
}

fn shown(text: &str) -> String {
    show_symbols(core(text))
}
