//! Phases and how they roll.

use super::{
    ParseContext, StepScope, common, finish, foreign_key, foreign_keys, gate, gate::Gate, names, rescue,
    step, tables, top, topology::TopologySpec,
};
use crate::op::Effect;
use crate::runbook::brackets;
use crate::runbook::{Frame, HostOrder, Mode, OnFailure, Phase, RolloutSpec, Step};
use crate::source::codes::{COMMON_KEY, DUPLICATE_NAME, FOR_EACH, GATE, MISSING_KEY, NOT_READ_ONLY, ROLLOUT};
use crate::source::{AsDefault, Diagnostics, FromNode, MapReader, Node, NodeKind, Spanned, words, written};
use crate::value::{Amount, Duration, Type, Value, escape};

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

words!(Mode { "read_only" => ReadOnly, "read_write" => ReadWrite });

fn phase(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Option<Phase> {
    let mut reader = MapReader::open_table(node, &tables::PHASE, &mut cx.errors)?
        .with_habits(|key| foreign_keys::instead(foreign_keys::PHASE, key));
    let name = reader.require("name", "a phase", &mut cx.errors);
    let name = name.and_then(|entry| {
        let value = escape(entry.value.text("a name", &mut cx.errors)?);
        Some(Spanned { value, span: entry.value.span })
    });
    let hosts = reader.require("hosts", "a phase", &mut cx.errors);
    let hosts = hosts.and_then(|entry| top::selector(&entry.value, &mut cx.errors));
    // Results of a phase are its own: a host that a later phase rolls need not have been in this one.
    names::leave_phase(&mut place.names);
    let mode = reader.take("mode").and_then(|entry| entry.value.word(Mode::WORDS, &mut cx.errors));
    let mode = mode.unwrap_or(Mode::ReadWrite);
    place.tags = reader.take("tags").map(|entry| common::tags(&entry.value, cx)).unwrap_or_default();
    let rollout = self::rollout(reader.take("rollout").map(|entry| &entry.value), place, cx);
    names::steps_of(&mut place.names).clear();
    let before = cx.errors.items().len();
    let steps = if let Some(entry) = reader.take("steps") {
        step::list(&entry.value, place, cx)
    } else {
        if !reader.is_misspelt("steps") {
            let error = cx.errors.error(MISSING_KEY, super::start(node.span), "a phase needs `steps`");
            error.hint(
                "write `steps:` with a list, such as `steps: [command: [systemctl, restart, kubelet]]`",
            );
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

written! {
    /// How a phase moves over its hosts.
    pub(super) struct Rollout: Default at "phases[].rollout", called "`rollout`",
        answers(|entry, errors| foreign_keys::answer(foreign_keys::ROLLOUT, entry, "`rollout`", errors))
    {
        /// How the phase's hosts follow each other: as the inventory has them, as the selector's groups list them, backwards,
        /// or by name. Where it is left out, a phase over one group takes its hosts as the group lists them. Slices such as
        /// `control_plane[0]` always count in the inventory's order.
        order: Option<HostOrder>,
        /// Hosts of each batch; the last size repeats. A batch begins when the one before it has ended well. Left out: one
        /// batch of all.
        batches: Option<Batches>,
        /// Most hosts of the phase that may be out of service, including those that others took out.
        max_unavailable: MaxUnavailable = MaxUnavailable(Amount::Count(1)),
        /// More failed hosts than this end the phase.
        max_failures: u32 as (u32::ty().called("a count of hosts such as 0")) = 0,
        /// Most hosts that are worked on at the same time.
        parallel: u32 as (Type::Whole { least: 1, most: None }.called("a count of at least 1")) = 10,
        /// What happens when more hosts fail than `max_failures` allows: with `halt` no new host starts and those that are
        /// out finish, with `freeze` nothing new starts at all.
        on_failure: Stop = Stop(OnFailure::Halt),
        /// Time between a batch and what follows it.
        soak: Duration as (Type::Duration.called("a duration such as 5m")) = Duration::ZERO,
        /// How long a host waits for a slot that others hold.
        wait_for_budget: Duration as (Type::Duration.called("a duration such as 5m")) = Duration::from_secs(600),
        /// How many zones, racks or the like may have hosts out of service at the same time.
        topology: Option<TopologySpec>
            as (TopologySpec::ty().called("a mapping such as `{ key: zone, max_domains: 1 }`")),
        /// Checks after every batch, before the next one: on the first host of the phase, or through kubectl. A `command`,
        /// `script` or `kubectl` that only reads (`effect: reads`) runs each time, and its exit code decides, or its
        /// `fail_when`.
        verify: Option<Node> as (Type::steps()),
        /// What stands between a batch that ended well and the next one.
        gate: Option<Spanned<Gate>>
            as (Gate::ty().called("a mapping such as `{ approve: look at the dashboards }`")),
    }
}

words!(HostOrder { "inventory" => Inventory, "group" => Group, "reverse" => Reverse, "sorted" => Sorted });

fn rollout(node: Option<&Node>, place: &mut StepScope, cx: &mut ParseContext<'_>) -> RolloutSpec {
    let written = node.and_then(|node| Rollout::from_node(node, &Rollout::ty(), &mut cx.errors));
    let written = written.unwrap_or_default();
    let verify = written.verify.map(|node| verify(&node, place, cx)).unwrap_or_default();
    let gate = written.gate.and_then(|gate| gate::read(gate, place, cx));
    let spec = RolloutSpec {
        order: written.order,
        batches: written.batches.map(|batches| batches.0).unwrap_or_default(),
        max_unavailable: written.max_unavailable.0,
        max_failures: written.max_failures,
        parallel: written.parallel,
        on_failure: written.on_failure.0,
        soak: written.soak,
        wait_for_budget: written.wait_for_budget,
        topology: written.topology,
        verify,
        gate,
        span: node.map(|node| node.span),
    };
    warn_about_failures(&spec, &mut cx.errors);
    warn_about_gate(&spec, &mut cx.errors);
    spec
}

/// `verify:`, with what checks of a batch may not be.
fn verify(node: &Node, place: &mut StepScope, cx: &mut ParseContext<'_>) -> Vec<Step> {
    names::steps_of(&mut place.names).clear();
    let steps = step::list(node, place, cx);
    check_read_only(&steps, "`verify` only looks", &mut cx.errors);
    check_decides(&steps, "`verify`", &mut cx.errors);
    for step in steps.iter().filter(|step| step.kind.name() == "pause") {
        let error = cx.errors.error(ROLLOUT, step.origin.span, "`pause` says nothing of a batch");
        error.hint("write `gate` beside `verify`: it waits for a person or for a time");
    }
    for step in steps.iter().filter(|step| is_repeated(step, &cx.frames)) {
        let error = cx.errors.error(FOR_EACH, step.origin.span, "`verify` has no `for_each`");
        error.hint("write a check for each");
    }
    steps
}

/// Whether it, or an include around it, has `for_each`.
fn is_repeated(step: &Step, frames: &[Frame]) -> bool {
    let around = std::iter::successors(step.frame, |id| frames[id.0].parent);
    step.for_each.is_some() || around.map(|id| &frames[id.0]).any(|frame| frame.for_each.is_some())
}

/// How the phase stops, never whether: a word that says "go on" would say the same as a number, and contradict it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop(OnFailure);

words!(OnFailure { "halt" => Halt, "freeze" => Freeze });

impl FromNode for Stop {
    fn ty() -> Type {
        OnFailure::ty()
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        if matches!(node.scalar(), Some("continue" | "ignore")) {
            let instead = "write how many hosts may fail: `max_failures: 3`; `on_failure: halt` or `freeze` says how the \
                           phase stops once more have";
            let message = format!("`on_failure` has no `{}`", node.scalar().unwrap_or_default());
            foreign_key(node.span, message, instead, errors);
            return None;
        }
        OnFailure::from_node(node, ty, errors).map(Self)
    }
}

impl AsDefault for Stop {
    fn as_default(&self) -> Value {
        self.0.as_default()
    }
}

/// A budget that lets a host start.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaxUnavailable(Amount);

impl FromNode for MaxUnavailable {
    fn ty() -> Type {
        Amount::ty()
    }

    fn from_node(node: &Node, ty: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let amount = Amount::from_node(node, ty, errors)?;
        if is_nothing(amount) {
            let error = errors.error(ROLLOUT, node.span, "a budget of 0 lets no host start");
            error.hint("write `max_unavailable: 1` for one host at a time");
        }
        Some(Self(amount))
    }
}

impl AsDefault for MaxUnavailable {
    fn as_default(&self) -> Value {
        self.0.as_default()
    }
}

/// Sizes of batches, of which each holds a host.
#[derive(Clone, Debug)]
pub(super) struct Batches(Vec<Amount>);

impl FromNode for Batches {
    fn ty() -> Type {
        let words = "a count such as 2, or a percentage such as 25%, or a list of them";
        Type::Amount.one_or_many().called(words)
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        let items = match &node.kind {
            NodeKind::Seq(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() {
            let message = "`batches` is empty, so no host would have its turn";
            let error = errors.error(ROLLOUT, node.span, message);
            error.hint("write sizes such as `[1, 25%]`, or leave it out for one batch of all hosts");
        }
        let mut sizes = Vec::with_capacity(items.len());
        for item in items {
            let Some(size) = Amount::from_node(item, &Amount::ty(), errors) else { continue };
            if is_nothing(size) {
                errors.error(ROLLOUT, item.span, "a batch of 0 holds no host").hint("write at least 1");
            }
            sizes.push(size);
        }
        Some(Self(sizes))
    }
}

/// A percentage is never nothing: it is rounded down, but to 1 at least. `0%` is a mistake all the same.
fn is_nothing(amount: Amount) -> bool {
    match amount {
        Amount::Count(count) => count == 0,
        Amount::Percent(percent) => percent.get() == 0,
    }
}

/// A gate stands behind every batch but the last, so behind none of one.
fn warn_about_gate(spec: &RolloutSpec, errors: &mut Diagnostics) {
    let Some(span) = spec.span.filter(|_| spec.gate.is_some()) else { return };
    let is_all = |amount: &Amount| matches!(amount, Amount::Percent(percent) if percent.get() == 100);
    if spec.batches.first().is_none_or(is_all) {
        let message = "`gate` waits for nothing here: it stands between batches, and the phase has one";
        errors
            .warning(GATE, super::start(span), message)
            .hint("write sizes such as `batches: [1, 25%]`; before a phase, write the step `pause`");
    }
}

fn warn_about_failures(spec: &RolloutSpec, errors: &mut Diagnostics) {
    let (Amount::Count(budget), Some(span)) = (spec.max_unavailable, spec.span) else { return };
    if let Some((message, hint)) = spec.failures_spend(budget) {
        errors.warning(ROLLOUT, super::start(span), message).hint(hint);
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
