//! Rollbook from the outside, with real things where a user has real things.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as tests do")]

mod apt_ahead;
mod apt_upgrade;
mod brackets;
mod choice;
mod command_line;
mod cordons;
mod cordons_left;
mod crash;
mod display;
mod docs;
mod ends;
mod etcd_hosts;
mod etcd_snapshot;
mod golden;
mod host_order;
mod hostile_plans;
mod identity;
mod journals;
mod language;
mod layering;
mod lint;
mod locks;
mod mistakes;
mod new;
mod node_support;
mod os_patch;
mod placeholders;
mod reading;
mod reboots;
mod recorded;
mod rehearsal;
mod rehearsal_records;
mod roll;
mod same_cluster;
mod scenarios;
mod shell_text;
mod simulated;
mod support;
mod template_files;
mod transport;
mod uncordoned;
mod unknown;
mod upgrade;
mod waits;
