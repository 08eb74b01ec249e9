//! Slots: who may go out of service. Before every slot the cluster is looked at again; one look gives one slot.

use crate::engine::phase::position;
use crate::engine::slots::{Observation, PhaseSlots, Situation, SlotWait};
use crate::engine::{Event, HaltCause};
use crate::plan::{Budget, DomainsTaken, HostId, OutCause, Section};
use crate::value::Duration;

use super::{DecisionRound, OpenPhase};

/// While hosts wait for others, the cluster is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// No slot is given by a look that is older than this.
const TOO_OLD: Duration = Duration::from_secs(60);

impl DecisionRound<'_> {
    /// Gives a slot to one of the hosts that need one, or does what has to come before.
    pub(super) fn give_slot(&mut self, open: OpenPhase<'_>) {
        let slots = &open.run.slots;
        let Some(first) = open.waiting().next() else { return };
        if let Some(cause) = self.spent_for_good(open) {
            let waiting: Vec<_> = open.waiting().collect();
            self.give_up(open, cause, &waiting);
            return;
        }
        if let Some((position, domains)) = self.barred(open) {
            let host = open.planned.hosts[position].host;
            self.give_up(open, HaltCause::DomainsSpentByFailures { host, domains }, &[position]);
            return;
        }
        if slots.looking.is_some() {
            return;
        }
        // The run's own work fills the budget: its end is an event, and no look can make room before.
        if slots.held.len() + slots.lost.len() >= slots.count || open.own_work_bars_all() {
            // A host that paused with its slot is out, and has ended: nobody gives a slot back any more.
            if open.level.is_some() && !self.is_any_at_work(open) {
                let waiting: Vec<_> = open.waiting().collect();
                self.end_waiting(open, &waiting);
            }
            return;
        }
        let is_rescue = |position: usize| slots.troubled.contains(&open.planned.hosts[position].host);
        let full = slots.held.len() + slots.lost.len() + slots.troubled_without_slot() >= slots.count;
        if full && !slots.troubled.is_empty() && !open.waiting().any(is_rescue) {
            return;
        }
        let Some(look) = slots.look.as_ref().filter(|look| self.is_fresh(slots, look)) else {
            self.emit(Event::ObservationStarted { phase: open.phase });
            return;
        };
        let budget = slots.budget();
        match open.candidate(&budget).filter(|_| look.blocked.is_none()) {
            Some(position) => self.take(open, position),
            None => self.wait_for_slot(open, first, budget, look),
        }
    }

    /// Why no host that waits can ever go: what failed in this run, and the nodes that it left cordoned, hold the budget.
    /// Nobody waits for those.
    fn spent_for_good(&self, open: OpenPhase<'_>) -> Option<HaltCause> {
        let slots = &open.run.slots;
        if slots.lost.len() >= slots.count {
            return Some(HaltCause::BudgetSpentByFailures);
        }
        let hosts = self.left_cordoned(open);
        // One that is out itself takes nobody else out.
        let is_out = |position: usize| slots.cordoned.contains(&open.planned.hosts[position].host);
        let holds_all = slots.lost.len() + hosts.len() >= slots.count && !hosts.is_empty();
        (holds_all && !open.waiting().any(is_out)).then_some(HaltCause::BudgetSpentByCordons { hosts })
    }

    /// Hosts whose node this run left cordoned, and that it is done with.
    fn left_cordoned(&self, open: OpenPhase<'_>) -> Vec<HostId> {
        let slots = &open.run.slots;
        let is_at_work = |host: &HostId| {
            let position = position(self.plan, open.phase, *host);
            position.is_some_and(|position| open.run.hosts[position].is_active())
        };
        let is_left = |host: &HostId| !slots.lost.contains_key(host) && !is_at_work(host);
        slots.cordoned.iter().copied().filter(is_left).collect()
    }

    fn is_fresh(&self, slots: &PhaseSlots, look: &Observation) -> bool {
        look.started > slots.last_given && self.now.since(look.at) <= TOO_OLD
    }

    /// A host that waits for domains which hosts that failed in this run hold: nobody will put those back.
    fn barred(&self, open: OpenPhase<'_>) -> Option<(usize, DomainsTaken)> {
        let topology = open.planned.topology.as_ref()?;
        let left = self.left_cordoned(open);
        if open.run.slots.lost.is_empty() && left.is_empty() {
            return None;
        }
        let mut out = open.run.slots.budget().out;
        // One that ended keeps its cordon, though no look has seen it come back; one that is worked on may be uncordoned yet.
        out.iter_mut()
            .filter(|out| left.contains(&out.host))
            .for_each(|out| out.cause = OutCause::LeftCordoned);
        out.retain(|out| out.cause != OutCause::LeftCordoned || left.contains(&out.host));
        let is_out = |position: &usize| open.run.slots.cordoned.contains(&open.planned.hosts[*position].host);
        open.waiting()
            .filter(|position| !is_out(position))
            .find_map(|position| Some((position, topology.lost_to(open.planned.hosts[position].host, &out)?)))
    }

    /// Whether a host that holds a slot has not ended.
    fn is_any_at_work(&self, open: OpenPhase<'_>) -> bool {
        let at_work = |host: &HostId| {
            let position = position(self.plan, open.phase, *host);
            position.is_some_and(|position| open.run.hosts[position].is_active())
        };
        open.run.slots.held.iter().any(at_work)
    }

    /// The slot and what the host does with it go together: a stop between them would send out a host that has not
    /// begun.
    fn take(&mut self, open: OpenPhase<'_>, position: usize) {
        let host = open.planned.hosts[position].host;
        self.emit(Event::SlotTaken { phase: open.phase, host });
        let mut with_slot = open.run.hosts[position].clone();
        with_slot.take_slot(&open.planned.hosts[position], open.run.slots.look.as_ref());
        self.proceed(open, position, &with_slot);
    }

    /// No slot: says so once per change, looks again from time to time, gives up after `wait_for_budget`.
    fn wait_for_slot(&mut self, open: OpenPhase<'_>, first: usize, budget: Budget, look: &Observation) {
        let OpenPhase { phase, planned, run, .. } = open;
        // Hosts came back that this look may not have seen: a new one shows whether there is room now.
        if !run.slots.released.is_empty() {
            self.emit(Event::ObservationStarted { phase });
            return;
        }
        let situation = run.slots.situation();
        let by_others = run.by_others(planned, &situation);
        let is_told = |waiting: &&SlotWait| {
            waiting.situation == situation && waiting.by_others_since.is_some() == by_others
        };
        let told = run.slots.waiting.as_ref().filter(is_told);
        let nothing_to_tell = situation.out.is_empty() && situation.blocked.is_none() && !by_others;
        let host = planned.hosts[first].host;
        // A spent budget is the better reason: it holds up everybody.
        let topology = planned.topology.as_ref().filter(|_| budget.may_take(host).is_ok());
        let domains = topology.and_then(|topology| topology.stands_in_the_way(host, &budget.out));
        if told.is_none() && !nothing_to_tell {
            let blocked = situation.blocked;
            self.emit(Event::BudgetWaiting { phase, host, out: budget.out, blocked, domains });
            return;
        }
        let look_again = look.at.after(LOOK_AGAIN);
        if look_again <= self.now {
            self.emit(Event::ObservationStarted { phase });
            return;
        }
        let give_up = told
            .and_then(|told| told.by_others_since)
            .map(|since| (since, since.after(planned.rollout.wait_for_budget)));
        match give_up {
            Some((since, at)) if at <= self.now => {
                let waited = self.now.since(since);
                let Situation { mut out, blocked } = situation;
                if let (Some(topology), Some(domains)) = (topology, &domains) {
                    out.retain(|out| topology.domain(out.host) != Some(&domains.domain));
                }
                let cause = HaltCause::BudgetSpentByOthers { waited, out, blocked, domains };
                let waiting: Vec<_> = open.waiting().collect();
                self.give_up(open, cause, &waiting);
            }
            Some((_, at)) => self.wake(at.min(look_again)),
            None => self.wake(look_again),
        }
    }

    /// No slot will come: the run halts. Where it stops already, the hosts that had hoped to close a bracket end.
    fn give_up(&mut self, open: OpenPhase<'_>, cause: HaltCause, waiting: &[usize]) {
        if open.level.is_none() {
            self.emit(Event::Halted { phase: open.phase, cause });
            return;
        }
        self.end_waiting(open, waiting);
    }

    fn end_waiting(&mut self, open: OpenPhase<'_>, waiting: &[usize]) {
        for &position in waiting {
            let (tasks, run) = (&open.planned.hosts[position], &open.run.hosts[position]);
            let (phase, host) = (open.phase, tasks.host);
            let always = run.section == Section::Rescue && tasks.has(Section::Always);
            self.emit(if always {
                Event::SectionStarted { phase, host, section: Section::Always }
            } else {
                Event::HostEnded { phase, host, status: run.cut_short(tasks, run.at) }
            });
        }
    }
}

impl OpenPhase<'_> {
    /// Hosts that wait for a slot and may have one, in order.
    fn waiting(self) -> impl Iterator<Item = usize> {
        let batch = self.run.batch.as_ref().map(|batch| &self.planned.batches[usize::from(batch.index)]);
        // As the phase orders its hosts; where nothing orders them, that is the order of the plan.
        let rank = |position: usize| {
            let host = self.planned.hosts[position].host;
            batch.filter(|batch| !batch.is_sorted()).and_then(|batch| batch.iter().position(|of| *of == host))
        };
        let mut waiting: Vec<usize> = self.run.want_slot.iter().copied().collect();
        waiting.sort_by_key(|position| rank(*position));
        waiting.into_iter().filter(move |position| self.may_have_slot(*position))
    }

    /// The first host that fits: one that is out already costs no slot, one whose domain is out already no domain.
    fn candidate(self, budget: &Budget) -> Option<usize> {
        let host = |position: usize| self.planned.hosts[position].host;
        let topology = self.planned.topology.as_ref();
        let troubled = &self.run.slots.troubled;
        let of_rescue = (!troubled.is_empty()).then(|| self.run.slots.budget_of_rescue());
        // A host that is being rescued does not wait for others that never went out.
        let budget_for = |position: &usize| {
            let of_rescue = of_rescue.as_ref().filter(|_| troubled.contains(&host(*position)));
            of_rescue.unwrap_or(budget)
        };
        let taken_of = |budget: &Budget| {
            let out = budget.out.iter().map(|out| out.host);
            topology.map(|topology| topology.domains_of(out)).unwrap_or_default()
        };
        let (taken, taken_of_rescue) = (taken_of(budget), of_rescue.as_ref().map(taken_of));
        let fits = |position: &usize| {
            let of_rescue = taken_of_rescue.as_ref().filter(|_| troubled.contains(&host(*position)));
            let domain = topology.and_then(|topology| Some((topology, topology.domain(host(*position))?)));
            // What this run left cordoned is out already, and so is its domain.
            let is_out = self.run.slots.cordoned.contains(&host(*position));
            is_out
                || domain.is_none_or(|(topology, domain)| topology.fits(of_rescue.unwrap_or(&taken), domain))
        };
        self.waiting()
            .filter(|position| budget_for(position).may_take(host(*position)).is_ok())
            .filter(|position| self.run.slots.etcd_bar(host(*position)).is_none())
            .find(fits)
    }

    fn may_have_slot(self, position: usize) -> bool {
        let is_held_back = self.run.hosts[position].section == Section::Steps && self.waits_for_rescue();
        !is_held_back && self.may_go_on(position)
    }

    /// Whether the run's own work leaves room for none of the hosts that wait: by their domains, or by their etcd.
    fn own_work_bars_all(self) -> bool {
        let slots = &self.run.slots;
        let works_on_etcd = |position: usize| {
            let host = self.planned.hosts[position].host;
            // One that came back counts until a look has seen it, and then no event would wake the others.
            let is_held = |fellow: &HostId| *fellow != host && slots.are_fellows(*fellow, host);
            slots.held.iter().any(is_held)
        };
        if self.waiting().all(works_on_etcd) {
            return true;
        }
        let Some(topology) = &self.planned.topology else { return false };
        let taken = topology.domains_of(slots.held.iter().chain(slots.lost.keys()).copied());
        let domain = |position: usize| topology.domain(self.planned.hosts[position].host);
        // What this run left cordoned is out already, and so is its domain.
        let is_out = |position: usize| slots.cordoned.contains(&self.planned.hosts[position].host);
        let bars = |position| {
            !is_out(position) && domain(position).is_some_and(|domain| !topology.fits(&taken, domain))
        };
        self.waiting().all(bars)
    }
}
