//! The step `node_support`.

use super::arguments::arguments;
use super::build::{exactly, refused, satisfied};
use super::kind::Kind;
use super::node_state::{kube, on_node, read_nodes};
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject};
use crate::facts::{CGROUP, cgroup_version};
use crate::kubernetes::traps::{Machine, against};
use crate::op::{Effect, Probe, ProbeOutput, Query, Site};
use crate::value::{Duration, Version};

/// Checks that the host can run a version of Kubernetes.
pub(crate) struct NodeSupport;

arguments! {
    /// What the host is to run.
    pub(crate) struct NodeSupportArgs {
        /// The version of Kubernetes that the host is to run.
        target: Version,
        /// Whether control groups v1 are accepted from 1.35 on. The kubelet then needs `failCgroupV1: false`, and kubeadm
        /// `ignore_preflight_errors: [SystemVerification]`.
        accept_cgroup_v1: bool = false,
    }
}

impl Kind for NodeSupport {
    type Args = NodeSupportArgs;

    const NAME: &'static str = "node_support";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Checks that the host can run a version of Kubernetes",
            body: "The version of its control groups is asked of the host, its container runtime of its node's status. Refused \
                   are control groups v1 with a target of 1.35 or newer, containerd before 2.0 with 1.37 or newer (the kubelet \
                   needs the CRI's RuntimeConfig), and containerd before 1.6 with 1.26 or newer (the kubelet needs CRI v1). \
                   What cannot be read, and other runtimes, are not judged.\n\n\
                   Put it in front of everything that changes a package: kubeadm and the kubelet refuse later, on a host that \
                   is half upgraded by then.",
            example: "- node_support: { target: 1.35.2 }\n",
            shorthand: Some("target"),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &NodeSupportArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let target = &args.target;
        let kube = kube(cx, Self::NAME)?;
        let mut queries = vec![Query { argv: CGROUP.map(str::to_owned).to_vec(), ..Query::default() }];
        // A machine outside the cluster has no runtime that somebody reports.
        if cx.subject.node.is_some() {
            queries.push(on_node(cx, Self::NAME)?.node_query());
        }
        let timeout = kube.request_timeout.saturating_add(Duration::from_secs(10));
        let probe = Probe { site: Site::Subject, queries, r#become: false, timeout };
        let title = format!("check that the host can run {target}");
        Ok(Lowered { probe: Some(probe), ..Lowered::idle(title, Role::Check) })
    }

    fn assess(
        &self,
        args: &NodeSupportArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let (cgroup, nodes) = match answers {
            [cgroup] => (cgroup, Vec::new()),
            answers => {
                let [cgroup, nodes] = exactly::<2>(answers)?;
                (cgroup, read_nodes(nodes)?)
            }
        };
        let target = &args.target;
        let runtime = nodes.first().map_or("", |node| node.runtime);
        let cgroup = cgroup_version(cgroup);
        let accepted = args.accept_cgroup_v1 && cgroup == "v1";
        let judged = if accepted { "" } else { cgroup };
        let reasons = against(target, &Machine { name: &subject.host, cgroup: judged, runtime });
        if reasons.is_empty() {
            let known = |text: &str| if text.is_empty() { "not known".to_owned() } else { text.to_owned() };
            let (cgroup, runtime) = (known(cgroup), known(runtime));
            return Ok(satisfied(format!("can run {target}: cgroup {cgroup}, runtime {runtime}")));
        }
        Ok(refused(
            format!("the host cannot run {target}: {}", reasons.join("; ")),
            "change that first, with the version that runs now, or choose an older target",
        ))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("node_support");
    }
}
