//! What a step does for an upgrade, whichever way it is written: `apt: { install: … }` and `apt-get install` are the same
//! deed to the rules.

mod by_hand;
mod files;
mod packages;
mod typed;

use super::command::CommandLine;
use super::values::Values;
use crate::op::SYMBOL_CLOSE;
use crate::runbook::Step;
use crate::source::{SourceMap, Span};
use crate::value::Version;

/// Something that a step does, and where that is written.
#[derive(Clone, Debug)]
pub(super) struct StepAction {
    pub(super) what: ActionKind,
    pub(super) span: Span,
}

/// The kinds of deeds that rules know. Versions are texts as they are given, names of the unknown included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActionKind {
    /// One of the three packages of Kubernetes is installed; `None`: whatever version is there to have.
    Install { package: Package, version: Option<String> },
    /// The same, fetched only.
    Download { package: Package, version: Option<String> },
    /// Every package of the host goes up.
    UpgradeAll,
    /// `kubeadm upgrade`.
    Upgrade { verb: UpgradeVerb, version: Option<String> },
    /// The node takes no new pods; its own stay.
    Cordon,
    /// The node's pods are moved away.
    Drain,
    /// The node takes pods again.
    Uncordon,
    /// The host becomes a node.
    Join,
    /// The host is no node any more.
    Leave,
    /// Packages lose their hold; none where the names are not known.
    Unhold(Vec<String>),
    /// Packages are held; none where the names are not known.
    Hold(Vec<String>),
    /// Units are started anew.
    Restart(Vec<String>),
    /// Units are started where they do not run, or read their configuration again.
    Start(Vec<String>),
    /// Units are stopped.
    Stop(Vec<String>),
    /// A file is written that a unit reads when it starts.
    Config { unit: &'static str, path: String },
    /// Containers of the control plane are stopped or started anew.
    StaticPods,
    /// Certificates of the control plane's servers are renewed.
    Renew,
    /// systemd reads its units again.
    Reload,
    /// A file of systemd's units is written.
    Unit(String),
    /// The host's packages come from the repository of this minor.
    Repository(Option<String>),
    /// etcd is saved.
    Snapshot,
    /// A snapshot of etcd is restored into this directory.
    Restore(String),
    /// Something is looked at; a kubelet's version, where one is waited for.
    Look(Option<String>),
    /// The machine restarts or stops.
    Reboot,
}

/// The packages that the skew policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    Kubeadm,
    Kubelet,
    Kubectl,
}

impl Package {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "kubeadm" => Some(Self::Kubeadm),
            "kubelet" => Some(Self::Kubelet),
            "kubectl" => Some(Self::Kubectl),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kubeadm => "kubeadm",
            Self::Kubelet => "kubelet",
            Self::Kubectl => "kubectl",
        }
    }
}

/// The two ways of `kubeadm upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpgradeVerb {
    Apply,
    Node,
}

impl ActionKind {
    /// Whether it installs this package.
    pub(super) fn installs(&self, wanted: Package) -> bool {
        matches!(self, Self::Install { package, .. } if *package == wanted)
    }

    /// Whether it restarts a unit whose name is one of these, without suffix.
    pub(super) fn restarts(&self, units: &[&str]) -> bool {
        let Self::Restart(restarted) = self else { return false };
        restarted.iter().any(|name| units.iter().any(|unit| is_unit(name, unit)))
    }

    /// Whether it makes a unit read its configuration, where that is one of these.
    pub(super) fn reads_again(&self, unit: &str) -> bool {
        match self {
            Self::Restart(units) | Self::Start(units) => {
                units.is_empty() || units.iter().any(|name| is_unit(name, unit) || is_open(name))
            }
            Self::Install { package, .. } => package.name() == unit,
            Self::Reboot => true,
            Self::Join => unit == "kubelet",
            _ => false,
        }
    }

    /// Whether it is `kubeadm upgrade apply`.
    pub(super) fn applies(&self) -> bool {
        matches!(self, Self::Upgrade { verb: UpgradeVerb::Apply, .. })
    }
}

/// Whether a unit is called this, with its suffix or without.
fn is_unit(name: &str, unit: &str) -> bool {
    name.trim_end_matches(".service") == unit
}

/// Whether a word is known only when the command runs.
pub(super) fn is_open(word: &str) -> bool {
    word.contains(['$', '`', '*', SYMBOL_CLOSE])
}

/// What a step does, in order.
pub(super) fn of_step(
    step: &Step,
    commands: &[CommandLine],
    values: &Values<'_>,
    sources: &SourceMap,
) -> Vec<StepAction> {
    let mut actions = typed::actions(step, values, sources);
    for command in commands {
        by_hand::actions(step, command, sources, &mut actions);
    }
    actions
}

/// Folders of systemd's units, as systemd.unit(5) lists them.
const UNIT_FOLDERS: [&str; 5] = [
    "/etc/systemd/system/",
    "/run/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
];

fn is_unit_file(path: &str) -> bool {
    UNIT_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// The minor in an address of the community's package repository: `1.31` of `…/core:/stable:/v1.31/deb/`.
fn minor_of(address: &str) -> Option<&str> {
    let (_, behind) = address.split_once("/core:/stable:/v")?;
    behind.split('/').next()
}

/// A version without the revision of a package: `1.31.4` of `1.31.4-1.1`, `v1.31.4` and `1.31.4-*`.
pub(super) fn core(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    // The name of something unknown may hold hyphens of its own.
    let from = text.rfind(SYMBOL_CLOSE).map_or(0, |at| at + SYMBOL_CLOSE.len_utf8());
    let end = text[from..].find(['-', '~', '*', '+']).map_or(text.len(), |at| from + at);
    text[..end].trim_end_matches('.')
}

/// The version that a text gives, where it is known.
pub(super) fn version(text: Option<&str>) -> Option<Version> {
    Version::parse(core(text?)).ok()
}

/// How two versions relate, where that is known. A version without a patch is any of its minor.
pub(super) fn relation(left: Option<&str>, right: Option<&str>) -> Option<std::cmp::Ordering> {
    let (left, right) = (left?, right?);
    if core(left) == core(right) {
        return Some(std::cmp::Ordering::Equal);
    }
    let (left, right) = (version(Some(left))?, version(Some(right))?);
    Some(left.cmp_loosely(&right))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use crate::lint::values::name_for;

    #[test]
    fn versions_of_packages_compare_by_what_kubernetes_calls_them() {
        let target = format!("{}-*", name_for("params.a-b"));
        let cases = [
            ("1.31.4-*", "v1.31.4", Some(Ordering::Equal)),
            ("1.31.4-1.1", "1.31.5", Some(Ordering::Less)),
            ("1.31.*", "1.31.4", Some(Ordering::Equal)),
            ("1.32", "1.31.4", Some(Ordering::Greater)),
            (target.as_str(), &name_for("params.a-b"), Some(Ordering::Equal)),
            (target.as_str(), "1.31.4", None),
            ("$V", "1.31.4", None),
        ];
        for (left, right, expected) in cases {
            assert_eq!(relation(Some(left), Some(right)), expected, "{left} {right}");
        }
        assert_eq!(relation(None, Some("1.31.4")), None);
    }
}
