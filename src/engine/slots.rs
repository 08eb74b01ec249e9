//! Who of a phase's population is out of service, as far as the events say: by the run's own work, by its failures,
//! by the last look at the cluster. Keeps the record; `decide/slots.rs` decides with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Budget, HostId, OutCause, OutOfService, PlannedPhase, SpentBy};
use crate::value::Timestamp;

use super::{EtcdSeen, HostStatus};

/// The last look at the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    /// Sequence number of its start: what became true later it may not have seen.
    pub(super) started: u64,
    /// When its result came.
    pub(super) at: Timestamp,
    /// Hosts of the population that it saw out of service.
    pub(super) out: Vec<OutOfService>,
    /// Why no slot can be given.
    pub(super) blocked: Option<String>,
    /// Members of an etcd on hosts of its own.
    pub(super) etcd: Vec<EtcdSeen>,
}

/// Why a member of an etcd must stay up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EtcdBar {
    /// The run works on another member of its cluster: that passes by itself.
    Work,
    /// Somebody else has to do something: why.
    Trouble(String),
}

/// Why hosts wait for a slot, apart from the run's own work, which passes by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Situation {
    /// Hosts that are out, and not in work.
    pub(super) out: Vec<OutOfService>,
    /// Why no slot can be given.
    pub(super) blocked: Option<String>,
}

/// The wait for a slot, as last told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotWait {
    /// Since when others hold the budget; `None` while the run's own work is to blame.
    pub(super) by_others_since: Option<Timestamp>,
    /// What was told.
    pub(super) situation: Situation,
}

/// Slots of a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PhaseSlots {
    /// How many there are.
    pub(super) count: usize,
    /// The population, sorted.
    pub(super) population: Vec<HostId>,
    /// Hosts that hold a slot.
    pub(super) held: BTreeSet<HostId>,
    /// Hosts of the population that failed in this run or are unknown, from earlier phases too.
    pub(super) lost: BTreeMap<HostId, HostStatus>,
    /// Hosts of the population whose node this run cordoned, in any phase, and that nobody uncordoned since.
    pub(super) cordoned: BTreeSet<HostId>,
    /// Hosts outside the population that failed in an earlier phase or are unknown.
    pub(super) lost_elsewhere: BTreeSet<HostId>,
    /// etcd's id of the cluster of every member that a look has seen, in earlier phases too.
    pub(super) etcd: BTreeMap<HostId, String>,
    /// Hosts of the population that failed and on which something is still done, with a slot or without.
    pub(super) troubled: BTreeSet<HostId>,
    /// Hosts that gave their slot back, with the sequence number, and that no look that began later has seen.
    pub(super) released: BTreeMap<HostId, u64>,
    /// Sequence number of the last slot given.
    pub(super) last_given: u64,
    /// Sequence number of the look in flight.
    pub(super) looking: Option<u64>,
    /// The last look.
    pub(super) look: Option<Observation>,
    /// The wait, as told.
    pub(super) waiting: Option<SlotWait>,
}

impl PhaseSlots {
    /// Slots of a phase that begins, with the hosts lost before.
    pub(super) fn of(phase: &PlannedPhase, lost: &BTreeMap<HostId, HostStatus>) -> Self {
        let mut population = phase.population.clone();
        population.sort_unstable();
        let (lost, elsewhere): (BTreeMap<_, _>, BTreeMap<_, _>) =
            lost.iter().partition(|(host, _)| population.binary_search(host).is_ok());
        let lost_elsewhere = elsewhere.into_keys().collect();
        let count = phase.rollout.slots() as usize;
        Self { count, population, lost, lost_elsewhere, ..Self::default() }
    }

    /// A slot is given.
    pub(super) fn give(&mut self, host: HostId, seq: u64) {
        self.held.insert(host);
        self.released.remove(&host);
        self.last_given = seq;
        self.waiting = None;
    }

    /// A host ended.
    pub(super) fn end(&mut self, host: HostId, status: HostStatus, seq: u64) {
        match status {
            HostStatus::Failed | HostStatus::Unknown => {
                self.held.remove(&host);
                if self.population.binary_search(&host).is_ok() {
                    self.lost.insert(host, status);
                }
            }
            HostStatus::Ok | HostStatus::Changed => {
                if self.held.remove(&host) {
                    self.released.insert(host, seq);
                }
            }
            // Stopped half-way it is still out, and nobody is going to bring it back.
            HostStatus::Stopped => {}
        }
    }

    /// A host failed and something is still done on it, or that is over.
    pub(super) fn note_trouble(&mut self, host: HostId, is_in_trouble: bool) {
        if is_in_trouble && self.population.binary_search(&host).is_ok() {
            self.troubled.insert(host);
        } else {
            self.troubled.remove(&host);
        }
    }

    /// Hosts that count although they hold no slot: they failed before they took one.
    pub(super) fn troubled_without_slot(&self) -> usize {
        self.troubled.difference(&self.held).count()
    }

    /// A look came back.
    pub(super) fn see(&mut self, look: Observation) {
        self.looking = None;
        self.released.retain(|_, seq| *seq > look.started);
        let mut look = look;
        look.out.retain(|out| self.population.binary_search(&out.host).is_ok());
        self.look = Some(look);
    }

    /// The wait is told.
    pub(super) fn tell(&mut self, situation: Situation, by_others: bool, now: Timestamp) {
        let since = self.waiting.as_ref().and_then(|waiting| waiting.by_others_since).unwrap_or(now);
        self.waiting = Some(SlotWait { by_others_since: by_others.then_some(since), situation });
    }

    /// Slots and who holds them, each host once: by work first, because that passes.
    pub(super) fn budget(&self) -> Budget {
        self.budget_with(&self.troubled)
    }

    /// The same for a host that is being rescued: hosts that failed before they took a slot do not count against each
    /// other, or none of them could be rescued.
    pub(super) fn budget_of_rescue(&self) -> Budget {
        self.budget_with(&BTreeSet::new())
    }

    fn budget_with(&self, troubled: &BTreeSet<HostId>) -> Budget {
        let work = self.held.iter().chain(self.released.keys()).chain(troubled);
        let work = work.map(|host| (*host, OutCause::InWork));
        let lost = self.lost.iter().map(|(host, status)| (*host, cause_of(*status)));
        let left = self.cordoned.iter().map(|host| (*host, OutCause::LeftCordoned));
        let seen = self.look.iter().flat_map(|look| &look.out).map(|out| (out.host, out.cause.clone()));
        let mut all = BTreeMap::new();
        for (host, cause) in work.chain(lost).chain(left).chain(seen) {
            all.entry(host).or_insert(cause);
        }
        let out = all.into_iter().map(|(host, cause)| OutOfService { host, cause }).collect();
        Budget { slots: self.count, out }
    }

    /// How many hosts are out, as far as is known. One that has come back holds its slot until a look has seen it, and is
    /// not out.
    pub(super) fn out(&self) -> usize {
        self.budget().out.iter().filter(|out| !self.released.contains_key(&out.host)).count()
    }

    /// Why a host may not go, where it is a member of an etcd on hosts of its own: another member of the same cluster is
    /// out, or etcd says that one is not well. What the run itself works on comes first, because that passes.
    pub(super) fn etcd_bar(&self, host: HostId) -> Option<EtcdBar> {
        self.etcd.get(&host)?;
        let is_fellow = |other: &HostId| *other != host && self.are_fellows(*other, host);
        if self.held.iter().chain(self.released.keys()).any(is_fellow) {
            return Some(EtcdBar::Work);
        }
        let seen = self.look.iter().flat_map(|look| &look.out).map(|out| &out.host);
        if self.lost.keys().chain(&self.lost_elsewhere).chain(&self.cordoned).chain(seen).any(is_fellow) {
            let reason = "another member of its etcd cluster is out of service or failed in this run";
            return Some(EtcdBar::Trouble(reason.to_owned()));
        }
        let look = self.look.as_ref()?;
        let seen = look.etcd.iter().find(|seen| seen.host == host)?;
        seen.blocked.clone().map(EtcdBar::Trouble)
    }

    /// Whether two hosts run members of one etcd cluster.
    pub(super) fn are_fellows(&self, one: HostId, other: HostId) -> bool {
        let cluster = self.etcd.get(&one).filter(|cluster| !cluster.is_empty());
        cluster.is_some() && cluster == self.etcd.get(&other)
    }

    /// What is wrong with the etcd of a host of the last look that the run has not taken out.
    fn etcd_trouble(&self) -> Option<String> {
        let members = self.look.iter().flat_map(|look| &look.etcd).map(|seen| seen.host);
        let mut waiting = members.filter(|host| !self.held.contains(host) && !self.lost.contains_key(host));
        waiting.find_map(|host| match self.etcd_bar(host) {
            Some(EtcdBar::Trouble(reason)) => Some(reason),
            _ => None,
        })
    }

    /// Why hosts wait, apart from the run's own work.
    pub(super) fn situation(&self) -> Situation {
        let mut out = self.budget().out;
        out.retain(|out| out.cause != OutCause::InWork);
        let blocked = self.look.as_ref().and_then(|look| look.blocked.clone());
        Situation { out, blocked: blocked.or_else(|| self.etcd_trouble()) }
    }

    /// Whether others hold the budget, so that the run's own work, once ended, would not free a slot.
    pub(super) fn by_others(&self, situation: &Situation) -> bool {
        let budget = Budget { slots: self.count, out: situation.out.clone() };
        // No host of the plan has this id, so it is not among those that are out.
        let spent = budget.may_take(HostId(u32::MAX)).err();
        situation.blocked.is_some() || spent.is_some_and(|spent| spent.by() == SpentBy::Others)
    }
}

fn cause_of(status: HostStatus) -> OutCause {
    if status == HostStatus::Unknown { OutCause::Unknown } else { OutCause::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_came_back_holds_its_slot_until_it_is_seen_and_is_not_out() {
        let population = vec![HostId(1), HostId(2)];
        let mut slots = PhaseSlots { count: 2, population, ..PhaseSlots::default() };
        slots.give(HostId(1), 10);
        slots.give(HostId(2), 11);
        assert_eq!(slots.out(), 2);
        slots.end(HostId(1), HostStatus::Changed, 20);
        assert_eq!((slots.budget().out.len(), slots.out()), (2, 1));
        slots.end(HostId(2), HostStatus::Failed, 21);
        assert_eq!(slots.out(), 1, "one that failed is out");
    }
}
