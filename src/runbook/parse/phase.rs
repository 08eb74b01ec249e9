//! Phases and how they roll.

use super::{
    ParseContext, StepScope, common, finish, foreign_key, foreign_keys, gate, names, rescue, step, tables,
    top, topology,
};
use crate::op::Effect;
use crate::runbook::brackets;
use crate::runbook::{Frame, HostOrder, Mode, OnFailure, Phase, RolloutSpec, Step};
use crate::source::codes::{COMMON_KEY, DUPLICATE_NAME, FOR_EACH, MISSING_KEY, NOT_READ_ONLY, ROLLOUT};
use crate::source::{Diagnostics, MapReader, Node, NodeKind, Spanned};
use crate::value::{Amount, Duration, escape};

const AN_AMOUNT: &str = "a count such as 2, or a percentage such as 25%";

pub(super) fn phases(node: &Node, mut place: StepScope, cx: &mut ParseContext<'_>) -> Vec<Phase> {
    let items = node.items("a list of phases", &mut cx.errors).unwrap_or_default();
    if items.is_empty() && matches!(node.kind, NodeKind::Seq(_)) {
        cx.errors.wrong_type(node, "at least one phase");
    }
    let mut phases: Vec<Phase> = Vec::with_capacity(items.len());
    for item in items {
        let Some(phase) = phase(item, &mut place, cx) else { continue };
        if let Some(first) = phases.iter().find(|earlier| earlier.name.value == phase.name.value) {
            let message = format!("two phases are named `{}`", phase.name.value);
            let error = cx.errors.error(DUPLICATE_NAME, phase.name.span, message);
            error.related(first.name.span, "first used here");
        }
        phases.push(phase);
    }
    phases
}

fn phase(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<Phase> {
    let mut reader = MapReader::open_table(node, &tables::PHASE, &mut cx.errors)?;
    let name = reader.require("name", "a phase", &mut cx.errors);
    let name = name.and_then(|entry| {
        let value = escape(entry.value.text("a name", &mut cx.errors)?);
        Some(Spanned { value, span: entry.value.span })
    });
    let hosts = reader.require("hosts", "a phase", &mut cx.errors);
    let hosts = hosts.and_then(|entry| top::selector(&entry.value, &mut cx.errors));
    let mode = reader.take("mode").and_then(|entry| {
        entry.value.word(&[("read_only", Mode::ReadOnly), ("read_write", Mode::ReadWrite)], &mut cx.errors)
    });
    let mode = mode.unwrap_or(Mode::ReadWrite);
    place.tags = reader.take("tags").map(|entry| common::tags(&entry.value, cx)).unwrap_or_default();
    let rollout = reader.take("rollout");
    let rollout = rollout.map_or_else(without_rollout, |entry| self::rollout(&entry.value, place, cx));
    // Results of a phase are its own: a host that a later phase rolls need not have been in this one.
    names::steps_of(&mut place.names).clear();
    let before = cx.errors.items().len();
    let steps = if let Some(entry) = reader.take("steps") {
        step::list(&entry.value, place, cx)
    } else {
        if !reader.is_misspelt("steps") {
            let error = cx.errors.error(MISSING_KEY, super::start(node.span), "a phase needs `steps`");
            error.hint("write `steps: [drain: {}]`");
        }
        Vec::new()
    };
    let rescue = reader.take("rescue").and_then(|entry| rescue::rescue(entry, place, cx));
    let always = reader.take("always").map(|entry| rescue::always(entry, place, cx)).unwrap_or_default();
    let is_read = cx.errors.items().len() == before;
    finish(reader, "a phase", foreign_keys::PHASE, &mut cx.errors);
    let phase = Phase { name: name?, hosts: hosts?, mode, rollout, steps, rescue, always };
    // Where a step could not be read, what it opens or closes is not known.
    if is_read {
        brackets::check(&phase, &cx.frames, &mut cx.errors);
    }
    if mode == Mode::ReadOnly {
        check_read_only(phase.host_steps(), "the phase is `mode: read_only`", &mut cx.errors);
    }
    Some(phase)
}

/// One host at a time out of service, everything in one batch, the first failure halts.
fn without_rollout() -> RolloutSpec {
    RolloutSpec {
        order: None,
        batches: Vec::new(),
        max_unavailable: Amount::Count(1),
        max_failures: 0,
        parallel: 10,
        on_failure: OnFailure::Halt,
        soak: Duration::ZERO,
        wait_for_budget: Duration::from_secs(10 * 60),
        topology: None,
        verify: Vec::new(),
        gate: None,
        span: None,
    }
}

fn rollout(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> RolloutSpec {
    let mut spec = without_rollout();
    spec.span = Some(node.span);
    let Some(mut reader) = MapReader::open_table(node, &tables::ROLLOUT, &mut cx.errors) else { return spec };
    let errors = &mut cx.errors;
    if let Some(entry) = reader.take("order") {
        let words = [
            ("inventory", HostOrder::Inventory),
            ("group", HostOrder::Group),
            ("reverse", HostOrder::Reverse),
            ("sorted", HostOrder::Sorted),
        ];
        spec.order = entry.value.word(&words, errors);
    }
    if let Some(entry) = reader.take("batches") {
        spec.batches = batches(&entry.value, errors);
        if matches!(&entry.value.kind, NodeKind::Seq(items) if items.is_empty()) {
            let error =
                errors.error(ROLLOUT, entry.value.span, "`batches` is empty, so no host would have its turn");
            error.hint("write sizes such as `[1, 25%]`, or leave it out for one batch of all hosts");
        }
    }
    if let Some(entry) = reader.take("max_unavailable")
        && let Some(amount) =
            entry.value.parsed(&tables::ROLLOUT.expects("max_unavailable"), errors, Amount::parse)
    {
        if is_nothing(amount) {
            let error = errors.error(ROLLOUT, entry.value.span, "a budget of 0 lets no host start");
            error.hint("write `max_unavailable: 1` for one host at a time");
        }
        spec.max_unavailable = amount;
    }
    if let Some(entry) = reader.take("max_failures")
        && let Some(count) = entry.value.parsed(&tables::ROLLOUT.expects("max_failures"), errors, count)
    {
        spec.max_failures = count;
    }
    if let Some(entry) = reader.take("parallel")
        && let Some(count) = entry
            .value
            .parsed(&tables::ROLLOUT.expects("parallel"), errors, |text| count(text).filter(|n| *n > 0))
    {
        spec.parallel = count;
    }
    if let Some(entry) = reader.take("on_failure")
        && let Some(word) = on_failure(&entry.value, errors)
    {
        spec.on_failure = word;
    }
    for (key, value) in [("soak", &mut spec.soak), ("wait_for_budget", &mut spec.wait_for_budget)] {
        if let Some(entry) = reader.take(key)
            && let Some(duration) = entry.value.parsed(&tables::ROLLOUT.expects(key), errors, Duration::parse)
        {
            *value = duration;
        }
    }
    spec.topology = reader.take("topology").and_then(|entry| topology::read(&entry.value, errors));
    if let Some(entry) = reader.take("verify") {
        names::steps_of(&mut place.names).clear();
        spec.verify = step::list(&entry.value, place, cx);
        check_read_only(&spec.verify, "`verify` only looks", &mut cx.errors);
        check_decides(&spec.verify, "`verify`", &mut cx.errors);
        for step in spec.verify.iter().filter(|step| step.kind.name() == "pause") {
            let error = cx.errors.error(ROLLOUT, step.origin.span, "`pause` says nothing of a batch");
            error.hint("write `gate` beside `verify`: it waits for a person or for a time");
        }
        for step in spec.verify.iter().filter(|step| is_repeated(step, &cx.frames)) {
            let error = cx.errors.error(FOR_EACH, step.origin.span, "`verify` has no `for_each`");
            error.hint("write a check for each");
        }
    }
    spec.gate = reader.take("gate").and_then(|entry| gate::read(&entry.value, place, cx));
    finish(reader, "`rollout`", foreign_keys::ROLLOUT, &mut cx.errors);
    warn_about_failures(&spec, node, &mut cx.errors);
    spec
}

/// Whether it, or an include around it, has `for_each`.
fn is_repeated(step: &Step, frames: &[Frame]) -> bool {
    let around = std::iter::successors(step.frame, |id| frames[id.0].parent);
    step.for_each.is_some() || around.map(|id| &frames[id.0]).any(|frame| frame.for_each.is_some())
}

/// How the phase stops, never whether: a word that says "go on" would say the same as a number, and contradict it.
fn on_failure(node: &Node, errors: &mut Diagnostics) -> Option<OnFailure> {
    if matches!(node.scalar(), Some("continue" | "ignore")) {
        let instead = "write how many hosts may fail: `max_failures: 3`; `on_failure: halt` or `freeze` says how the phase \
                       stops once more have";
        let message = format!("`on_failure` has no `{}`", node.scalar().unwrap_or_default());
        foreign_key(node.span, message, instead, errors);
        return None;
    }
    node.word(&[("halt", OnFailure::Halt), ("freeze", OnFailure::Freeze)], errors)
}

fn batches(node: &Node, errors: &mut Diagnostics) -> Vec<Amount> {
    let items = match &node.kind {
        NodeKind::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut sizes = Vec::with_capacity(items.len());
    for item in items {
        let Some(size) = item.parsed(AN_AMOUNT, errors, Amount::parse) else { continue };
        if is_nothing(size) {
            errors.error(ROLLOUT, item.span, "a batch of 0 holds no host").hint("write at least 1");
        }
        sizes.push(size);
    }
    sizes
}

/// A percentage is never nothing: it is rounded down, but to 1 at least. `0%` is a mistake all the same.
fn is_nothing(amount: Amount) -> bool {
    match amount {
        Amount::Count(count) => count == 0,
        Amount::Percent(percent) => percent.get() == 0,
    }
}

fn count(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn warn_about_failures(spec: &RolloutSpec, node: &Node, errors: &mut Diagnostics) {
    let Amount::Count(budget) = spec.max_unavailable else { return };
    if spec.max_failures >= budget && spec.max_failures > 0 {
        let message = format!(
            "`max_failures` {} is not below `max_unavailable` {budget}: failed hosts stay out of service and spend the \
             whole budget before that",
            spec.max_failures
        );
        errors
            .warning(ROLLOUT, super::start(node.span), message)
            .hint("raise `max_unavailable`, or lower `max_failures`");
    }
}

/// What decides whether a batch is good has no failures to allow.
pub(super) fn check_decides(steps: &[Step], what: &str, errors: &mut Diagnostics) {
    for step in steps.iter().filter(|step| step.allow_failure.is_some()) {
        let message = format!("`allow_failure` has no meaning in {what}");
        let error = errors.error(COMMON_KEY, step.origin.span, message);
        error.hint("a check that may fail decides nothing: leave it out, or give it `retry`");
    }
}

pub(super) fn check_read_only<'s>(
    steps: impl IntoIterator<Item = &'s Step>,
    why: &str,
    errors: &mut Diagnostics,
) {
    for step in steps {
        let effect = step.effect.unwrap_or_else(|| step.kind.effect());
        if effect == Effect::Reads {
            continue;
        }
        let name = step.kind.name();
        let does =
            if effect == Effect::Changes { "changes the host" } else { "may take the host out of service" };
        let error = errors.error(NOT_READ_ONLY, step.origin.span, format!("`{name}` {does}, and {why}"));
        if common::says_its_effect(name) {
            error.hint("write `effect: reads` at the step if it only reads");
        } else {
            error.hint("move it to another phase");
        }
    }
}
