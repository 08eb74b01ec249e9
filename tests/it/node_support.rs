//! Hosts that cannot run the version that they are to get: told before a package is touched, and what kubeadm's own
//! preflight makes of them where nobody looked before.

use std::fs;
use std::path::Path;

use rollbook::facts::Recording;
use rollbook::kubernetes::KubeCx;
use rollbook::value::Duration;

use super::support::cluster::{Cluster, story};
use super::support::rollbook::{Outcome, Rollbook};

/// Records a cluster as it is but for what `change` makes of it, and rehearses a runbook over it.
fn rehearse(version: &str, runbook: &Path, change: impl FnOnce(&mut Recording), more: &[&str]) -> Outcome {
    let cluster = Cluster::new(1, 2, version);
    let cx = KubeCx {
        kubeconfig: "/etc/kubernetes/admin.conf".to_owned(),
        context: String::new(),
        request_timeout: Duration::from_secs(30),
        r#become: true,
    };
    let (recording, _) = story(async {
        let (pool, controller) = cluster.pools();
        let kube = Some((&cx, cluster.control_planes.as_slice()));
        rollbook::executor::record(&pool, &controller, &cluster.hosts, kube).await
    });
    let mut recording = recording.unwrap();
    change(&mut recording);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("cluster.json"), recording.to_json()).unwrap();
    fs::write(path("inventory.yaml"), &cluster.inventory).unwrap();
    let (inventory, from) = (path("inventory.yaml"), path("cluster.json"));
    let args = ["rehearse", runbook.to_str().unwrap(), "-i", &inventory, "--from", &from];
    let accept = ["--accept-control-plane-outage"];
    Rollbook::new(args.into_iter().chain(accept).chain(more.iter().copied())).run()
}

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/kubeadm-upgrade.yaml")
}

fn cgroup_v1(recording: &mut Recording) {
    recording.hosts.values_mut().for_each(|facts| "v1".clone_into(&mut facts.cgroup));
}

fn runtime(recording: &mut Recording, runtime: &str) {
    let cluster = recording.cluster.as_mut().unwrap();
    cluster.facts.nodes.values_mut().for_each(|node| runtime.clone_into(&mut node.runtime));
}

#[test]
fn the_shipped_upgrade_refuses_hosts_that_cannot_run_its_target() {
    let refused = [
        ("1.34.2", "1.35.1", "v1", "containerd://2.1.9", "cgroup v1, and since 1.35"),
        ("1.36.2", "1.37.0", "v2", "containerd://1.7.24", "containerd://1.7.24, and since 1.37"),
        ("1.25.9", "1.26.0", "v2", "containerd://1.5.18", "containerd://1.5.18, and since 1.26"),
    ];
    for (from, to, cgroup, containerd, words) in refused {
        let change = |recording: &mut Recording| {
            recording.hosts.values_mut().for_each(|facts| cgroup.clone_into(&mut facts.cgroup));
            runtime(recording, containerd);
        };
        let outcome = rehearse(from, &shipped(), change, &["-p", &format!("target={to}")]).exits(10);
        let outcome = outcome.says(words);
        assert!(!outcome.stderr.contains("phase prepare"), "{}", outcome.stderr);
    }
    let fit = [
        ("1.33.2", "1.34.1", "v1", "containerd://1.7.24"),
        ("1.36.2", "1.37.0", "v2", "containerd://2.0.0"),
        ("1.25.9", "1.26.0", "v1", "containerd://1.6.0"),
    ];
    for (from, to, cgroup, containerd) in fit {
        let change = |recording: &mut Recording| {
            recording.hosts.values_mut().for_each(|facts| cgroup.clone_into(&mut facts.cgroup));
            runtime(recording, containerd);
        };
        rehearse(from, &shipped(), change, &["-p", &format!("target={to}")]).exits(0);
    }
}

#[test]
fn control_groups_v1_can_be_accepted_where_kubeadm_is_told_so_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(shipped()).unwrap();
    let accepts = "node_support: { accept_cgroup_v1: true,";
    let ignores = "version: \"{{ params.target }}\", ignore_preflight_errors: [SystemVerification], reason: cgroup v1 }";
    let text = text.replace("node_support: {", accepts);
    let text = text.replace(
        "version: \"{{ params.target }}\" }\n        timeout",
        &format!("{ignores}\n        timeout"),
    );
    let text = text.replace(
        "version: \"{{ params.target }}\" }\n      - include: *",
        &format!("{ignores}\n      - include: *"),
    );
    assert_eq!(text.matches("SystemVerification").count(), 3);
    let runbook = dir.path().join("up.yaml");
    fs::write(&runbook, text).unwrap();
    fs::create_dir(dir.path().join("steps")).unwrap();
    for part in ["steps/tools.yaml", "steps/kubelet.yaml"] {
        fs::copy(shipped().with_file_name(part), dir.path().join(part)).unwrap();
    }
    rehearse("1.35.2", &runbook, cgroup_v1, &["-p", "target=1.36.1"]).exits(0);
}

#[test]
fn what_kubeadm_refuses_leaves_nothing_out_and_its_reason_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let runbook = dir.path().join("up.yaml");
    let text = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\nkube: { via: control_plane }\n\
                defaults: { become: true }\nphases:\n  - name: control plane\n    hosts: control_plane\n    steps:\n      \
                - kubeadm: { upgrade: apply, version: 1.36.2 }\n";
    fs::write(&runbook, text).unwrap();
    let outcome = rehearse(
        "1.36.2",
        &runbook,
        |recording| {
            cgroup_v1(recording);
            // kubeadm has something to do.
            recording.cluster.as_mut().unwrap().facts.server_version.replace_range(.., "v1.35.4");
        },
        &["--plain"],
    );
    let outcome = outcome.exits(10);
    let outcome = outcome.says("exit code 1: [ERROR SystemVerification]: cgroups v1 support is deprecated");
    for words in ["left out of service", "half-changed", "\u{1b}", "u{1b}", "To see the stack trace"] {
        assert!(!outcome.stderr.contains(words), "{words:?}: {}", outcome.stderr);
    }
}
