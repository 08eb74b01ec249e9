//! What is known to break on the way to a version, with its source. A trap is shown to people; none of them stops a
//! run by itself, because most need a look that only the operator can take.

use crate::value::Version;

/// Something that breaks when a control plane or a kubelet reaches a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The first version that has it, as `1.35` or `1.28.0`.
    pub since: &'static str,
    /// The first version that no longer has it; empty where it stays.
    pub until: &'static str,
    /// What breaks and what to do.
    pub what: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// Every trap, in the order of versions.
pub const TRAPS: &[Trap] = &[
    Trap {
        since: "1.24",
        until: "",
        what: "dockershim is gone and the label `node-role.kubernetes.io/master` with it: the runtime must be containerd or CRI-O",
        source: "kubeadm#2200, KEP-2221 (enhancements#2221)",
    },
    Trap {
        since: "1.28.0",
        until: "1.28.3",
        what: "the upgrade of etcd may end with \"static pod hash did not change\": go to 1.28.3 or later",
        source: "kubeadm#2957",
    },
    Trap {
        since: "1.30",
        until: "",
        what: "the health check of `kubeadm upgrade` runs as a Job and needs a schedulable node: drain after it, not before",
        source: "kubeadm#3050",
    },
    Trap {
        since: "1.30",
        until: "",
        what: "the image pull of kubeadm may fail on hosts without a registry, though the images are there",
        source: "kubernetes#132618",
    },
    Trap {
        since: "1.31",
        until: "",
        what: "a kubelet upgraded in place restarts every container of the node: drain first",
        source: "kubernetes#129659",
    },
    Trap {
        since: "1.34",
        until: "",
        what: "etcd moves to 3.6: every member must be at 3.5.26 or later before",
        source: "k3s#13494",
    },
    Trap {
        since: "1.35",
        until: "",
        what: "the kubelet refuses to start on cgroup v1",
        source: "kubernetes#134298",
    },
    Trap {
        since: "1.35",
        until: "",
        what: "`--pod-infra-container-image` is gone: a kubelet that still has it in /etc/default/kubelet does not start",
        source: "kubernetes#133779, image-builder#1866",
    },
    Trap {
        since: "1.36",
        until: "",
        what: "containerd 1.x is no longer supported: 1.35 was the last minor that works with it",
        source: "kubernetes#133774",
    },
];

/// The traps that a hop runs into: those that the target has and the present version has not.
pub fn on_the_way(from: &Version, to: &Version) -> Vec<&'static Trap> {
    TRAPS.iter().filter(|trap| trap.bites(to) && !trap.bites(from)).collect()
}

impl Trap {
    /// Whether this version has it.
    pub fn bites(&self, version: &Version) -> bool {
        let reached = |bound: &str| Version::parse(bound).is_ok_and(|bound| at_least(version, &bound));
        reached(self.since) && !reached(self.until)
    }
}

/// Whether a version is at or above a bound; a version without a patch stands for the last of its minor.
pub(super) fn at_least(version: &Version, bound: &Version) -> bool {
    if version.patch.is_none() {
        return (version.major, version.minor) >= (bound.major, bound.minor);
    }
    *version >= *bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(from: &str, to: &str) -> Vec<&'static str> {
        let version = |text: &str| Version::parse(text).expect(text);
        on_the_way(&version(from), &version(to)).iter().map(|trap| trap.source).collect()
    }

    #[test]
    fn only_new_traps_are_named() {
        assert_eq!(names("1.34.2", "1.35.0").len(), 2);
        assert!(names("1.35.0", "1.35.2").is_empty());
        assert_eq!(names("1.27.9", "1.28.1"), ["kubeadm#2957"]);
        assert!(names("1.27.9", "1.28.3").is_empty());
        assert_eq!(names("1.30.2", "1.31.4"), ["kubernetes#129659"]);
    }

    #[test]
    fn every_trap_has_readable_bounds_in_order_and_a_source() {
        for trap in TRAPS {
            let since = Version::parse(trap.since).expect(trap.since);
            assert!(
                trap.until.is_empty() || Version::parse(trap.until).expect(trap.until) > since,
                "{trap:?}"
            );
            assert!(trap.source.contains('#') && !trap.what.ends_with('.'), "{trap:?}");
        }
        let order: Vec<_> = TRAPS.iter().map(|trap| Version::parse(trap.since).expect(trap.since)).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
}
