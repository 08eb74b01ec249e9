//! Transitions of a gate: reached, passed, refused.

use crate::engine::phase::GateRun;
use crate::engine::{IllegalReason, State};
use crate::plan::Plan;
use crate::value::Timestamp;

impl State {
    pub(super) fn gate_reached(
        &mut self,
        plan: &Plan,
        phase: u16,
        batch: u16,
        until: Option<Timestamp>,
    ) -> Result<(), IllegalReason> {
        self.no_host_left(plan, phase)?;
        let batch = self.open_batch(phase, batch)?;
        if batch.gate.is_some() || batch.verifying {
            return Err(IllegalReason::Work {
                what: "the run is at the gate already, or still checks the batch",
            });
        }
        batch.gate = Some(GateRun { until, passed: None });
        Ok(())
    }

    /// The gate that the run stands before.
    pub(super) fn open_gate(&mut self, phase: u16, batch: u16) -> Result<&mut GateRun, IllegalReason> {
        let gate = self.open_batch(phase, batch)?.gate.as_mut().filter(|gate| gate.passed.is_none());
        gate.ok_or(IllegalReason::Work { what: "the run does not stand before this gate" })
    }

    pub(super) fn gate_refused(
        &mut self,
        plan: &Plan,
        phase: u16,
        batch: u16,
        why: &str,
    ) -> Result<(), IllegalReason> {
        self.open_gate(phase, batch)?.passed = Some(false);
        let planned = plan.phase(phase);
        let words = planned.gate_after(batch).map(|gate| plan.gate_words(gate)).unwrap_or_default();
        let text = format!("gate after batch {} of {}: {words}", batch + 1, planned.name);
        self.paused.get_or_insert_with(|| (text, why.to_owned()));
        Ok(())
    }
}
