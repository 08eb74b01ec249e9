//! What one host goes through: the deeds of all phases in the order in which a host meets them, whichever step, fragment or
//! command they stand in. Rules about what must come before or behind something read this.

use super::action::{ActionKind, StepAction};
use super::context::{LintContext, PhaseView};
use crate::runbook::Step;

/// A deed, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct OrderedStep<'v, 'a> {
    pub(super) phase: &'v PhaseView<'a>,
    pub(super) step: &'a Step,
    pub(super) action: &'v StepAction,
    /// Whether it stands in `rescue` or `always`.
    pub(super) aside: bool,
}

impl OrderedStep<'_, '_> {
    /// Whether it is what a command or script does, not a step of its own kind.
    pub(super) fn is_by_hand(&self) -> bool {
        matches!(self.step.kind.name(), "command" | "script" | "kubectl")
    }
}

/// What the hosts of a phase go through.
pub(super) struct HostOrder<'v, 'a> {
    turns: Vec<OrderedStep<'v, 'a>>,
}

impl<'a> LintContext<'a> {
    /// The way of a phase's hosts: its deeds, and those of every phase that may be about some of the same hosts.
    pub(super) fn way<'v>(&'v self, of: &'v PhaseView<'a>) -> HostOrder<'v, 'a> {
        let met = self.phases.iter().filter(|phase| may_share_hosts(of, phase));
        HostOrder { turns: met.flat_map(turns).collect() }
    }
}

/// A phase's deeds in order, with what it does on a host that failed, and on every host in the end.
fn turns<'v, 'a>(phase: &'v PhaseView<'a>) -> impl Iterator<Item = OrderedStep<'v, 'a>> {
    let views =
        phase.steps.iter().map(|view| (view, false)).chain(phase.aside.iter().map(|view| (view, true)));
    views.flat_map(move |(view, aside)| {
        view.actions.iter().map(move |action| OrderedStep { phase, step: view.step, action, aside })
    })
}

/// Without an inventory nobody knows, so they may.
fn may_share_hosts(left: &PhaseView<'_>, right: &PhaseView<'_>) -> bool {
    match (&left.hosts, &right.hosts) {
        (Some(left), Some(right)) => left.iter().any(|host| right.contains(host)),
        _ => true,
    }
}

impl<'v, 'a> HostOrder<'v, 'a> {
    /// The deeds of a phase, each with its place on the way.
    pub(super) fn of(&self, phase: &PhaseView<'a>) -> impl Iterator<Item = (usize, OrderedStep<'v, 'a>)> {
        let turns = self.turns.iter().copied().enumerate();
        turns.filter(move |(_, turn)| std::ptr::eq(turn.phase, phase))
    }

    /// Whether the hosts ever meet this.
    pub(super) fn ever(&self, wanted: impl Fn(&ActionKind) -> bool) -> bool {
        self.turns.iter().any(|turn| wanted(&turn.action.what))
    }

    /// Whether they have met this before they reach a place.
    pub(super) fn before(&self, place: usize, wanted: impl Fn(&ActionKind) -> bool) -> bool {
        self.turns[..place].iter().any(|turn| wanted(&turn.action.what))
    }

    /// Whether they meet this behind a place.
    pub(super) fn behind(&self, place: usize, wanted: impl Fn(&ActionKind) -> bool) -> bool {
        self.turns[place + 1..].iter().any(|turn| wanted(&turn.action.what))
    }
}
