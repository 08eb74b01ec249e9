//! The rules, one file each.

pub(super) mod apply_first;
pub(super) mod controller;
pub(super) mod daemon_reload;
pub(super) mod drain_before_apply;
pub(super) mod drain_flags;
pub(super) mod drain_timeout;
pub(super) mod etcd_snapshot;
pub(super) mod kubelet_before_apply;
pub(super) mod late_condition;
pub(super) mod placeholder;
pub(super) mod removed_flag;
pub(super) mod repository_minor;
pub(super) mod shell_in_command;
pub(super) mod shell_text;
pub(super) mod skipped_minor;
pub(super) mod unpinned;
pub(super) mod upgrade_order;
pub(super) mod upgrade_with_names;
pub(super) mod upgrade_without_drain;
pub(super) mod verification;
pub(super) mod versions_disagree;
pub(super) mod wrong_tool;
