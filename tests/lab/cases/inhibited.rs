//! A reboot waits for whatever has asked logind to block a shutdown, and for apt's locks; it names both, and does not reboot
//! where they do not end in time. logind, systemd and the locks are real. Hosts without a cluster.

use super::Level;
use super::rollbook::{Files, Outcome, start_with};
use crate::lab::{Lab, Stage};

const RUNBOOK: &str = r"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: inhibited }
defaults: { become: true, timeout: 5m }
phases:
  - name: all
    hosts: w1
    steps:
      - reboot: { lock_timeout: LIMIT }
";

pub(super) fn a_reboot_waits(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 1);
    until_both_have_ended(&lab);
    no_longer_than_its_limit(&lab);
}

fn until_both_have_ended(lab: &Lab) {
    let before = boot_id(lab);
    block(lab, "sleep 25; date +%s >/var/tmp/ended");
    lab.run(&["aptlock", "w1", "15"]);
    let rebooted = roll(lab, "waits", "2m");
    rebooted.exits(0);
    for holder in ["backup", "dpkg's lock"] {
        assert!(rebooted.stderr.contains(holder), "nobody was told of {holder}:\n{}", rebooted.stderr);
    }
    assert_ne!(boot_id(lab), before, "w1 did not reboot");
    let booted: u64 = number(&lab.root("w1", "systemctl show -P UserspaceTimestamp --timestamp=unix"));
    let ended: u64 = number(&lab.root("w1", "cat /var/tmp/ended"));
    assert!(booted >= ended, "booted at {booted}, and the dump ended at {ended}");
}

fn no_longer_than_its_limit(lab: &Lab) {
    let before = boot_id(lab);
    block(lab, "sleep 600");
    let refused = roll(lab, "for too long", "5s");
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    refused.ends_with("backup");
    assert_eq!(boot_id(lab), before, "w1 rebooted");
}

/// A program that blocks a shutdown while it runs these commands, as a person would start it.
fn block(lab: &Lab, commands: &str) {
    let inhibit = "systemd-inhibit --what=shutdown --mode=block --who=backup --why='a dump runs'";
    lab.root("w1", &format!("systemd-run -q --collect --unit=backup {inhibit} sh -c '{commands}'"));
    lab.eventually("logind knows", |lab| lab.root("w1", "systemd-inhibit --list").contains("backup"));
}

fn roll(lab: &Lab, name: &str, limit: &str) -> Outcome {
    let files = Files::written(lab, name, &RUNBOOK.replace("LIMIT", limit));
    start_with(lab, &files, name, "run", &["--yes", "--verbose"]).wait()
}

fn boot_id(lab: &Lab) -> String {
    lab.root("w1", "cat /proc/sys/kernel/random/boot_id")
}

fn number(text: &str) -> u64 {
    text.trim().trim_start_matches('@').parse().expect("seconds since 1970")
}
