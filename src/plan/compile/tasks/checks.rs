//! Checks that stand between batches: `verify`, and what opens a gate.

use super::{Lowering, TaskError};
use crate::op::SYMBOL_OPEN;
use crate::plan::compile::rounds::LoopRound;
use crate::plan::compile::step_error;
use crate::plan::{ActionId, Forecast, Gate, GateOpens, HostId, StepRef, Task};
use crate::runbook::{GateOpensBy, Phase, Step};
use crate::source::{Diagnostics, Span, codes};
use crate::step::LowerError;

impl<'a> Lowering<'a, '_> {
    /// Checks after every batch speak of the whole phase; they are lowered for its first host.
    pub(super) fn verify(
        &mut self,
        phase: &'a Phase,
        population: &[HostId],
        diagnostics: &mut Diagnostics,
    ) -> Vec<ActionId> {
        let Some(first) = population.first() else { return Vec::new() };
        self.checks(*first, &phase.rollout.verify, "verify", diagnostics)
    }

    pub(super) fn gate(
        &mut self,
        phase: &'a Phase,
        population: &[HostId],
        diagnostics: &mut Diagnostics,
    ) -> Option<Gate> {
        let spec = phase.rollout.gate.as_ref()?;
        let opens = match &spec.opens {
            GateOpensBy::Approval { text, within } => {
                GateOpens::Approve { text: text.clone(), within: *within }
            }
            GateOpensBy::Time(time) => GateOpens::Time(*time),
            GateOpensBy::Check { step, within } => {
                let checks = std::slice::from_ref(step.as_ref());
                let action = *self.checks(*population.first()?, checks, "gate", diagnostics).first()?;
                if !self.actions[action.0 as usize].lowered.can_be_looked_at() {
                    let message = format!("`{}` cannot be looked at again and again", step.kind.name());
                    let hint = "write what it looks at as a `wait`, such as `wait: { command: [...] }`";
                    step_error(diagnostics, codes::GATE, step.origin.span, &message, Some(hint));
                }
                GateOpens::Check { action, within: *within }
            }
        };
        Some(Gate { after: spec.after, opens })
    }

    /// Checks that speak of the whole phase, lowered for one of its hosts.
    fn checks(
        &mut self,
        host: HostId,
        steps: &'a [Step],
        what: &str,
        diagnostics: &mut Diagnostics,
    ) -> Vec<ActionId> {
        let row = self.table.row(host);
        let mut checks = Vec::new();
        for step in steps {
            match self.task(host, step, row, &LoopRound::default()) {
                Ok(Task { step: StepRef::Action(action), forecast, .. })
                    if forecast != Forecast::Excluded =>
                {
                    let ops = &self.actions[action.0 as usize].lowered.ops;
                    if ops.iter().any(|op| holds_secret(&op.stdin)) {
                        let message = format!("`{what}` sends no secrets");
                        let hint = "it is asked again and again: let the command read the secret from a file";
                        step_error(diagnostics, codes::STEP_MEANING, step.origin.span, &message, Some(hint));
                    }
                    checks.push(action);
                }
                Ok(_) => {}
                Err(TaskError::Render(error)) => {
                    step_error(
                        diagnostics,
                        codes::STEP_VALUES,
                        error.span.unwrap_or(step.origin.span),
                        &error.message,
                        Some(&format!("`{what}` sees no host: use `params` and `vars`")),
                    );
                }
                Err(TaskError::Lower(error)) => {
                    step_error(
                        diagnostics,
                        codes::STEP_MEANING,
                        field(step, &error),
                        &error.message,
                        error.hint.as_deref(),
                    );
                }
            }
        }
        checks
    }
}

/// The place of the field that an error is about; the step where it is about no field alone.
pub(super) fn field(step: &Step, error: &LowerError) -> Span {
    let arg = error.field().and_then(|field| step.args.get(field));
    arg.and_then(|arg| arg.span).unwrap_or(step.origin.span)
}

fn holds_secret(text: &str) -> bool {
    text.contains(&format!("{SYMBOL_OPEN}secret:"))
}
