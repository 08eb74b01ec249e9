//! Runs a phase's checks after a batch, once each, and looks whether a node was lost meanwhile.

use std::collections::BTreeMap;
use std::rc::Rc;

use indexmap::IndexMap;
use tokio::time::sleep;

use super::context::{EventSender, Shared};
use super::look::look;
use super::poll::{ONCE, PollEnd, PollResult, until};
use super::runtime_values::{CommandOutput, RuntimeValues, judge};
use crate::engine::Event;
use crate::op::{Op, Probe, ProbeOutput};
use crate::plan::{Action, ActionId, HostId};
use crate::step::{Assessment, Lowered};
use crate::value::{Value, escape};

/// Runs the checks and says which of them does not hold.
pub(super) async fn run(
    shared: Rc<Shared>,
    event_sender: EventSender,
    phase: u16,
    batch: u16,
    subject: HostId,
) {
    let mut failed_check = None;
    for check in &shared.plan.phase(phase).verify {
        if let Err(reason) = check_once(&shared, *check, subject).await {
            failed_check = Some(reason);
            break;
        }
    }
    event_sender.say(Event::Verified { phase, batch, failed_check });
}

/// A check with its own patience: green once it held without a break for as long as it asks. One that is `retry`d is red
/// after its last try.
async fn check_once(shared: &Shared, check: ActionId, subject: HostId) -> Result<(), String> {
    let action = shared.plan.action(check);
    let poll = action.lowered.poll.unwrap_or(ONCE);
    let mut failures = 0;
    loop {
        let reason = match until(poll, async || look_at(shared, check, subject).await).await {
            Ok(_) => return Ok(()),
            Err(PollEnd::TimedOut(reason) | PollEnd::Never(reason)) => reason,
        };
        failures += 1;
        match action.retry {
            Some(retry) if failures < retry.attempts => sleep(retry.delay_after(failures).to_std()).await,
            _ => return Err(format!("{}: {reason}", shared.shown_text(subject, &action.title))),
        }
    }
}

/// One look at a check.
pub(super) async fn look_at(shared: &Shared, check: ActionId, subject: HostId) -> PollResult<String> {
    let action = shared.plan.action(check);
    let Lowered { probe, ops, verify, .. } = &action.lowered;
    if let Some(probe) = probe {
        match assessed(shared, action, probe, subject).await {
            Ok(Assessment::Satisfied { state }) => return PollResult::Holds(state),
            Ok(Assessment::NotYet { reason }) => return PollResult::NotYet(reason),
            Ok(Assessment::Refused { reason, .. }) => return PollResult::Never(reason),
            // `unless` and `only_if` only say whether it runs. A state that is to hold afterwards has to hold now.
            Ok(Assessment::WouldChange { .. }) if verify.is_none() && !ops.is_empty() => {}
            Ok(Assessment::WouldChange { .. }) => {
                return PollResult::NotYet("the check would change something".to_owned());
            }
            Err(look) => return look,
        }
    }
    for op in ops {
        let Some(probe) = op.as_look() else {
            return PollResult::NotYet("the check would change something".to_owned());
        };
        let answer = match look(shared, subject, &[&probe]).await {
            Ok(answers) => answers.into_iter().flatten().next().unwrap_or_default(),
            Err(failure) => return PollResult::NotYet(failure.message),
        };
        if let Err(reason) = judged(shared, action, op, subject, &answer) {
            return PollResult::NotYet(reason);
        }
    }
    PollResult::Holds(String::new())
}

async fn assessed(
    shared: &Shared,
    action: &Action,
    probe: &Probe,
    subject: HostId,
) -> Result<Assessment, PollResult<String>> {
    let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
    let who = &shared.plan.host(subject).subject;
    let mut answers =
        look(shared, subject, &[probe]).await.map_err(|failure| PollResult::NotYet(failure.message))?;
    kind.assess(&action.args, who, &answers.pop().unwrap_or_default())
        .map_err(|error| PollResult::Never(error.to_string()))
}

/// What a command that only reads says of the batch: by its exit code, or by `fail_when` alone where that is written.
fn judged(
    shared: &Shared,
    action: &Action,
    op: &Op,
    subject: HostId,
    answer: &ProbeOutput,
) -> Result<(), String> {
    let ProbeOutput { rc, stdout, stderr } = answer;
    if action.fail_when.is_some() {
        let steps = Value::Map(IndexMap::new());
        let runtime = RuntimeValues {
            steps,
            decided: BTreeMap::new(),
            is_forced: false,
            is_apart: false,
            failure: None,
        };
        let said = CommandOutput { rc: i64::from(*rc), stdout, stderr };
        return judge(shared, subject, runtime, action, &said).map(|_| ());
    }
    match rc {
        rc if op.success.contains(rc) => Ok(()),
        124 => Err(format!("it did not end within {}", op.timeout)),
        rc => {
            let last =
                |text: &str| text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(escape);
            let said = last(stderr).or_else(|| last(stdout));
            Err(format!("exit code {rc}{}", said.map(|said| format!(": {said}")).unwrap_or_default()))
        }
    }
}
