//! What kubeadm writes to disk and to the cluster, read by line: manifests of static pods, the ClusterConfiguration,
//! the kubelet's configuration. kubeadm's own marshaller writes all of them, one field per line; a file that reads
//! differently is unknown, never guessed.

use crate::value::{KubeVersion, Minor};

/// Where kubeadm keeps static pods.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// The components whose version is the cluster's. etcd has a version of its own.
pub const COMPONENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// The version in an image's tag: `registry.k8s.io/kube-apiserver:v1.31.4`. A digest or a tag of one's own is `None`.
pub fn image_version(image: &str) -> Option<KubeVersion> {
    let (name, _digest) = image.split_once('@').unwrap_or((image, ""));
    let (path, tag) = name.rsplit_once(':')?;
    // `registry:5000/kube-apiserver` has a port and no tag. A build suffix follows a hyphen or underscore.
    if tag.contains('/') || path.is_empty() {
        return None;
    }
    KubeVersion::parse(tag.split_once('_').map_or(tag, |(version, _)| version)).ok()
}

/// The image in a static pod's manifest.
pub fn manifest_image(manifest: &str) -> Option<&str> {
    scalar(manifest, "image")
}

/// The version in a ClusterConfiguration.
pub fn configured_version(configuration: &str) -> Option<KubeVersion> {
    KubeVersion::parse(scalar(configuration, "kubernetesVersion")?).ok()
}

/// The value of the first line that is `key: value`, at any depth.
fn scalar<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let value =
        |line: &'t str| line.trim_start().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ");
    let value = text.lines().find_map(value)?.trim();
    Some(value.trim_matches(['"', '\'']))
}

/// The name of the ConfigMap with the kubelet's configuration: one per minor up to 1.23, a single one from 1.24,
/// when kubeadm's feature gate `UnversionedKubeletConfigMap` became true by default.
pub fn kubelet_config_map(version: &KubeVersion) -> String {
    let minor = version.minor();
    if minor < Minor::new(1, 24) { format!("kubelet-config-{minor}") } else { "kubelet-config".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_tag_of_the_image() {
        for (image, expected) in [
            ("k8s.gcr.io/kube-apiserver:v1.20.2", Some("1.20.2")),
            ("registry.example:5000/x/kube-apiserver:v1.31.4@sha256:abc", Some("1.31.4")),
            ("registry.example:5000/kube-apiserver", None),
            ("kube-apiserver@sha256:abc", None),
            ("kube-apiserver:latest", None),
            ("kube-apiserver:v1.31.4_arm", Some("1.31.4")),
        ] {
            let expected = expected.map(|text| KubeVersion::parse(text).expect(text));
            assert_eq!(image_version(image), expected, "{image}");
        }
    }

    #[test]
    fn fields_are_read_from_what_kubeadm_writes() {
        let manifest = "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    image: k8s.gcr.io/kube-apiserver:v1.20.2\n    imagePullPolicy: IfNotPresent\n";
        assert_eq!(manifest_image(manifest), Some("k8s.gcr.io/kube-apiserver:v1.20.2"));
        let configuration =
            "imageRepository: k8s.gcr.io\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n";
        assert_eq!(configured_version(configuration), KubeVersion::parse("1.20.2").ok());
        assert_eq!(manifest_image("metadata:\n  name: x\n"), None);
    }

    #[test]
    fn a_real_configuration_names_its_version() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts/kubeadm-hollow");
        for (name, expected) in [("06-config-view.txt", "1.20.2"), ("34-config-after.txt", "1.21.0")] {
            let text = std::fs::read_to_string(folder.join(name)).expect(name);
            assert_eq!(configured_version(&text), KubeVersion::parse(expected).ok(), "{name}");
        }
    }

    #[test]
    fn the_config_map_of_the_kubelet_is_named_by_version() {
        for (version, name) in [
            ("1.21.0", "kubelet-config-1.21"),
            ("1.23.9", "kubelet-config-1.23"),
            ("1.24.0", "kubelet-config"),
            ("1.31.4", "kubelet-config"),
        ] {
            assert_eq!(kubelet_config_map(&KubeVersion::parse(version).expect(version)), name);
        }
    }
}
