//! Kubelets of a rehearsal: one runs, and its node is Ready, only where a real one would be.

use std::path::Path;

use super::support::rollbook::Outcome;
use super::unknown::rehearse;

fn steps(directory: &Path, scenario: &str, steps: &str) -> Outcome {
    let phases = format!("kube: {{ via: cp1 }}\nphases: [{{ name: p, hosts: w1, steps: [{steps}] }}]\n");
    rehearse(directory, &phases, Some(scenario), &["--quiet"])
}

const AT: &str = "kubernetes: 1.30.0\n";
const A_MINUTE: &str = "{ wait: { command: [sleep, \"60\"], for: 2m } }";
const READY: &str = "{ wait: { node: ready, for: 90s } }";

fn kubelet(version: &str) -> String {
    let minor = version.rsplit_once('.').expect("a patch").0;
    format!(
        "{{ apt_repo: {{ kubernetes: \"{minor}\" }} }}, \
         {{ apt: {{ install: {{ kubelet: \"{version}-*\" }}, hold: true, allow_downgrade: true }} }}, \
         {{ systemctl: {{ daemon_reload: true, restart: kubelet }} }}, \
         {{ wait: {{ node: ready, kubelet: {version}, for: 90s }} }}"
    )
}

#[test]
fn a_node_is_not_ready_without_its_kubelet_or_its_container_runtime() {
    let dir = tempfile::tempdir().unwrap();
    for (stop, start, why) in [
        ("{ systemctl: { stop: kubelet } }", "{ systemctl: { start: kubelet } }", "w1: Ready is Unknown"),
        (
            "{ systemctl: { stop: containerd } }",
            "{ systemctl: { start: containerd } }",
            "w1: Ready is False (containerd.service does not run, and its kubelet needs it)",
        ),
        (
            "{ systemctl: { stop: containerd } }, \
             { command: { argv: [systemctl, restart, kubelet] }, effect: changes }",
            "{ systemctl: { start: containerd } }",
            "containerd.service does not run, and its kubelet needs it",
        ),
    ] {
        steps(dir.path(), AT, &format!("{stop}, {A_MINUTE}, {READY}"))
            .exits(11)
            .says("after 1m30s")
            .says(why);
        steps(dir.path(), AT, &format!("{stop}, {A_MINUTE}, {start}, {READY}")).exits(0);
    }
}

#[test]
fn a_kubelet_beyond_the_skew_does_not_come_up() {
    let dir = tempfile::tempdir().unwrap();
    for (version, why) in [
        ("1.31.0", "kubelet 1.31.0 is newer than the API server's 1.30.0"),
        ("1.26.3", "kubelet 1.26.3 is more than 3 minor versions older than the API server's 1.30.0"),
    ] {
        steps(dir.path(), AT, &kubelet(version)).exits(11).says(why);
    }
    for version in ["1.30.2", "1.27.3"] {
        steps(dir.path(), AT, &kubelet(version)).exits(0);
    }
}

#[test]
fn a_kubelet_comes_up_only_on_a_runtime_that_it_can_talk_to() {
    let dir = tempfile::tempdir().unwrap();
    let with = |containerd: &str| {
        format!(
            "kubernetes: 1.37.0\npackages: [{{ name: containerd.io, versions: [{containerd}], installed: {containerd} }}]\n"
        )
    };
    let restart =
        format!("{{ command: {{ argv: [systemctl, restart, kubelet] }}, effect: changes }}, {READY}");
    steps(dir.path(), &with("2.1.9-1"), &restart).exits(0);
    steps(dir.path(), &with("1.7.24-1"), &restart)
        .exits(11)
        .says("kubelet 1.37.0 does not start: it has containerd://1.7.24, and since 1.37");
    // A newer one is what it needs.
    let newer = "kubernetes: 1.37.0\npackages:\n  \
                 - { name: containerd.io, versions: [2.1.9-1, 1.7.24-1], installed: 1.7.24-1 }\n";
    let upgrade = format!("{{ apt: {{ install: {{ containerd.io: \"2.*\" }} }} }}, {restart}");
    steps(dir.path(), newer, &upgrade).exits(0);
}
