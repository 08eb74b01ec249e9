//! The step `drain`: its fields and what it sends. What it foresees is in [`forecast`].

mod forecast;
mod held;

use super::arguments::{arguments, word_arguments};
use super::build::{refuse_secrets, wrong};
use super::cordoned::Cordons;
use super::kind::Kind;
use super::label_selector;
use super::node_state::{OnNode, kubectl_op, kubectl_probe, kubectl_query, on_node};
use super::{
    AssessError, Assessment, BracketKey, Doc, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::kubernetes::drain::DrainOptions;
use crate::kubernetes::pdb::BUDGETS;
use crate::kubernetes::pod::PODS;
use crate::op::{Effect, Op, ProbeOutput, Query, RunWhen, Temporary, run_symbol};
use crate::value::Duration;

/// Evicts the pods of the host's node.
pub(crate) struct Drain;

/// kubectl ends by its own timeout; the host ends kubectl this much later, so that its message is not lost.
const MARGIN: Duration = Duration::from_secs(60);

/// How often, how long, and for how long without a break the node is looked at afterwards.
const EMPTY: Poll =
    Poll { interval: Duration::from_secs(5), stable_for: Duration::ZERO, within: Duration::from_secs(120) };

arguments! {
    /// What `kubectl drain` may do, and what a drain that does not end means.
    pub(crate) struct DrainArgs {
        /// How long kubectl tries. Never endless: a budget that allows nothing would hold the roll for ever.
        timeout: Duration = Duration::from_secs(600),
        /// Whether pods of a DaemonSet stay. Without it, every node that has one refuses to drain.
        ignore_daemonsets: bool = true,
        /// Evict pods with `emptyDir` volumes; the data is lost. Needs `reason`.
        delete_emptydir_data: Option<bool>,
        /// Delete pods without a controller; they are gone for good. Needs `reason`.
        force: Option<bool>,
        /// Delete instead of evict, which ignores every PodDisruptionBudget. Needs `reason`.
        disable_eviction: Option<bool>,
        /// Why data, pods or budgets may be given up. Shown in the plan.
        reason: Option<String>,
        /// Time that each pod gets to end, in place of its own. Not longer than `timeout`.
        grace_period: Option<Duration>,
        /// Only pods with these labels, such as `app!=ingress`. The others stay.
        pod_selector: Option<String>,
        /// What to do where the node is not Ready: `skip` leaves its pods as they are, because no kubelet would end
        /// them and the drain would not either; `fail` fails the host.
        on_not_ready: OnNotReady = OnNotReady::Skip,
        /// Whether a drain that failed takes back this run's cordon (`restore`) or leaves the node cordoned (`leave`).
        if_fails: IfFails = IfFails::Restore,
        /// What to do where somebody uncordoned the node before a step disrupts it: `drain_again`, three times at
        /// most, or `fail` the host.
        if_uncordoned: IfDrainGone = IfDrainGone::Again,
    }
}

/// What is written for a node that is not Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNotReady {
    Skip,
    Fail,
}

word_arguments!(OnNotReady { "skip" => Skip, "fail" => Fail });

/// What is written for a drain that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfFails {
    Restore,
    Leave,
}

word_arguments!(IfFails { "restore" => Restore, "leave" => Leave });

/// What is written for a drained node that takes pods again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IfDrainGone {
    Again,
    Fail,
}

word_arguments!(IfDrainGone { "drain_again" => Again, "fail" => Fail });

/// The options that give something up, each of which needs a reason.
const GIVES_UP: [&str; 3] = ["delete_emptydir_data", "force", "disable_eviction"];

impl Kind for Drain {
    type Args = DrainArgs;

    const NAME: &'static str = "drain";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Evicts the pods of the host's node, after cordoning it",
            body: "Cordons as `cordon` does, runs `kubectl drain`, and looks afterwards whether a pod is left. The plan foresees \
                   it by reading the node's pods and the PodDisruptionBudgets: which pods go, which are lost, and which budget \
                   allows how many of them to go at a time. Pods under two budgets, and pods that kubectl would refuse, fail \
                   the step before the node is touched.\n\n\
                   Up to the `uncordon`, the node is looked at again before every op that disrupts. Where it takes pods \
                   again, where this run's annotation is gone from it, or where a pod is there that the drain would move and \
                   that does not tolerate `node.kubernetes.io/unschedulable`, nothing is sent: the node is drained again, \
                   under the slot that its host holds, and the checks that stand behind the drain are made again. Other \
                   steps are not repeated. A node that is not Ready is not drained again, its host fails. With \
                   `control_plane_outage: accept`, an API that this host's own step took away is not waited for: the last \
                   look counts.\n\n\
                   A node that somebody else has cordoned is drained and stays theirs. `delete_emptydir_data`, `force` and \
                   `disable_eviction` are never implied, need a `reason`, and are named in the plan.",
            example: "- drain: { timeout: 10m, delete_emptydir_data: true, reason: caches only }\n- uncordon: {}\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        if written.contains(&"reason") {
            return Vec::new();
        }
        let given_up = GIVES_UP.iter().filter(|option| written.contains(option));
        given_up.map(|option| format!("`{option}` gives something up: say why in `reason:`")).collect()
    }

    fn touches(&self, _: Option<&DrainArgs>) -> Touches {
        Touches::both(vec![Matter::Cordon])
    }

    fn cordons(&self) -> Option<&'static dyn Cordons> {
        Some(&Drain)
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn lower(&self, args: &DrainArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, Self::NAME)?;
        let drain = drain_op(args, on, cx)?;
        let [cordon, confirm] = on.cordon(cx);
        let mut ops = vec![cordon, confirm, drain];
        if args.if_fails != IfFails::Leave {
            // The patch tests whose cordon it is: 1 means that it is somebody else's, and stays.
            let restore = on.uncordon(cx, &run_symbol("id"));
            ops.push(Op {
                title: format!("take back the cordon of {}", on.node),
                when: RunWhen::OnFailure,
                success: vec![0, 1],
                yields: true,
                restores: vec![Temporary::Cordon],
                ..restore
            });
        }
        let looks =
            vec![on.node_query(), on.run_query(&run_symbol("id")), pods_query(args, on), budgets_query(on)];
        Ok(Lowered {
            title: title(args, on.node),
            role: Role::Means,
            effect: Effect::Disrupts,
            opens: vec![BracketKey::Cordon],
            closes: Vec::new(),
            probe: Some(kubectl_probe(on.kube, looks)),
            poll: None,
            ops,
            // With the node: one that somebody deletes has no pods, and was not drained.
            verify: Some(Verify {
                probe: kubectl_probe(on.kube, vec![pods_query(args, on), on.node_query()]),
                poll: EMPTY,
            }),
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &DrainArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        forecast::assess(args, subject, answers)
    }

    fn assess_verify(
        &self,
        args: &DrainArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        forecast::assess_verify(args, subject, answers)
    }
}

/// What the options mean to the filters of kubectl.
fn options(args: &DrainArgs) -> DrainOptions {
    DrainOptions {
        ignore_daemonsets: args.ignore_daemonsets,
        delete_emptydir_data: args.delete_emptydir_data == Some(true),
        force: args.force == Some(true),
    }
}

fn title(args: &DrainArgs, node: &str) -> String {
    let given_up: Vec<_> = given_up(args).map(|(option, _)| option).collect();
    match (given_up.is_empty(), args.reason.as_deref()) {
        (true, _) => format!("drain {node}"),
        (false, reason) => {
            format!("drain {node} ({}: {})", given_up.join(", "), reason.unwrap_or("no reason given"))
        }
    }
}

fn drain_op(args: &DrainArgs, on: OnNode<'_>, cx: &LowerCx<'_>) -> Result<Op, LowerError> {
    let flags = flags(args)?;
    refuse_secrets(&flags)?;
    let mut words = vec!["drain", on.node];
    words.extend(flags.iter().map(String::as_str));
    let op = kubectl_op(cx, on.kube, format!("drain {}", on.node), &words, Effect::Disrupts);
    let timeout = args.timeout.saturating_add(MARGIN);
    Ok(Op { timeout, long: true, undo: on.way_back(), ..op })
}

/// What the arguments give up, each with the flag of kubectl.
fn given_up(args: &DrainArgs) -> impl Iterator<Item = (&'static str, &'static str)> {
    let options = [
        (args.delete_emptydir_data, "delete_emptydir_data", "--delete-emptydir-data"),
        (args.force, "force", "--force"),
        (args.disable_eviction, "disable_eviction", "--disable-eviction"),
    ];
    options.into_iter().filter(|(given, ..)| *given == Some(true)).map(|(_, option, flag)| (option, flag))
}

fn flags(args: &DrainArgs) -> Result<Vec<String>, LowerError> {
    let timeout = args.timeout.as_secs();
    if timeout == 0 {
        return Err(wrong(
            "`timeout` is below a second, which kubectl takes for endless",
            "write a time such as `10m`",
        ));
    }
    // kubectl's own defaults may change; every option that decides what is lost is written out.
    let mut flags = vec![
        format!("--ignore-daemonsets={}", options(args).ignore_daemonsets),
        format!("--timeout={timeout}s"),
    ];
    for (option, flag) in given_up(args) {
        if args.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(wrong(format!("`{option}` gives something up"), "say why in `reason:`"));
        }
        flags.push(flag.to_owned());
    }
    if let Some(grace) = args.grace_period {
        if grace.as_secs() > timeout {
            return Err(wrong(
                format!(
                    "`grace_period` {grace} is longer than `timeout`: the drain would give up on a pod that still may end"
                ),
                "raise `timeout` above it",
            ));
        }
        flags.push(format!("--grace-period={}", grace.as_secs()));
    }
    if let Some(selector) = &args.pod_selector {
        label_selector::checked("pod_selector", selector)?;
        flags.push(format!("--pod-selector={selector}"));
    }
    Ok(flags)
}

fn pods_query(args: &DrainArgs, on: OnNode<'_>) -> Query {
    pods_query_as(args, on, PODS)
}

/// The query for the pods that the step is about, printed by this template.
fn pods_query_as(args: &DrainArgs, on: OnNode<'_>, template: &str) -> Query {
    let of_node = format!("--field-selector=spec.nodeName={}", on.node);
    let selector = args.pod_selector.as_ref().map(|selector| format!("--selector={selector}"));
    let mut words = vec!["get", "pods", "--all-namespaces", &of_node];
    words.extend(selector.as_deref());
    words.extend(["-o", template]);
    kubectl_query(on.kube, &words)
}

fn budgets_query(on: OnNode<'_>) -> Query {
    kubectl_query(
        on.kube,
        &["get", "poddisruptionbudgets", "--all-namespaces", "--chunk-size=500", "-o", BUDGETS],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_something_up_needs_a_reason() {
        for option in GIVES_UP {
            assert_eq!(Drain.check(&[option, "timeout"]).len(), 1, "{option}");
            assert!(Drain.check(&[option, "reason"]).is_empty(), "{option}");
        }
        assert!(Drain.check(&["timeout"]).is_empty());
    }

    #[test]
    fn cases_hold() {
        crate::step::cases::run("drain");
    }
}
