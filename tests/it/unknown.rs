//! Rehearsals of what nobody simulates: it is taken to hold and listed, unless a scenario says how it is; and what cannot
//! be simulated at all is refused.

use std::fs;
use std::path::Path;

use super::support::rollbook::{Outcome, Rollbook};

const INVENTORY: &str = "apiVersion: rollbook/v1
kind: Inventory
metadata: { name: few }
connection: { user: ops }
hosts:
  cp1: { labels: { role: control-plane } }
  w[1:5]: { labels: { role: worker } }
";

/// Rehearses these phases, with this rest of a scenario.
pub(super) fn rehearse(directory: &Path, phases: &str, scenario: Option<&str>, more: &[&str]) -> Outcome {
    let head = "apiVersion: rollbook/v1\n";
    fs::write(directory.join("inv.yaml"), INVENTORY).unwrap();
    let runbook = format!("{head}kind: Runbook\nmetadata: {{ name: own }}\n{phases}");
    fs::write(directory.join("rb.yaml"), runbook).unwrap();
    let args = match scenario {
        Some(rest) => {
            let top = "metadata: { name: own }\nrunbook: rb.yaml\ninventory: inv.yaml\n";
            fs::write(directory.join("sc.yaml"), format!("{head}kind: Scenario\n{top}{rest}")).unwrap();
            vec!["rehearse", "--scenario", "sc.yaml"]
        }
        None => vec!["rehearse", "rb.yaml", "-i", "inv.yaml"],
    };
    Rollbook::new(args.into_iter().chain(more.iter().copied())).dir(directory).run()
}

/// The lines of a list of assumptions, without the spaces before them.
fn assumed(text: &str) -> Vec<&str> {
    let after = text.split_once("Assumed, not simulated:\n").map(|(_, after)| after).unwrap_or_default();
    after.lines().take_while(|line| line.starts_with("  ")).map(str::trim).collect()
}

/// Quietly, from a version that somebody stated.
const STATED: &[&str] = &["--quiet", "--kubernetes", "1.30.0"];

const OWN: &str = "kube: { via: cp1 }
phases:
  - name: own
    hosts: label(role=worker)
    rollout: { batches: [1] }
    steps:
      - apt: { install: [our-agent], update: true }
      - apt: { install: { containerd.io: \"1.7.*\", linux-image-6.8.0-60-generic: present }, hold: true }
      - apt_mark: { unhold: [gpu-driver] }
      - apt: { install: { gpu-driver: 550.2-1 }, hold: true }
      - command: { argv: [our-tool, --restart] }
        effect: changes
      - systemctl: { restart: our-daemon }
      - command: { argv: [systemctl, restart, other-daemon] }
        effect: changes
      - wait: { port: 8080, for: 1m }
      - wait: { file: /run/our/our.sock, for: 1m }
      - wait: { url: \"https://localhost:8443/healthz\", for: 1m }
      - wait: { pods: { namespace: web, selector: app=shop }, for: 1m }
      - wait: { command: [sh, -c, \"our-tool status | grep -q up\"], for: 1m }
      - wait: { command: [systemctl, is-active, --quiet, third-daemon], for: 1m }
      - kubectl: { args: [rollout, status, daemonset/cilium, --namespace=kube-system] }
      - kubectl: { args: [get, deployments, shop, --namespace=web] }
      - command: { argv: [kubectl, taint, node, \"{{ host.name }}\", a=b:NoSchedule] }
        run_on: kube
        effect: changes
      - script: { text: \"set -e\\n# tidy up\\nour-tool clean\\n\" }
        effect: changes
";

#[test]
fn what_nobody_simulates_is_taken_to_hold_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = rehearse(dir.path(), OWN, None, STATED).exits(0);
    let expected = [
        "/run/our/our.sock is there (on 5 hosts)",
        "`kubectl get deployments shop --namespace=web` succeeds (on cp1)",
        "`kubectl rollout status daemonset/cilium --namespace=kube-system` succeeds (on cp1)",
        "`kubectl taint node HOST a=b:NoSchedule` succeeds (5 of them, on cp1)",
        "`our-tool --restart` succeeds, prints nothing, and does what its step says (on 5 hosts)",
        "`our-tool clean …` succeeds, prints nothing, and does what its step says (on 5 hosts)",
        "`sh -c 'our-tool status | grep -q up'` holds (on 5 hosts)",
        "`systemctl is-active --quiet third-daemon` holds (on 5 hosts)",
        "https://localhost:8443/healthz answers (on 5 hosts)",
        "package containerd.io 1.7.0 is in a repository (on 5 hosts)",
        "package gpu-driver 550.2-1 is in a repository (on 5 hosts)",
        "package gpu-driver is installed (on 5 hosts)",
        "package linux-image-6.8.0-60-generic 1.0-1 is in a repository (on 5 hosts)",
        "package our-agent 1.0-1 is in a repository (on 5 hosts)",
        "pods app=shop of web are there and Ready (on cp1)",
        "something listens on port 8080 (on 5 hosts)",
        "unit other-daemon.service is there and runs (on 5 hosts)",
        "unit our-daemon.service is there and runs (on 5 hosts)",
    ];
    assert_eq!(assumed(&outcome.stderr), expected, "{}", outcome.stderr);
}

#[test]
fn what_is_simulated_is_not_taken_to_hold() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |steps: &str| {
        let phases = format!("kube: {{ via: cp1 }}\nphases: [{{ name: p, hosts: w1, steps: [{steps}] }}]\n");
        let outcome = rehearse(dir.path(), &phases, None, STATED);
        assert_ne!(outcome.code, 0, "{steps}: {}", outcome.stderr);
        assert_eq!(assumed(&outcome.stderr), Vec::<&str>::new(), "{steps}");
        outcome
    };
    refused("{ apt: { install: { kubelet: \"1.31.4-*\" }, hold: true } }").says("is in no repository");
    refused("{ wait: { node: ready, kubelet: 1.31.4, for: 5s } }").says("not 1.31.4");
    // A step before it was to make the file, and did not.
    let made = "{ wait: { file: /opt/made, for: 5s } }, { command: { argv: [make-it], creates: /opt/made } }";
    refused(made).says("/opt/made");
}

/// No release of that number is known: it may be out by now, or be a slip of the pen.
#[test]
fn a_release_that_nobody_knows_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let listed = |version: &str| {
        let phases = format!(
            "kube: {{ via: cp1 }}\nphases: [{{ name: p, hosts: w1, steps: [{{ apt: {{ install: {{ kubelet: \"{version}-*\" }}, \
             hold: true, update: true }} }}] }}]\n"
        );
        assumed(&rehearse(dir.path(), &phases, None, STATED).exits(0).stderr).join("\n")
    };
    assert_eq!(listed("1.30.19"), "package kubelet 1.30.19-1.1 is in a repository (on w1)");
    assert_eq!(listed("1.30.9"), "");
}

/// Looks that runbooks take at hosts: none of them fails because the simulation does not play it.
const LOOKS: &[&str] = &[
    "systemctl status kubelet --no-pager",
    "systemctl status our-daemon",
    "systemctl is-active our-daemon",
    "systemctl is-enabled our-daemon",
    "systemctl cat kubelet",
    "systemctl list-units --failed",
    "systemctl list-timers",
    "systemctl list-unit-files --state=enabled",
    "systemctl list-dependencies kubelet",
    "systemctl show-environment",
    "systemctl get-default",
    "journalctl -u kubelet -n 50 --no-pager",
    "cat /etc/haproxy/haproxy.cfg",
    "test -f /etc/kubernetes/pki/ca.crt",
    "stat -c %s /var/lib/etcd/member/snap/db",
    "ls -l /etc/cni/net.d",
    "sha256sum /etc/our/agent.conf /etc/os-release",
    "head -n 3 /etc/our/agent.conf",
    "apt list --installed",
    "apt show kubelet",
    "apt policy kubelet",
    "apt-cache show kubelet",
    "apt-cache search kube",
    "apt-cache depends kubelet",
    "apt-cache policy",
    "apt-get check",
    "apt-get changelog openssl",
    "apt-mark showmanual",
    "apt-mark showhold",
    "dpkg -l",
    "dpkg -l kubelet",
    "dpkg -l our-agent",
    "dpkg -s our-agent",
    "dpkg -L kubelet",
    "dpkg -S /usr/bin/kubelet",
    "dpkg --get-selections",
    "dpkg --verify openssl",
    "dpkg --compare-versions 1.2 lt 1.3",
    "dpkg-query -W our-agent",
    "dpkg-query -L kubelet",
    "dpkg-query -S /usr/bin/kubelet",
    "kubeadm certs check-expiration",
    "kubeadm config images list",
    "kubeadm config print init-defaults",
    "kubeadm token list",
    "kubeadm version -o yaml",
    "kubeadm upgrade diff 1.30.1",
    "kubectl get pod our-pod -n web",
    "kubectl get pdb our-budget -n web",
    "kubectl get pods -A -o wide",
    "kubectl get nodes -o wide",
    "kubectl get nodes -o json",
    "kubectl get nodes -o yaml",
    "kubectl get events -A",
    "kubectl get all -n web",
    "kubectl get cs",
    "kubectl get sts,deploy -A",
    "kubectl get --raw /readyz?verbose",
    "kubectl get --raw /metrics",
    "kubectl describe node w1",
    "kubectl logs deploy/shop -n web",
    "kubectl top nodes",
    "kubectl version",
    "kubectl cluster-info",
    "kubectl api-resources",
    "kubectl api-versions",
    "kubectl auth can-i list nodes",
    "kubectl config view",
    "kubectl diff -f /etc/x.yaml",
    "kubectl events -n web",
    "kubectl get node w1 -o custom-columns=N:.metadata.name",
    "kubectl get node w1 -o go-template={{ '{{' }}.metadata.name{{ '}}' }}",
    "crictl ps",
    "etcdctl endpoint health",
    "ctr version",
    "ss -ltn",
    "ip addr",
    "free -m",
    "df -h",
    "uname -r",
    "sysctl net.ipv4.ip_forward",
    "mount",
    "lsblk",
    "nproc",
    "timedatectl",
    "hostnamectl",
    "openssl x509 -in /etc/kubernetes/pki/apiserver.crt -noout -enddate",
    "grep -q kubelet /etc/default/kubelet",
    "curl -sf http://localhost:10248/healthz",
];

#[test]
fn a_look_fails_for_no_reason_of_the_simulation() {
    let dir = tempfile::tempdir().unwrap();
    let step = |line: &&str| {
        let words: Vec<String> = line.split(' ').map(|word| format!("\"{word}\"")).collect();
        let argv = words.join(", ").replace("{{\", \"'{{'\", \"}}", "{{ '{{' }}");
        let argv = argv.replace("{{\", \"'}}'\", \"}}", "{{ '}}' }}");
        let site = if line.starts_with("kubectl") { ", run_on: kube" } else { "" };
        format!("      - {{ command: {{ argv: [{argv}] }}, effect: reads{site} }}\n")
    };
    let mut failed = Vec::new();
    for line in LOOKS {
        let head = "kube: { via: cp1 }\nphases:\n  - name: own\n    hosts: cp1\n    steps:\n";
        let outcome = rehearse(dir.path(), &format!("{head}{}", step(line)), None, &["--quiet"]);
        if outcome.code != 0 {
            failed.push(format!("{line}: {}", outcome.stderr));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_a_tool_does_not_know_fails_as_on_a_host() {
    let dir = tempfile::tempdir().unwrap();
    for (line, says) in [
        ("systemctl restrat, kubelet", "Unknown command verb restrat"),
        ("apt-get, instal, jq", "Invalid operation instal"),
        ("cat, /etc/apt/sources.list.d/ours.list", "a scenario says so under `files`"),
        ("dpkg, -s, nginx", "is not installed"),
    ] {
        let head = "kube: { via: cp1 }\nphases:\n  - name: own\n    hosts: w1\n    steps:\n";
        let argv = line.replace("systemctl ", "systemctl, ");
        let step = format!("      - {{ command: {{ argv: [{argv}] }}, effect: changes }}\n");
        let outcome = rehearse(dir.path(), &format!("{head}{step}"), None, &["--quiet"]).says(says);
        assert_ne!(outcome.code, 0, "{line}");
    }
}

#[test]
fn a_scenario_says_how_it_is_instead() {
    let dir = tempfile::tempdir().unwrap();
    let phases = "phases:
  - name: own
    hosts: w1 | w2
    rollout: { batches: [1] }
    steps:
      - { id: old, apt: { install: { containerd.io: \"1.6.*\" }, update: true } }
      - { id: new, apt: { install: { containerd.io: \"1.7.*\" }, hold: true } }
      - wait: { port: 8080, for: 1m }
      - wait: { file: /run/our/our.sock, for: 1m }
      - command: { argv: [our-tool, status] }
        id: status
        effect: reads
      - assert: { that: \"steps.status.stdout == 'up'\", message: our-tool is not up }
";
    let told = "packages:
  - { name: containerd.io, versions: [1.7.24-1, 1.6.9-1], repository: docker, installed: 1.6.9-1 }
files: [{ path: /run/our/our.sock }]
ports: [{ port: 8080 }]
commands: [{ match: our-tool status, stdout: up }]
expect: { exit: 0, did_not_run: [{ step: old, host: w1 }], ran: [{ step: new, host: w1 }] }
";
    let outcome = rehearse(dir.path(), phases, Some(told), &["--quiet"]).exits(0);
    assert_eq!(assumed(&outcome.stderr), Vec::<&str>::new(), "{}", outcome.stderr);
    let check =
        |code: i32| Rollbook::new(["rehearse", "--check", "sc.yaml"]).dir(dir.path()).run().exits(code);
    assert!(!check(0).stdout.contains("Assumed"));
    // Only where it says so: the other host's is still assumed.
    let on_one = told.replace("port: 8080", "port: 8080, host: w1");
    rehearse(dir.path(), phases, Some(&on_one), &["--quiet"]).exits(0);
    assert_eq!(
        assumed(&check(0).stdout.replace("\n        ", "\n")),
        ["something listens on port 8080 (on w2)"]
    );
    // A version that the scenario's repository lacks is not there, and a program prints what it says.
    let lacks = told.replace("[1.7.24-1, 1.6.9-1]", "[1.6.9-1]");
    let outcome =
        rehearse(dir.path(), phases, Some(&lacks), &["--quiet"]).says("is in no repository of this host");
    assert_ne!(outcome.code, 0);
    let down = told.replace("stdout: up", "stdout: down");
    rehearse(dir.path(), phases, Some(&down), &["--quiet"]).exits(11).says("our-tool is not up");
}

#[test]
fn a_command_of_a_scenario_installs_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let runbook = "kube: { via: cp1 }
phases:
  - name: kubelet
    hosts: w1
    steps:
      - drain: { timeout: 5m, delete_emptydir_data: true, reason: caches }
      - command: { argv: [dnf, install, -y, kubelet-1.30.9] }
        effect: changes
      - systemctl: { daemon_reload: true, restart: kubelet }
      - wait: { node: ready, kubelet: 1.30.9, for: 2m }
      - uncordon: {}
";
    let told = "kubernetes: 1.30.8
commands:
  - { match: dnf install, installs: { kubelet: 1.30.9 } }
expect: { exit: 0, nodes: { w1: { kubelet: 1.30.9 } } }
";
    rehearse(dir.path(), runbook, Some(told), &["--quiet"])
        .exits(0)
        .says("All expectations of the scenario were met");
    // What is not Debian's is not taken to succeed.
    rehearse(dir.path(), runbook, Some("kubernetes: 1.30.8\n"), &["--quiet"])
        .exits(11)
        .says("no such program: dnf");
}

#[test]
fn kubectl_on_the_controller_can_be_rehearsed() {
    let dir = tempfile::tempdir().unwrap();
    let runbook = "kube: { via: controller }
phases:
  - name: workers
    hosts: w1 | w2
    rollout: { batches: [1] }
    steps:
      - drain: { timeout: 3m, delete_emptydir_data: true, reason: caches }
      - apt: { upgrade: all }
      - wait: { node: ready, for: 5m }
      - uncordon: {}
";
    let outcome = rehearse(dir.path(), runbook, None, &[STATED, &["--allow-commands"]].concat()).exits(0);
    let expected = ["kubectl is installed, and its account may do everything (on controller)"];
    assert_eq!(assumed(&outcome.stderr), expected);
}

#[test]
fn a_host_of_another_system_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let phases = "phases:
  - name: p
    hosts: w1 | w2
    steps:
      - command: { argv: [ubuntu-only] }
        when: facts.os == 'ubuntu'
        effect: changes
";
    rehearse(dir.path(), phases, None, &["--quiet"]).exits(0);
    let with = |label: &str, more: &[&str]| {
        let inventory = INVENTORY.replace("role: worker", &format!("role: worker, {label}"));
        fs::write(dir.path().join("inv.yaml"), inventory).unwrap();
        let args = ["rehearse", "rb.yaml", "-i", "inv.yaml", "--quiet"];
        Rollbook::new(args.iter().chain(more)).dir(dir.path()).run()
    };
    for label in ["os: rocky", "OS-Family: RedHat", "kubernetes.io/os: windows"] {
        with(label, &[]).exits(65).says("cannot simulate w1 and 1 other host: its label").says("--limit");
    }
    // Facts are those of the system that the label names.
    let outcome = with("os: ubuntu-24.04", &[]).exits(0);
    assert!(assumed(&outcome.stderr).iter().any(|line| line.contains("ubuntu-only")), "{}", outcome.stderr);
    let outcome = with("distro: golden-7", &[]).exits(0);
    let expected = ["its label `distro` is `golden-7`, which is Linux with apt (on 5 hosts)"];
    assert_eq!(assumed(&outcome.stderr), expected);
}

#[test]
fn warnings_of_the_plan_are_told_by_a_rehearsal() {
    let dir = tempfile::tempdir().unwrap();
    let phases = "phases:
  - name: p
    hosts: w1 | w2
    rollout: { max_failures: 2, max_unavailable: 50% }
    steps: [{ apt: { install: { jq: latest } } }]
";
    rehearse(dir.path(), phases, None, &["--quiet"]).says("warning: phase `p`: `max_failures` 2");
}

#[test]
fn mistakes_are_told_at_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let phases = "phases: [{ name: p, hosts: w1, steps: [{ apt: { install: [jq] } }] }]\n";
    for (line, at, text) in [
        ("packages: [{ name: a1, versions: [latest] }]", "6:35", "a version of a package"),
        ("packages: [{ name: a1, versions: [] }]", "6:34", "one version or more"),
        ("packages: [{ versions: [1.0] }]", "6:12", "`name`"),
        ("packages: [{ name: a1, versions: [1.0], installed: x }]", "6:52", "a version of a package"),
        ("files: [{ path: run/x }]", "6:17", "an absolute path"),
        ("ports: [{ port: 0 }]", "6:17", "a number from 1 to 65535"),
        ("ports: [{ port: 80, hosts: w1 }]", "6:21", "unknown key `hosts`"),
        ("ports: [{ port: 80, host: w9 }]", "6:27", "w9"),
        ("commands: [{ match: x, installs: { kubelet: newest } }]", "6:45", "a version of a package"),
    ] {
        let outcome = rehearse(dir.path(), phases, Some(line), &[]).exits(65).says(text);
        assert!(outcome.stderr.contains(&format!("sc.yaml:{at}")), "{line}: {}", outcome.stderr);
    }
}
