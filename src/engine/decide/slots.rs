//! Slots: who may go out of service. Before every slot the cluster is looked at again; one look gives one slot.

use crate::engine::rules::Bug;
use crate::engine::slots::{Look, Slots};
use crate::engine::{Event, HaltCause};
use crate::plan::{Budget, OutCause};
use crate::value::Duration;

use super::hosts::cut_short;
use super::{Open, Round};

/// While hosts wait for others, the cluster is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// No slot is given by a look that is older than this.
const TOO_OLD: Duration = Duration::from_secs(60);

impl Round<'_> {
    /// Gives a slot to one of the hosts that need one, or does what has to come before.
    pub(super) fn give_slot(&mut self, open: Open<'_>) {
        let slots = &open.run.slots;
        let Some(first) = open.run.want_slot.iter().copied().find(|position| self.may_go_on(open, *position))
        else {
            return;
        };
        if slots.lost.len() >= slots.count
            && !self.rules.broken(Bug::FailuresDoNotSpend)
            && !self.rules.broken(Bug::WaitsForFailures)
        {
            self.give_up(open, HaltCause::BudgetSpentByFailures);
            return;
        }
        if slots.looking.is_some() {
            return;
        }
        // The run's own work fills the budget: its end is an event, and no look can make room before.
        if slots.held.len() + slots.lost.len() >= slots.count
            && !self.rules.broken(Bug::WorkDoesNotSpend)
            && !self.rules.broken(Bug::FailuresDoNotSpend)
            && !self.rules.broken(Bug::ControlPlanesTogether)
        {
            return;
        }
        let Some(look) = slots.look.as_ref().filter(|look| self.is_fresh(slots, look)) else {
            self.emit(Event::ObservationStarted { phase: open.phase });
            return;
        };
        let blocked = look.blocked.is_some() && !self.rules.broken(Bug::IgnoresBlocked);
        let budget = self.budget(open);
        match self.candidate(open, &budget, first).filter(|_| !blocked) {
            Some(position) => self.take(open, position),
            None => self.wait_for_slot(open, first, budget, look),
        }
    }

    fn is_fresh(&self, slots: &Slots, look: &Look) -> bool {
        let before_slot = look.started > slots.last_given || self.rules.broken(Bug::OneLookForManySlots);
        before_slot && self.now.since(look.at) <= TOO_OLD
    }

    /// The budget as the state has it; a test may take a part away.
    fn budget(&self, open: Open<'_>) -> Budget {
        let mut budget = open.run.slots.budget();
        if self.rules.broken(Bug::ControlPlanesTogether) {
            budget.slots = open.planned.rollout.max_unavailable as usize;
        }
        budget.out.retain(|out| match out.cause {
            _ if self.rules.broken(Bug::TrustsReleasedHosts) => {
                !open.run.slots.released.contains_key(&out.host)
            }
            OutCause::InWork => !self.rules.broken(Bug::WorkDoesNotSpend),
            OutCause::Failed | OutCause::Unknown => !self.rules.broken(Bug::FailuresDoNotSpend),
            _ => !self.rules.broken(Bug::OthersDoNotSpend),
        });
        if self.rules.broken(Bug::OneSlotTooMany) {
            budget.slots += 1;
        }
        budget
    }

    /// The first host that may go: the first that waits, or one that is out already and so costs nothing.
    fn candidate(&self, open: Open<'_>, budget: &Budget, first: usize) -> Option<usize> {
        let host = |position: usize| open.planned.hosts[position].host;
        if budget.may_take(host(first)).is_ok() {
            return Some(first);
        }
        budget
            .out
            .iter()
            .filter_map(|out| open.planned.hosts.binary_search_by_key(&out.host, |tasks| tasks.host).ok())
            .filter(|position| open.run.want_slot.contains(position) && self.may_go_on(open, *position))
            .find(|position| budget.may_take(host(*position)).is_ok())
    }

    /// The slot and what the host does with it go together: a stop between them would send out a host that has not
    /// begun.
    fn take(&mut self, open: Open<'_>, position: usize) {
        let host = open.planned.hosts[position].host;
        self.emit(Event::SlotTaken { phase: open.phase, host });
        let mut with_slot = open.run.hosts[position].clone();
        with_slot.take_slot(&open.planned.hosts[position], open.run.slots.look.as_ref());
        self.proceed(open, position, &with_slot);
    }

    /// No slot: says so once per change, looks again from time to time, gives up after `wait_for_budget`.
    fn wait_for_slot(&mut self, open: Open<'_>, first: usize, budget: Budget, look: &Look) {
        let Open { phase, planned, run, .. } = open;
        // Hosts came back that this look may not have seen: a new one shows whether there is room now.
        if !run.slots.released.is_empty() {
            self.emit(Event::ObservationStarted { phase });
            return;
        }
        let situation = run.slots.situation();
        let told = run.slots.waiting.as_ref().filter(|waiting| waiting.situation == situation);
        let nothing_to_tell = situation.out.is_empty() && situation.blocked.is_none();
        if told.is_none() && !nothing_to_tell {
            let host = planned.hosts[first].host;
            self.emit(Event::BudgetWaiting { phase, host, out: budget.out, blocked: situation.blocked });
            return;
        }
        let look_again = look.at.after(LOOK_AGAIN);
        if look_again <= self.now {
            self.emit(Event::ObservationStarted { phase });
            return;
        }
        let give_up = told.and_then(|told| told.by_others_since).map(|since| {
            let patience = planned.rollout.wait_for_budget;
            (since, if self.rules.broken(Bug::DoesNotWaitForOthers) { since } else { since.after(patience) })
        });
        match give_up {
            Some((since, at)) if at <= self.now => {
                let waited = self.now.since(since);
                let cause =
                    HaltCause::BudgetSpentByOthers { waited, out: situation.out, blocked: situation.blocked };
                self.give_up(open, cause);
            }
            Some((_, at)) => self.wake(at.min(look_again)),
            None => self.wake(look_again),
        }
    }

    /// No slot will come: the run halts. Where it stops already, the hosts that had hoped to close a bracket end.
    fn give_up(&mut self, open: Open<'_>, cause: HaltCause) {
        if open.level.is_none() {
            self.emit(Event::Halted { phase: open.phase, cause });
            return;
        }
        for &position in &open.run.want_slot {
            if self.may_go_on(open, position) {
                let (host, at) = (open.planned.hosts[position].host, open.run.hosts[position].at);
                self.emit(Event::HostEnded { phase: open.phase, host, status: cut_short(at) });
            }
        }
    }
}
