//! The step `kubeadm`: its fields and what it sends. What is looked at before and after is in [`look`].

mod kubelet_config;
mod look;

use super::arguments::{arguments, word_arguments};
use super::build::{exec, refuse_secrets, wrong};
use super::kind::Kind;
use super::node_state::{OnNode, api_away, kubectl_op, on_node};
use super::{
    AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject, Touches, Verify,
};
use crate::kubernetes::KUBEADM_NODE;
use crate::op::{Effect, Op, ProbeOutput, RunWhen};
use crate::value::{Duration, KubeVersion, Minor, Version};

/// Runs `kubeadm upgrade` on the host.
pub(crate) struct Kubeadm;

/// Startup probes of static pods take 60 to 90 s after a restart of the kubelet, though the components are healthy.
const COMPONENTS_READY: Poll = Poll {
    interval: Duration::from_secs(5),
    stable_for: Duration::from_secs(20),
    within: Duration::from_secs(300),
};

/// A worker's traces are there at once.
const WORKER_DONE: Poll =
    Poll { interval: Duration::from_secs(2), stable_for: Duration::ZERO, within: Duration::from_secs(30) };

arguments! {
    /// What kubeadm upgrades, and how.
    pub(crate) struct KubeadmArgs {
        /// `apply` on the first control plane, once per cluster and version; `node` on every other node.
        upgrade: UpgradeVerb,
        /// The version to reach, with its patch: `1.31.4`.
        version: Version,
        /// Whether certificates are renewed on the way. kubeadm's default is yes.
        certificate_renewal: Option<bool>,
        /// Whether a stacked etcd member is upgraded. kubeadm's default is yes.
        etcd_upgrade: Option<bool>,
        /// Directory on the host with kubeadm's patches for static pods and kubelet.
        patches: Option<String>,
        /// Checks of kubeadm whose failure is accepted, by name. Needs `reason`.
        ignore_preflight_errors: Option<Vec<String>>,
        /// Why failing checks may be ignored. Shown in the plan.
        reason: Option<String>,
    }
}

impl KubeadmArgs {
    fn ignored(&self) -> &[String] {
        self.ignore_preflight_errors.as_deref().unwrap_or_default()
    }
}

/// What stands behind `kubeadm upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpgradeVerb {
    Apply,
    Node,
}

word_arguments!(UpgradeVerb { "apply" => Apply, "node" => Node });

impl Kind for Kubeadm {
    type Args = KubeadmArgs;

    const NAME: &'static str = "kubeadm";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Upgrades the host's part of the cluster with `kubeadm upgrade`",
            body: "On a control plane the step is satisfied when the kubeadm binary, the host's static pods and the cluster's \
                   kubeadm configuration all are of the version. Afterwards all static pods of the node must be Ready, of the \
                   new image, and without restarts for 20 s: the exit code and kubeadm's SUCCESS are no evidence, since both \
                   were seen over a scheduler that crashed in a loop.\n\n\
                   On a worker `kubeadm upgrade node` leaves no trace of its own, so the step annotates the node with the version \
                   (`rollbook.dev/kubeadm-node`). It is satisfied when the annotation and the kubeadm binary are of the version \
                   and the host's kubelet configuration holds the cluster's. A node that somebody upgraded by hand has no \
                   annotation: there the step is also satisfied when the node's kubelet runs at the version already. Otherwise \
                   it runs without the annotation, which takes under a second and is harmless. A worker whose cluster has not been upgraded yet fails, because kubeadm itself \
                   would exit 0 there and do nothing.\n\n\
                   `kubeadm upgrade plan` is not used: it creates a Job.",
            example: "- kubeadm: { upgrade: apply, version: 1.31.4 }\n  timeout: 20m\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        if written.contains(&"ignore_preflight_errors") && !written.contains(&"reason") {
            return vec!["`ignore_preflight_errors` gives checks up: say why in `reason:`".to_owned()];
        }
        Vec::new()
    }

    fn touches(&self, args: Option<&KubeadmArgs>) -> Touches {
        let files = ["/etc/kubernetes", "/var/lib/kubelet"].map(Matter::file);
        let mut changes = vec![Matter::Node, Matter::Units];
        changes.extend(files.clone());
        // Only `apply` writes what all hosts read.
        if args.is_none_or(|args| args.upgrade == UpgradeVerb::Apply) {
            changes.push(Matter::Cluster);
        }
        let mut reads = vec![Matter::Packages, Matter::Node, Matter::Cluster];
        reads.extend(files);
        Touches { changes, reads }
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(90)
    }

    fn lower(&self, args: &KubeadmArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, Self::NAME)?;
        let version = target(args)?;
        let part = NodeRole::of(args, cx.subject);
        let title = title(args, version);
        let effect = cx.effect.map_or(part.effect(), |stated| stated.max(Effect::Changes));
        let mut ops = vec![Op { long: true, ..exec(cx, &title, argv(args, version)?, effect) }];
        if part == NodeRole::Worker {
            ops.push(annotate(on, cx, version));
            ops.push(take_back(on, cx));
        }
        let (probe, verify) = match part {
            NodeRole::ControlPlane => {
                let probe = look::components(on, cx);
                (look::control_plane(on, cx), Verify { probe, poll: COMPONENTS_READY })
            }
            NodeRole::Worker => {
                let probe = look::worker(on, cx, version);
                (probe.clone(), Verify { probe, poll: WORKER_DONE })
            }
        };
        Ok(Lowered {
            title,
            role: Role::Goal,
            effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: Some(probe),
            poll: None,
            ops,
            verify: Some(verify),
            // Seen: a second `apply` ends with 0 and finds every manifest equal.
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &KubeadmArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let target = known_target(args)?;
        match NodeRole::of(args, subject) {
            NodeRole::ControlPlane => look::assess_control_plane(target, answers),
            NodeRole::Worker => {
                Ok(look::read_worker(subject, answers)?.assess(target, args.patches.is_some()))
            }
        }
    }

    fn assess_verify(
        &self,
        args: &KubeadmArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let target = known_target(args)?;
        match NodeRole::of(args, subject) {
            NodeRole::ControlPlane => look::assess_components(target, subject, answers),
            NodeRole::Worker => match answers.iter().find_map(api_away) {
                Some(away) => Ok(away),
                None => Ok(look::read_worker(subject, answers)?.assess_done(target)),
            },
        }
    }
}

/// What the host is to `kubeadm upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeRole {
    ControlPlane,
    Worker,
}

impl NodeRole {
    fn of(args: &KubeadmArgs, subject: &Subject) -> Self {
        let control_plane = subject.control_plane || args.upgrade == UpgradeVerb::Apply;
        if control_plane { Self::ControlPlane } else { Self::Worker }
    }

    /// On a control plane static pods are restarted; on a worker a file is written that only a later restart reads.
    fn effect(self) -> Effect {
        match self {
            Self::ControlPlane => Effect::Disrupts,
            Self::Worker => Effect::Changes,
        }
    }
}

fn title(args: &KubeadmArgs, version: &KubeVersion) -> String {
    let verb = match args.upgrade {
        UpgradeVerb::Apply => "apply",
        UpgradeVerb::Node => "node",
    };
    let ignored = args.ignored().join(", ");
    match &args.reason {
        Some(reason) if !ignored.is_empty() => {
            format!("kubeadm upgrade {verb} to {version} (ignoring {ignored}: {reason})")
        }
        _ => format!("kubeadm upgrade {verb} to {version}"),
    }
}

/// The version to reach. kubeadm takes `1.31` for no version at all, after twenty seconds of checks.
fn target(args: &KubeadmArgs) -> Result<&KubeVersion, LowerError> {
    let version = &args.version;
    version.release().ok_or_else(|| {
        wrong(
            format!("`version` is `{version}`, a minor without a patch"),
            format!("write all of it, such as `{version}.4`: kubeadm does not choose"),
        )
    })
}

/// The version of arguments that have been lowered before.
fn known_target(args: &KubeadmArgs) -> Result<&KubeVersion, AssessError> {
    target(args).map_err(|error| AssessError { command: "kubeadm".to_owned(), reason: error.message })
}

fn argv(args: &KubeadmArgs, version: &KubeVersion) -> Result<Vec<String>, LowerError> {
    let mut words = vec!["kubeadm".to_owned(), "upgrade".to_owned()];
    if args.upgrade == UpgradeVerb::Apply {
        words.extend(["apply".to_owned(), format!("v{version}"), "--yes".to_owned()]);
    } else {
        words.push("node".to_owned());
    }
    words.extend(args.certificate_renewal.map(|yes| format!("--certificate-renewal={yes}")));
    words.extend(args.etcd_upgrade.map(|yes| format!("--etcd-upgrade={yes}")));
    if let Some(patches) = &args.patches {
        let directory = super::build::absolute_path("patches", patches)?;
        // The flag lost its prefix in 1.22, when patches became beta.
        let flag = if version.minor() < Minor::new(1, 22) { "--experimental-patches" } else { "--patches" };
        words.push(format!("{flag}={directory}"));
    }
    let ignored = args.ignored();
    if !ignored.is_empty() {
        if args.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(wrong("`ignore_preflight_errors` gives checks up", "say why in `reason:`"));
        }
        let fits = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b))
        };
        if let Some(name) = ignored.iter().find(|name| !fits(name) || name.eq_ignore_ascii_case("all")) {
            return Err(wrong(
                format!("`{}` is no single check of kubeadm", name.escape_debug()),
                "name the checks that may fail, such as `CoreDNSUnsupportedPlugins`; `all` would also ignore what matters",
            ));
        }
        words.push(format!("--ignore-preflight-errors={}", ignored.join(",")));
    }
    refuse_secrets(&words)?;
    Ok(words)
}

fn annotate(on: OnNode<'_>, cx: &LowerCx<'_>, version: &KubeVersion) -> Op {
    let value = format!("{KUBEADM_NODE}={version}");
    let title = format!("note on {} that kubeadm {version} ran", on.node);
    kubectl_op(cx, on.kube, title, &["annotate", "node", on.node, &value, "--overwrite"], Effect::Changes)
}

/// Where kubeadm failed, or succeeded without anything to do, the next run must not believe the note.
fn take_back(on: OnNode<'_>, cx: &LowerCx<'_>) -> Op {
    let title = format!("take the note off {}", on.node);
    let words = ["annotate", "node", on.node, &format!("{KUBEADM_NODE}-")];
    Op { when: RunWhen::OnFailure, ..kubectl_op(cx, on.kube, title, &words, Effect::Changes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignoring_checks_needs_a_reason() {
        assert_eq!(Kubeadm.check(&["upgrade", "version", "ignore_preflight_errors"]).len(), 1);
        assert!(Kubeadm.check(&["upgrade", "version", "ignore_preflight_errors", "reason"]).is_empty());
    }

    #[test]
    fn cases_hold() {
        crate::step::cases::run("kubeadm");
    }
}
