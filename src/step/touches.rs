//! What steps change, and what their goals read: with both, a plan knows which goals an earlier step can make false.
//! Each kind says it once, in [`StepKind::touches`](super::StepKind::touches); which facts it alters follows from it.

/// A part of a host, or of the cluster, that steps change and goals read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// What apt knows of the packages that its sources offer.
    Lists,
    /// Which packages are installed, and how well.
    Packages,
    /// Which packages are on hold.
    Holds,
    /// Packages that were downloaded.
    Archives,
    /// Units of systemd and their processes.
    Units,
    /// Whether a reboot is asked for.
    RebootRequired,
    /// What a boot decides: the kernel that runs, swap, the clock.
    Boot,
    /// Free space.
    Disks,
    /// A file, or everything below a directory.
    File(String),
    /// Whether the host's node is cordoned.
    Cordon,
    /// What else the host's own Node object says, such as its annotations.
    Node,
    /// Everything else in the cluster, which all hosts share.
    Cluster,
    /// Any of these: nobody knows what a user's command does.
    Anything,
}

/// What a step touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// What its ops may change.
    pub changes: Vec<Matter>,
    /// What its goal is judged by.
    pub reads: Vec<Matter>,
}

impl Touches {
    /// A step whose goal is judged by just what it changes.
    pub(super) fn both(matters: Vec<Matter>) -> Self {
        Self { changes: matters.clone(), reads: matters }
    }

    /// Facts that a successful change may alter, as dotted names below `facts`.
    pub(super) fn facts(&self) -> Vec<String> {
        let mut facts: Vec<&str> = self.changes.iter().flat_map(Matter::facts).copied().collect();
        facts.sort_unstable();
        facts.dedup();
        facts.into_iter().map(str::to_owned).collect()
    }
}

impl Matter {
    /// A file or directory of this path.
    pub(super) fn file(path: &str) -> Self {
        Self::File(path.to_owned())
    }

    /// Whether a change of the one can be seen in the other.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anything, _) | (_, Self::Anything) => true,
            (Self::File(one), Self::File(other)) => is_at_or_in(one, other) || is_at_or_in(other, one),
            (one, other) => one == other,
        }
    }

    fn facts(&self) -> &'static [&'static str] {
        match self {
            Self::Packages => &["packages", "kubeadm", "kubelet", "dpkg_broken"],
            Self::Holds => &["packages"],
            Self::Units => &["units"],
            Self::RebootRequired => &["reboot_required"],
            Self::Boot => &["boot_id", "kernel", "hostname", "swap_total", "cgroup", "clock"],
            Self::Disks => &["disks"],
            Self::Lists | Self::Archives | Self::File(_) => &[],
            Self::Cordon | Self::Node | Self::Cluster => &[],
            Self::Anything => &crate::facts::HOST_FACTS,
        }
    }
}

/// Whether `path` is the directory or file `at`, or lies below it.
fn is_at_or_in(path: &str, at: &str) -> bool {
    let at = at.trim_end_matches('/');
    path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_where_the_goal_looks() {
        let file = Matter::file;
        let cases = [
            (Matter::Lists, Matter::Lists, true),
            (Matter::Lists, Matter::Packages, false),
            (Matter::Anything, Matter::Node, true),
            (Matter::Holds, Matter::Anything, true),
            (file("/"), file("/etc/motd"), true),
            (file("/etc/systemd/system"), file("/etc/systemd/system/kubelet.service.d"), true),
            (file("/etc/default/kubelet"), file("/etc/default"), true),
            (file("/etc/default/kubelet"), file("/etc/default/kubelet2"), false),
        ];
        for (one, other, meets) in cases {
            assert_eq!(one.meets(&other), meets, "{one:?}, {other:?}");
            assert_eq!(other.meets(&one), meets, "{other:?}, {one:?}");
        }
    }

    #[test]
    fn every_fact_that_a_step_alters_is_one_of_a_host() {
        use Matter::{Anything, Boot, Disks, Holds, Packages, RebootRequired, Units};
        for matter in [Anything, Boot, Disks, Holds, Packages, RebootRequired, Units] {
            for fact in matter.facts() {
                assert!(crate::facts::HOST_FACTS.contains(fact), "{matter:?}: {fact}");
            }
        }
    }

    #[test]
    fn a_kind_that_sends_ops_says_what_they_change() {
        for kind in super::super::all() {
            if kind.effect() == crate::op::Effect::Reads {
                continue;
            }
            let touches = kind.touches(&crate::value::Value::Map(indexmap::IndexMap::new()));
            assert!(!touches.changes.is_empty(), "{}", kind.name());
        }
    }
}
