//! The files of a new runbook.

use std::fmt::Write;

use super::wishes::Wishes;
use crate::cli::args::NewKind;
use crate::cli::schema::schemas;
use crate::inventory::expand;

/// A file to write.
pub(super) struct File {
    /// Below the directory.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) is_program: bool,
}

/// What is shipped is what one begins with: it is tried more than anything else.
const UPGRADE: &str = include_str!("../../../runbooks/kubeadm-upgrade.yaml");
const FRAGMENTS: [(&str, &str); 2] = [
    ("steps/kubelet.yaml", include_str!("../../../runbooks/steps/kubelet.yaml")),
    ("steps/tools.yaml", include_str!("../../../runbooks/steps/tools.yaml")),
];

const RESTART: &str = "\
# yaml-language-server: $schema=schema/runbook.schema.json
# Restarts a unit on every host: one host first, then more at a time, and no next batch before the last one runs.
#
#   rollbook plan @name@.yaml -i inventory.yaml
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: @name@, description: @description@ }

policy: { deadline: 4h }

phases:
  - name: restart
    hosts: all
    rollout:
      batches: [1, 25%]                  # the last size repeats
      max_unavailable: 25%
      soak: 30s                          # between a batch and the next
    steps:
      # Waits until the unit runs, and stays so for a while.
      - systemctl: { restart: @service@, always: true, stable_for: 10s }
";

const CHECK: &str = "\
#!/bin/sh
# Validates and rehearses the runbook. Touches no host; ends with 0 where all is well. For CI, on every change:
#
#   GitLab:  check: { script: [./check.sh] }
#   GitHub:  steps: [{ uses: actions/checkout@v4 }, { run: ./check.sh }]
#
# ROLLBOOK names the program where it is not on the path.
set -eu
cd \"$(dirname \"$0\")\"
rollbook=${ROLLBOOK:-rollbook}
\"$rollbook\" validate --strict @name@.yaml inventory.yaml -i inventory.yaml
\"$rollbook\" rehearse @name@.yaml -i inventory.yaml --quiet
";

/// Everything that is written.
pub(super) fn files(wishes: &Wishes) -> Vec<File> {
    let file = |path: &str, text: String| File { path: path.to_owned(), text, is_program: false };
    let mut files = vec![file(&format!("{}.yaml", wishes.name), runbook(wishes))];
    if wishes.kind == NewKind::KubeadmUpgrade {
        let fragments = FRAGMENTS.iter();
        files.extend(
            fragments.map(|(path, text)| file(path, text.replace("../../docs/schema/", "../schema/"))),
        );
    }
    files.push(file("inventory.yaml", inventory(wishes)));
    files.push(File { is_program: true, ..file("check.sh", CHECK.replace("@name@", &wishes.name)) });
    files.extend(schemas().into_iter().map(|(name, text)| file(&format!("schema/{name}"), text)));
    files
}

fn runbook(wishes: &Wishes) -> String {
    match wishes.kind {
        NewKind::KubeadmUpgrade => with_outage(UPGRADE, wishes)
            .replace("../docs/schema/", "schema/")
            .replace("runbooks/kubeadm-upgrade.yaml", &format!("{}.yaml", wishes.name))
            .replace("inventory.example.yaml", "inventory.yaml")
            .replace("  name: kubeadm-upgrade\n", &format!("  name: {}\n", wishes.name)),
        NewKind::ServiceRestart => RESTART
            .replace("@name@", &wishes.name)
            .replace("@description@", &quoted(&format!("Restart {}, a few hosts at a time", wishes.service)))
            .replace("@service@", &quoted(&wishes.service)),
    }
}

/// With one or two control planes the API is away while one of them is upgraded. Whoever names no more has no choice.
fn with_outage(text: &str, wishes: &Wishes) -> String {
    const POLICY: &str = "\npolicy:\n";
    let parts = wishes.control_planes.iter();
    let count: usize = parts.map(|part| expand(part).map_or(0, |names| names.len())).sum();
    if count > 2 {
        return text.to_owned();
    }
    let accept =
        "  control_plane_outage: accept           # one or two control planes: the API will be away\n";
    text.replacen(POLICY, &format!("{POLICY}{accept}"), 1)
}

fn inventory(wishes: &Wishes) -> String {
    let mut out = format!(
        "# yaml-language-server: $schema=schema/inventory.schema.json\n\
         # Hosts, and how they are reached. All of ~/.ssh/config applies; the keys of hosts must be known to ssh.\n\
         apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: {} }}\n",
        wishes.name
    );
    let mut line = |text: String| writeln!(out, "{text}").expect("invariant: writing to a string works");
    if !wishes.user.is_empty() {
        line(format!("connection: {{ user: {} }}", quoted(&wishes.user)));
    }
    line("hosts:".to_owned());
    let in_cluster = wishes.kind == NewKind::KubeadmUpgrade;
    for host in &wishes.control_planes {
        line(format!("  {host}: {{ labels: {{ role: control-plane }} }}"));
    }
    for host in &wishes.hosts {
        let own = if in_cluster { "{ labels: { role: worker } }" } else { "{}" };
        line(format!("  {host}: {own}"));
    }
    if in_cluster {
        line("groups:".to_owned());
        line("  control_plane: { select: \"label(role=control-plane)\" }".to_owned());
        line("  workers: { select: \"label(role=worker)\" }".to_owned());
        line(format!(
            "params: {{ target: {} }}         # this fleet's; `-p target=…` overrules",
            wishes.target
        ));
    }
    out
}

/// As YAML reads it, whatever it holds: JSON is YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
