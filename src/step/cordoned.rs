//! Whether a cordon still stands that a step of this run set: what `cordon` and `drain` share of looking at it again
//! before something disrupts under it. Pure.

use super::node_state::{CordonOwner, on_node, read_cordon};
use super::{AssessError, LowerCx, LowerError};
use crate::kubernetes::node::NodeRow;
use crate::op::{Probe, ProbeOutput};
use crate::value::Value;

/// A kind of step that sets a cordon.
pub trait Cordons: Sync {
    /// The look that tells whether it still stands, and whether what it kept away is there.
    fn look(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Probe, LowerError>;

    /// What the answers to that look mean.
    fn read(&self, args: &Value, set: CordonSet, answers: &[ProbeOutput]) -> Result<CordonNow, AssessError>;

    /// What is to be done where it does not stand any more.
    fn if_uncordoned(&self, args: &Value) -> IfUncordoned;

    /// What doing the step again does to the node: "drained", "cordoned".
    fn done_again(&self) -> &'static str;
}

/// How the step ended that set the cordon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CordonSet {
    /// It changed something; otherwise the node was as it should be.
    pub changed: bool,
    /// The cordon is this run's: it put its annotation there.
    pub ours: bool,
}

/// What a look at the cordon says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CordonNow {
    /// It stands, and nothing is there that it keeps away.
    Stands,
    /// It does not, and doing its step again helps.
    Gone {
        /// What changed.
        what: String,
    },
    /// It does not, and nothing helps.
    Lost {
        /// What changed.
        what: String,
        /// What to do.
        hint: &'static str,
    },
}

/// What happens to a host whose cordon is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfUncordoned {
    /// The step that set it is done again.
    Again,
    /// The host fails.
    Fail,
}

/// The queries for the node and for whose cordon is meant.
pub(super) fn queries(cx: &LowerCx<'_>, kind: &str) -> Result<Vec<crate::op::Query>, LowerError> {
    let on = on_node(cx, kind)?;
    Ok(vec![on.node_query(), on.run_query(&crate::op::run_symbol("id"))])
}

/// Reads the answers to [`queries`]: the node where it is cordoned as the step left it, or what changed.
pub(super) fn read<'t>(
    nodes: &'t ProbeOutput,
    run: &ProbeOutput,
    set: CordonSet,
) -> Result<(Option<NodeRow<'t>>, CordonNow), AssessError> {
    let Some((node, owner)) = read_cordon(nodes, run)? else {
        let what = "the cluster has no such node any more".to_owned();
        return Ok((None, CordonNow::Lost { what, hint: "look at `kubectl get nodes`, then plan again" }));
    };
    let name = node.name;
    let now = match owner {
        CordonOwner::Us => CordonNow::Stands,
        // It was theirs when the step came to it, or has become theirs since and was found to be so.
        CordonOwner::Run(_) | CordonOwner::Somebody if !set.ours => CordonNow::Stands,
        CordonOwner::Run(other) => {
            gone(format!("the cordon of {name} was this run's and is run {other}'s now"))
        }
        CordonOwner::Somebody => gone(format!(
            "the cordon of {name} was this run's and has lost its annotation rollbook.dev/cordoned-by"
        )),
        CordonOwner::Lifted => gone(format!("somebody uncordoned {name}")),
        CordonOwner::Nobody if node.cordoned_by.is_empty() && set.ours => {
            gone(format!("somebody uncordoned {name} and removed the annotation rollbook.dev/cordoned-by"))
        }
        CordonOwner::Nobody if node.cordoned_by.is_empty() => gone(format!("somebody uncordoned {name}")),
        CordonOwner::Nobody => {
            gone(format!("{name} takes pods again, and its annotation names run {}", node.cordoned_by))
        }
    };
    Ok((Some(node), now))
}

fn gone(what: String) -> CordonNow {
    CordonNow::Gone { what }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::cases::typed_args;
    use crate::step::find;

    const OURS: CordonSet = CordonSet { changed: true, ours: true };
    const THEIRS: CordonSet = CordonSet { changed: true, ours: false };
    const FOUND: CordonSet = CordonSet { changed: false, ours: false };

    fn answer(stdout: &str) -> ProbeOutput {
        ProbeOutput { rc: 0, stdout: stdout.to_owned(), stderr: String::new() }
    }

    fn node(ready: &str, cordoned: &str, by: &str) -> ProbeOutput {
        let by = if by.is_empty() { String::new() } else { format!("\"{by}\"") };
        answer(&format!(
            "w1\tuid\t\"{ready}\"\t{cordoned}\t{by}\t\t\"v1.31.4\"\t\"m\"\t\"b\"\t\"containerd://1\"\t\n"
        ))
    }

    fn pod(name: &str, controller: &str, phase: &str, tolerations: &str) -> String {
        let controller = if controller.is_empty() { String::new() } else { format!("\"{controller}\"") };
        format!("{tolerations}\tdefault\t{name}\t\"{phase}\"\t\t{controller}\t\t\t\"True\"\t\n")
    }

    fn read(kind: &str, args: &serde_json::Value, set: CordonSet, answers: &[ProbeOutput]) -> CordonNow {
        let kind = find(kind).expect("a kind");
        let cordons = kind.cordons().expect("a kind that sets a cordon");
        cordons.read(&typed_args(kind, args), set, answers).expect("answers that can be read")
    }

    /// What is told, with `!` in front where nothing helps; empty while the cordon stands.
    fn drained(args: &serde_json::Value, set: CordonSet, node: ProbeOutput, pods: &str) -> String {
        match read("drain", args, set, &[node, answer("run-1\n"), answer(pods)]) {
            CordonNow::Stands => String::new(),
            CordonNow::Gone { what } => what,
            CordonNow::Lost { what, .. } => format!("!{what}"),
        }
    }

    #[test]
    fn a_drained_node_is_one_that_is_cordoned_and_has_no_pod_that_would_move() {
        let web = pod("web-1", "ReplicaSet", "Running", "");
        let agent = pod("agent", "DaemonSet", "Running", "");
        let done = pod("job", "Job", "Succeeded", "");
        let stays = pod("stays", "ReplicaSet", "Running", "node.kubernetes.io/unschedulable:Exists::,");
        let bare = pod("bare", "", "Running", "");
        let none = format!("{agent}{done}{stays}");
        let ours = || node("True", "true", "run-1");
        let cases = [
            (OURS, ours(), none.as_str(), ""),
            (OURS, ours(), &web, "pods came to w1 after the drain: default/web-1"),
            (OURS, ours(), &bare, "pods came to w1 after the drain: default/bare"),
            (OURS, node("True", "<no value>", "run-1"), "", "somebody uncordoned w1"),
            (
                OURS,
                node("True", "<no value>", ""),
                &web,
                "somebody uncordoned w1 and removed the annotation rollbook.dev/cordoned-by, and pods came: default/web-1",
            ),
            (
                OURS,
                node("True", "<no value>", "run-2"),
                "",
                "w1 takes pods again, and its annotation names run run-2",
            ),
            (
                OURS,
                node("True", "true", "run-2"),
                "",
                "the cordon of w1 was this run's and is run run-2's now",
            ),
            (
                OURS,
                node("True", "true", ""),
                "",
                "the cordon of w1 was this run's and has lost its annotation rollbook.dev/cordoned-by",
            ),
            // Somebody else's stays theirs; their pods do not.
            (THEIRS, node("True", "true", ""), "", ""),
            (THEIRS, node("True", "true", "run-2"), &web, "pods came to w1 after the drain: default/web-1"),
            (FOUND, node("True", "<no value>", ""), "", "somebody uncordoned w1"),
            (OURS, node("False", "true", "run-1"), &none, ""),
            (
                OURS,
                node("Unknown", "<no value>", "run-1"),
                "",
                "!somebody uncordoned w1; the node is Unknown, so no kubelet would end its pods",
            ),
            // It was not drained because it was not Ready, and that is how it is.
            (FOUND, node("False", "<no value>", ""), &web, ""),
            (OURS, answer(""), "", "!the cluster has no such node any more"),
        ];
        for (set, node, pods, expected) in cases {
            let told = drained(&json!({}), set, node.clone(), pods);
            assert_eq!(told, expected, "{set:?} {node:?} {pods:?}");
        }
        let fails = json!({ "on_not_ready": "fail" });
        assert!(drained(&fails, FOUND, node("False", "<no value>", ""), &web).starts_with('!'));
    }

    #[test]
    fn a_cordon_moves_no_pods_and_asks_about_none() {
        let cordoned = |args, set, node| read("cordon", &args, set, &[node, answer("run-1\n")]);
        assert_eq!(cordoned(json!({}), OURS, node("True", "true", "run-1")), CordonNow::Stands);
        let gone = CordonNow::Gone { what: "somebody uncordoned w1".to_owned() };
        assert_eq!(cordoned(json!({}), OURS, node("True", "<no value>", "run-1")), gone);
        assert_eq!(
            cordoned(json!({}), OURS, node("False", "<no value>", "run-1")),
            gone,
            "nothing is drained"
        );
        // There was no cordon of that run to take over.
        let adopts = json!({ "adopt": "run-0" });
        assert_eq!(cordoned(adopts.clone(), FOUND, node("True", "<no value>", "")), CordonNow::Stands);
        assert_eq!(cordoned(adopts, OURS, node("True", "<no value>", "run-1")), gone);
    }

    #[test]
    fn what_happens_then_is_written_or_the_default() {
        for (kind, again) in [("drain", "drain_again"), ("cordon", "cordon_again")] {
            let wanted = |args| {
                let kind = find(kind).expect("a kind");
                kind.cordons().expect("one that cordons").if_uncordoned(&typed_args(kind, &args))
            };
            assert_eq!(wanted(json!({})), IfUncordoned::Again);
            assert_eq!(wanted(json!({ "if_uncordoned": again })), IfUncordoned::Again);
            assert_eq!(wanted(json!({ "if_uncordoned": "fail" })), IfUncordoned::Fail);
            // Plans of before do not say.
            let kind = find(kind).expect("a kind").cordons().expect("one that cordons");
            assert_eq!(kind.if_uncordoned(&Value::Map(indexmap::IndexMap::new())), IfUncordoned::Again);
        }
    }
}
