//! The one list of step kinds. Parsing, reference pages, schema and completions are derived from it.

use super::StepKind;
use super::apt::Apt;
use super::apt_mark::AptMark;
use super::apt_repo::AptRepo;
use super::assert::Assert;
use super::command::Command;
use super::copy::Copy;
use super::cordon::Cordon;
use super::drain::Drain;
use super::etcd_snapshot::EtcdSnapshot;
use super::kubeadm::Kubeadm;
use super::kubectl::Kubectl;
use super::node_support::NodeSupport;
use super::pause::Pause;
use super::reboot::Reboot;
use super::script::Script;
use super::systemctl::Systemctl;
use super::uncordon::Uncordon;
use super::version_skew::VersionSkew;
use super::wait::Wait;

/// Every kind, sorted by name; a test holds the order.
static KINDS: &[&dyn StepKind] = &[
    &Apt,
    &AptMark,
    &AptRepo,
    &Assert,
    &Command,
    &Copy,
    &Cordon,
    &Drain,
    &EtcdSnapshot,
    &Kubeadm,
    &Kubectl,
    &NodeSupport,
    &Pause,
    &Reboot,
    &Script,
    &Systemctl,
    &Uncordon,
    &VersionSkew,
    &Wait,
];

/// Every kind, in the order of their names.
pub fn all() -> &'static [&'static dyn StepKind] {
    KINDS
}

/// The kind of this name; `apt-mark` finds `apt_mark`.
pub fn find(name: &str) -> Option<&'static dyn StepKind> {
    let name = name.replace('-', "_");
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_by_name_and_unique() {
        let names: Vec<_> = all().iter().map(|kind| kind.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn a_hyphen_finds_an_underscore() {
        for kind in all() {
            assert_eq!(find(&kind.name().replace('_', "-")).map(StepKind::name), Some(kind.name()));
        }
        assert!(find("no_such_kind").is_none());
    }
}
