//! What a reboot looks at first: locks and inhibitors of the host, and whether it is the machine that runs Rollbook.

use std::fs;
use std::process::Command;

use rollbook::op::ProbeOutput;
use rollbook::step::read_obstacles;

use super::support::rollbook::{Outcome, Rollbook};

const RUNBOOK: &str = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\n";
const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\n";

/// A directory with these files.
fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Rehearses drain, reboot where required, uncordon of two workers with these faults.
fn rehearse(steps: &str, faults: &str) -> Outcome {
    let dir = folder(&[
        (
            "rb.yaml",
            format!(
                "{RUNBOOK}kube: {{ via: control_plane }}\nphases:\n  - name: workers\n    hosts: workers\n    rollout: {{ batches: [1] }}\n    \
                 steps:\n      - drain: {{ timeout: 10m }}\n{steps}      - wait: {{ node: ready, for: 10m, stable_for: 20s }}\n      - uncordon: {{}}\n"
            ),
        ),
        (
            "inv.yaml",
            format!(
                "{INVENTORY}hosts: {{ \"cp[1:3]\": {{}}, \"w[1:2]\": {{}} }}\ngroups: {{ control_plane: {{ select: \"cp*\" }}, workers: {{ select: \"w*\" }} }}\n"
            ),
        ),
        (
            "sc.yaml",
            format!(
                "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: t }}\nrunbook: rb.yaml\ninventory: inv.yaml\nfaults:\n{faults}"
            ),
        ),
    ]);
    let file = dir.path().join("sc.yaml");
    Rollbook::new(["rehearse", "--scenario", file.to_str().unwrap()]).run()
}

const REBOOT: &str = "      - reboot: { lock_timeout: 4m }\n";

#[test]
fn a_lock_that_stays_is_found_before_the_drain_and_named() {
    let outcome = rehearse(REBOOT, "  - { host: w1, fault: lock_held, by: process 77 (unattended-upgr) }\n");
    let outcome = outcome.exits(10).says("is held by process 77 (unattended-upgr)").says("still after 4m");
    assert!(!outcome.stderr.contains("goes out of service"), "{}", outcome.stderr);
}

#[test]
fn the_wait_in_front_of_a_drain_is_told_with_its_limit_and_who_is_waited_for() {
    let faults = [
        ("lock_held, by: process 77 (unattended-upgr), for: 2m", "is held by process 77 (unattended-upgr)"),
        ("shutdown_inhibited, by: backup, for: 2m", "shutdown is blocked by backup"),
    ];
    for (fault, words) in faults {
        let outcome = rehearse(REBOOT, &format!("  - {{ host: w1, fault: {fault} }}\n")).exits(0);
        let told = outcome.stderr.find("waits, 4m at most: ").expect("the wait is told");
        assert!(outcome.stderr[told..].lines().next().unwrap().contains(words), "{}", outcome.stderr);
        let drained = outcome.stderr.find("goes out of service").expect("it is drained afterwards");
        assert!(told < drained, "{}", outcome.stderr);
    }
}

#[test]
fn what_begins_after_the_drain_is_waited_for_and_told() {
    for (fault, words) in [
        (
            "lock_held, lock: lists, for: 2m",
            "the lock of apt's lists (/var/lib/apt/lists/lock) is held by process 4321",
        ),
        ("shutdown_inhibited, by: backup, for: 3m", "shutdown is blocked by backup"),
    ] {
        for step in [REBOOT, "      - command: [sh, -c, \"sync; shutdown -r now\"]\n        id: reboot\n"] {
            let outcome = rehearse(step, &format!("  - {{ host: w1, step: reboot, fault: {fault} }}\n"));
            outcome.exits(0).says(words);
        }
    }
}

#[test]
fn an_inhibitor_that_stays_keeps_the_machine_up_and_one_that_delays_is_shown() {
    let outcome = rehearse(REBOOT, "  - { host: w1, step: reboot, fault: shutdown_inhibited, by: backup }\n");
    outcome.exits(11).says("shutdown is blocked by backup").says("still after 4m");
    let outcome =
        rehearse(REBOOT, "  - { host: w1, fault: shutdown_inhibited, by: upgrades, mode: delay }\n");
    outcome.exits(0).says("logind lets upgrades");
}

/// The real kernel's list of locks, for a file that this very process holds.
#[test]
fn a_real_lock_is_found_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let file = fs::File::create(&path).unwrap();
    let run = |argv: &[&str]| {
        let output = Command::new(argv[0]).args(&argv[1..]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        ProbeOutput {
            rc: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    };
    let path = path.to_str().unwrap();
    let look = || {
        let mut stat = run(&["stat", "-c", "%D %i %n", "--", path]);
        stat.stdout = stat.stdout.replace(path, "/var/lib/dpkg/lock-frontend");
        let none = ProbeOutput { rc: 127, ..ProbeOutput::default() };
        let processes = run(&["ps", "-e", "-o", "pid=,comm="]);
        read_obstacles(&[stat, run(&["cat", "/proc/locks"]), processes, none]).unwrap().blocking
    };
    assert_eq!(look(), Vec::<String>::new());
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let held = look();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].contains(&format!("is held by process {} (", std::process::id())), "{held:?}");
}

/// `plan --offline` of these phases over three workers and the machine itself.
fn plan(phases: &str, more: &[&str]) -> Outcome {
    let dir = folder(&[
        ("rb.yaml", format!("{RUNBOOK}phases:\n{phases}")),
        (
            "inv.yaml",
            format!(
                "{INVENTORY}hosts: {{ mgmt: {{ connection: {{ transport: local }} }}, \"w[1:3]\": {{}} }}\n"
            ),
        ),
    ]);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (runbook, inventory) = (path("rb.yaml"), path("inv.yaml"));
    let args = ["plan", &runbook, "-i", &inventory, "--offline"];
    Rollbook::new(args.iter().chain(more).copied()).run()
}

#[test]
fn the_machine_that_runs_rollbook_is_restarted_last_or_not_at_all() {
    let of = |hosts: &str, step: &str| {
        format!(
            "  - name: {hosts}\n    hosts: {hosts}\n    rollout: {{ batches: [1] }}\n    steps:\n      - {step}\n"
        )
    };
    let accept = ["--accept-controller-reboot"];
    for step in
        ["reboot: {}", "command: [reboot]", "command: [systemctl, reboot]", "command: [shutdown, -r, now]"]
    {
        plan(&of("all", step), &accept).exits(65).says("mgmt is this machine").says("RB0619");
        let last = of("w*", step) + &of("mgmt", step);
        plan(&last, &[]).exits(65).says("--accept-controller-reboot");
        plan(&last, &accept).exits(0).shows("mgmt is this machine");
    }
    plan(&of("all", "command: [uptime]"), &[]).exits(0);
}
