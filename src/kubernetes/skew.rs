//! Legal hops and version skew. Source: kubernetes.io/releases/version-skew-policy and the kubeadm upgrade page.

use crate::value::{Minor, Version};

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
    #[error("{from} to {to} leaves out a minor version; the control plane goes through {}", through(.from, .to))]
    SkippedMinor {
        /// What is.
        from: Version,
        /// What is wanted.
        to: Version,
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

/// The minors on the way.
fn through(from: &Version, to: &Version) -> String {
    let path = std::iter::successors(Some(from.minor().next()), |minor| Some(minor.next()));
    // A number that somebody mistyped may be any.
    let path = path.take_while(|minor| *minor <= to.minor()).take(100);
    path.map(|minor| minor.to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether a control plane may go from one version to another in one hop: the same minor and no older patch, or the
/// next minor. A target without a patch stands for any of its minor.
pub fn check_hop(from: impl Into<Version>, to: impl Into<Version>) -> Result<(), SkewError> {
    let (from, to) = (from.into(), to.into());
    if from.minor().major != to.minor().major {
        return Err(SkewError::Major { from, to });
    }
    if to.cmp_loosely(&from).is_lt() {
        return Err(SkewError::Downgrade { from, to });
    }
    if to.minor() > from.minor().next() {
        return Err(SkewError::SkippedMinor { from, to });
    }
    Ok(())
}

/// How many minors a kubelet may be older than the API server.
pub fn kubelet_limit(kubelet: Minor) -> u32 {
    // Three since the kubelet 1.25 (KEP-3935, policy of 1.28); two before.
    if kubelet < Minor::new(1, 25) { 2 } else { 3 }
}

/// Whether a kubelet may talk to an API server of this version, and kubeadm lets it.
pub fn check_kubelet(kubelet: impl Into<Version>, server: impl Into<Version>) -> Result<(), SkewError> {
    let (kubelet, server) = (kubelet.into(), server.into());
    // kubeadm before 1.29 itself let kubelets trail by one minor only (kubernetes/kubernetes#120825).
    let kubeadm = if server.minor() < Minor::new(1, 29) { 1 } else { u32::MAX };
    let limit = kubelet_limit(kubelet.minor()).min(kubeadm);
    within(kubelet, server, limit)
}

/// Whether a kubelet may talk to an API server of this version, whatever kubeadm says of it.
pub fn kubelet_registers(kubelet: impl Into<Version>, server: impl Into<Version>) -> Result<(), SkewError> {
    let kubelet = kubelet.into();
    let limit = kubelet_limit(kubelet.minor());
    within(kubelet, server.into(), limit)
}

fn within(kubelet: Version, server: Version, limit: u32) -> Result<(), SkewError> {
    let (ours, theirs) = (kubelet.minor(), server.minor());
    if ours > theirs {
        return Err(SkewError::KubeletAhead { kubelet, server });
    }
    if ours.major != theirs.major || theirs.minor - ours.minor > limit.into() {
        return Err(SkewError::KubeletBehind { kubelet, server, limit });
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
            assert_eq!(check_hop(version(from), version(to)).is_ok(), legal, "{from} to {to}");
        }
    }

    #[test]
    fn a_skipped_minor_names_the_way() {
        let error = check_hop(version("1.29.3"), version("1.33.1")).expect_err("three minors left out");
        assert_eq!(
            error.to_string(),
            "1.29.3 to 1.33.1 leaves out a minor version; the control plane goes through 1.30, 1.31, 1.32, 1.33"
        );
    }

    #[test]
    fn old_kubelets_may_trail_less() {
        for (kubelet, limit) in [("1.24.17", 2), ("1.25.0", 3), ("1.31.4", 3)] {
            assert_eq!(kubelet_limit(version(kubelet).minor()), limit, "{kubelet}");
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
                check_kubelet(version(kubelet), version(server)).is_ok(),
                legal,
                "{kubelet} under {server}"
            );
        }
    }
}
