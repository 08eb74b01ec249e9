//! Whether a host's kubelet has the configuration that `kubeadm upgrade node` would give it: that of the ConfigMap, under
//! the host's own keys. Documents are compared, not lines.

use crate::source::{Diagnostics, Entry, Limits, Node, NodeKind, SourceMap, parse};

/// Whether the kubelet's configuration on a host holds all of the cluster's. kubeadm reads the ConfigMap, puts the keys of
/// the host's instance-config.yaml over it (where there is one: from 1.34, by a gate from 1.32), and writes it anew: order, indentation, quotes and comments may
/// differ, and it adds what depends on the host, such as `resolvConf`. What the ConfigMap leaves empty, such as
/// `containerRuntimeEndpoint: ""`, is the host's to say.
pub(super) fn holds(on_host: &str, in_cluster: &str, instance: &str) -> bool {
    let (Some(host), Some(cluster)) = (mapping(on_host), mapping(in_cluster)) else { return false };
    let instance = mapping(instance).unwrap_or_default();
    let is_own = |entry: &&Entry| instance.iter().any(|own| own.key.value == entry.key.value);
    let of_cluster = cluster.iter().filter(|entry| !is_own(entry));
    !cluster.is_empty() && of_cluster.chain(&instance).all(|entry| has(&host, entry))
}

/// The entries of a YAML document that is a mapping.
fn mapping(text: &str) -> Option<Vec<Entry>> {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let file = sources.add("kubelet", text);
    let node = parse(&sources, file, Limits::default(), &mut diagnostics)?;
    match node.kind {
        NodeKind::Map(entries) if !diagnostics.has_errors() => Some(entries),
        _ => None,
    }
}

fn has(host: &[Entry], wanted: &Entry) -> bool {
    if is_empty(&wanted.value) {
        return true;
    }
    host.iter().any(|entry| entry.key.value == wanted.key.value && holds_value(&entry.value, &wanted.value))
}

/// A mapping holds another one with all of its keys; a list is as it is written.
fn holds_value(host: &Node, wanted: &Node) -> bool {
    match (&host.kind, &wanted.kind) {
        (NodeKind::Map(host), NodeKind::Map(wanted)) => wanted.iter().all(|entry| has(host, entry)),
        (NodeKind::Seq(host), NodeKind::Seq(wanted)) => {
            host.len() == wanted.len()
                && host.iter().zip(wanted).all(|(host, wanted)| holds_value(host, wanted))
        }
        (NodeKind::Scalar { text: host, .. }, NodeKind::Scalar { text: wanted, .. }) => host == wanted,
        (NodeKind::Null, NodeKind::Null) => true,
        _ => false,
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Null => true,
        NodeKind::Scalar { text, .. } => text.is_empty(),
        NodeKind::Seq(items) => items.is_empty(),
        NodeKind::Map(entries) => entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_more_configuration_but_not_less() {
        let cluster = "apiVersion: v1\nclusterDNS:\n- 10.96.0.10\nstaticPodPath: /etc/kubernetes/manifests\n";
        assert!(holds(cluster, cluster, ""));
        assert!(holds(&cluster.replace("static", "resolvConf: /run/x\nstatic"), cluster, ""));
        assert!(!holds(&cluster.replace("10.96", "10.97"), cluster, ""));
        let edited = "# by hand\nstaticPodPath: \"/etc/kubernetes/manifests\"\napiVersion: v1\n";
        assert!(holds(cluster, edited, ""), "a ConfigMap that a person edited");
        assert!(!holds("", cluster, ""));
        assert!(!holds(cluster, "", ""), "no ConfigMap proves nothing");
        assert!(!holds(cluster, "a: [", ""), "nor one that is no YAML");
    }

    #[test]
    fn a_value_under_another_key_is_another_value() {
        let cluster = "authorization:\n  webhook:\n    ttl: 5m\n    other: 0s\n";
        assert!(holds("authorization: {webhook: {other: 0s, ttl: 5m}}\n", cluster, ""));
        assert!(!holds(
            "authorization:\n  webhook:\n    other: 0s\nauthentication:\n  webhook:\n    ttl: 5m\n",
            cluster,
            ""
        ));
    }

    /// As a worker of 1.35.4 had both (`config.yaml` and the ConfigMap differ in one line).
    #[test]
    fn a_hosts_own_keys_are_put_over_the_clusters() {
        let cluster = "cgroupDriver: systemd\ncontainerRuntimeEndpoint: \"\"\ncrashLoopBackOff: {}\n";
        let socket = "unix:///run/containerd/containerd.sock";
        let host = format!("cgroupDriver: systemd\ncontainerRuntimeEndpoint: {socket}\n");
        let instance = format!("containerRuntimeEndpoint: \"{socket}\"\n");
        assert!(holds(&host, cluster, &instance));
        assert!(holds(&host, cluster, ""), "written by hand");
        assert!(holds(&host, &cluster.replace("\"\"", "unix:///run/crio/crio.sock"), &instance));
        assert!(!holds(&host, &cluster.replace("systemd", "cgroupfs"), &instance));
        assert!(!holds(&host, cluster, &instance.replace("containerd.sock", "other.sock")), "not merged yet");
    }
}
