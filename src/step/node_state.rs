//! What the steps about a node's cordon share: whose cordon it is, the patches that set and release it, and the look
//! that tells. Pure.
//!
//! A cordon is ours when the annotation `rollbook.dev/cordoned-by` names this run. It is set by one JSON patch that
//! first tests that nobody has cordoned the node: the API server applies all of a patch or nothing, so two hands
//! cannot both think that they own a cordon. (`test` with `null` holds where the path is missing; seen with API
//! server 1.20.2.)

use crate::kubernetes::KubeCx;
use std::fmt;

use crate::kubernetes::node::{NODES, NodeRow, ONE_NODE, is_node_name, parse_nodes};
use crate::kubernetes::{CORDONED_AT, CORDONED_BY, kubectl_errors};
use crate::op::{Effect, Op, Probe, ProbeOutput, Query, Site, Temporary, is_symbol, run_symbol};
use crate::step::build::wrong;
use crate::step::{AssessError, Assessment, LowerCx, LowerError, Subject};
use crate::value::Duration;

/// kubectl and the host's node, both checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnNode<'a> {
    /// How kubectl is called.
    pub(crate) kube: &'a KubeCx,
    /// The node's name, fit to stand in a command.
    pub(crate) node: &'a str,
}

/// kubectl of this runbook.
pub(crate) fn kube<'a>(cx: &LowerCx<'a>, kind: &str) -> Result<&'a KubeCx, LowerError> {
    cx.kube.ok_or_else(|| {
        wrong(
            format!("`{kind}` needs kubectl, and the runbook does not say where it runs"),
            "add `kube: { via: control_plane }` to the runbook",
        )
    })
}

/// kubectl and the node of the step's host.
pub(crate) fn on_node<'a>(cx: &LowerCx<'a>, kind: &str) -> Result<OnNode<'a>, LowerError> {
    let kube = kube(cx, kind)?;
    let host = &cx.subject.host;
    let Some(node) = cx.subject.node.as_deref() else {
        return Err(wrong(
            "the host is no node of the cluster",
            "name its node by `node_name:` in the inventory, or take the host out of the phase",
        ));
    };
    // A plan lowers one step for all hosts: the name is a symbol then, and stands for a name that was checked.
    if !is_node_name(node) && !is_symbol(node) {
        return Err(wrong(
            format!("`{}` cannot be the name of a node", node.escape_debug()),
            format!("correct `node_name:` of host `{host}` in the inventory"),
        ));
    }
    Ok(OnNode { kube, node })
}

/// A query of kubectl, where kubectl runs and as the user that it needs.
pub(crate) fn kubectl_query(kube: &KubeCx, words: &[&str]) -> Query {
    let mut argv = kube.argv();
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    Query { site: Some(Site::Kube), r#become: Some(kube.r#become), ..Query::of_kubectl(argv) }
}

/// A probe whose queries are kubectl's.
pub(crate) fn kubectl_probe(kube: &KubeCx, queries: Vec<Query>) -> Probe {
    // The site stands on the probe; a query repeats it only where it differs.
    let queries: Vec<_> =
        queries.into_iter().map(|query| Query { site: None, r#become: None, ..query }).collect();
    let calls = u64::try_from(queries.len()).unwrap_or(u64::MAX);
    let timeout = kube.request_timeout.saturating_mul(calls).saturating_add(Duration::from_secs(10));
    Probe { site: Site::Kube, queries, r#become: kube.r#become, timeout }
}

/// An op of kubectl.
pub(crate) fn kubectl_op(
    cx: &LowerCx<'_>,
    kube: &KubeCx,
    title: String,
    words: &[&str],
    effect: Effect,
) -> Op {
    let mut argv = kube.argv();
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    Op {
        site: Site::Kube,
        env: cx.env.clone(),
        r#become: kube.r#become,
        timeout: cx.timeout,
        effect,
        asks_api: true,
        ..Op::exec(title, argv)
    }
}

impl OnNode<'_> {
    /// What a person types to take our cordon back: with the annotations, which say whose it was.
    pub(crate) fn way_back(&self) -> String {
        let node = self.node;
        format!("kubectl uncordon {node} && kubectl annotate node {node} {CORDONED_BY}- {CORDONED_AT}-")
    }

    /// The query for the node's row. A list with a field selector gives an empty list for a node that does not exist,
    /// so that a failure always means that the API did not answer.
    pub(crate) fn node_query(self) -> Query {
        let one = format!("{ONE_NODE}{}", self.node);
        kubectl_query(self.kube, &["get", "nodes", &one, "-o", NODES])
    }

    /// The query that says whose cordon is meant: this run's (`run.id` as a symbol, because the plan holds no run id, and
    /// the node's annotation holds one), or an earlier run's. Outside a run the symbol is empty, and no cordon is ours.
    pub(crate) fn run_query(self, owner: &str) -> Query {
        let argv = vec!["echo".to_owned(), owner.to_owned()];
        Query { argv, site: Some(Site::Kube), r#become: Some(self.kube.r#become), ..Query::default() }
    }

    /// The two ops of a cordon. The first sets it where nobody has, and yields where somebody did, which is fine: a
    /// cordon of another hand is as good for what follows, and stays theirs. The second makes sure that there is a
    /// cordon now, whosever; it also catches an API that was away for the first.
    pub(crate) fn cordon(self, cx: &LowerCx<'_>) -> [Op; 2] {
        let patch = serde_json::json!([
            { "op": "test", "path": "/spec/unschedulable", "value": null },
            { "op": "add", "path": BY, "value": run_symbol("id") },
            { "op": "add", "path": AT, "value": run_symbol("started") },
            { "op": "add", "path": "/spec/unschedulable", "value": true },
        ]);
        let confirm = serde_json::json!([{ "op": "test", "path": "/spec/unschedulable", "value": true }]);
        let node = self.node;
        let set = Op {
            success: vec![0, 1],
            yields: true,
            undo: self.way_back(),
            makes: vec![Temporary::Cordon],
            ..self.patch(cx, format!("cordon {node}"), &patch, Effect::Disrupts)
        };
        [set, self.patch(cx, format!("make sure that {node} is cordoned"), &confirm, Effect::Reads)]
    }

    /// The op that makes the cordon of an earlier run this run's, where it still stands.
    pub(crate) fn adopt(self, cx: &LowerCx<'_>, from: &str) -> Op {
        let patch = serde_json::json!([
            { "op": "test", "path": BY, "value": from },
            { "op": "test", "path": "/spec/unschedulable", "value": true },
            { "op": "add", "path": BY, "value": run_symbol("id") },
            { "op": "add", "path": AT, "value": run_symbol("started") },
        ]);
        let title = format!("take over the cordon of {}", self.node);
        Op {
            undo: self.way_back(),
            makes: vec![Temporary::Cordon],
            ..self.patch(cx, title, &patch, Effect::Disrupts)
        }
    }

    /// The op that releases the cordon of this run (`run.id` as a symbol) or of an earlier one, and no other.
    pub(crate) fn uncordon(self, cx: &LowerCx<'_>, owner: &str) -> Op {
        let patch = serde_json::json!([
            { "op": "test", "path": BY, "value": owner },
            { "op": "remove", "path": BY },
            // Adding before removing makes the removal hold also where somebody took the annotation away.
            { "op": "add", "path": AT, "value": "" },
            { "op": "remove", "path": AT },
            // Adding `false` holds whether or not the node is still cordoned; the API server drops it.
            { "op": "add", "path": "/spec/unschedulable", "value": false },
        ]);
        self.patch(cx, format!("uncordon {}", self.node), &patch, Effect::Changes)
    }

    fn patch(self, cx: &LowerCx<'_>, title: String, patch: &serde_json::Value, effect: Effect) -> Op {
        let patch = patch.to_string();
        kubectl_op(cx, self.kube, title, &["patch", "node", self.node, "--type=json", "-p", &patch], effect)
    }
}

/// JSON pointers to the annotations; `/` inside a name is written `~1` (RFC 6901).
const BY: &str = "/metadata/annotations/rollbook.dev~1cordoned-by";
const AT: &str = "/metadata/annotations/rollbook.dev~1cordoned-at";

/// Who owns a node's cordon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CordonOwner {
    /// Pods may be scheduled.
    Nobody,
    /// Pods may be scheduled, and the annotation still names this run: a person uncordoned our cordon.
    Lifted,
    /// This run set it.
    Us,
    /// Another run set it.
    Run(String),
    /// Somebody else did, and left no name.
    Somebody,
}

impl fmt::Display for CordonOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody | Self::Lifted => f.write_str("nobody"),
            Self::Us => f.write_str("this run"),
            Self::Run(run) => write!(f, "run {run}"),
            Self::Somebody => f.write_str("somebody else"),
        }
    }
}

/// A run's id as it stands in a node's annotation: nothing in it can mean anything else than itself.
pub(crate) fn checked_run(run: &str) -> Result<String, LowerError> {
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if run.is_empty() || run.starts_with('-') || !run.bytes().all(is_id) {
        return Err(wrong(
            format!("`{}` cannot be the id of a run", run.escape_debug()),
            "the annotation rollbook.dev/cordoned-by of the node names the run, as does `rollbook runs list`",
        ));
    }
    Ok(run.to_owned())
}

/// Reads the answers to [`OnNode::node_query`] and [`OnNode::run_query`]: the node, where there is one, and its cordon.
pub(crate) fn read_cordon<'t>(
    nodes: &'t ProbeOutput,
    run: &ProbeOutput,
) -> Result<Option<(NodeRow<'t>, CordonOwner)>, AssessError> {
    let Some(node) = read_nodes(nodes)?.into_iter().next() else { return Ok(None) };
    let run = run.stdout.trim();
    let ours = !run.is_empty() && node.cordoned_by == run;
    let owner = match (node.cordoned, ours) {
        (false, false) => CordonOwner::Nobody,
        (false, true) => CordonOwner::Lifted,
        (true, true) => CordonOwner::Us,
        (true, false) if node.cordoned_by.is_empty() => CordonOwner::Somebody,
        (true, false) => CordonOwner::Run(node.cordoned_by.to_owned()),
    };
    Ok(Some((node, owner)))
}

/// The rows of nodes in an answer.
pub(crate) fn read_nodes(answer: &ProbeOutput) -> Result<Vec<NodeRow<'_>>, AssessError> {
    succeeded("kubectl get nodes", answer)?;
    parse_nodes(&answer.stdout).map_err(|error| unreadable_rows("kubectl get nodes", &error))
}

/// An error where kubectl failed, with the cause told apart.
pub(crate) fn succeeded(command: &str, answer: &ProbeOutput) -> Result<(), AssessError> {
    if answer.ok() {
        return Ok(());
    }
    let reason = kubectl_errors::reason(answer.rc, &answer.stdout, &answer.stderr);
    Err(AssessError { command: command.to_owned(), reason })
}

/// For looks that are repeated: an API that is away now may be back at the next look, as it is after every upgrade of
/// a single control plane.
pub(crate) fn api_away(answer: &ProbeOutput) -> Option<Assessment> {
    let away = !answer.ok()
        && (answer.rc == 124
            || kubectl_errors::causes(&answer.stderr).first()
                == Some(&kubectl_errors::KubectlError::ApiAway));
    away.then(|| Assessment::NotYet {
        reason: kubectl_errors::reason(answer.rc, &answer.stdout, &answer.stderr),
    })
}

/// Rows of another shape, as an error of a kind.
pub(crate) fn unreadable_rows(command: &str, error: &crate::kubernetes::RowError) -> AssessError {
    AssessError { command: command.to_owned(), reason: error.to_string() }
}

/// The words for a node that the API does not know.
pub(crate) fn no_such_node(subject: &Subject) -> Assessment {
    let node = subject.node.as_deref().unwrap_or(&subject.host);
    crate::step::build::refused(
        format!("the cluster has no node `{node}`"),
        format!(
            "compare `kubectl get nodes` with `hostname` on {host}: a node that goes by another name is written as \
             `node_name:` in the inventory, and planned again; where the name of the host was changed, change it back and \
             restart its kubelet",
            host = subject.host
        ),
    )
}
