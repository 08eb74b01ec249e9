//! What is known to break on the way to a version, with its source. A trap is shown to people in the plan, unless facts
//! say that no machine is concerned; none of them stops a run by itself, because most need a look that only the operator
//! can take.

use crate::value::Version;

/// Something that breaks when a control plane or a kubelet reaches a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The first version that has it, as `1.35` or `1.28.0`.
    pub since: &'static str,
    /// The first version that no longer has it; empty where it stays.
    pub until: &'static str,
    /// Which machines it is about.
    pub asks: TrapSubject,
    /// Whether no machine that it is about can run the version: what is read of a machine says all that there is to say.
    pub stops: bool,
    /// What breaks and what to do.
    pub what: &'static str,
    /// Where it is written.
    pub source: &'static str,
}

/// What of a machine tells whether a trap is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapSubject {
    /// Nothing that is read: people have to look.
    People,
    /// Its cgroup version.
    CgroupV1,
    /// Whether its container runtime is dockershim.
    Dockershim,
    /// Whether its container runtime is containerd before this version.
    ContainerdBefore(u32, u32),
}

/// What is known of a machine; what is not is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine<'a> {
    /// Its name.
    pub name: &'a str,
    /// "v1" or "v2".
    pub cgroup: &'a str,
    /// `containerRuntimeVersion` of its node: "containerd://1.7.2".
    pub runtime: &'a str,
}

/// Whom a trap is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Nothing tells.
    Anybody,
    /// None of the machines.
    Nobody,
    /// These.
    These(Vec<String>),
}

/// Every trap, in the order of versions.
pub const TRAPS: &[Trap] = &[
    Trap {
        since: "1.22",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "beta APIs of Ingress, CustomResourceDefinition, RBAC and admission webhooks are gone: manifests and clients must use v1",
        source: "Deprecated API Migration Guide, Kubernetes documentation",
    },
    Trap {
        since: "1.24",
        until: "",
        asks: TrapSubject::Dockershim,
        stops: false,
        what: "dockershim is gone: the runtime must be containerd or CRI-O",
        source: "kubeadm#2626, KEP-2221 (enhancements#2221)",
    },
    Trap {
        since: "1.24",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "the label `node-role.kubernetes.io/master` is gone: selectors must use `control-plane`",
        source: "kubeadm#2200",
    },
    Trap {
        since: "1.25",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "PodSecurityPolicy is gone, and PodDisruptionBudget and CronJob are v1 only",
        source: "Deprecated API Migration Guide, Kubernetes documentation",
    },
    Trap {
        since: "1.26",
        until: "",
        asks: TrapSubject::ContainerdBefore(1, 6),
        stops: true,
        what: "the kubelet needs CRI v1, and containerd before 1.6 has only v1alpha2: upgrade containerd first",
        source: "kubernetes#110618",
    },
    Trap {
        since: "1.26",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "HorizontalPodAutoscaler `autoscaling/v2beta2` is gone: use `autoscaling/v2`",
        source: "Deprecated API Migration Guide, Kubernetes documentation",
    },
    Trap {
        since: "1.28.0",
        until: "1.28.3",
        asks: TrapSubject::People,
        stops: false,
        what: "the upgrade of etcd may end with \"static pod hash did not change\": go to 1.28.3 or later",
        source: "kubeadm#2957",
    },
    Trap {
        since: "1.29",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "`flowcontrol.apiserver.k8s.io/v1beta2` is gone: use `v1`",
        source: "Deprecated API Migration Guide, Kubernetes documentation",
    },
    Trap {
        since: "1.30",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "the health check of `kubeadm upgrade` runs as a Job and needs a schedulable node: drain after it, not before",
        source: "kubeadm#3050",
    },
    Trap {
        since: "1.30",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "the image pull of kubeadm may fail on hosts without a registry, though the images are there",
        source: "kubernetes#132618",
    },
    Trap {
        since: "1.31",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "a kubelet upgraded in place restarts every container of the node: drain first",
        source: "kubernetes#129659",
    },
    Trap {
        since: "1.32",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "`flowcontrol.apiserver.k8s.io/v1beta3` is gone: use `v1`",
        source: "Deprecated API Migration Guide, Kubernetes documentation",
    },
    Trap {
        since: "1.34",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "etcd moves to 3.6: every member must be at 3.5.26 or later before",
        source: "k3s#13494",
    },
    Trap {
        since: "1.35",
        until: "",
        asks: TrapSubject::CgroupV1,
        stops: true,
        what: "the kubelet refuses to start on cgroup v1, and so does kubeadm's preflight, even with `failCgroupV1: false`",
        source: "kubernetes#134298, enhancements#5573",
    },
    Trap {
        since: "1.35",
        until: "",
        asks: TrapSubject::People,
        stops: false,
        what: "`--pod-infra-container-image` is gone: a kubelet that still has it in /etc/default/kubelet or /var/lib/kubelet/kubeadm-flags.env does not start",
        source: "kubernetes#133779, image-builder#1866, kubeadm#3281",
    },
    Trap {
        since: "1.36",
        until: "1.37",
        asks: TrapSubject::ContainerdBefore(2, 0),
        stops: false,
        what: "containerd 1.x is no longer supported: 1.35 was the last minor that works with it",
        source: "kubernetes#133774",
    },
    Trap {
        since: "1.37",
        until: "",
        asks: TrapSubject::ContainerdBefore(2, 0),
        stops: true,
        what: "the kubelet needs the CRI's RuntimeConfig, which containerd 1.x has not: upgrade containerd to 2.x first",
        source: "kubernetes#133774, enhancements#4033",
    },
];

/// The traps that a hop runs into: those that the target has and the present version has not.
pub fn on_the_way(from: &Version, to: &Version) -> Vec<&'static Trap> {
    TRAPS.iter().filter(|trap| trap.bites(to) && !trap.bites(from)).collect()
}

impl TrapSubject {
    /// Whether it is about a machine, where that is known.
    fn about(self, machine: &Machine<'_>) -> Option<bool> {
        let told = |text: &str, hit: bool| (!text.is_empty()).then_some(hit);
        match self {
            Self::People => None,
            Self::CgroupV1 => told(machine.cgroup, machine.cgroup == "v1"),
            Self::Dockershim => told(machine.runtime, machine.runtime.starts_with("docker://")),
            Self::ContainerdBefore(major, minor) => {
                let other = !machine.runtime.starts_with(CONTAINERD);
                let version = containerd(machine.runtime);
                let is_known = other || version.is_some();
                is_known
                    .then(|| version.is_some_and(|version| version < (major, minor)))
                    .filter(|_| !machine.runtime.is_empty())
            }
        }
    }
}

impl Trap {
    fn is_about(&self, machine: &Machine<'_>) -> bool {
        self.asks.about(machine) == Some(true)
    }

    /// Whom it is about. A machine of which nothing is known does not make the others unknown.
    pub fn concern(&self, machines: &[Machine<'_>]) -> Concern {
        let told: Vec<(&str, bool)> =
            machines.iter().filter_map(|machine| Some((machine.name, self.asks.about(machine)?))).collect();
        if told.is_empty() {
            return Concern::Anybody;
        }
        let hit: Vec<String> =
            told.into_iter().filter(|(_, hit)| *hit).map(|(name, _)| name.to_owned()).collect();
        if hit.is_empty() { Concern::Nobody } else { Concern::These(hit) }
    }

    /// What a machine is that it is about: "cgroup v1", "containerd://1.7.2".
    fn found<'a>(&self, machine: &Machine<'a>) -> &'a str {
        match self.asks {
            TrapSubject::CgroupV1 => "cgroup v1",
            _ => machine.runtime,
        }
    }

    /// Whether this version has it.
    pub fn bites(&self, version: &Version) -> bool {
        let reached = |bound: &str| Version::parse(bound).is_ok_and(|bound| at_least(version, &bound));
        reached(self.since) && !reached(self.until)
    }
}

/// Why a machine cannot run a version, each reason with its source; nothing where nothing that is known of it says so.
pub fn against(target: &Version, machine: &Machine<'_>) -> Vec<String> {
    let told = |trap: &Trap| {
        let (since, found, what) = (trap.since, trap.found(machine), trap.what);
        format!("it has {found}, and since {since} {what} ({})", trap.source)
    };
    TRAPS.iter().filter(|trap| trap.stops && trap.bites(target) && trap.is_about(machine)).map(told).collect()
}

/// The first version that a machine cannot run, and why: for whoever has chosen none yet.
pub fn first_against(machine: &Machine<'_>) -> Option<(&'static str, String)> {
    let first = TRAPS.iter().find(|trap| trap.stops && trap.is_about(machine))?;
    Some((first.since, format!("{}: {} ({})", first.found(machine), first.what, first.source)))
}

const CONTAINERD: &str = "containerd://";

/// Major and minor of containerd, where it is the runtime.
fn containerd(runtime: &str) -> Option<(u32, u32)> {
    let version = runtime.strip_prefix(CONTAINERD)?;
    let mut numbers = version.trim_start_matches('v').split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether a version is at or above a bound. A minor stands for the last of its releases.
pub(super) fn at_least(version: &Version, bound: &Version) -> bool {
    match version {
        Version::Minor(minor) => *minor >= bound.minor(),
        Version::Release(_) => version.cmp_precedence(bound).is_ge(),
    }
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
    fn a_trap_names_the_machines_that_it_is_about() {
        let trap = |source: &str| TRAPS.iter().find(|trap| trap.source.contains(source)).expect(source);
        let machine = |name, cgroup, runtime| Machine { name, cgroup, runtime };
        let both = [machine("w1", "v1", "containerd://2.1.0"), machine("w2", "v2", "containerd://1.7.2")];
        let these = |names: &[&str]| Concern::These(names.iter().map(ToString::to_string).collect());
        for (source, machines, expected) in [
            ("kubernetes#134298", &both[..], these(&["w1"])),
            ("kubernetes#133774", &both[..], these(&["w2"])),
            ("KEP-2221", &both[..], Concern::Nobody),
            ("kubernetes#134298", &[machine("w1", "", "docker://20.10")][..], Concern::Anybody),
            ("KEP-2221", &[machine("w1", "", "docker://20.10")][..], these(&["w1"])),
            ("kubeadm#3050", &both[..], Concern::Anybody),
            ("kubernetes#134298", &[machine("w1", "", ""), machine("w2", "v2", "")][..], Concern::Nobody),
        ] {
            assert_eq!(trap(source).concern(machines), expected, "{source} {machines:?}");
        }
    }

    #[test]
    fn a_machine_is_told_what_it_cannot_run() {
        let old = ("v1", "containerd://1.5.9");
        let usual = ("v2", "containerd://1.7.24~ds1");
        let modern = ("v2", "containerd://2.1.9");
        for ((cgroup, runtime), target, reasons) in [
            (old, "1.25.9", &[][..]),
            (old, "1.26.0", &["CRI v1"]),
            (old, "1.26", &["CRI v1"]),
            (old, "1.34.9", &["CRI v1"]),
            (old, "1.35.0", &["CRI v1", "cgroup v1"]),
            (old, "1.37.0", &["CRI v1", "cgroup v1", "RuntimeConfig"]),
            (usual, "1.26.0", &[]),
            (usual, "1.36.2", &[]),
            (usual, "1.37.0", &["RuntimeConfig"]),
            (modern, "1.40.0", &[]),
            (("v1", "cri-o://1.35.0"), "1.35.0", &["cgroup v1"]),
            (("v2", "cri-o://1.35.0"), "1.37.0", &[]),
            // Nothing is known of it, or nothing that can be read.
            (("", ""), "1.37.0", &[]),
            (("v2", "containerd://devel"), "1.37.0", &[]),
        ] {
            let target = Version::parse(target).expect(target);
            let told = against(&target, &Machine { name: "w1", cgroup, runtime });
            let all_told = told.len() == reasons.len()
                && told.iter().zip(reasons).all(|(told, part)| told.contains(part));
            assert!(all_told, "{cgroup} {runtime} {target}: {told:?}");
        }
        let first =
            |cgroup, runtime| first_against(&Machine { name: "w1", cgroup, runtime }).map(|(since, _)| since);
        assert_eq!(first("v1", "containerd://1.7.2"), Some("1.35"));
        assert_eq!(first("v2", "containerd://1.5.2"), Some("1.26"));
        assert_eq!(first("v2", "containerd://2.0.0"), None);
    }

    #[test]
    fn every_trap_has_readable_bounds_in_order_and_a_source() {
        for trap in TRAPS {
            let since = Version::parse(trap.since).expect(trap.since);
            assert!(
                trap.until.is_empty()
                    || since.cmp_precedence(&Version::parse(trap.until).expect(trap.until)).is_lt(),
                "{trap:?}"
            );
            assert!(!trap.source.is_empty() && !trap.what.ends_with('.'), "{trap:?}");
        }
        let order: Vec<_> = TRAPS.iter().map(|trap| Version::parse(trap.since).expect(trap.since)).collect();
        assert!(order.is_sorted_by(|a, b| a.cmp_precedence(b).is_le()), "{order:?}");
    }
}
