//! Since 1.34 a host's kubelet has configuration of its own: kubeadm writes /var/lib/kubelet/instance-config.yaml and merges
//! it over the cluster's. The host's config.yaml then differs from the ConfigMap by design, and that is no reason to drain
//! it. The lab's kubeadm is older and writes no such file; the case does, as a newer one leaves host and ConfigMap.

use super::audit::writes;
use super::prints;
use super::rollbook::{Files, Outcome, start_with};
use super::{ACCEPT, Level};
use crate::lab::{Lab, Shape, Stage};

/// What kubeadm 1.34 and newer leaves on a host: its own key, and the merged file. The kubelet is restarted, so that its start
/// is newer than its configuration.
const OWN_KEY: &str = r#"set -e
cd /var/lib/kubelet
printf 'containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock"\n' >instance-config.yaml
printf 'containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n' >>config.yaml
systemctl restart kubelet
"#;

pub(super) fn a_second_run_does_nothing(stage: &Stage, _: Level) {
    let lab = Lab::up(stage, Shape { control_planes: 1, workers: 1, kubernetes: "1.20.2" });
    let files = Files::brisk(&lab);
    roll(&lab, &files, "first").exits(0);
    in_the_cluster(&lab, "containerRuntimeEndpoint: \"\"");
    for host in lab.hosts() {
        lab.root(host, OWN_KEY);
    }
    lab.all_ready();
    lab.run(&["wait"]);

    let (before, began) = (prints::of_hosts(&lab), lab.now());
    roll(&lab, &files, "second").exits(0).ends_with("nothing to do");
    prints::must_be_equal(&before, &prints::of_hosts(&lab));
    assert_eq!(writes(&lab.audit(&began)), Vec::<String>::new());

    // What the cluster's configuration says and the host's does not is work.
    in_the_cluster(&lab, "maxPods: 77");
    let args = ["-p", "target=1.20.2", "--detailed-exitcode", ACCEPT[0]];
    start_with(&lab, &files, "a new key", "plan", &args).wait().exits(2);
}

/// Adds a line to the configuration of all kubelets.
fn in_the_cluster(lab: &Lab, line: &str) {
    let map =
        ["-n", "kube-system", "get", "configmap", "kubelet-config-1.20", "-o", "jsonpath={.data.kubelet}"];
    let kubelet = format!("{}\n{line}\n", lab.kubectl(&map).trim_end());
    let patch = serde_json::json!({ "data": { "kubelet": kubelet } }).to_string();
    lab.kubectl(&[
        "-n",
        "kube-system",
        "patch",
        "configmap",
        "kubelet-config-1.20",
        "--type=merge",
        "-p",
        &patch,
    ]);
}

fn roll(lab: &Lab, files: &Files, name: &str) -> Outcome {
    start_with(lab, files, name, "run", &["-p", "target=1.20.2", "--yes", "--verbose", ACCEPT[0]]).wait()
}
