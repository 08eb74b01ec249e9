//! What a task runs: a step that is lowered, or one that waits for what earlier tasks bring about.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ActionId, DeferredId};
use crate::op::{Effect, MovedNode, Site};
use crate::runbook::Retry;
use crate::step::Lowered;
use crate::template::as_written;
use crate::value::{Duration, Value};

/// A lowered step with its common keys: all that is needed to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its kind's name.
    pub kind: String,
    /// `id:`, where written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `name:`, or the lowered step's title.
    pub title: String,
    /// Typed arguments, which [`crate::step::StepKind::assess`] reads.
    pub args: Value,
    /// Probe, ops, verification.
    pub lowered: Lowered,
    /// `retry:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `allow_failure:` with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
    /// `leave_cordoned:` with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_cordoned: Option<String>,
    /// `changed_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_when: Option<String>,
    /// `fail_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_when: Option<String>,
    /// "steps/kubelet.yaml:9".
    pub place: String,
}

impl Action {
    /// Whether it runs what a user wrote, also where kubectl runs: what that prints need not be kubectl's words, and how
    /// often it is repeated is for its own `retry` to say.
    pub fn has_its_own_words(&self) -> bool {
        matches!(self.kind.as_str(), "command" | "script")
    }
}

/// A step that is lowered only when its host comes to it, because it depends on what earlier tasks bring about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeferredStep {
    /// Its kind's name.
    pub kind: String,
    /// `id:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `name:` or the kind's name, with the item behind it.
    pub title: String,
    /// What its title ends with, where it is one round of a `for_each`: " (kubelet)".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
    /// What `each` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Value>,
    /// Arguments as written, templates as text.
    pub args: IndexMap<String, serde_json::Value>,
    /// `env:` as written.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, serde_json::Value>,
    /// `when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The includes around it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<DeferredFrame>,
    /// Names it waits for: `steps.probe.stdout`, `facts.kubelet`.
    pub waits_for: Vec<String>,
    /// The strongest effect it can have.
    pub effect: Effect,
    /// Whether its ops run as root.
    pub r#become: bool,
    /// Time limit of each op.
    pub timeout: Duration,
    /// `run_on:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_on: Option<Site>,
    /// `retry:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `allow_failure:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
    /// `leave_cordoned:` with its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_cordoned: Option<String>,
    /// `changed_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_when: Option<String>,
    /// `fail_when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_when: Option<String>,
    /// Nodes that it takes out of the cluster or lets in, as far as its words tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<MovedNode>,
    /// "steps/kubelet.yaml:9".
    pub place: String,
}

impl DeferredStep {
    /// Reads from its words which nodes it moves: of a command or script that is known only when its turn comes they are
    /// those that are written, with a `$` for each that is not known, such as the token of a join.
    pub(crate) fn read_moves(&mut self) {
        let program = match self.kind.as_str() {
            "command" | "script" => "",
            "kubectl" => "kubectl ",
            _ => return,
        };
        let does = self.words_as_written().filter(|(name, _)| *name != "unless");
        let moves = does
            .flat_map(|(_, words)| MovedNode::of_text(&format!("{program}{}", unknown_as_variable(&words))));
        let moves: BTreeSet<MovedNode> = moves.collect();
        self.moves = moves.into_iter().collect();
    }

    /// Its fields as they are written, a list's items with blanks between.
    pub fn words_as_written(&self) -> impl Iterator<Item = (&str, String)> {
        self.args.iter().map(|(name, source)| {
            let words = match source.get("list").and_then(serde_json::Value::as_array) {
                Some(items) => items.iter().map(as_written).collect::<Vec<_>>().join(" "),
                None => as_written(source),
            };
            (name.as_str(), words)
        })
    }
}

fn unknown_as_variable(text: &str) -> String {
    let mut parts = text.split("{{");
    let known = parts.next().unwrap_or_default().to_owned();
    parts.fold(known, |known, part| known + "$" + part.split_once("}}").map_or("", |(_, rest)| rest))
}

/// One `include` around a deferred step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeferredFrame {
    /// Ids of the includes down to this one, joined by dots: `steps.<id>` inside the fragment means what is below.
    pub prefix: String,
    /// Its arguments as written.
    pub args: IndexMap<String, serde_json::Value>,
    /// What `each` is at the include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Value>,
    /// Its `when:` as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRef {
    /// Known now.
    Action(ActionId),
    /// Lowered when the host comes to it.
    Deferred(DeferredId),
}
