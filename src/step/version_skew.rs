//! The step `version_skew`.

use super::arguments::arguments;
use super::build::{exactly, refused, satisfied, unreadable};
use super::kind::Kind;
use super::node_state::{kube, kubectl_probe, kubectl_query, read_nodes};
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject};
use crate::facts::server_version;
use crate::kubernetes::node::{NODES, NodeRow};
use crate::kubernetes::skew::{check_hop, check_kubelet};
use crate::kubernetes::some_of;
use crate::op::{Effect, ProbeOutput};
use crate::value::Version;

/// Checks that the cluster may go to a version in one hop.
pub(crate) struct VersionSkew;

arguments! {
    /// Where the cluster is to go.
    pub(crate) struct VersionSkewArgs {
        /// The version that the control plane is to reach.
        target: Version,
    }
}

impl Kind for VersionSkew {
    type Args = VersionSkewArgs;

    const NAME: &'static str = "version_skew";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Checks that the cluster may go to a version in one hop",
            body: "The control plane may go to a newer patch or to the next minor, never back and never over a minor. Every \
                   node's kubelet must be within the skew that the target allows: not newer, and at most three minors older \
                   (two for kubelets before 1.25; one for targets before 1.29, which kubeadm enforced).\n\n\
                   Source: Kubernetes version skew policy. The plan warns of the known traps of the hop.",
            example: "- version_skew: { target: 1.31.4 }\n",
            shorthand: Some("target"),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &VersionSkewArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let kube = kube(cx, Self::NAME)?;
        let target = &args.target;
        let version = kubectl_query(kube, &["version", "-o", "json"]);
        let nodes = kubectl_query(kube, &["get", "nodes", "--chunk-size=500", "-o", NODES]);
        let probe = Some(kubectl_probe(kube, vec![version, nodes]));
        let title = format!("check that the cluster may go to {target}");
        Ok(Lowered { probe, ..Lowered::idle(title, Role::Check) })
    }

    fn assess(
        &self,
        args: &VersionSkewArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [version, nodes] = exactly::<2>(answers)?;
        let server = server_version(version)
            .map_err(|error| AssessError { command: error.command, reason: error.reason })?;
        let server = Version::parse(&server)
            .map_err(|_| unreadable("kubectl version -o json", "a version of the API server", version))?;
        let target = &args.target;
        if let Err(error) = check_hop(&server, target) {
            return Ok(refused(error.to_string(), "choose a target that is the same minor or the next"));
        }
        let nodes = read_nodes(nodes)?;
        let trailing = outside(&nodes, target);
        if !trailing.is_empty() {
            return Ok(refused(
                format!("kubelets outside the skew of {target}: {}", some_of(&trailing)),
                "upgrade these kubelets first",
            ));
        }
        Ok(satisfied(state(&server, target, nodes.len())))
    }
}

/// The nodes whose kubelet may not run under the target, each with why. A kubelet that never reported has no version.
fn outside(nodes: &[NodeRow<'_>], target: &Version) -> Vec<String> {
    let check = |node: &NodeRow<'_>| match Version::parse(node.kubelet_version) {
        Ok(kubelet) => check_kubelet(&kubelet, target).err().map(|error| format!("{}: {error}", node.name)),
        Err(_) => Some(format!("{}: its kubelet reports no version", node.name)),
    };
    nodes.iter().filter_map(check).collect()
}

fn state(server: &Version, target: &Version, nodes: usize) -> String {
    let way = if server == target { "is at".to_owned() } else { format!("{server} may go to") };
    format!("API server {way} {target}; kubelets within its skew: {nodes}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("version_skew");
    }
}
