//! The transition of a run that goes on: what a stop took away and what is not known is opened again. Whatever halted
//! the run before is judged anew by what stands now.

use crate::engine::phase::{BatchRun, PhaseRun};
use crate::engine::{HostStatus, State};
use crate::plan::{Plan, PlannedPhase};

impl State {
    pub(super) fn resumed(&mut self, plan: &Plan) {
        self.ended = false;
        self.stop = None;
        self.lock_lost = false;
        self.halted = None;
        self.paused = None;
        let Some(last) = self.phases.len().checked_sub(1) else { return };
        let (planned, run) = (&plan.phases[last], &mut self.phases[last]);
        if run.ended == Some(true) {
            return;
        }
        run.ended = None;
        // Nobody knows what happened to the cluster meanwhile, nor for how long others have held the budget.
        run.slots.look = None;
        run.slots.waiting = None;
        if run.batch.is_none() && run.batch_failed.is_some() {
            reopen_batch(run);
        }
        // A crash came between the word about its gate and its own end.
        if let Some(batch) = run.batch.as_mut().filter(|batch| batch.is_refused()) {
            batch.gate = None;
            batch.verified = None;
        }
        run.batch_failed = None;
        for position in 0..run.hosts.len() {
            if reopen_host(planned, run, position).is_some_and(is_lost) {
                self.lost.remove(&planned.hosts[position].host);
            }
        }
    }
}

/// The batch that was cut short goes on; what was soaked and checked before does not count. One that stood before its
/// gate has soaked, and is only checked again: nobody knows what happened meanwhile.
fn reopen_batch(run: &mut PhaseRun) {
    run.batch = run.last_batch.take().map(|batch| BatchRun {
        soak_until: batch.soak_until.filter(|_| batch.gate.is_some()),
        verifying: false,
        verified: None,
        gate: None,
        ..batch
    });
}

/// Says how the host had ended, if it goes on.
fn reopen_host(planned: &PlannedPhase, run: &mut PhaseRun, position: usize) -> Option<HostStatus> {
    let was_active = run.hosts[position].is_active();
    let had_ended = run.hosts[position].reopen(&planned.hosts[position]);
    if had_ended.is_none() {
        // A crash came between the end of its task and its own.
        if was_active {
            run.requeue(planned, position);
        }
        return None;
    }
    let host = planned.hosts[position].host;
    if had_ended.is_some_and(is_lost) {
        run.failed -= 1;
        run.slots.lost.remove(&host);
        if run.hosts[position].slot {
            run.slots.held.insert(host);
        }
    }
    if run.batch.is_none() {
        reopen_batch(run);
    }
    let batch = run.batch.as_mut().expect("invariant: a host that ended was in a batch");
    // It soaks anew once this host has ended, too.
    batch.soak_until = None;
    batch.verified = None;
    batch.gate = None;
    if planned.batches[usize::from(batch.index)].contains(&host) {
        batch.ended -= 1;
    } else {
        // It was in an earlier one; the open one waits for it, too.
        batch.started += 1;
    }
    run.requeue(planned, position);
    had_ended
}

/// Whether a host that ended so counted as lost to the run.
fn is_lost(status: HostStatus) -> bool {
    matches!(status, HostStatus::Failed | HostStatus::Unknown)
}
