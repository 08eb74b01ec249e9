//! Transitions of a host: start, slot, brackets, end.

use crate::engine::host::{HostWork, NextStep};
use crate::engine::{BracketFinding, HostStatus, IllegalReason, State};
use crate::plan::{HostId, Plan, Section};

use super::{EventTime, refuse};

impl State {
    pub(super) fn host_started(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
    ) -> Result<(), IllegalReason> {
        let position = self.known_host(plan, phase, host)?;
        let planned = plan.phase(phase);
        let run = self.open(phase)?;
        let place = match run.startable(planned).next() {
            Some((place, next)) if next == host => place,
            _ => return Err(refuse(plan, host, "is not the next one of the batch")),
        };
        let batch = run.batch.as_mut().expect("invariant: only an open batch has hosts that may start");
        batch.next = place + 1;
        batch.started += 1;
        run.requeue(planned, position);
        Ok(())
    }

    pub(super) fn slot_taken(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
        at: EventTime,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, phase, host)?;
        let run = self.open(phase)?;
        if run.hosts[position].work.is_some() || run.hosts[position].slot {
            return Err(refuse(plan, host, "holds a slot already, or has work in flight"));
        }
        let planned = plan.phase(phase);
        run.hosts[position].take_slot(&planned.hosts[position], run.slots.look.as_ref());
        run.slots.give(host, at.seq);
        run.requeue(planned, position);
        Ok(())
    }

    pub(super) fn bracket_probe_started(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
        bracket: u16,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, phase, host)?;
        let planned = plan.phase(phase);
        let run = self.open(phase)?;
        let next = run.hosts[position].next_if_idle(&planned.hosts[position]);
        if next != Some(NextStep::Probe(bracket)) {
            return Err(refuse(plan, host, "does not stand before this bracket"));
        }
        run.hosts[position].work = Some(HostWork::Bracket(bracket));
        run.requeue(planned, position);
        Ok(())
    }

    pub(super) fn bracket_probed(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
        bracket: u16,
        finding: &BracketFinding,
        at: EventTime,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, phase, host)?;
        let run = self.open(phase)?;
        let target = &mut run.hosts[position];
        if target.work != Some(HostWork::Bracket(bracket)) {
            return Err(refuse(plan, host, "has no probe of this bracket in flight"));
        }
        target.work = None;
        target.bracket_seen = at.now;
        match finding {
            BracketFinding::Holds => target.bracket = Some((bracket, false)),
            BracketFinding::Needed { .. } => target.bracket = Some((bracket, true)),
            BracketFinding::Failed { failure } => target.fail(None, failure),
        }
        run.requeue(plan.phase(phase), position);
        Ok(())
    }

    pub(super) fn section_started(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
        section: Section,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, phase, host)?;
        let stopping = self.stop_level().is_some();
        let planned = plan.phase(phase);
        let tasks = &planned.hosts[position];
        let run = self.open(phase)?;
        let target = &mut run.hosts[position];
        let next = target.next_if_idle(tasks);
        // A run that stops gives up on a rescue that gets no slot, never on what is done in the end.
        let is_given_up = stopping
            && next == Some(NextStep::Slot)
            && target.section == Section::Rescue
            && section == Section::Always
            && tasks.has(section);
        if next != Some(NextStep::Section(section)) && !is_given_up {
            return Err(refuse(plan, host, "does not stand before this part of its tasks"));
        }
        target.enter(section, tasks);
        run.requeue(planned, position);
        Ok(())
    }

    pub(super) fn host_ended(
        &mut self,
        plan: &Plan,
        phase: u16,
        host: HostId,
        status: HostStatus,
        seq: u64,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, phase, host)?;
        let stopping = self.stop_level().is_some();
        let planned = plan.phase(phase);
        let run = self.open(phase)?;
        let target = &mut run.hosts[position];
        let next = target.next_if_idle(&planned.hosts[position]);
        let fits = match next {
            Some(NextStep::End(end)) => end == status,
            Some(_) => stopping && status == target.cut_short(&planned.hosts[position], target.at),
            None => false,
        };
        if !fits {
            return Err(refuse(plan, host, "cannot end like this here"));
        }
        target.status = Some(status);
        run.slots.end(host, status, seq);
        let batch = run.batch.as_mut().expect("invariant: hosts are active only in an open batch");
        batch.ended += 1;
        batch.succeeded += u32::from(matches!(status, HostStatus::Ok | HostStatus::Changed));
        let lost = matches!(status, HostStatus::Failed | HostStatus::Unknown);
        run.failed += u32::from(lost);
        run.requeue(planned, position);
        if lost {
            self.lost.insert(host, status);
        }
        Ok(())
    }
}
