//! Legal hops and version skew. Source: kubernetes.io/releases/version-skew-policy and the kubeadm upgrade page.

use crate::value::Version;

/// Why a hop or a pair of versions is not legal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkewError {
    /// The control plane would go back.
    #[error("the control plane is at {from}, and going back to {to} is not supported")]
    Downgrade {
        /// What is.
        from: Version,
        /// What is wanted.
        to: Version,
    },
    /// A minor would be left out.
    #[error("{from} to {to} leaves out a minor version; the control plane goes through {}", through(.path))]
    SkippedMinor {
        /// What is.
        from: Version,
        /// What is wanted.
        to: Version,
        /// The minors on the way.
        path: Vec<Version>,
    },
    /// Another major version.
    #[error("{from} and {to} are different major versions")]
    Major {
        /// What is.
        from: Version,
        /// What is wanted.
        to: Version,
    },
    /// A kubelet would be newer than the API server.
    #[error("kubelet {kubelet} is newer than the API server's {server}")]
    KubeletAhead {
        /// The kubelet's version.
        kubelet: Version,
        /// The API server's.
        server: Version,
    },
    /// A kubelet would be too old for the API server.
    #[error("kubelet {kubelet} is more than {limit} minor versions older than the API server's {server}")]
    KubeletBehind {
        /// The kubelet's version.
        kubelet: Version,
        /// The API server's.
        server: Version,
        /// How many it may be older.
        limit: u32,
    },
}

fn through(path: &[Version]) -> String {
    path.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a control plane may go from one version to another in one hop: the same minor and no older patch, or the
/// next minor. A target without a patch stands for any of its minor.
pub fn check_hop(from: &Version, to: &Version) -> Result<(), SkewError> {
    let (from, to) = (from.clone(), to.clone());
    if from.major != to.major {
        return Err(SkewError::Major { from, to });
    }
    let older = if to.patch.is_none() { to.minor < from.minor } else { to.is_older_than(&from) };
    if older {
        return Err(SkewError::Downgrade { from, to });
    }
    if to.minor > from.minor + 1 {
        let minor = |minor| Version { major: from.major, minor, patch: None, pre: None, build: None };
        let path = (from.minor + 1..=to.minor).map(minor).collect();
        return Err(SkewError::SkippedMinor { from, to, path });
    }
    Ok(())
}

/// How many minors a kubelet may be older than the API server.
pub fn kubelet_limit(kubelet: &Version) -> u32 {
    // Three since the kubelet 1.25 (KEP-3935, policy of 1.28); two before.
    if (kubelet.major, kubelet.minor) < (1, 25) { 2 } else { 3 }
}

/// Whether a kubelet may talk to an API server of this version.
pub fn check_kubelet(kubelet: &Version, server: &Version) -> Result<(), SkewError> {
    let (ours, theirs) = ((kubelet.major, kubelet.minor), (server.major, server.minor));
    if ours > theirs {
        return Err(SkewError::KubeletAhead { kubelet: kubelet.clone(), server: server.clone() });
    }
    // kubeadm before 1.29 itself let kubelets trail by one minor only (kubernetes/kubernetes#120825).
    let kubeadm = if theirs < (1, 29) { 1 } else { u32::MAX };
    let limit = kubelet_limit(kubelet).min(kubeadm);
    if kubelet.major != server.major || server.minor - kubelet.minor > limit {
        return Err(SkewError::KubeletBehind { kubelet: kubelet.clone(), server: server.clone(), limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect(text)
    }

    #[test]
    fn a_hop_is_the_same_minor_or_the_next() {
        for (from, to, legal) in [
            ("1.20.2", "1.21.0", true),
            ("1.20.2", "1.20.9", true),
            ("1.20.2", "1.20.2", true),
            ("1.20.2", "1.20", true),
            ("1.20.2", "1.22.0", false),
            ("1.21.0", "1.20.9", false),
            ("1.20.2", "1.20.1", false),
            ("1.31.0", "1.31.0-rc.1", false),
            ("1.31.0", "2.0.0", false),
        ] {
            assert_eq!(check_hop(&version(from), &version(to)).is_ok(), legal, "{from} to {to}");
        }
    }

    #[test]
    fn a_skipped_minor_names_the_way() {
        let error = check_hop(&version("1.29.3"), &version("1.33.1")).expect_err("three minors left out");
        assert_eq!(
            error.to_string(),
            "1.29.3 to 1.33.1 leaves out a minor version; the control plane goes through 1.30, 1.31, 1.32, 1.33"
        );
    }

    #[test]
    fn old_kubelets_may_trail_less() {
        for (kubelet, limit) in [("1.24.17", 2), ("1.25.0", 3), ("1.31.4", 3)] {
            assert_eq!(kubelet_limit(&version(kubelet)), limit, "{kubelet}");
        }
    }

    #[test]
    fn kubelets_trail_within_their_limit() {
        for (kubelet, server, legal) in [
            ("1.30.0", "1.30.4", true),
            ("1.30.4", "1.30.0", true),
            ("1.31.0", "1.30.4", false),
            ("1.28.0", "1.31.0", true),
            ("1.27.0", "1.31.0", false),
            ("1.25.0", "1.28.0", false),
            ("1.27.0", "1.28.0", true),
            ("1.24.0", "1.29.0", false),
            ("1.26.0", "1.29.0", true),
        ] {
            assert_eq!(
                check_kubelet(&version(kubelet), &version(server)).is_ok(),
                legal,
                "{kubelet} under {server}"
            );
        }
    }
}
