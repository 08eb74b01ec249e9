//! Runs a phase's checks after a batch, once each, and looks whether a node was lost meanwhile.

use std::rc::Rc;

use super::control::{Shared, Teller};
use super::look::look;
use super::poll::{Ended, Look, ONCE, until};
use crate::engine::Event;
use crate::plan::{ActionId, HostId};
use crate::step::Assessment;

/// Runs the checks and says which of them does not hold.
pub(super) async fn run(shared: Rc<Shared>, teller: Teller, phase: u16, batch: u16, subject: HostId) {
    let mut red = None;
    for check in &shared.plan.phase(phase).verify {
        if let Err(reason) = check_once(&shared, *check, subject).await {
            red = Some(reason);
            break;
        }
    }
    teller.say(Event::Verified { phase, batch, red });
}

/// A check with its own patience: green once it held without a break for as long as it asks.
async fn check_once(shared: &Shared, check: ActionId, subject: HostId) -> Result<(), String> {
    let action = shared.plan.action(check);
    let poll = action.lowered.poll.unwrap_or(ONCE);
    match until(poll, async || look_at(shared, check, subject).await).await {
        Ok(_) => Ok(()),
        Err(Ended::TimedOut(reason) | Ended::Never(reason)) => Err(format!("{}: {reason}", action.title)),
    }
}

/// One look at a check.
pub(super) async fn look_at(shared: &Shared, check: ActionId, subject: HostId) -> Look<String> {
    let action = shared.plan.action(check);
    let Some(probe) = &action.lowered.probe else { return Look::Holds(String::new()) };
    let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
    let who = &shared.plan.host(subject).subject;
    match look(shared, subject, &[probe]).await {
        Ok(mut answers) => match kind.assess(&action.args, who, &answers.pop().unwrap_or_default()) {
            Ok(Assessment::Satisfied { state }) => Look::Holds(state),
            Ok(Assessment::NotYet { reason }) => Look::NotYet(reason),
            Ok(Assessment::Refused { reason, .. }) => Look::Never(reason),
            Ok(Assessment::WouldChange { .. }) => Look::NotYet("the check would change something".to_owned()),
            Err(error) => Look::Never(error.to_string()),
        },
        Err(failure) => Look::NotYet(failure.message),
    }
}
