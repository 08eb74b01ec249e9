//! `rescue:` and `always:` of a phase: what is done on a host that failed, and on every host in the end.

use super::{ParseContext, StepScope, names, start, step};
use crate::runbook::{Rescue, Step, Then};
use crate::source::codes::{RESCUE, WRONG_TYPE};
use crate::source::{Entry, FromNode, Node, NodeKind, words, written};
use crate::value::Type;

written! {
    /// Steps for a host that failed in the phase, such as putting an old version back or collecting logs. Steps after the one
    /// that failed do not run. It is not tried on a host whose state is not known, nor on one that is not what the plan saw.
    pub(super) struct RescueKeys at "phases[].rescue", called "`rescue`" {
        /// What is done on the host, in order. Expressions see `failure` beside all that steps see.
        steps: Node as (Type::steps()),
        /// What the host counts as when these steps have gone well. With `ok` it is done, is named in the summary, and does
        /// not count as failed; whatever the phase cordons or unholds has to be put back by `rescue` or `always`.
        then: Then = Then::Failed,
    }
}

words!(Then { "failed" => Failed, "ok" => Ok });

/// Reads `rescue:`. Its expressions see `failure` beside all that steps see.
pub(super) fn rescue(entry: &Entry, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<Rescue> {
    if let NodeKind::Seq(_) = entry.value.kind {
        let message = "`rescue` is a mapping with `steps`, found a list";
        let error = cx.errors.error(RESCUE, start(entry.value.span), message);
        error.hint(
            "write `rescue: { steps: […] }`; with `then: ok` beside it a host that was rescued is done",
        );
        // For the mistakes inside.
        steps(&entry.value, place, cx);
        return None;
    }
    let RescueKeys { steps, then } = RescueKeys::from_entry(entry, &RescueKeys::ty(), &mut cx.errors)?;
    Some(Rescue { steps: self::steps(&steps, place, cx), then })
}

/// Reads `always:`.
pub(super) fn always(entry: &Entry, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Vec<Step> {
    if let NodeKind::Map(_) = entry.value.kind {
        let message = "`always` is a list of steps, found a mapping";
        let error = cx.errors.error(WRONG_TYPE, start(entry.value.span), message);
        error.hint("write `always: [uncordon: {}]`; its steps stand in no `steps` of their own");
        return Vec::new();
    }
    step::list(&entry.value, place, cx)
}

fn steps(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Vec<Step> {
    place.names.roots.insert("failure".to_owned(), names::of_failure());
    let steps = step::list(node, place, cx);
    place.names.roots.swap_remove("failure");
    steps
}
