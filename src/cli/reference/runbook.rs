//! The page of runbooks and fragments.

use super::markdown::{row, section, yaml};
use crate::runbook::{param_types, tables};

const HEAD: &str = "# Runbooks

A runbook is one YAML file, with fragments that it includes. Every key is checked when the file is loaded; one that
nothing reads is an error. Step kinds have [pages of their own](steps/README.md); names, filters and operators stand in
[expressions](expressions.md), hosts and groups in [inventories](inventory.md).

`when`, `that`, `until`, `changed_when` and `fail_when` are expressions without braces. Every other text may hold
templates in `{{ }}`, except where it is read before any value is known, such as `rollout`.
";

const RUNBOOK: &str = r#"
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: kubelet-settings, description: Write a drop-in of the kubelet and restart it }
params:
  max_pods: { type: int, default: 110, min: 10, max: 250 }
  reason:   { type: string, required: true, example: "CHG-1234" }
vars:
  drop_in: /etc/default/kubelet
kube: { via: control_plane }
policy: { deadline: 4h }
defaults: { become: true, timeout: 5m }
phases:
  - name: look
    hosts: workers
    mode: read_only
    steps:
      - assert: { that: "facts.swap_total == 0", message: "swap is on" }
  - name: workers
    hosts: workers
    rollout:
      batches: [1, 25%]
      max_unavailable: 2
      soak: 1m
      verify:
        - wait: { nodes: ready, for: 5m, stable_for: 30s }
    steps:
      - drain: { timeout: 10m }
      - copy: { content: "KUBELET_EXTRA_ARGS=--max-pods={{ params.max_pods }}\n", dest: "{{ vars.drop_in }}" }
        id: settings
      - systemctl: { restart: kubelet, always: true }
        when: steps.settings.changed
        retry: { attempts: 3, delay: 5s }
      - wait: { node: ready, for: 5m }
      - command: [logger, "max-pods is {{ params.max_pods }}: {{ params.reason }}"]
        allow_failure: "a log line is not worth a halt"
      - uncordon: {}
"#;

const FRAGMENT: &str = r#"
apiVersion: rollbook/v1
kind: Steps
args:
  unit: { type: string, required: true }
steps:
  - systemctl: { daemon_reload: true, restart: "{{ args.unit }}" }
"#;

pub(super) fn page() -> String {
    let mut out = format!("{HEAD}{}", yaml(RUNBOOK));
    for table in tables() {
        out.push_str(&section(table));
        match table.path {
            "params.NAME" => {
                out.push_str("\n| type | |\n|---|---|\n");
                for (name, doc) in param_types() {
                    row(&mut out, &[&format!("`{name}`"), doc]);
                }
            }
            "" if table.what == "a fragment" => out.push_str(&yaml(FRAGMENT)),
            _ => {}
        }
    }
    out
}
