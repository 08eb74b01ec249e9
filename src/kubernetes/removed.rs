//! Flags and subcommands that a version no longer has, with their source. Only what was found in runbooks that people
//! still use.

use super::traps::at_least;
use crate::value::Version;

/// Something that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The program.
    pub program: &'static str,
    /// Its subcommands; empty for any.
    pub verbs: &'static [&'static str],
    /// The flag; empty where the subcommand itself is gone.
    pub flag: &'static str,
    /// The first version without it.
    pub since: &'static str,
    /// What to write.
    pub instead: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// Everything that is known to be gone, in the order of programs and versions.
pub const REMOVED: &[Removed] = &[
    Removed {
        program: "kubeadm",
        verbs: &["upgrade", "node", "config"],
        flag: "",
        since: "1.18",
        instead: "write `kubeadm upgrade node`, or the step `kubeadm`",
        source: "kubernetes#87975",
    },
    Removed {
        program: "kubeadm",
        verbs: &["upgrade", "node"],
        flag: "--kubelet-version",
        since: "1.20",
        instead: "leave it out: kubelet's package decides",
        source: "kubernetes#94869",
    },
    Removed {
        program: "kubeadm",
        verbs: &["alpha", "kubeconfig"],
        flag: "",
        since: "1.22",
        instead: "write `kubeadm kubeconfig`",
        source: "kubernetes#101938",
    },
    Removed {
        program: "kubeadm",
        verbs: &["config", "view"],
        flag: "",
        since: "1.22",
        instead: "read the ConfigMap kubeadm-config in kube-system",
        source: "kubernetes#102071",
    },
    Removed {
        program: "kubeadm",
        verbs: &["upgrade", "apply"],
        flag: "--image-pull-timeout",
        since: "1.22",
        instead: "pull the images beforehand with `kubeadm config images pull`",
        source: "kubernetes#102093",
    },
    Removed {
        program: "kubeadm",
        verbs: &["certs", "renew"],
        flag: "--csr-only",
        since: "1.23",
        instead: "write `kubeadm certs generate-csr`",
        source: "kubernetes#104796",
    },
    Removed {
        program: "kubeadm",
        verbs: &["certs", "renew"],
        flag: "--csr-dir",
        since: "1.23",
        instead: "write `kubeadm certs generate-csr`",
        source: "kubernetes#104796",
    },
    Removed {
        program: "kubeadm",
        verbs: &["upgrade"],
        flag: "--experimental-patches",
        since: "1.23",
        instead: "write `--patches`, or the step `kubeadm` with `patches`",
        source: "CHANGELOG-1.23, urgent upgrade notes",
    },
    Removed {
        program: "kubeadm",
        verbs: &["upgrade", "apply"],
        flag: "--feature-gates",
        since: "1.32",
        instead: "leave it out: it did nothing",
        source: "kubernetes#127123",
    },
    Removed {
        program: "kubectl",
        verbs: &["version"],
        flag: "--short",
        since: "1.28",
        instead: "leave it out: the short output is the only one",
        source: "kubernetes#116720",
    },
    Removed {
        program: "kubectl",
        verbs: &["drain"],
        flag: "--delete-local-data",
        since: "1.31",
        instead: "write the step `drain` with `delete_emptydir_data` and a `reason`",
        source: "lens#7063, deprecated by kubernetes#95076",
    },
    Removed {
        program: "kubelet",
        verbs: &[],
        flag: "--network-plugin",
        since: "1.24",
        instead: "leave it out: the container runtime sets the network up",
        source: "kubernetes#106973",
    },
    Removed {
        program: "kubelet",
        verbs: &[],
        flag: "--container-runtime",
        since: "1.27",
        instead: "leave it out: `--container-runtime-endpoint` stays",
        source: "kubernetes#114017",
    },
    Removed {
        program: "kubelet",
        verbs: &[],
        flag: "--pod-infra-container-image",
        since: "1.35",
        instead: "set the sandbox image in the container runtime's configuration",
        source: "kubernetes#133779, image-builder#1866",
    },
];

impl Removed {
    /// Whether a version no longer has it.
    pub fn is_gone_in(&self, version: &Version) -> bool {
        Version::parse(self.since).is_ok_and(|since| at_least(version, &since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_readable() {
        let since = |removed: &Removed| Version::parse(removed.since).expect(removed.since);
        let order = |a: &Removed, b: &Removed| {
            a.program.cmp(b.program).then_with(|| since(a).cmp_precedence(&since(b)))
        };
        assert!(REMOVED.is_sorted_by(|a, b| order(a, b).is_le()));
        for removed in REMOVED {
            assert!(!removed.verbs.is_empty() || !removed.flag.is_empty(), "{removed:?}");
            assert!(!removed.source.is_empty() && !removed.instead.ends_with('.'), "{removed:?}");
        }
    }

    #[test]
    fn a_flag_is_gone_from_its_version_on() {
        let patches = REMOVED.iter().find(|removed| removed.flag == "--experimental-patches").expect("a row");
        for (version, gone) in [("1.22.9", false), ("1.23.0", true), ("1.23", true), ("1.31.4", true)] {
            assert_eq!(patches.is_gone_in(&Version::parse(version).expect(version)), gone, "{version}");
        }
    }
}
