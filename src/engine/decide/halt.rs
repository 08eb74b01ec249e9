//! Halts that do not come from the budget: too many failures, a failed batch, a stop that somebody asked for.

use crate::engine::{Event, HaltCause};

use super::DecisionRound;

impl DecisionRound<'_> {
    /// The halt that is due and has not been told. What went wrong comes before what was asked for.
    pub(super) fn halt_due(&self) -> Option<Event> {
        if self.state.halted.is_some() {
            return None;
        }
        self.failures().or_else(|| self.failed_batch()).or_else(|| self.asked()).or_else(|| self.paused())
    }

    /// A gate that was not passed, or a pause that was not confirmed.
    fn paused(&self) -> Option<Event> {
        let phase = self.state.current_phase()?;
        let (text, why) = self.state.paused.clone()?;
        Some(Event::Halted { phase, cause: HaltCause::Paused { text, why } })
    }

    fn failures(&self) -> Option<Event> {
        let phase = self.state.current_phase()?;
        let run = &self.state.phases[usize::from(phase)];
        // A host that no rescue can save has failed, whatever is still done on it.
        let failed = run.failed.saturating_add(u32::try_from(run.failing.len()).unwrap_or(u32::MAX));
        let max = self.plan.phase(phase).rollout.max_failures;
        (failed > max).then_some(Event::Halted { phase, cause: HaltCause::Failures { failed, max } })
    }

    fn failed_batch(&self) -> Option<Event> {
        let phase = self.state.current_phase()?;
        let reason = self.state.phases[usize::from(phase)].batch_failed.clone()?;
        Some(Event::Halted { phase, cause: HaltCause::BatchFailed { reason } })
    }

    /// A stop is told only while something is left that it takes away.
    fn asked(&self) -> Option<Event> {
        let by = self.state.stop.as_ref()?.by.clone();
        let next = u16::try_from(self.state.phases.len()).ok()?;
        let phase = match self.state.current_phase() {
            Some(open) if self.has_batches_left(open) => open,
            Some(_) | None if self.any_batch_from(next) => next,
            _ => return None,
        };
        Some(Event::Halted { phase, cause: HaltCause::Stopped { by } })
    }

    fn has_batches_left(&self, phase: u16) -> bool {
        let run = &self.state.phases[usize::from(phase)];
        run.batch.is_some() || usize::from(run.next_batch) < self.plan.phase(phase).batches.len()
    }

    fn any_batch_from(&self, next: u16) -> bool {
        self.plan.phases[usize::from(next)..].iter().any(|phase| !phase.batches.is_empty())
    }
}
