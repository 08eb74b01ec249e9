//! What `kubeadm upgrade` is to reach, read from the host and from the cluster: binaries, static pods, configuration.
//! Nothing here reads what kubeadm said.

use super::kubelet_config;
use crate::kubernetes::manifest::{
    COMPONENTS, MANIFESTS, configured_version, image_version, kubelet_config_map, manifest_image,
};
use crate::kubernetes::pod::{COMPONENTS as COMPONENT_ROWS, ComponentRow, parse_components};
use crate::kubernetes::skew::{SkewError, check_hop};
use crate::op::{Probe, ProbeOutput, Query, Site};
use crate::step::build::{argv, change, exactly, refused, satisfied, unreadable, would_change};
use crate::step::node_state::{
    OnNode, api_away, kubectl_probe, kubectl_query, read_nodes, succeeded, unreadable_rows,
};
use crate::step::{AssessError, Assessment, Change, Fidelity, LowerCx, Subject};
use crate::value::{KubeVersion, Minor};

const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";
/// What kubeadm puts over the cluster's configuration on this host, from 1.34.
const INSTANCE_CONFIG: &str = "/var/lib/kubelet/instance-config.yaml";
/// The minor from which kubeadm can write it: behind the gate NodeLocalCRISocket, alpha in 1.32, beta and on in 1.34.
const INSTANCE_CONFIG_SINCE: Minor = Minor::new(1, 32);

/// The look before `kubeadm upgrade` on a control plane: binary, manifests, cluster.
pub(super) fn control_plane(on: OnNode<'_>, cx: &LowerCx<'_>) -> Probe {
    let mut queries = vec![binary()];
    queries.extend(COMPONENTS.iter().map(|component| cat(&format!("{MANIFESTS}/{component}.yaml"))));
    queries.push(cluster(on));
    both_sides(on, cx, queries)
}

/// The look after it: the node's static pods and the cluster's configuration.
pub(super) fn components(on: OnNode<'_>, _cx: &LowerCx<'_>) -> Probe {
    let of_node = format!("--field-selector=spec.nodeName={}", on.node);
    let words = [
        "get",
        "pods",
        "--namespace=kube-system",
        &of_node,
        "--selector=tier=control-plane",
        "-o",
        COMPONENT_ROWS,
    ];
    kubectl_probe(on.kube, vec![kubectl_query(on.kube, &words), cluster(on)])
}

/// The look before and after `kubeadm upgrade node` on a worker.
pub(super) fn worker(on: OnNode<'_>, cx: &LowerCx<'_>, target: &KubeVersion) -> Probe {
    let map = kubelet_config_map(target);
    let config = config_map(on, &map, "jsonpath={.data.kubelet}");
    let mut queries = vec![binary(), cluster(on), on.node_query(), cat(KUBELET_CONFIG), config];
    if target.minor() >= INSTANCE_CONFIG_SINCE {
        queries.push(cat(INSTANCE_CONFIG));
    }
    both_sides(on, cx, queries)
}

fn binary() -> Query {
    Query { argv: argv(&["kubeadm", "version", "-o", "short"]), ..Query::default() }
}

fn cat(path: &str) -> Query {
    Query { argv: argv(&["cat", path]), ..Query::default() }
}

fn cluster(on: OnNode<'_>) -> Query {
    config_map(on, "kubeadm-config", "jsonpath={.data.ClusterConfiguration}")
}

/// A ConfigMap that does not exist gives nothing, so that a failure always means that the API did not answer.
fn config_map(on: OnNode<'_>, name: &str, output: &str) -> Query {
    let words = ["get", "configmap", name, "--namespace=kube-system", "--ignore-not-found", "-o", output];
    kubectl_query(on.kube, &words)
}

/// Queries on the host, some of them on kubectl's side.
fn both_sides(on: OnNode<'_>, cx: &LowerCx<'_>, queries: Vec<Query>) -> Probe {
    let calls = u64::try_from(queries.len()).unwrap_or(u64::MAX);
    Probe {
        site: Site::Subject,
        queries,
        r#become: cx.r#become,
        timeout: on.kube.request_timeout.saturating_mul(calls),
    }
}

/// The version of the kubeadm binary; `None` where there is no such program.
fn read_binary(answer: &ProbeOutput) -> Result<Option<KubeVersion>, AssessError> {
    match answer.rc {
        127 => Ok(None),
        0 => match KubeVersion::parse(answer.stdout.trim()) {
            Ok(version) => Ok(Some(version)),
            Err(_) => Err(unreadable("kubeadm version -o short", "a version such as v1.31.4", answer)),
        },
        _ => Err(unreadable("kubeadm version -o short", "a version such as v1.31.4", answer)),
    }
}

fn read_cluster(answer: &ProbeOutput) -> Result<KubeVersion, AssessError> {
    succeeded("kubectl get configmap kubeadm-config", answer)?;
    configured_version(&answer.stdout).ok_or_else(|| {
        unreadable(
            "kubectl get configmap kubeadm-config",
            "a ClusterConfiguration with its kubernetesVersion",
            answer,
        )
    })
}

/// The image in a manifest; `None` where there is no manifest.
fn read_manifest<'a>(component: &str, answer: &'a ProbeOutput) -> Result<Option<&'a str>, AssessError> {
    let command = || format!("cat {MANIFESTS}/{component}.yaml");
    if !answer.ok() {
        return if answer.stderr.contains("No such file") {
            Ok(None)
        } else {
            Err(unreadable(&command(), "a manifest", answer))
        };
    }
    let image = manifest_image(&answer.stdout);
    image.map(Some).ok_or_else(|| unreadable(&command(), "a manifest with an image", answer))
}

/// What the answers to [`control_plane`] mean.
pub(super) fn assess_control_plane(
    target: &KubeVersion,
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let [kubeadm, manifests @ .., cluster] = exactly::<5>(answers)?;
    let mut changes = Vec::new();
    differs(&mut changes, "kubeadm", read_binary(kubeadm)?.as_ref(), target);
    for (component, answer) in COMPONENTS.iter().zip(manifests) {
        let Some(image) = read_manifest(component, answer)? else {
            return Ok(refused(
                format!(
                    "there is no {MANIFESTS}/{component}.yaml: the host is no control plane that kubeadm set up"
                ),
                "use `upgrade: node` on workers",
            ));
        };
        match image_version(image) {
            Some(version) => differs(&mut changes, component, Some(&version), target),
            // A tag of one's own says nothing: it would run.
            None => changes.push(change(*component, image, target.to_string())),
        }
    }
    let cluster = read_cluster(cluster)?;
    if let Some(refusal) = hop(&mut changes, &cluster, target) {
        return Ok(refusal);
    }
    if changes.is_empty() {
        return Ok(satisfied(format!("kubeadm, static pods and cluster at {target}")));
    }
    Ok(would_change(changes, Fidelity::Exact))
}

/// Notes a difference between what is and the target.
fn differs(changes: &mut Vec<Change>, what: &str, is: Option<&KubeVersion>, target: &KubeVersion) {
    if is != Some(target) {
        let before = is.map_or("not installed".to_owned(), ToString::to_string);
        changes.push(change(what, before, target.to_string()));
    }
}

/// Notes the cluster's way to the target. Going back is refused; a minor left out is only noted, because a step that
/// comes before may take it, and kubeadm itself refuses the skip at its place.
fn hop(changes: &mut Vec<Change>, cluster: &KubeVersion, target: &KubeVersion) -> Option<Assessment> {
    match check_hop(cluster, target) {
        Ok(()) => {
            differs(changes, "cluster", Some(cluster), target);
            None
        }
        Err(error @ SkewError::SkippedMinor { .. }) => {
            changes.push(change("cluster", cluster.to_string(), format!("{target}: {error}")));
            None
        }
        Err(error) => Some(refused(error.to_string(), "choose a newer target")),
    }
}

/// What the answers to [`components`] mean: the cluster's configuration written, and the pods Ready, of the target's image.
/// The state names the restart counts, so that a component which restarts without ever looking sick changes it.
pub(super) fn assess_components(
    target: &KubeVersion,
    subject: &Subject,
    answers: &[ProbeOutput],
) -> Result<Assessment, AssessError> {
    let [pods, cluster] = exactly::<2>(answers)?;
    if let Some(away) = [pods, cluster].into_iter().find_map(api_away) {
        return Ok(away);
    }
    let command = "kubectl get pods --namespace=kube-system";
    succeeded(command, pods)?;
    let rows = parse_components(&pods.stdout).map_err(|error| unreadable_rows(command, &error))?;
    // kubeadm writes it before it ends, or on another control plane before: no patience brings it about.
    let cluster = read_cluster(cluster)?;
    if cluster != *target {
        return Ok(refused(
            format!(
                "kubeadm ended well, and the cluster's kubeadm configuration names {cluster}, not {target}"
            ),
            "read what kubeadm printed; `upgrade: apply` on the first control plane comes before `upgrade: node`",
        ));
    }
    let node = subject.node.as_deref().unwrap_or(&subject.host);
    let not_yet = |reason: String| Ok(Assessment::NotYet { reason });
    for component in COMPONENTS {
        let Some(row) = rows.iter().find(|row| row.component == component) else {
            return not_yet(format!("{component} of {node} has no pod"));
        };
        if image_version(&row.image).as_ref() != Some(target) {
            return not_yet(format!("{} has image {}, not that of {target}", row.name, row.image));
        }
    }
    if let Some(row) = rows.iter().find(|row| !row.ready) {
        return not_yet(sick(row));
    }
    let restarts: Vec<_> = rows.iter().map(|row| format!("{} {}", row.component, row.restarts)).collect();
    Ok(satisfied(format!("static pods of {node} Ready at {target}; restarts: {}", restarts.join(", "))))
}

fn sick(row: &ComponentRow) -> String {
    let why = if row.waiting.is_empty() { String::new() } else { format!(" ({})", row.waiting) };
    format!("{} is not Ready{why}, with {} restarts", row.name, row.restarts)
}

/// What is known of a worker.
pub(super) struct WorkerState {
    kubeadm: Option<KubeVersion>,
    cluster: KubeVersion,
    noted: String,
    /// The version of the kubelet that runs, by the node's word.
    kubelet: String,
    configured: bool,
}

/// Reads the answers to [`worker`].
pub(super) fn read_worker(subject: &Subject, answers: &[ProbeOutput]) -> Result<WorkerState, AssessError> {
    let (answers, instance) = match answers {
        [answers @ .., instance] if answers.len() == 5 => (answers, instance.stdout.as_str()),
        answers => (answers, ""),
    };
    let [kubeadm, cluster, nodes, on_host, in_cluster] = exactly::<5>(answers)?;
    let node = read_nodes(nodes)?.into_iter().next();
    let node = node.ok_or_else(|| AssessError {
        command: "kubectl get nodes".to_owned(),
        reason: format!("the cluster has no node `{}`", subject.node.as_deref().unwrap_or(&subject.host)),
    })?;
    succeeded("kubectl get configmap", in_cluster)?;
    Ok(WorkerState {
        kubeadm: read_binary(kubeadm)?,
        cluster: read_cluster(cluster)?,
        noted: node.kubeadm_node.to_owned(),
        kubelet: node.kubelet_version.to_owned(),
        configured: on_host.ok() && kubelet_config::holds(&on_host.stdout, &in_cluster.stdout, instance),
    })
}

impl WorkerState {
    /// Before: whether there is anything to do. `patched` hosts may differ from the cluster's configuration for ever.
    pub(super) fn assess(&self, target: &KubeVersion, patched: bool) -> Assessment {
        let mut changes = Vec::new();
        differs(&mut changes, "kubeadm", self.kubeadm.as_ref(), target);
        if let Some(refusal) = hop(&mut changes, &self.cluster, target) {
            return refusal;
        }
        let is_target = |text: &str| KubeVersion::parse(text).ok().as_ref() == Some(target);
        let noted = is_target(&self.noted);
        // Somebody upgraded the node by hand: the target's kubelet runs already, so that no flag or file is left that
        // would keep it from starting.
        if !noted && !is_target(&self.kubelet) {
            let before = if self.noted.is_empty() { "not noted on the node" } else { &self.noted };
            changes.push(change("kubeadm upgrade node", before, target.to_string()));
        }
        if !self.configured && !patched {
            changes.push(change(KUBELET_CONFIG, "differs from the cluster's", "the cluster's"));
        }
        if changes.is_empty() {
            let configured = if self.configured { "the cluster's" } else { "patched" };
            if !noted {
                return satisfied(format!(
                    "kubelet {target} runs, its configuration is {configured}; no note of kubeadm"
                ));
            }
            return satisfied(format!("kubeadm {target} ran, kubelet configuration is {configured}"));
        }
        would_change(changes, Fidelity::Exact)
    }

    /// After: whether it had its effect. kubeadm's exit code vouches for the kubelet's configuration, which may read
    /// differently on a host for good reasons; what it does not vouch for is that there was anything to do.
    pub(super) fn assess_done(&self, target: &KubeVersion) -> Assessment {
        if self.cluster.is_older_than(target) {
            return refused(
                format!(
                    "the cluster is at {}, so that `kubeadm upgrade node` had nothing to do",
                    self.cluster
                ),
                format!("run `kubeadm upgrade apply` to {target} on the first control plane before"),
            );
        }
        if self.kubeadm.as_ref() != Some(target) {
            let is = self.kubeadm.as_ref().map_or("not installed".to_owned(), ToString::to_string);
            return refused(
                format!("kubeadm is {is}, so that it did not upgrade the host to {target}"),
                "install the target's kubeadm package before",
            );
        }
        satisfied(format!("kubeadm {target} ran"))
    }
}
