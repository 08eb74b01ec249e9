//! How an op runs on a host with systemd: as a unit that outlives its connection, ends with all its processes at its time
//! limit, and leaves a record. Hosts without a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use super::Level;
use super::rollbook::{Files, Outcome, Running, start_with};
use crate::lab::{Lab, Stage};

pub(super) fn runs_as_a_unit(stage: &Stage, _: Level) {
    let lab = Lab::hosts_only(stage, 3);
    deaf_processes_end_at_the_time_limit(&lab);
    a_lost_link_is_taken_up_again(&lab);
    a_power_cut_leaves_a_doubt(&lab);
    a_reboot_is_seen_by_its_boot_id(&lab);
}

/// One that ignores TERM, its child, and a child that has left the session.
fn deaf_processes_end_at_the_time_limit(lab: &Lab) {
    let script = r#"
          deaf='trap "" TERM; echo $$ >/run/deaf-$0; while :; do sleep 1; done'
          sh -c "$deaf" child &
          setsid sh -c "$deaf" stranger &
          exec sh -c "$deaf" parent"#;
    let running = begin(lab, "deaf", "w1", script, "15s");
    let all = "cat /run/deaf-parent /run/deaf-child /run/deaf-stranger 2>/dev/null | wc -l";
    lab.eventually("three deaf processes run", |lab| lab.root("w1", all).trim() == "3");
    let units = lab.root("w1", "systemctl list-units --plain --no-legend 'rollbook-*.service'");
    let unit = units.split_whitespace().next().expect("the op is a unit").to_owned();
    let limit = lab.root("w1", &format!("systemctl show -p RuntimeMaxUSec -p KillMode {unit}"));
    // A minute above the op's own limit: the last resort where the launcher itself is gone.
    assert_eq!(sorted(&limit), ["KillMode=control-group", "RuntimeMaxUSec=1min 15s"]);
    let outcome = running.wait();
    outcome.exits(11).ends_with("w1").ends_with("time limit");
    let left = "for f in /run/deaf-*; do read p <$f; [ ! -d /proc/$p ] || echo $f; done";
    assert_eq!(lab.root("w1", left), "", "no process of the op lives");
    lab.eventually("the unit is gone", |lab| {
        lab.root("w1", "systemctl list-units --all --plain --no-legend 'rollbook-*.service'").is_empty()
    });
}

/// sshd and its sessions are killed: the op goes on, and is found again. It runs once.
fn a_lost_link_is_taken_up_again(lab: &Lab) {
    let script = r"
          echo the beginning
          echo before >>/root/said
          until [ -e /run/go ]; do sleep 0.2; done
          echo after >>/root/said
          echo the end";
    let running = begin(lab, "link", "w2", script, "5m");
    lab.eventually("the op runs", |lab| lab.root("w2", "cat /root/said 2>/dev/null || true") == "before\n");
    lab.eventually("its output comes", |_| output(&running.dir).is_some());
    fs::remove_file(output(&running.dir).unwrap()).unwrap();
    lab.run(&["sshdkill", "w2"]);
    // It reads the output again from its beginning.
    lab.eventually("rollbook is there again", |_| output(&running.dir).is_some());
    lab.root("w2", "touch /run/go");
    running.wait().exits(0);
    assert_eq!(lab.root("w2", "cat /root/said"), "before\nafter\n");
    let said = fs::read_to_string(output(&lab.kept.join("link")).unwrap()).unwrap();
    assert_eq!(said, "the beginning\nthe end\n", "its output is whole");
}

/// Whether the op had ended cannot be known, and it is not sent again.
fn a_power_cut_leaves_a_doubt(lab: &Lab) {
    let running = begin(lab, "power", "w3", "\n          echo once >>/root/said\n          sleep 600", "20m");
    lab.eventually("the op runs", |lab| lab.root("w3", "cat /root/said 2>/dev/null || true") == "once\n");
    lab.run(&["reset", "w3"]);
    let outcome: Outcome = running.wait();
    outcome.exits(11).ends_with("w3").ends_with("unknown").ends_with("lost power");
    assert_eq!(lab.root("w3", "cat /root/said"), "once\n");
    assert_eq!(lab.root("w3", "pgrep -fx 'sleep 600' || true"), "", "nobody has sent it again");
}

fn a_reboot_is_seen_by_its_boot_id(lab: &Lab) {
    let boot = |lab: &Lab| lab.root("w2", "cat /proc/sys/kernel/random/boot_id");
    let before = boot(lab);
    let steps = "      - reboot: {}\n        timeout: 5m\n      - command: { argv: [touch, /run/after-the-reboot] }\n        effect: changes\n";
    let files = Files::written(lab, "reboot", &runbook("w2", steps));
    start_with(lab, &files, "reboot", "run", &["--yes", "--verbose"]).wait().exits(0);
    assert_ne!(boot(lab), before);
    lab.root("w2", "test -e /run/after-the-reboot");
}

fn begin(lab: &Lab, name: &str, host: &str, script: &str, limit: &str) -> Running {
    let steps = format!(
        "      - script:\n          text: |{}\n        timeout: {limit}\n        effect: changes\n",
        script.replace('\n', "\n  ")
    );
    let files = Files::written(lab, name, &runbook(host, &steps));
    start_with(lab, &files, name, "run", &["--yes", "--verbose"])
}

fn runbook(host: &str, steps: &str) -> String {
    format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: launcher }}\ndefaults: {{ become: true }}\n\
         phases:\n  - name: work\n    hosts: {host}\n    steps:\n{steps}"
    )
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// The file with the output of an op, somewhere below a run's directory.
fn output(dir: &Path) -> Option<PathBuf> {
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for path in fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                dirs.push(path);
            } else if dir.ends_with("output") {
                return Some(path);
            }
        }
    }
    None
}
