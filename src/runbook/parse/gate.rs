//! `gate:` of a rollout.

use super::phase::{check_decides, check_read_only};
use super::{ParseContext, StepScope, names, start, step};
use crate::runbook::{GateAfter, GateOpensBy, GateSpec};
use crate::source::codes::GATE;
use crate::source::{Diagnostics, FromNode, Keyed, Node, NodeKind, Spanned, words, written};
use crate::value::{Duration, Type, escape};

written! {
    /// Stands behind a batch, after its `soak` and its `verify`: exactly one of `approve`, `duration` and `check`. A gate
    /// that is not passed pauses the run, with exit code 15: every host is in service, and `rollbook resume RUN` comes to
    /// the same gate again, after the checks of `verify`; `rollbook resume RUN --approve` passes it. There is none behind
    /// the last batch; before a phase, write the step `pause`.
    pub(super) struct Gate at "phases[].rollout.gate", called "`gate`" {
        /// A person has to say that the run goes on, and this is what they have to see to. On a terminal the run asks; where
        /// nobody is there to ask, or the answer is `no`, it pauses.
        approve: Option<Keyed<OneLine>>,
        /// The run waits for so long.
        duration: Option<Keyed<Duration>> as (Type::Duration.called("a duration such as 30m")),
        /// Looked at again and again until it holds, for as long as its own `stable_for` asks; its own `for` does not count.
        check: Option<Keyed<Node>>
            as (Type::Step.called("a step that only looks, such as `{ wait: { nodes: ready } }`")),
        /// How long the answer or the check is waited for; then the run pauses. A check needs it; without it, an answer is
        /// waited for without end.
        within ("for"): Option<Keyed<Duration>> as (Type::Duration.called("a duration such as 1h")),
        /// Behind each batch but the last, or behind the first only.
        after: GateAfter = GateAfter::Each,
    }
}

words!(GateAfter { "each" => Each, "first" => First });

/// A text on one line, because it is asked on one.
#[derive(Clone, Debug)]
pub(super) struct OneLine(String);

impl FromNode for OneLine {
    fn ty() -> Type {
        Type::Str.called("a text for a person")
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        if let Some(time) = node.scalar().and_then(Duration::meant_by) {
            let text = node.scalar().unwrap_or_default();
            let message =
                format!("`approve` is `{}`, which tells a person nothing to look at", escape(text.trim()));
            errors
                .error(GATE, node.span, message)
                .hint(format!("to wait for a time, write `gate: {{ duration: {time} }}`"));
            return None;
        }
        let words = |text: &str| escape(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        node.parsed(&ty.expected(), errors, |text| Some(words(text)).filter(|text| !text.is_empty()))
            .map(Self)
    }
}

pub(super) fn read(
    gate: Spanned<Gate>,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<GateSpec> {
    let Gate { approve, duration, check, within, after } = gate.value;
    let opens = match (approve, duration, check) {
        (Some(approve), None, None) => {
            let within = within.and_then(|within| within.value);
            approve.value.map(|text| GateOpensBy::Approval { text: text.0, within })
        }
        (None, Some(duration), None) => {
            if let Some(within) = within {
                let error = cx.errors.error(GATE, within.key, "`duration` has its time already");
                error.hint("`for` belongs to `approve` and `check`");
            }
            duration.value.map(GateOpensBy::Time)
        }
        (None, None, Some(check)) => self::check(check, within, place, cx),
        _ => {
            let message = "a gate is exactly one of `approve`, `duration` and `check`";
            let error = cx.errors.error(GATE, start(gate.span), message);
            error.hint("write `gate: { approve: look at the dashboards }`");
            None
        }
    };
    Some(GateSpec { after, opens: opens? })
}

fn check(
    check: Keyed<Node>,
    within: Option<Keyed<Duration>>,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<GateOpensBy> {
    if within.is_none() {
        let error = cx.errors.error(GATE, check.key, "`check` needs `for`: how long it is looked at");
        error.hint("write `gate: { check: { … }, for: 1h }`; then the run pauses");
    }
    names::steps_of(&mut place.names).clear();
    // One step, read as the lists of steps are.
    let only = check.value?;
    if let NodeKind::Seq(_) = only.kind {
        let error = cx.errors.wrong_type(&only, "one step that only looks");
        error.hint("write it without a list: `check: { wait: { nodes: ready } }`; a gate has one check");
        return None;
    }
    let list = Node::new(NodeKind::Seq(vec![only.clone()]), only.span);
    let mut steps = step::list(&list, place, cx);
    check_read_only(&steps, "`gate` only looks", &mut cx.errors);
    check_decides(&steps, "`gate`", &mut cx.errors);
    if steps.len() > 1 {
        cx.errors.error(GATE, check.key, "`check` is one step").hint("write it without `include`");
        return None;
    }
    Some(GateOpensBy::Check { step: Box::new(steps.pop()?), within: within?.value? })
}
