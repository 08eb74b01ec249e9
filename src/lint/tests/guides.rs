//! Mistakes of published upgrade guides, and what looks like them and is right.

use super::{KnownNames, rules};

/// Steps on one group each, and what the rules say of them.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    // A package without its hold.
    (
        "workers",
        "script: apt-mark unhold kubelet && apt-get install -y kubelet=1.31.4-1.1 && apt-mark hold kubeadm",
        &["no-verification", "left-open"],
    ),
    ("workers", "script: yum versionlock delete jq; yum update -y jq", &["left-open"]),
    ("workers", "script: apt-get install -y --allow-change-held-packages jq=1", &["left-open"]),
    ("workers", "script: apt-mark hold jq; apt-mark unhold jq", &["left-open"]),
    ("workers", "script: apt-mark unhold jq; apt-get -y install jq; apt-mark hold $PACKAGES", &[]),
    ("workers", "script: zypper rl jq; zypper -n in jq; zypper al jq", &[]),
    ("workers", "script: \"apt-mark unhold jq; echo jq hold | dpkg --set-selections\"", &[]),
    // A node that stays cordoned.
    ("workers", "command: [kubectl, cordon, w1]", &["left-open"]),
    ("workers", "script: kubectl uncordon w1; kubectl cordon w1", &["left-open"]),
    ("workers", "script: kubectl cordon w1; reboot; kubectl uncordon w1", &[]),
    ("workers", "script: kubectl drain w1 --ignore-daemonsets --timeout=5m; kubectl delete node w1", &[]),
    // What asks.
    ("workers", "command: [kubeadm, reset]", &["asks"]),
    ("workers", "command: [apt, full-upgrade, curl]", &["upgrade-with-names", "asks"]),
    ("workers", "script: dnf install jq", &["asks"]),
    ("workers", "script: kubectl edit node w1", &["asks"]),
    ("workers", "script: docker system prune", &["asks"]),
    ("workers", "script: yes | apt-get install jq", &[]),
    ("workers", "command: { argv: [apt-get, install, jq], stdin: y }", &[]),
    (
        "workers",
        "script: apt-get install -qy jq; yum -y install jq; zypper -n in jq; docker image prune -af",
        &[],
    ),
    // Certificates.
    (
        "control_plane",
        "script: kubeadm certs renew apiserver; systemctl restart kubelet",
        &["no-verification", "certificates-not-used"],
    ),
    ("control_plane", "script: kubeadm alpha certs renew all", &["certificates-not-used"]),
    ("control_plane", "script: kubeadm certs renew admin.conf", &[]),
    ("control_plane", "script: kubeadm certs check-expiration", &[]),
    ("control_plane", "script: kubeadm certs renew all; crictl pods -q | xargs crictl stopp", &[]),
    // etcd.
    (
        "control_plane",
        "script: etcdctl --endpoints=https://127.0.0.1:2379 endpoint health",
        &["etcd-by-hand"],
    ),
    (
        "control_plane",
        "script: kubectl -n kube-system exec etcd-c1 -- sh -c 'etcdctl member list'",
        &["etcd-by-hand"],
    ),
    (
        "control_plane",
        "script: rm -rf /var/lib/etcd; etcdutl snapshot restore a.db --data-dir=/var/lib/etcd/",
        &["etcd-by-hand"],
    ),
    ("control_plane", "script: . /etc/etcd.env; etcdctl snapshot save a.db", &[]),
    (
        "control_plane",
        "script: etcdctl --cacert=a --cert=b --key=c snapshot save a.db; etcdutl snapshot status a.db",
        &[],
    ),
    (
        "control_plane",
        "command: { argv: [etcdctl, snapshot, save, a.db] }\n      env: { ETCDCTL_CACERT: a }",
        &[],
    ),
    (
        "control_plane",
        "script: mv /etc/kubernetes/manifests/etcd.yaml /root; etcdctl snapshot restore a --data-dir /var/lib/etcd",
        &[],
    ),
    // Excluded packages.
    ("workers", "script: dnf update -y kubectl-1.31.4", &["excluded-package"]),
    ("workers", "script: dnf install -y kubectl-1.31.4 --setopt=disable_excludes=kubernetes", &[]),
    ("workers", "script: yum install -y jq", &[]),
    // Configuration.
    ("workers", "copy: { dest: /etc/default/kubelet, content: a }", &["config-not-read"]),
    ("workers", "script: containerd config default | tee /etc/containerd/config.toml", &["config-not-read"]),
    (
        "workers",
        "script: systemctl restart kubelet; echo a >> /etc/default/kubelet",
        &["no-verification", "config-not-read"],
    ),
    (
        "workers",
        "script: containerd config default > /etc/containerd/config.toml; systemctl enable --now containerd",
        &[],
    ),
    (
        "workers",
        "script: cp /var/lib/kubelet/config.yaml /root/; grep a /etc/default/kubelet > /dev/null",
        &[],
    ),
    // All packages.
    ("workers", "script: apt-get update && apt-get dist-upgrade -y", &["upgrade-without-drain"]),
    ("workers", "command: [dnf, -y, update]", &["upgrade-without-drain"]),
    ("workers", "command: [zypper, -n, patch]", &["upgrade-without-drain"]),
    ("workers", "script: unattended-upgrade", &["upgrade-without-drain"]),
    // Flags.
    ("workers", "command: [kubectl, get, pods, --all-namespace]", &["wrong-tool"]),
    (
        "workers",
        "script: kubectl drain w1 --ignore-daemonset --timeout=9m --ignore-daemonsets; kubectl uncordon w1",
        &["wrong-tool"],
    ),
    ("workers", "kubectl: [get, pods, --all-namespaces, --show-labels]", &[]),
    // A time limit that is the step's.
    ("workers", "drain:\n      timeout: 5m\n    - uncordon: {}", &["drain-without-timeout"]),
    ("workers", "drain: { timeout: 5m }\n    - uncordon: {}", &[]),
    ("workers", "drain: { timeout: 5m }\n      timeout: 10m\n    - uncordon: {}", &[]),
    // Variables of a script.
    ("workers", "script: V=1.31; apt-get install -y kubectl=$V", &["unpinned-package"]),
    ("workers", "script: apt-get install -y kubectl=$V\n      env: { V: 1.31.4-1.1 }", &[]),
];

#[test]
fn what_guides_leave_out_is_told() {
    let mut wrong = Vec::new();
    for (hosts, step, expected) in MISTAKES {
        let phases =
            format!("- name: p\n  hosts: {hosts}\n  rollout: {{ batches: [1] }}\n  steps:\n    - {step}\n");
        let mut names = rules(&phases, KnownNames::All);
        names.retain(|name| name != "drain-flags");
        if names != *expected {
            wrong.push(format!("{step}: {names:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Phases, and what the rules say of what a host goes through in them.
const WAYS: &[(&str, &[&str])] = &[
    // What one phase opens, another phase of the same hosts may close.
    (
        "- { name: a, hosts: workers, steps: [script: apt-mark unhold jq] }\n- { name: b, hosts: all, steps: [script: apt-mark hold jq] }",
        &[],
    ),
    (
        "- { name: a, hosts: workers, steps: [script: apt-mark unhold jq] }\n- { name: b, hosts: control_plane, steps: [script: apt-mark hold jq] }",
        &["left-open"],
    ),
    (
        "- { name: a, hosts: workers, steps: [script: apt-mark unhold jq], always: [script: apt-mark hold jq] }",
        &[],
    ),
    (
        "- { name: a, hosts: workers, steps: [copy: { dest: /etc/default/kubelet, content: a }] }\n- { name: b, hosts: workers, steps: [drain: {}, reboot: {}, wait: { node: ready }, uncordon: {}] }",
        &[],
    ),
    // Certificates of some control planes.
    (
        "- { name: a, hosts: \"control_plane[0]\", steps: [script: kubeadm certs renew all; reboot] }",
        &["certificates-not-used"],
    ),
    (
        "- { name: a, hosts: \"control_plane[0]\", steps: [script: kubeadm certs renew all; reboot] }\n- { name: b, hosts: \"control_plane[1:]\", steps: [script: kubeadm certs renew all; reboot] }",
        &[],
    ),
    // `kubeadm upgrade` on the control plane alone.
    (
        "- { name: a, hosts: \"control_plane[0]\", steps: [etcd_snapshot: { to: \"/b/{{ run.id }}.db\" }, kubeadm: { upgrade: apply, version: 1.31.4 }] }\n- { name: b, hosts: workers, steps: [drain: {}, apt: { install: { kubelet: 1.31.4-* }, hold: true }, wait: { node: ready }, uncordon: {}] }",
        &["no-kubeadm-upgrade"],
    ),
    // Machines that become nodes.
    (
        "- { name: a, hosts: workers, steps: [apt: { install: { kubelet: 1.31.4-*, kubeadm: 1.31.4-* }, hold: true }, script: kubeadm join, wait: { node: ready }] }",
        &[],
    ),
    // Everything at once.
    (
        "- { name: a, hosts: workers, rollout: { max_unavailable: 2 }, steps: [drain: {}, uncordon: {}] }",
        &["all-at-once"],
    ),
    (
        "- { name: a, hosts: control_plane, rollout: { max_unavailable: 100% }, steps: [drain: {}, uncordon: {}] }",
        &[],
    ),
    (
        "- { name: a, hosts: \"workers[0]\", rollout: { max_unavailable: 100% }, steps: [drain: {}, uncordon: {}] }",
        &[],
    ),
    ("- { name: a, hosts: workers, rollout: { max_unavailable: 100% }, steps: [script: uname] }", &[]),
    // A kubelet on a node that nothing drained.
    (
        "- { name: a, hosts: workers, steps: [kubeadm: { upgrade: node, version: 1.31.4 }] }\n- { name: b, hosts: workers, steps: [apt: { install: { kubelet: 1.31.4-* }, hold: true }, wait: { node: ready }] }",
        &["upgrade-order"],
    ),
];

#[test]
fn a_way_goes_through_all_phases_of_a_host() {
    let mut wrong = Vec::new();
    for (phases, expected) in WAYS {
        let names = rules(phases, KnownNames::All);
        if names != *expected {
            wrong.push(format!("{phases}: {names:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
