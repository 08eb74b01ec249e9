//! For every code of a diagnostic, something that provokes it and what to write instead. Shown by `rollbook explain` and
//! in the reference page; a test provokes each, and loads what stands beside it.

use super::Code;
use super::codes;

/// What an example is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Items of `steps:` in a phase.
    Steps,
    /// Keys at the top of a runbook, below its header; with or without `phases:`.
    Runbook,
    /// Keys at the top of an inventory, below its header.
    Inventory,
    /// A whole file.
    File,
    /// A command line.
    Shell,
}

/// A mistake and its correction.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The code that `wrong` provokes.
    pub code: Code,
    /// What both are part of.
    pub shape: Shape,
    /// What provokes it.
    pub wrong: &'static str,
    /// What to write instead; may be empty where nothing can be written instead.
    pub right: &'static str,
}

/// The example of a code; `None` for a code that is no longer given.
pub fn example(code: Code) -> Option<&'static Example> {
    EXAMPLES.iter().find(|example| example.code == code)
}

macro_rules! examples {
    ($($constant:ident $shape:ident $wrong:literal => $right:literal;)*) => {
        /// In the order of the codes.
        pub const EXAMPLES: &[Example] =
            &[$(Example { code: codes::$constant, shape: Shape::$shape, wrong: $wrong, right: $right }),*];
    };
}

examples! {
    SYNTAX Steps
        "- apt_mark: { hold: [kubelet }" =>
        "- apt_mark: { hold: [kubelet] }";
    EMPTY_FILE File
        "# to be written" =>
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nphases:\n  - name: look\n    hosts: all\n    steps:\n      - assert: { that: facts.systemd }";
    SEVERAL_DOCUMENTS File
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: a }\nhosts: { w1: {} }\n---\napiVersion: rollbook/v1\nkind: Inventory" =>
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: a }\nhosts: { w1: {} }";
    DUPLICATE_KEY Steps
        "- command: [ls]\n  name: one\n  name: two" =>
        "- command: [ls]\n  name: one";
    BAD_KEY Steps
        "- assert: { that: facts.systemd, message: {{ host.name }} }" =>
        "- assert: { that: facts.systemd, message: \"{{ host.name }}\" }";
    TAG Steps
        "- apt_mark: { hold: !!seq [kubelet] }" =>
        "- apt_mark: { hold: [kubelet] }";
    ALIAS Runbook
        "phases:\n  - name: roll\n    hosts: *workers\n    steps:\n      - command: [ls]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    steps:\n      - command: [ls]";
    MERGE_KEY Steps
        "- command: [ls]\n  <<: five minutes" =>
        "- command: [ls]\n  <<: { timeout: 5m }";
    BAD_CHARACTER Steps
        "- command: [echo, \"a\u{7}\"]" =>
        "- command: [echo, \"a\\a\"]";
    TOO_LARGE Runbook
        "vars: { a: &a [x, x, x, x, x, x, x, x, x, x], b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a], c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b], d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c], e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d], f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e], g: [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f] }" =>
        "vars: { a: &a [x, x], b: [*a, *a] }";
    WRONG_TYPE Steps
        "- drain: { timeout: 10 }\n- uncordon: {}" =>
        "- drain: { timeout: 10m }\n- uncordon: {}";
    UNKNOWN_KEY Steps
        "- drain: { tiemout: 10m }\n- uncordon: {}" =>
        "- drain: { timeout: 10m }\n- uncordon: {}";
    MISSING_KEY Runbook
        "phases:\n  - hosts: workers\n    steps:\n      - command: [ls]" =>
        "phases:\n  - name: look\n    hosts: workers\n    steps:\n      - command: [ls]";
    NOT_UTF8 Shell
        "printf '# caf\\351\\n' | cat - up.yaml > new.yaml; rollbook validate new.yaml" =>
        "printf '# caf\\303\\251\\n' | cat - up.yaml > new.yaml; rollbook validate new.yaml";
    TEMPLATE_SYNTAX Steps
        "- command: [echo, \"{{ host.name\"]" =>
        "- command: [echo, \"{{ host.name }}\"]";
    UNKNOWN_NAME Steps
        "- assert: { that: facts.swap == 0 }" =>
        "- assert: { that: facts.swap_total == 0 }";
    TYPE_OF_EXPRESSION Steps
        "- kubeadm: { upgrade: node, version: \"{{ facts.systemd }}\" }" =>
        "- kubeadm: { upgrade: node, version: \"1.31.4\" }";
    CONSTANT_EXPRESSION Steps
        "- command: [ls]\n  when: \"{{ facts.systemd }}\"" =>
        "- command: [ls]\n  when: facts.systemd";
    SHADOWED_NAME Steps
        "- command: [echo, \"{% for host in groups.all %}{{ host }} {% endfor %}\"]" =>
        "- command: [echo, \"{% for name in groups.all %}{{ name }} {% endfor %}\"]";
    NOT_A_RUNBOOK File
        "apiVersion: v1\nkind: Runbook\nmetadata: { name: up }\nphases: [{ name: look, hosts: all, steps: [command: [ls]] }]" =>
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nphases: [{ name: look, hosts: all, steps: [command: [ls]] }]";
    UNKNOWN_STEP_KIND Steps
        "- drian: {}\n- uncordon: {}" =>
        "- drain: {}\n- uncordon: {}";
    NO_STEP_KIND Steps
        "- name: drain the node" =>
        "- name: drain the node\n  drain: {}\n- uncordon: {}";
    SEVERAL_STEP_KINDS Steps
        "- drain: {}\n  uncordon: {}" =>
        "- drain: {}\n- uncordon: {}";
    NOT_A_STEP Steps
        "- uncordon" =>
        "- uncordon: {}";
    STEP_RULE Steps
        "- apt: {}" =>
        "- apt: { install: [curl] }";
    COMMON_KEY Steps
        "- uncordon: {}\n  changed_when: result.rc == 0" =>
        "- command: [ls]\n  changed_when: result.rc == 0";
    NOT_READ_ONLY Runbook
        "phases:\n  - name: look\n    hosts: all\n    mode: read_only\n    steps:\n      - command: [uname, -r]" =>
        "phases:\n  - name: look\n    hosts: all\n    mode: read_only\n    steps:\n      - command: [uname, -r]\n        effect: reads";
    OPEN_BRACKET Steps
        "- drain: {}\n- systemctl: { restart: kubelet }" =>
        "- drain: {}\n- systemctl: { restart: kubelet }\n- uncordon: {}";
    SECRET_IN_PUBLIC Runbook
        "secrets: { token: { env: TOKEN } }\nphases:\n  - name: log in\n    hosts: all\n    steps:\n      - command: [login, \"{{ secrets.token }}\"]" =>
        "secrets: { token: { env: TOKEN } }\nphases:\n  - name: log in\n    hosts: all\n    steps:\n      - command: { argv: [login], stdin: \"{{ secrets.token }}\" }";
    NOT_SUPPORTED_YET Steps
        "- dnf: { install: [curl] }" =>
        "- command: [dnf, install, -y, curl]";
    HABIT Steps
        "- command: [uname, -r]\n  register: kernel" =>
        "- command: [uname, -r]\n  id: kernel";
    DUPLICATE_NAME Steps
        "- command: [uname, -r]\n  id: kernel\n- command: [uname, -v]\n  id: kernel" =>
        "- command: [uname, -r]\n  id: kernel\n- command: [uname, -v]\n  id: build";
    INCLUDE Steps
        "- include: steps/nowhere.yaml" =>
        "- include: steps/tools.yaml";
    BAD_NAME Steps
        "- command: [uname, -r]\n  id: kernel-version" =>
        "- command: [uname, -r]\n  id: kernel_version";
    ROLLOUT Runbook
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { max_unavailable: 0 }\n    steps:\n      - command: [ls]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { max_unavailable: 1 }\n    steps:\n      - command: [ls]";
    NEEDS_KUBE File
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nphases: [{ name: roll, hosts: workers, steps: [drain: {}, uncordon: {}] }]" =>
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nkube: { via: control_plane }\nphases: [{ name: roll, hosts: workers, steps: [drain: {}, uncordon: {}] }]";
    GATE Runbook
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { batches: [1], gate: { approve: look at it, duration: 5m } }\n    steps: [command: [ls]]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { batches: [1], gate: { approve: look at it, for: 1h } }\n    steps: [command: [ls]]";
    RESCUE Runbook
        "phases:\n  - name: roll\n    hosts: workers\n    steps:\n      - command: [upgrade]\n    rescue:\n      - command: [put-back]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    steps:\n      - command: [upgrade]\n    rescue:\n      steps:\n        - command: [put-back]";
    RESCUE_LEAVES_OPEN Runbook
        "kube: { via: control_plane }\nphases:\n  - name: roll\n    hosts: workers\n    steps:\n      - drain: {}\n      - command: [upgrade]\n      - uncordon: {}\n    rescue:\n      steps:\n        - command: [put-back]\n      then: ok" =>
        "kube: { via: control_plane }\nphases:\n  - name: roll\n    hosts: workers\n    steps:\n      - drain: {}\n      - command: [upgrade]\n    rescue:\n      steps:\n        - command: [put-back]\n      then: ok\n    always:\n      - uncordon: {}";
    FOR_EACH Steps
        "- command: [ls, /etc/cni/net.d]\n  id: found\n  effect: reads\n- command: [cat, \"{{ each }}\"]\n  for_each: \"{{ steps.found.json }}\"\n  effect: reads" =>
        "- script: \"for file in /etc/cni/net.d/*; do cat \\\"$file\\\"; done\"\n  effect: reads";
    SELECTS_NO_STEP Shell
        "rollbook plan up.yaml -i inventory.yaml --offline --only rol" =>
        "rollbook plan up.yaml -i inventory.yaml --offline --only roll";
    CUT Shell
        "rollbook plan bracket.yaml -i inventory.yaml --offline --only packages" =>
        "rollbook plan bracket.yaml -i inventory.yaml --offline --only roll";
    READS_LEFT_OUT Shell
        "rollbook plan reads.yaml -i inventory.yaml --offline --only told" =>
        "rollbook plan reads.yaml -i inventory.yaml --offline --only told,kernel";
    TEMPLATE_FILE Steps
        "- copy: { template: files/nowhere.tmpl, dest: /etc/motd }" =>
        "- copy: { content: \"{{ host.name }}, kept by Rollbook\\n\", dest: /etc/motd }";
    TEMPLATE_PATH Steps
        "- copy: { template: \"files/{{ host.labels.role }}.tmpl\", dest: /etc/motd }" =>
        "- copy: { content: \"{{ host.labels.role | default('any') }}\\n\", dest: /etc/motd }";
    DISRUPTS_APART Steps
        "- drain: {}\n  when: facts.reboot_required\n- reboot: {}\n  when: facts.kernel != '6.1'\n- uncordon: {}" =>
        "- drain: {}\n  when: facts.reboot_required\n- reboot: {}\n  when: facts.reboot_required\n- uncordon: {}";
    NOT_AN_INVENTORY File
        "apiVersion: v1\nkind: Inventory\nmetadata: { name: prod }\nhosts: { w1: {} }" =>
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: prod }\nhosts: { w1: {} }";
    BAD_HOST_NAME Inventory
        "hosts: { \"w[3:1]\": {} }" =>
        "hosts: { \"w[1:3]\": {} }";
    DUPLICATE_HOST Inventory
        "hosts: { \"w[1:3]\": {}, w2: { address: 10.0.0.2 } }" =>
        "hosts: { w1: {}, w2: { address: 10.0.0.2 }, w3: {} }";
    BAD_GROUP Inventory
        "hosts: { w1: {} }\ngroups: { workers: {} }" =>
        "hosts: { w1: {} }\ngroups: { workers: { hosts: [w1] } }";
    UNKNOWN_HOST Inventory
        "hosts: { \"w[1:3]\": {} }\ngroups: { workers: { hosts: [w1, w4] } }" =>
        "hosts: { \"w[1:4]\": {} }\ngroups: { workers: { hosts: [w1, w4] } }";
    GROUPS_DISAGREE Inventory
        "hosts: { w1: {} }\ngroups:\n  a: { hosts: [w1], vars: { site: eu1 } }\n  b: { hosts: [w1], vars: { site: eu2 } }" =>
        "hosts: { w1: { vars: { site: eu1 } } }\ngroups:\n  a: { hosts: [w1], vars: { site: eu1 } }\n  b: { hosts: [w1], vars: { site: eu2 } }";
    BAD_SETTING Inventory
        "hosts: { w1: { address: \"10.0.0.1:2222\" } }" =>
        "hosts: { w1: { address: 10.0.0.1, connection: { port: 2222 } } }";
    SHARED_HOST Inventory
        "hosts:\n  w1: { node_name: w1 }\n  w2: { node_name: w1 }" =>
        "hosts:\n  w1: { node_name: w1 }\n  w2: { node_name: w2 }";
    BAD_SELECTOR Runbook
        "phases:\n  - name: roll\n    hosts: workers &\n    steps:\n      - command: [ls]" =>
        "phases:\n  - name: roll\n    hosts: workers & w1\n    steps:\n      - command: [ls]";
    SELECTS_NOTHING Runbook
        "phases:\n  - name: roll\n    hosts: wrokers\n    steps:\n      - command: [ls]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    steps:\n      - command: [ls]";
    BAD_PARAM Runbook
        "params: { wait: { type: duration, min: 5m, default: 1m } }" =>
        "params: { wait: { type: duration, min: 5m, default: 10m } }";
    PARAM_MISSING Shell
        "rollbook plan param.yaml -i inventory.yaml --offline" =>
        "rollbook plan param.yaml -i inventory.yaml --offline -p target=1.31.4";
    PARAM_UNKNOWN Shell
        "rollbook plan param.yaml -i inventory.yaml --offline -p tarrget=1.31.4" =>
        "rollbook plan param.yaml -i inventory.yaml --offline -p target=1.31.4";
    PARAM_VALUE Shell
        "rollbook plan param.yaml -i inventory.yaml --offline -p target=latest" =>
        "rollbook plan param.yaml -i inventory.yaml --offline -p target=1.31.4";
    LIMIT Shell
        "rollbook plan up.yaml -i inventory.yaml --offline --limit wrokers" =>
        "rollbook plan up.yaml -i inventory.yaml --offline --limit workers";
    NO_HOSTS Shell
        "rollbook plan workers.yaml -i inventory.yaml --offline --limit cp1" =>
        "rollbook plan workers.yaml -i inventory.yaml --offline --limit w1";
    NOT_THE_MACHINE Inventory
        "hosts:\n  w1: { address: 10.0.0.12, node_name: w1 }\n  w2: { address: 10.0.0.11, node_name: w2 }" =>
        "hosts:\n  w1: { address: 10.0.0.11, node_name: w1 }\n  w2: { address: 10.0.0.12, node_name: w2 }";
    SHARED_MACHINE Inventory
        "hosts:\n  w1: { address: 10.0.0.11 }\n  w1-by-name: { address: w1.example.com }" =>
        "hosts:\n  w1: { address: 10.0.0.11 }";
    OUTAGE Shell
        "rollbook plan apply.yaml -i single.yaml --offline" =>
        "rollbook plan apply.yaml -i single.yaml --offline --accept-control-plane-outage";
    STEP_VALUES Steps
        "- command: [echo, \"{{ host.vars.rack }}\"]" =>
        "- command: [echo, \"{{ host.vars.rack | default('none') }}\"]";
    STEP_MEANING Steps
        "- copy: { content: \"welcome\\n\", dest: etc/motd }" =>
        "- copy: { content: \"welcome\\n\", dest: /etc/motd }";
    CONTROLLER_COMMAND Shell
        "rollbook plan here.yaml -i inventory.yaml --offline" =>
        "rollbook plan here.yaml -i inventory.yaml --offline --allow-commands";
    CONTROLLER_REBOOT Shell
        "rollbook plan patch.yaml -i bastion.yaml --offline" =>
        "rollbook plan patch.yaml -i bastion.yaml --offline --accept-controller-reboot";
    ADOPT Shell
        "rollbook plan up.yaml -i inventory.yaml --offline --adopt-cordons 20260105-220000-3f2a" =>
        "rollbook plan up.yaml -i inventory.yaml --offline";
    NO_DOMAIN Runbook
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { topology: { key: rack } }\n    steps: [command: [ls]]" =>
        "phases:\n  - name: roll\n    hosts: workers\n    rollout: { topology: { key: zone } }\n    steps: [command: [ls]]";
    FOR_EACH_ITEMS Steps
        "- command: [\"echo {{ each }}\"]\n  for_each: \"{{ host.labels.role | default('worker') }}\"" =>
        "- command: [\"echo {{ each }}\"]\n  for_each: \"{{ host.labels.role | default('worker') | split(',') }}\"";
    LEAVES_TOO_MANY Runbook
        "kube: { via: control_plane }\nphases:\n  - name: out\n    hosts: workers\n    rollout: { max_unavailable: 1 }\n    steps:\n      - drain: {}\n        leave_cordoned: the hardware is replaced" =>
        "kube: { via: control_plane }\nphases:\n  - name: out\n    hosts: workers\n    rollout: { max_unavailable: 100% }\n    steps:\n      - drain: {}\n        leave_cordoned: the hardware is replaced";
    UNKNOWN_RULE Runbook
        "policy: { allow: { no-snapshot: saved every hour } }" =>
        "policy: { allow: { no-etcd-snapshot: saved every hour } }";
    UNUSED_OPT_OUT Runbook
        "policy: { allow: { wrong-tool: read from left to right } }" =>
        "policy: { deadline: 2h }";
    NOT_A_SCENARIO File
        "apiVersion: v1\nkind: Scenario\nmetadata: { name: t }" =>
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }";
    BAD_FAULT File
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nfaults: [{ host: w1, fault: miror_dies }]" =>
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nfaults: [{ host: w1, fault: mirror_dies }]";
    FAULT_MISSES File
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nfaults: [{ host: w9, fault: swap_on }]" =>
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nfaults: [{ host: w1, fault: swap_on }]";
    BAD_EXPECTATION File
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nexpect: {}" =>
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nexpect: { exit: 0 }";
}
