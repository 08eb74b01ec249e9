//! Gates between batches: asks whoever has to say so, or looks until a check holds.

use std::cell::RefCell;
use std::rc::Rc;

use super::approval::{ApprovalAnswer, Question};
use super::context::{EventSender, Shared};
use super::poll::{PollEnd, PollResult, until};
use super::verify::look_at;
use crate::engine::{Awaited, Event, StopLevel};
use crate::plan::{ActionId, GateOpens, HostId};
use crate::step::Poll;
use crate::value::{Duration, Timestamp};

/// Between two looks at a check that does not say so itself.
const PAUSE: Duration = Duration::from_secs(10);

/// A gate that the run has come to.
#[derive(Clone, Copy)]
pub(super) struct ReachedGate {
    pub(super) phase: u16,
    pub(super) batch: u16,
    /// Its end, where it has one.
    pub(super) until: Option<Timestamp>,
    /// On whose behalf the cluster is asked.
    pub(super) subject: HostId,
}

/// Says that the gate is passed or refused; nothing where time alone opens it.
pub(super) async fn run(shared: Rc<Shared>, event_sender: EventSender, reached: ReachedGate) {
    let ReachedGate { phase, batch, until, .. } = reached;
    let about = Awaited::Gate { phase, batch };
    let Some(gate) = shared.plan.phase(phase).gate_after(batch) else { return };
    if let Some(by) = shared.approver.given(about) {
        return event_sender.say(Event::GatePassed { phase, batch, by: Some(by) });
    }
    let left = until.map(|until| until.since(shared.clock.now()));
    let event = match &gate.opens {
        GateOpens::Time(_) => return,
        GateOpens::Approve { text, .. } => {
            match shared.ask(&Question { about, text: text.clone() }, left, StopLevel::Graceful).await {
                ApprovalAnswer::Yes { by } => Event::GatePassed { phase, batch, by: Some(by) },
                ApprovalAnswer::No { why } => Event::GateRefused { phase, batch, why },
            }
        }
        GateOpens::Check { action, within } => {
            let looked = tokio::select! {
                biased;
                () = shared.until_stopped(StopLevel::Graceful) => Err("the run stopped".to_owned()),
                looked = look(&shared, &event_sender, reached, *action, left.unwrap_or(*within)) => {
                    looked.map_err(|failed_check| format!("still red after {within}: {failed_check}"))
                }
            };
            match looked {
                Ok(()) => Event::GatePassed { phase, batch, by: None },
                Err(why) => Event::GateRefused { phase, batch, why },
            }
        }
    };
    event_sender.say(event);
}

/// Looks until the check has held for as long as it asks for; what was red where the time is over.
async fn look(
    shared: &Shared,
    event_sender: &EventSender,
    reached: ReachedGate,
    check: ActionId,
    within: Duration,
) -> Result<(), String> {
    let own = shared.plan.action(check).lowered.poll;
    let poll = match own {
        Some(own) => Poll { within, ..own },
        None => Poll { interval: PAUSE, stable_for: Duration::ZERO, within },
    };
    let told: RefCell<Option<String>> = RefCell::default();
    let looked = until(poll, async || match look_at(shared, check, reached.subject).await {
        // What can never hold may still be mended by somebody while the gate is closed.
        PollResult::Never(reason) | PollResult::NotYet(reason) => {
            if told.replace(Some(reason.clone())).as_ref() != Some(&reason) {
                let (phase, batch) = (reached.phase, reached.batch);
                event_sender.say(Event::GateWaiting { phase, batch, reason: reason.clone() });
            }
            PollResult::<String>::NotYet(reason)
        }
        PollResult::Holds(state) => PollResult::Holds(state),
    });
    match looked.await {
        Ok(_) => Ok(()),
        Err(PollEnd::TimedOut(reason) | PollEnd::Never(reason)) => Err(reason),
    }
}
