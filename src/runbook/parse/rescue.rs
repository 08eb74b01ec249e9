//! `rescue:` and `always:` of a phase: what is done on a host that failed, and on every host in the end.

use super::{ParseContext, StepScope, names, start, step, tables};
use crate::runbook::{Rescue, Step, Then};
use crate::source::codes::{RESCUE, WRONG_TYPE};
use crate::source::{Entry, MapReader, Node, NodeKind};

/// What a host counts as whose rescue has gone well, as written.
const THEN: [(&str, Then); 2] = [("failed", Then::Failed), ("ok", Then::Ok)];

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
    let mut reader = MapReader::open_table(&entry.value, &tables::RESCUE, &mut cx.errors)?;
    let then = reader.take("then").and_then(|entry| entry.value.word(&THEN, &mut cx.errors));
    let written = reader.require("steps", "`rescue`", &mut cx.errors);
    let steps = written.map(|entry| steps(&entry.value, place, cx)).unwrap_or_default();
    reader.finish("`rescue`", &mut cx.errors);
    Some(Rescue { steps, then: then.unwrap_or_default() })
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
