//! A single control plane reboots, and its API server is forbidden everything to admin.conf until it has read its roles:
//! that is waited for, by the reboot itself, by a wait for all nodes, and by a resumed run that has to take the lock.

use super::rollbook::{Files, call, start_with};
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage, lab as lab_command};

/// How often it reboots in a row: what is seen in five of five reboots should show in three.
const REBOOTS: usize = 3;

const RUNBOOK: &str = r"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: starting }
policy: { lock: { scope: cluster, ttl: 10m } }
kube: { via: control_plane, kubeconfig: /etc/kubernetes/admin.conf }
defaults: { become: true, timeout: 10m }
phases:
  - name: control plane
    hosts: cp1
    steps:
      - cordon: {}
      - reboot: {}
      - wait: { nodes: ready, for: 5m }
      - uncordon: {}
";

pub(super) fn a_forbidden_api_is_waited_for(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    let files = Files::written(&lab, "starting", RUNBOOK);
    not_in_masters(&lab);
    for number in 1..=REBOOTS {
        let name = format!("reboot {number}");
        start_with(&lab, &files, &name, "run", &["--yes", "--verbose", ACCEPT[0]]).wait().exits(0);
        all_in_service(&lab);
    }
    resumed_while_it_starts(&lab, &files);
}

/// The controller is killed while the machine is down; the run that goes on finds an API server that starts.
fn resumed_while_it_starts(lab: &Lab, files: &Files) {
    let boot = boot_id(lab);
    let mut running = start_with(lab, files, "killed", "run", &["--yes", "--verbose", ACCEPT[0]]);
    running.until_it_says("reboot");
    lab.eventually("cp1 is down or back", |lab| other_boot(lab, &boot));
    // SIGKILL.
    drop(running);
    call(lab, "killed", &["resume", "--verbose"]).wait().exits(0);
    all_in_service(lab);
}

/// The case says something only where admin.conf gets its rights from a role, as kubeadm has it since 1.29.
fn not_in_masters(lab: &Lab) {
    let subject = "awk '/client-certificate-data/ {print $2}' /etc/kubernetes/admin.conf | base64 -d | \
        openssl x509 -noout -subject";
    let subject = lab.root("cp1", subject);
    assert!(!subject.contains("system:masters"), "{subject}");
}

fn all_in_service(lab: &Lab) {
    lab.all_ready();
    assert!(lab.nodes().iter().all(|node| !node.cordoned), "{:?}", lab.nodes());
}

fn boot_id(lab: &Lab) -> String {
    lab.root("cp1", BOOT_ID)
}

const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";

fn other_boot(lab: &Lab, boot: &str) -> bool {
    let args = ["ssh", "-n", "-l", "root", "-o", "ConnectTimeout=2", "cp1", BOOT_ID];
    let output = lab_command(&lab.name, &args).output().unwrap();
    output.status.success() && String::from_utf8_lossy(&output.stdout) != boot
}
