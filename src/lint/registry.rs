//! The one list of rules. Opt-outs and the reference page are derived from it.

use super::Rule;
use super::rules::{
    all_at_once, apply_first, asks, certificates, config_not_read, controller, daemon_reload,
    drain_before_apply, drain_flags, drain_timeout, etcd_by_hand, etcd_snapshot, excluded,
    kubelet_before_apply, late_condition, left_open, no_kubeadm_upgrade, placeholder, reboot_without_drain,
    removed_flag, repository_minor, shell_in_command, shell_text, skipped_minor, unpinned, upgrade_order,
    upgrade_with_names, upgrade_without_drain, verification, versions_disagree, wrong_tool,
};

/// Every rule, sorted by code; a test holds the order.
pub static RULES: &[Rule] = &[
    versions_disagree::RULE,
    apply_first::RULE,
    upgrade_order::RULE,
    unpinned::RULE,
    upgrade_with_names::RULE,
    placeholder::RULE,
    wrong_tool::RULE,
    repository_minor::RULE,
    skipped_minor::RULE,
    drain_flags::RULE,
    drain_timeout::RULE,
    daemon_reload::RULE,
    removed_flag::RULE,
    etcd_snapshot::RULE,
    drain_before_apply::RULE,
    kubelet_before_apply::RULE,
    verification::RULE,
    upgrade_without_drain::RULE,
    late_condition::RULE,
    controller::RULE,
    shell_text::RULE,
    shell_in_command::RULE,
    all_at_once::RULE,
    asks::RULE,
    certificates::RULE,
    etcd_by_hand::RULE,
    excluded::RULE,
    config_not_read::RULE,
    left_open::RULE,
    no_kubeadm_upgrade::RULE,
    reboot_without_drain::RULE,
];

/// What is as well known as the rules and is kept elsewhere: what it is, and where. For the reference page.
pub const ELSEWHERE: &[(&str, &str)] = &[
    (
        "A node that a phase cordons or drains is uncordoned again, on every path",
        "`open-bracket` (RB0308), when the file is loaded",
    ),
    ("A package that a phase unholds is held again", "`open-bracket` (RB0308), when the file is loaded"),
    (
        "The target is no downgrade, leaves out no minor, and every kubelet may run under it",
        "the steps `version_skew` and `kubeadm`, which ask the cluster when a plan is made",
    ),
    (
        "A package's version is there to be had, on every host",
        "the step `apt`, which asks each host's own apt when a plan is made",
    ),
    (
        "`force`, `delete_emptydir_data` and `disable_eviction` of a drain have a reason",
        "`step-rule` (RB0305), when the file is loaded",
    ),
    (
        "Control planes go one at a time, whatever the batches are, and only while etcd keeps its quorum",
        "the engine, in every run",
    ),
];

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sorted_by_code() {
        let codes: Vec<_> = RULES.iter().map(|rule| rule.code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }

    #[test]
    fn every_code_of_a_rule_has_its_rule() {
        let rules = crate::source::codes::CODES.iter().filter(|info| (700..780).contains(&info.code.0));
        for info in rules {
            assert!(find(info.name).is_some(), "{} is no rule", info.name);
        }
    }
}
