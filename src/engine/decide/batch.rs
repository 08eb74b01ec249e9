//! The end of a batch: its soak, its checks, and whether it counts as failed.

use crate::engine::phase::{BatchRun, GateRun};
use crate::engine::{Event, HostStatus};
use crate::value::{Duration, Timestamp};

use super::{DecisionRound, OpenPhase};

/// From the end of one run of the checks to the start of the next, while a batch soaks.
const POLL: Duration = Duration::from_secs(5);

impl DecisionRound<'_> {
    /// All hosts of the batch have ended: what comes before the next batch.
    pub(super) fn close_batch(&mut self, open: OpenPhase<'_>, batch: &BatchRun) {
        if batch.verifying || batch.is_at_gate(open.planned) {
            return;
        }
        let decided_elsewhere = open.level.is_none() && is_one_by_one(open);
        if batch.started > 0 && batch.succeeded == 0 && !only_stopped(open, batch) && !decided_elsewhere {
            self.end_batch(open, batch, Some("no host succeeded".to_owned()));
        } else if open.level.is_some() {
            self.end_batch(open, batch, cut_short(open, batch));
        } else if batch.started == 0 {
            self.end_batch(open, batch, None);
        } else if !soaks(open, batch) {
            self.pass_gate(open, batch);
        } else if let Some(until) = batch.soak_until {
            self.soak(open, batch, until);
        } else {
            let until = self.now.after(open.planned.rollout.soak);
            self.emit(Event::SoakStarted { phase: open.phase, batch: batch.index, until });
        }
    }

    /// The first run of the checks that ends at the soak's end or later decides. Without checks time alone does.
    fn soak(&mut self, open: OpenPhase<'_>, batch: &BatchRun, until: Timestamp) {
        let verify = Event::VerifyStarted { phase: open.phase, batch: batch.index };
        match &batch.verified {
            _ if open.planned.verify.is_empty() => {
                if until <= self.now {
                    self.pass_gate(open, batch);
                } else {
                    self.wake(until);
                }
            }
            Some((at, None)) if *at >= until => self.pass_gate(open, batch),
            Some((at, failed_check)) if *at >= until => self.end_batch(open, batch, failed_check.clone()),
            Some((at, _)) if at.after(POLL).min(until) > self.now => self.wake(at.after(POLL).min(until)),
            _ => self.emit(verify),
        }
    }

    /// The batch is good. It ends, once its gate lets the run through.
    fn pass_gate(&mut self, open: OpenPhase<'_>, batch: &BatchRun) {
        let gate = open.planned.gate_after(batch.index);
        let (Some(gate), phase) = (gate, open.phase) else { return self.end_batch(open, batch, None) };
        match &batch.gate {
            None => {
                let until = gate.time().map(|time| self.now.after(time));
                self.emit(Event::GateReached { phase, batch: batch.index, until });
            }
            Some(GateRun { passed: Some(true), .. }) => self.end_batch(open, batch, None),
            // The run has halted.
            Some(GateRun { passed: Some(false), .. }) => {}
            Some(GateRun { passed: None, until: Some(until) }) if *until > self.now => self.wake(*until),
            Some(GateRun { passed: None, .. }) => self.end_batch(open, batch, None),
        }
    }

    fn end_batch(&mut self, open: OpenPhase<'_>, batch: &BatchRun, failed: Option<String>) {
        self.emit(Event::BatchEnded { phase: open.phase, batch: batch.index, failed });
    }
}

/// Whether every batch of the phase is of one host: then a batch that fails tells no more than the host, and
/// `max_failures` alone decides. Before a larger batch it still ends the phase.
fn is_one_by_one(open: OpenPhase<'_>) -> bool {
    open.planned.batches.iter().all(|batch| batch.len() == 1)
}

/// Whether a stop alone kept the batch from its end: nothing went wrong on any of its hosts.
fn only_stopped(open: OpenPhase<'_>, batch: &BatchRun) -> bool {
    let ends = open.planned.batches[usize::from(batch.index)].iter().filter_map(|host| {
        let position = open.planned.hosts.binary_search_by_key(host, |tasks| tasks.host).ok()?;
        open.run.hosts[position].status
    });
    open.level.is_some() && ends.into_iter().all(|end| end == HostStatus::Stopped)
}

/// Whether anything stands between this batch and what follows. After the last batch only checks do.
fn soaks(open: OpenPhase<'_>, batch: &BatchRun) -> bool {
    let last = usize::from(batch.index) + 1 == open.planned.batches.len();
    !open.planned.verify.is_empty() || (!last && open.planned.rollout.soak > Duration::ZERO)
}

/// What a stop took from a batch; a batch that was not looked at is not called good.
fn cut_short(open: OpenPhase<'_>, batch: &BatchRun) -> Option<String> {
    if batch.ended > batch.succeeded || open.run.startable(open.planned).next().is_some() {
        return Some("the run stopped before all of its hosts had succeeded".to_owned());
    }
    if let Some(gate) = &batch.gate {
        let why = if gate.passed == Some(false) {
            "its gate was not passed"
        } else {
            "the run stopped before its gate"
        };
        return (gate.passed != Some(true)).then(|| why.to_owned());
    }
    if soaks(open, batch) {
        return Some("the run stopped before its soak and its checks had ended".to_owned());
    }
    let gated = batch.started > 0 && open.planned.gate_after(batch.index).is_some();
    gated.then(|| "the run stopped before its gate".to_owned())
}
