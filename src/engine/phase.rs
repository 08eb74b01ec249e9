//! One phase and its batch, as far as the events say. Keeps its hosts in queues by what they wait for, so that a
//! decision looks only at hosts for which there is something to decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Gate, HostId, HostTasks, Plan, PlannedPhase};
use crate::value::Timestamp;

use super::HostStatus;
use super::host::{HostRun, HostStage, Trouble};
use super::slots::{Observation, PhaseSlots, Situation};

/// A batch that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BatchRun {
    /// Its index.
    pub(super) index: u16,
    /// Position in the batch of the next host that may start.
    pub(super) next: usize,
    /// Hosts started.
    pub(super) started: u32,
    /// Hosts ended.
    pub(super) ended: u32,
    /// Hosts ended as ok or changed.
    pub(super) succeeded: u32,
    /// The end of its soak, once that began.
    pub(super) soak_until: Option<Timestamp>,
    /// Its checks run now.
    pub(super) verifying: bool,
    /// When its checks last ended, and what was red.
    pub(super) verified: Option<(Timestamp, Option<String>)>,
    /// The gate behind it, once the run came to that.
    pub(super) gate: Option<GateRun>,
}

/// A gate that the run has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GateRun {
    /// When time alone opens it, or when it is given up.
    pub(super) until: Option<Timestamp>,
    /// Whether it lets the run through; absent while that is not known.
    pub(super) passed: Option<bool>,
}

impl BatchRun {
    /// Whether somebody is asked, or something looked at, for its gate.
    pub(super) fn is_at_gate(&self, phase: &PlannedPhase) -> bool {
        let is_asked = phase.gate_after(self.index).is_some_and(Gate::is_asked);
        is_asked && self.gate.as_ref().is_some_and(|gate| gate.passed.is_none())
    }

    /// Whether its gate did not let the run through.
    pub(super) fn is_refused(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.passed == Some(false))
    }

    /// Hosts started and not ended.
    pub(super) fn active(&self) -> u32 {
        self.started - self.ended
    }
}

/// A phase that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PhaseRun {
    /// Hosts to work on, in the order of [`PlannedPhase::hosts`].
    pub(super) hosts: Vec<HostRun>,
    /// Hosts lost in earlier phases: not touched in this one.
    pub(super) untouchable: BTreeSet<HostId>,
    /// The open batch.
    pub(super) batch: Option<BatchRun>,
    /// The batch that ended last, as it was then: a resumed run may have to open it again.
    pub(super) last_batch: Option<BatchRun>,
    /// Index of the batch after the open or last one.
    pub(super) next_batch: u16,
    /// Why a batch counts as failed.
    pub(super) batch_failed: Option<String>,
    /// Hosts that failed or are unknown in this phase.
    pub(super) failed: u32,
    /// Whether it ended within its limits, once it ended.
    pub(super) ended: Option<bool>,
    /// The budget.
    pub(super) slots: PhaseSlots,
    /// Positions of hosts that failed and on which something is still done.
    pub(super) failing: BTreeSet<usize>,
    /// Positions of hosts that failed and that their rescue may save.
    pub(super) saving: BTreeSet<usize>,
    /// Positions of hosts for which something can be decided.
    pub(super) ready: BTreeSet<usize>,
    /// Positions of hosts that need a slot.
    pub(super) want_slot: BTreeSet<usize>,
    /// Positions of hosts that try again later, by time.
    pub(super) backing_off: BTreeSet<(Timestamp, usize)>,
    /// Positions of hosts with work in flight.
    pub(super) working: BTreeSet<usize>,
}

impl PhaseRun {
    /// A phase that begins, with the hosts lost before.
    pub(super) fn of(phase: &PlannedPhase, lost: &BTreeMap<HostId, HostStatus>) -> Self {
        Self {
            hosts: vec![HostRun::default(); phase.hosts.len()],
            untouchable: lost.keys().copied().collect(),
            batch: None,
            last_batch: None,
            next_batch: 0,
            batch_failed: None,
            failed: 0,
            ended: None,
            slots: PhaseSlots::of(phase, lost),
            failing: BTreeSet::new(),
            saving: BTreeSet::new(),
            ready: BTreeSet::new(),
            want_slot: BTreeSet::new(),
            backing_off: BTreeSet::new(),
            working: BTreeSet::new(),
        }
    }

    /// Puts a host into the queue of what it waits for, after an event about it.
    pub(super) fn requeue(&mut self, phase: &PlannedPhase, position: usize) {
        let host = &mut self.hosts[position];
        match host.stage {
            HostStage::Outside | HostStage::Ended => false,
            HostStage::Working => self.working.remove(&position),
            HostStage::Ready => self.ready.remove(&position),
            HostStage::WantsSlot => self.want_slot.remove(&position),
            HostStage::BackingOff(at) => self.backing_off.remove(&(at, position)),
        };
        host.stage = host.stage_now(&phase.hosts[position]);
        match host.stage {
            HostStage::Outside | HostStage::Ended => false,
            HostStage::Working => self.working.insert(position),
            HostStage::Ready => self.ready.insert(position),
            HostStage::WantsSlot => self.want_slot.insert(position),
            HostStage::BackingOff(at) => self.backing_off.insert((at, position)),
        };
        self.note_trouble(&phase.hosts[position], position);
    }

    /// A host that failed counts from then on, also while its rescue goes on.
    fn note_trouble(&mut self, tasks: &HostTasks, position: usize) {
        if tasks.sections.is_none() {
            return;
        }
        let trouble = self.hosts[position].trouble(tasks);
        for (set, is_in) in
            [(&mut self.failing, trouble == Trouble::Certain), (&mut self.saving, trouble == Trouble::Open)]
        {
            if is_in {
                set.insert(position);
            } else {
                set.remove(&position);
            }
        }
        self.slots.note_trouble(tasks.host, trouble != Trouble::None);
    }

    /// Whether more hosts would have failed than may, if none of those that are being rescued were saved: nobody else
    /// goes out of service before that is known.
    pub(super) fn waits_for_rescue(&self, phase: &PlannedPhase) -> bool {
        let failed = self.failed as usize + self.failing.len() + self.saving.len();
        !self.saving.is_empty() && failed > phase.rollout.max_failures as usize
    }

    /// A look at the cluster came back.
    pub(super) fn see(&mut self, phase: &PlannedPhase, look: Observation) {
        self.slots.see(look);
        // A wait that others caused ends as soon as they no longer do, even if nobody could use the slot just then.
        let situation = self.slots.situation();
        let is_old = self.slots.waiting.as_ref().is_some_and(|waiting| waiting.situation != situation);
        if is_old && !self.by_others(phase, &situation) {
            self.slots.waiting = None;
        }
    }

    /// A host's wait for a slot is told.
    pub(super) fn tell(&mut self, phase: &PlannedPhase, situation: Situation, now: Timestamp) {
        let by_others = self.by_others(phase, &situation);
        self.slots.tell(situation, by_others, now);
    }

    /// Whether only others can help: they hold the budget, or the domains that all hosts that wait would need free, or
    /// nobody of this run is at work.
    pub(super) fn by_others(&self, phase: &PlannedPhase, situation: &Situation) -> bool {
        if self.slots.by_others(situation) || self.only_waits() {
            return true;
        }
        let Some(topology) = &phase.topology else { return false };
        let taken = topology.domains_of(situation.out.iter().map(|out| out.host));
        let domain = |position: &usize| topology.domain(phase.hosts[*position].host);
        let bars = |position| domain(position).is_some_and(|domain| !topology.fits(&taken, domain));
        !self.want_slot.is_empty() && self.want_slot.iter().all(bars)
    }

    /// Whether hosts wait and none is at work: no end of the run's own work can make room any more.
    fn only_waits(&self) -> bool {
        let is_idle = self.working.is_empty() && self.ready.is_empty() && self.backing_off.is_empty();
        is_idle && !self.want_slot.is_empty()
    }

    /// Hosts of the open batch that may still start, in order, with their places in the batch.
    pub(super) fn startable<'a>(
        &'a self,
        phase: &'a PlannedPhase,
    ) -> impl Iterator<Item = (usize, HostId)> + 'a {
        let (hosts, next) = self
            .batch
            .as_ref()
            .map_or((&[][..], 0), |batch| (phase.batches[usize::from(batch.index)].as_slice(), batch.next));
        hosts.iter().copied().enumerate().skip(next).filter(|(_, host)| !self.untouchable.contains(host))
    }
}

/// Where a host stands in [`PlannedPhase::hosts`].
pub(super) fn position(plan: &Plan, phase: u16, host: HostId) -> Option<usize> {
    plan.phases.get(usize::from(phase))?.hosts.binary_search_by_key(&host, |tasks| tasks.host).ok()
}
