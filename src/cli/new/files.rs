//! The files of a new runbook.

use serde_json::{Map, Value, json};

use super::prompts::Wishes;
use crate::cli::args::NewKind;
use crate::cli::schema::schemas;
use crate::inventory::expand;
use crate::value::to_yaml;

/// A file to write.
pub(super) struct NewFile {
    /// Below the directory.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) is_program: bool,
}

/// A runbook that Rollbook ships, with the fragments that it includes. What is shipped is what one begins with: it is tried
/// more than anything else.
struct Shipped {
    file: &'static str,
    text: &'static str,
    fragments: &'static [(&'static str, &'static str)],
}

const UPGRADE: Shipped = Shipped {
    file: "kubeadm-upgrade.yaml",
    text: include_str!("../../../runbooks/kubeadm-upgrade.yaml"),
    fragments: &[
        ("steps/kubelet.yaml", include_str!("../../../runbooks/steps/kubelet.yaml")),
        ("steps/tools.yaml", include_str!("../../../runbooks/steps/tools.yaml")),
    ],
};
const PATCH: Shipped = Shipped {
    file: "os-patch.yaml",
    text: include_str!("../../../runbooks/os-patch.yaml"),
    fragments: &[("steps/patch.yaml", include_str!("../../../runbooks/steps/patch.yaml"))],
};
const PATCH_HOSTS: Shipped = Shipped {
    file: "os-patch-hosts.yaml",
    text: include_str!("../../../runbooks/os-patch-hosts.yaml"),
    fragments: &[],
};

const RESTART: &str = "\
# yaml-language-server: $schema=schema/runbook.schema.json
# Restarts a unit on every host: one host first, then more at a time, and no next batch before the last one runs.
#
#   rollbook plan @name@.yaml -i inventory.yaml
apiVersion: rollbook/v1
kind: Runbook
metadata:
  name: @name@
  description: @description@

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
      - systemctl:
          restart: @service@
          always: true
          stable_for: 10s
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
pub(super) fn files(answers: &Wishes) -> Vec<NewFile> {
    let file = |path: &str, text: String| NewFile { path: path.to_owned(), text, is_program: false };
    let mut files = Vec::new();
    match shipped(answers.kind) {
        Some(shipped) => {
            files.push(file(&format!("{}.yaml", answers.name), renamed(&shipped, answers)));
            let fragments = shipped.fragments.iter();
            files.extend(
                fragments.map(|(path, text)| file(path, text.replace("../../docs/schema/", "../schema/"))),
            );
        }
        None => files.push(file(&format!("{}.yaml", answers.name), restart(answers))),
    }
    files.push(file("inventory.yaml", inventory(answers)));
    files.push(NewFile { is_program: true, ..file("check.sh", CHECK.replace("@name@", &answers.name)) });
    files.extend(schemas().into_iter().map(|(name, text)| file(&format!("schema/{name}"), text)));
    files
}

fn shipped(kind: NewKind) -> Option<Shipped> {
    match kind {
        NewKind::KubeadmUpgrade => Some(UPGRADE),
        NewKind::OsPatch => Some(PATCH),
        NewKind::OsPatchHosts => Some(PATCH_HOSTS),
        NewKind::ServiceRestart => None,
    }
}

/// What is shipped, under the name that is wished and beside the files that are written.
fn renamed(shipped: &Shipped, answers: &Wishes) -> String {
    let name = shipped.file.trim_end_matches(".yaml");
    let text = shipped.text;
    let text = if answers.kind.is_for_cluster() { with_outage(text, answers) } else { text.to_owned() };
    let text = if count(&answers.hosts) > BUDGET {
        text
    } else {
        text.replace(SHIPPED_BUDGET, "max_unavailable: 1\n")
    };
    text.replace("../docs/schema/", "schema/")
        .replace(&format!("runbooks/{}", shipped.file), &format!("{}.yaml", answers.name))
        .replace("inventory.example.yaml", "inventory.yaml")
        .replace(&format!("  name: {name}\n"), &format!("  name: {}\n", scalar(&answers.name)))
}

fn restart(answers: &Wishes) -> String {
    RESTART
        .replace("@name@.yaml", &format!("{}.yaml", answers.name))
        .replace("@name@", &scalar(&answers.name))
        .replace("@description@", &scalar(&format!("Restart {}, a few hosts at a time", answers.service)))
        .replace("@service@", &scalar(&answers.service))
}

/// The budget of workers as it is shipped. Where there are no more workers than that, all of them could be out at once.
const SHIPPED_BUDGET: &str = "max_unavailable: 2\n";
const BUDGET: usize = 2;

/// How many hosts these names and ranges are.
fn count(parts: &[String]) -> usize {
    parts.iter().map(|part| expand(part).map_or(0, |names| names.len())).sum()
}

/// With one or two control planes the API is away while one of them is upgraded. Whoever names no more has no choice.
fn with_outage(text: &str, answers: &Wishes) -> String {
    const POLICY: &str = "\npolicy:\n";
    if count(&answers.control_planes) > 2 {
        return text.to_owned();
    }
    let accept =
        "  control_plane_outage: accept           # one or two control planes: the API will be away\n";
    text.replacen(POLICY, &format!("{POLICY}{accept}"), 1)
}

/// The inventory, a mapping of its own per top-level key, so that comments can stand between them.
fn inventory(answers: &Wishes) -> String {
    let mut out = "# yaml-language-server: $schema=schema/inventory.schema.json\n\
                   # Hosts, and how they are reached. All of ~/.ssh/config applies; the keys of hosts must be known to ssh.\n"
        .to_owned();
    let mut add = |part: Value| out += &to_yaml(&part);
    add(json!({"apiVersion": "rollbook/v1", "kind": "Inventory", "metadata": {"name": answers.name}}));
    if !answers.user.is_empty() {
        add(json!({"connection": {"user": answers.user}}));
    }
    let in_cluster = answers.kind.is_for_cluster();
    let role = |role: &str| if in_cluster { json!({"labels": {"role": role}}) } else { json!({}) };
    let planes = answers.control_planes.iter().map(|host| (host.clone(), role("control-plane")));
    let workers = answers.hosts.iter().map(|host| (host.clone(), role("worker")));
    add(json!({"hosts": planes.chain(workers).collect::<Map<_, _>>()}));
    if in_cluster {
        let select = |role: &str| json!({"select": format!("label(role={role})")});
        add(json!({"groups": {"control_plane": select("control-plane"), "workers": select("worker")}}));
    }
    if answers.kind == NewKind::KubeadmUpgrade {
        out += "# This fleet's; `-p target=…` overrules.\n";
        out += &to_yaml(&json!({"params": {"target": answers.target}}));
    }
    out
}

/// Text as a scalar of a block mapping.
fn scalar(text: &str) -> String {
    to_yaml(&text).trim_end().to_owned()
}
