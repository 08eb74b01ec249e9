//! Gates and pauses, for people: what is waited for, and who let the run through.

use super::plain::host_name;
use crate::engine::Event;
use crate::plan::{GateOpens, Plan};

/// The line of an event about a gate or a pause.
pub(super) fn line(plan: &Plan, event: &Event) -> Option<String> {
    Some(match event {
        Event::TaskAsks { task, text, .. } => {
            format!("{}  waits for approval: {text}", host_name(plan, task.host))
        }
        Event::TaskApproved { task, by, .. } => {
            format!("{}  approved by {by}", host_name(plan, task.host))
        }
        Event::GateReached { phase, batch, .. } => {
            let gate = plan.phase(*phase).gate_after(*batch)?;
            let waits = match &gate.opens {
                GateOpens::Approve { text, .. } => format!("waits for approval: {text}"),
                GateOpens::Time(time) => format!("waits at its gate for {time}"),
                GateOpens::Check { within, .. } => {
                    format!("waits at its gate, {within} at most: {}", plan.gate_words(gate))
                }
            };
            format!("batch {}: {waits}", batch + 1)
        }
        Event::GateWaiting { batch, reason, .. } => format!("batch {}: gate: {reason}", batch + 1),
        Event::GatePassed { batch, by: Some(by), .. } => format!("batch {}: approved by {by}", batch + 1),
        Event::GatePassed { batch, by: None, .. } => format!("batch {}: its gate is open", batch + 1),
        Event::GateRefused { batch, why, .. } => {
            format!("batch {}: its gate is not passed: {why}", batch + 1)
        }
        _ => return None,
    })
}
