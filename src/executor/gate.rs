//! Gates between batches: asks whoever has to say so, or looks until a check holds.

use std::cell::RefCell;
use std::rc::Rc;

use super::approval::{Answer, Question};
use super::control::{Shared, Teller};
use super::poll::{Ended, Look, until};
use super::verify::look_at;
use crate::engine::{Awaited, Event, StopLevel};
use crate::plan::{ActionId, GateOpens, HostId};
use crate::step::Poll;
use crate::value::{Duration, Timestamp};

/// Between two looks at a check that does not say so itself.
const PAUSE: Duration = Duration::from_secs(10);

/// A gate that the run has come to.
#[derive(Clone, Copy)]
pub(super) struct Reached {
    pub(super) phase: u16,
    pub(super) batch: u16,
    /// Its end, where it has one.
    pub(super) until: Option<Timestamp>,
    /// On whose behalf the cluster is asked.
    pub(super) subject: HostId,
}

/// Says that the gate is passed or refused; nothing where time alone opens it.
pub(super) async fn run(shared: Rc<Shared>, teller: Teller, reached: Reached) {
    let Reached { phase, batch, until, .. } = reached;
    let about = Awaited::Gate { phase, batch };
    let Some(gate) = shared.plan.phase(phase).gate_after(batch) else { return };
    if let Some(by) = shared.approver.given(about) {
        return teller.say(Event::GatePassed { phase, batch, by: Some(by) });
    }
    let left = until.map(|until| until.since(shared.clock.now()));
    let event = match &gate.opens {
        GateOpens::Time(_) => return,
        GateOpens::Approve { text, .. } => {
            match shared.ask(&Question { about, text: text.clone() }, left, StopLevel::Graceful).await {
                Answer::Yes { by } => Event::GatePassed { phase, batch, by: Some(by) },
                Answer::No { why } => Event::GateRefused { phase, batch, why },
            }
        }
        GateOpens::Check { action, within } => {
            let looked = tokio::select! {
                biased;
                () = shared.until_stopped(StopLevel::Graceful) => Err("the run stopped".to_owned()),
                looked = look(&shared, &teller, reached, *action, left.unwrap_or(*within)) => {
                    looked.map_err(|red| format!("still red after {within}: {red}"))
                }
            };
            match looked {
                Ok(()) => Event::GatePassed { phase, batch, by: None },
                Err(why) => Event::GateRefused { phase, batch, why },
            }
        }
    };
    teller.say(event);
}

/// Looks until the check has held for as long as it asks for; what was red where the time is over.
async fn look(
    shared: &Shared,
    teller: &Teller,
    reached: Reached,
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
        Look::Never(reason) | Look::NotYet(reason) => {
            if told.replace(Some(reason.clone())).as_ref() != Some(&reason) {
                let (phase, batch) = (reached.phase, reached.batch);
                teller.say(Event::GateWaiting { phase, batch, reason: reason.clone() });
            }
            Look::<String>::NotYet(reason)
        }
        Look::Holds(state) => Look::Holds(state),
    });
    match looked.await {
        Ok(_) => Ok(()),
        Err(Ended::TimedOut(reason) | Ended::Never(reason)) => Err(reason),
    }
}
