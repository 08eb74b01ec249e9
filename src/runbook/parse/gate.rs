//! `gate:` of a rollout.

use super::phase::{check_decides, check_read_only};
use super::{ParseContext, StepScope, finish, names, start, step, tables};
use crate::runbook::{GateAfter, GateOpensBy, GateSpec};
use crate::source::codes::GATE;
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind};
use crate::value::{Duration, escape};

const WHAT: &str = "`gate`";

pub(super) fn read(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<GateSpec> {
    let mut reader = MapReader::open_table(node, &tables::GATE, &mut cx.errors)?;
    let [approve, time, check] = ["approve", "duration", "check"].map(|key| reader.take(key));
    let within_entry = reader.take("for");
    let within = within_entry.and_then(|entry| duration("for", entry, &mut cx.errors));
    let after = reader.take("after").map_or(Some(GateAfter::Each), |entry| {
        entry.value.word(&[("each", GateAfter::Each), ("first", GateAfter::First)], &mut cx.errors)
    });
    finish(reader, WHAT, &[], &mut cx.errors);
    let written: Vec<&Entry> = [approve, time, check].into_iter().flatten().collect();
    let [one] = written.as_slice() else {
        let message = "a gate is exactly one of `approve`, `duration` and `check`";
        let error = cx.errors.error(GATE, start(node.span), message);
        error.hint("write `gate: { approve: look at the dashboards }`");
        return None;
    };
    let opens = match one.key.value.as_str() {
        "approve" => text(one, &mut cx.errors).map(|text| GateOpensBy::Approval { text, within }),
        "duration" => {
            if let Some(entry) = within_entry {
                let error = cx.errors.error(GATE, entry.key.span, "`duration` has its time already");
                error.hint("`for` belongs to `approve` and `check`");
            }
            duration("duration", one, &mut cx.errors).map(GateOpensBy::Time)
        }
        _ => self::check(one, within, within_entry.is_some(), place, cx),
    };
    Some(GateSpec { after: after?, opens: opens? })
}

fn duration(key: &str, entry: &Entry, errors: &mut Diagnostics) -> Option<Duration> {
    entry.value.parsed(&tables::GATE.expects(key), errors, Duration::parse)
}

/// One line, because it is asked on one.
fn text(entry: &Entry, errors: &mut Diagnostics) -> Option<String> {
    let words = |text: &str| escape(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    entry.value.parsed(&tables::GATE.expects("approve"), errors, |text| {
        Some(words(text)).filter(|text| !text.is_empty())
    })
}

fn check(
    entry: &Entry,
    within: Option<Duration>,
    has_time: bool,
    place: &mut StepScope,
    cx: &mut ParseContext<'_>,
) -> Option<GateOpensBy> {
    if !has_time {
        let error = cx.errors.error(GATE, entry.key.span, "`check` needs `for`: how long it is looked at");
        error.hint("write `gate: { check: { … }, for: 1h }`; then the run pauses");
    }
    names::steps_of(&mut place.names).clear();
    // One step, read as the lists of steps are.
    let list = Node { kind: NodeKind::Seq(vec![entry.value.clone()]), span: entry.value.span };
    let mut steps = step::list(&list, place, cx);
    check_read_only(&steps, "`gate` only looks", &mut cx.errors);
    check_decides(&steps, "`gate`", &mut cx.errors);
    if steps.len() > 1 {
        cx.errors.error(GATE, entry.key.span, "`check` is one step").hint("write it without `include`");
        return None;
    }
    Some(GateOpensBy::Check { step: Box::new(steps.pop()?), within: within? })
}
