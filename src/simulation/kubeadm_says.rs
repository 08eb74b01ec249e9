//! What the simulated kubeadm prints, by its age: the wording and exit codes of 1.20 to 1.22, and those of 1.36, which its
//! upgrade phases brought. Texts only; what happens is in `kubeadm.rs`.

use super::process::{Output, ProcessStep};
use crate::value::{KubeVersion, Minor};

/// The last line of every failure.
pub(super) const HINT: &str = "To see the stack trace of this error execute with --v=5 or higher";
/// What stands below failed checks.
const BYPASS: &str = "[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`";
/// The text of kubeadm's check of control groups v1, from 1.35 on.
const CGROUP_V1: &str = "cgroups v1 support is deprecated and will be removed in a future release. Please migrate to cgroups v2. \
    To explicitly enable cgroups v1 support for kubelet v1.35 or newer, you must set the kubelet configuration option \
    'FailCgroupV1' to 'false'. You must also explicitly skip this validation";

/// Which of the two wordings a kubeadm has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Before,
    /// `apply` and `node` are phases.
    Phases,
}

impl Age {
    pub(super) fn of(kubeadm: &KubeVersion) -> Self {
        if kubeadm.minor() < Minor::new(1, 32) { Self::Before } else { Self::Phases }
    }

    /// That the cluster's configuration is read.
    pub(super) fn reads_config(self, prefix: &str, out: &mut Output) {
        match self {
            Self::Before => out.line(format!(
                "[{prefix}] Reading configuration from the cluster...\n[{prefix}] FYI: You can look at this config file with \
                 'kubectl -n kube-system get cm kubeadm-config -o yaml'"
            )),
            Self::Phases => out.line(
                "[upgrade] Reading configuration from the \"kubeadm-config\" ConfigMap in namespace \"kube-system\"...\n\
                 [upgrade] Use 'kubeadm init phase upload-config kubeadm --config your-config-file' to re-upload it.",
            ),
        }
    }

    /// Checks failed before anything was changed; `part` is where, for the older wording.
    pub(super) fn refuses(self, part: &str, code: i32, errors: &str, out: &mut Output) -> ProcessStep {
        match self {
            Self::Before => {
                out.complain(format!(
                    "{part}[preflight] Some fatal errors occurred:\n{errors}\n{BYPASS}\n{HINT}"
                ));
                ProcessStep::Exit(code)
            }
            Self::Phases => {
                out.complain(format!(
                    "[preflight] Some fatal errors occurred:\n{errors}\n{BYPASS}\n\
                     error: error execution phase preflight: preflight checks failed\n{HINT}"
                ));
                ProcessStep::Exit(1)
            }
        }
    }

    /// No node takes the Job of the health check: the older one waits for it and fails, the newer one goes without.
    pub(super) fn without_health_job(self, out: &mut Output) -> Option<ProcessStep> {
        if self == Self::Phases {
            out.complain(
                "W1130 health.go:134] The preflight check \"CreateJob\" was skipped because there are no schedulable Nodes in \
                 the cluster.",
            );
            return None;
        }
        // A drained single control plane, for one (kubernetes/kubeadm#3050).
        let text = "\t[ERROR CreateJob]: Job \"upgrade-health-check\" in the namespace \"kube-system\" did not complete in 15s: \
                    no condition of type Complete";
        Some(self.refuses("[upgrade/health] FATAL: ", 1, text, out))
    }

    pub(super) fn chose(
        self,
        target: &KubeVersion,
        cluster: &KubeVersion,
        kubeadm: &KubeVersion,
        out: &mut Output,
    ) {
        let (chosen, verb) = match self {
            Self::Before => ("[upgrade/version]", "change"),
            Self::Phases => ("[upgrade/preflight]", "upgrade"),
        };
        out.line(format!("{chosen} You have chosen to {verb} the cluster version to \"v{target}\""));
        out.line(format!(
            "[upgrade/versions] Cluster version: v{cluster}\n[upgrade/versions] kubeadm version: v{kubeadm}"
        ));
    }

    pub(super) fn begins_apply(self, target: &KubeVersion, out: &mut Output) {
        out.line(match self {
            Self::Before => format!(
                "[upgrade/prepull] Pulling images required for setting up a Kubernetes cluster\n\
                 [upgrade/apply] Upgrading your Static Pod-hosted control plane to version \"v{target}\"..."
            ),
            Self::Phases => format!(
                "[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster\n\
                 [upgrade/control-plane] Upgrading your static Pod-hosted control plane to version \"v{target}\" (timeout: 5m0s)..."
            ),
        });
    }

    /// Seconds that a component of a control plane takes to come back, at least and at most.
    pub(super) fn component_takes(self) -> (u32, u32) {
        match self {
            Self::Before => (14, 20),
            // An `apply` takes two minutes, without an upgrade of etcd.
            Self::Phases => (26, 36),
        }
    }

    pub(super) fn ends_control_plane(self, out: &mut Output) {
        if self == Self::Phases {
            out.line(
                "[upgrade/control-plane] The control plane instance for this node was successfully upgraded!",
            );
        }
    }

    pub(super) fn ends_apply(self, target: &KubeVersion, out: &mut Output) {
        match self {
            Self::Before if target.minor() < Minor::new(1, 31) => out.line(format!(
                "[upgrade/successful] SUCCESS! Your cluster was upgraded to \"v{target}\". Enjoy!"
            )),
            Self::Before => out.line(format!(
                "[upgrade] SUCCESS! A control plane node of your cluster was upgraded to \"v{target}\"."
            )),
            Self::Phases => out.line(format!(
                "[upgrade] SUCCESS! A control plane node of your cluster was upgraded to \"v{target}\".\n\n\
                 [upgrade] Now please proceed with upgrading the rest of the nodes by following the right order."
            )),
        }
    }

    pub(super) fn skips_control_plane(self, out: &mut Output) {
        out.line(match self {
            Self::Before => {
                "[preflight] Skipping prepull. Not a control plane node.\n[upgrade] Skipping phase. Not a control plane node."
            }
            Self::Phases => {
                "[upgrade/preflight] Skipping prepull. Not a control plane node.\n\
                 [upgrade/control-plane] Skipping phase. Not a control plane node.\n\
                 [upgrade/kubeconfig] Skipping phase. Not a control plane node."
            }
        });
    }

    pub(super) fn ends_node(self, is_control_plane: bool, out: &mut Output) {
        match self {
            Self::Before => out.line(
                "[upgrade] The configuration for this node was successfully updated!\n\
                 [upgrade] Now you should go ahead and upgrade the kubelet package using your package manager.",
            ),
            Self::Phases if is_control_plane => {
                out.line("[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!");
            }
            Self::Phases => out.line(
                "[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!\n\
                 [upgrade/addon] Skipping the addon/coredns phase. Not a control plane node.\n\
                 [upgrade/addon] Skipping the addon/kube-proxy phase. Not a control plane node.",
            ),
        }
    }
}

/// What the check of the machine says of control groups v1 from 1.35 on, in colours whatever reads it; whether that is an
/// error follows from `--ignore-preflight-errors`.
pub(super) fn cgroup_v1(kernel: &str, ignored: bool, out: &mut Output) -> Option<String> {
    let row = |name: &str, value: &str| format!("\u{1b}[0;37m{name}\u{1b}[0m: \u{1b}[0;32m{value}\u{1b}[0m");
    out.line("[preflight] The system verification failed. Printing the output from the verification:");
    for (name, value) in [
        ("KERNEL_VERSION", kernel),
        ("OS", "Linux"),
        ("CGROUPS_CPU", "enabled"),
        ("CGROUPS_CPUSET", "enabled"),
        ("CGROUPS_MEMORY", "enabled"),
        ("CGROUPS_PIDS", "enabled"),
    ] {
        out.line(row(name, value));
    }
    if !ignored {
        return Some(format!("\t[ERROR SystemVerification]: {CGROUP_V1}"));
    }
    out.complain(format!("\t[WARNING SystemVerification]: {CGROUP_V1}"));
    None
}
