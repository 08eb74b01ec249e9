//! What an attempt asks: before its ops whether there is anything to do, and after them whether it is done.

use tokio::time::Instant;

use super::{Assignment, AttemptResult, Interrupt, Worker, fail, failed};
use crate::engine::{Cause, Event, Failure, NOT_AWAITED, TaskEnd};
use crate::executor::drift::drifted;
use crate::executor::look::{api_away, look};
use crate::executor::poll::{ONCE, PollEnd, PollResult, until};
use crate::op::{Effect, Probe};
use crate::plan::StepRef;
use crate::plan::drift::{contradiction, drift, stands_by};
use crate::step::{Assessment, Change, Poll};
use crate::value::{Duration, escape};

/// A reason that changes all the time, such as a count of pods, is told this often.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// What the look before the ops came to.
pub(super) enum Probed {
    /// There is nothing to do.
    End(TaskEnd),
    /// There is, with this effect where the probe shows one.
    Changes(Effect),
}

impl Worker<'_> {
    /// The look before the ops; an end where there is nothing to do, or nothing can be done.
    pub(super) async fn probe(&self, probe: &Probe) -> AttemptResult<Probed> {
        let assessment = self.assess(probe, false).await?;
        let Assignment { task, attempt, .. } = *self.assignment;
        self.event_sender.say(Event::TaskProbed { task, attempt, assessment: assessment.clone() });
        if self.sent.get() && matches!(assessment, Assessment::Satisfied { .. }) {
            // It did what it was sent for before it was cut off.
            self.verify().await?;
            return self.summary(None).map(Probed::End);
        }
        self.after_probe(assessment)
    }

    /// A check runs where it stands: until it holds without a break for as long as it asks, or its time is over.
    pub(super) async fn check(&self) -> AttemptResult<TaskEnd> {
        let Some(probe) = &self.action.lowered.probe else {
            return Ok(TaskEnd::Satisfied { state: String::new() });
        };
        let state = self.poll(probe, self.action.lowered.poll.unwrap_or(ONCE), false).await?;
        Ok(TaskEnd::Satisfied { state })
    }

    pub(super) async fn verify(&self) -> AttemptResult<()> {
        let Some(verify) = &self.action.lowered.verify else { return Ok(()) };
        match self.poll(&verify.probe, verify.poll, true).await {
            Ok(_) => Ok(()),
            // It was asked for and did not come about: that is not the same as a command that failed.
            Err(Interrupt::End(TaskEnd::Failed { failure }))
                if failure.cause == Cause::Refused || failure.cause == Cause::TimedOut =>
            {
                fail(
                    Cause::Verification,
                    format!("the change did not have its effect: {}", failure.message),
                    failure.hint,
                )
            }
            Err(other) => Err(other),
        }
    }

    async fn poll(&self, probe: &Probe, poll: Poll, verifying: bool) -> AttemptResult<String> {
        let look_once = async || match self.assess(probe, verifying).await {
            Ok(Assessment::Satisfied { state }) => PollResult::Holds(state),
            Ok(Assessment::NotYet { reason }) => PollResult::NotYet(reason),
            Ok(Assessment::WouldChange { changes, .. }) => PollResult::NotYet(show_changes(&changes)),
            Ok(Assessment::Refused { reason, hint }) => {
                PollResult::Never(failed(Cause::Refused, reason, hint))
            }
            // While something restarts, a look that fails is only one more thing to wait for.
            Err(Interrupt::Again { reason, .. }) => PollResult::NotYet(reason),
            Err(Interrupt::End(TaskEnd::Failed { failure }))
                if failure.cause == Cause::Unreachable && verifying =>
            {
                PollResult::NotYet(failure.message)
            }
            Err(other) => PollResult::Never(other),
        };
        let look_and_tell = async || {
            let look = look_once().await;
            if let PollResult::NotYet(reason) = &look {
                self.waits(reason, poll.within);
            }
            look
        };
        let looked = tokio::select! {
            biased;
            looked = until(poll, look_and_tell) => looked,
            () = self.shared.until_hurried() => {
                return Err(Interrupt::End(TaskEnd::Withheld { reason: NOT_AWAITED.to_owned() }));
            }
        };
        match looked {
            Ok(state) => Ok(state),
            Err(PollEnd::TimedOut(reason)) => {
                let waited = if poll.within == Duration::ZERO {
                    String::new()
                } else {
                    format!(" after {}", poll.within)
                };
                Err(failed(Cause::Refused, format!("{reason}{waited}"), ""))
            }
            Err(PollEnd::Never(pass)) => Err(pass),
        }
    }

    /// Tells people what the attempt waits for: once, and again when that is something else.
    pub(super) fn waits(&self, reason: &str, within: Duration) {
        let mut told = self.told.borrow_mut();
        let is_news =
            told.as_ref().is_none_or(|(before, at)| before != reason && at.elapsed() >= TELL_AGAIN.to_std());
        if within == Duration::ZERO || !is_news {
            return;
        }
        *told = Some((reason.to_owned(), Instant::now()));
        let Assignment { task, attempt, .. } = *self.assignment;
        self.event_sender.say(Event::TaskWaiting { task, attempt, reason: escape(reason), within });
    }

    async fn assess(&self, probe: &Probe, verifying: bool) -> AttemptResult<Assessment> {
        let look = async || self.look(probe, verifying).await;
        match self.shared.plan.task(self.assignment.task).step {
            StepRef::Action(action) if probe.is_same_for_every_host() => {
                self.shared.common.see((action, verifying), look).await
            }
            _ => look().await,
        }
    }

    async fn look(&self, probe: &Probe, verifying: bool) -> AttemptResult<Assessment> {
        let host = self.assignment.task.host;
        let answers = match look(self.shared, host, &[probe]).await {
            Ok(mut answers) => answers.pop().unwrap_or_default(),
            Err(failure) => return Err(Interrupt::End(TaskEnd::Failed { failure })),
        };
        if let Some(stderr) = api_away(probe, &answers) {
            return Err(self.api_silent(stderr));
        }
        let kind = crate::step::find(&self.action.kind).expect("invariant: a plan names registered kinds");
        let subject = &self.shared.plan.host(host).subject;
        let assessed = if verifying {
            kind.assess_verify(&self.action.args, subject, &answers)
        } else {
            kind.assess(&self.action.args, subject, &answers)
        };
        match assessed {
            Ok(assessment) => Ok(assessment),
            Err(error) => fail(
                Cause::Output,
                escape(&error.to_string()),
                "run the command on the host and look at what it prints",
            ),
        }
    }

    /// An op that the plan said nothing of, as a failure: it is not sent.
    pub(super) fn unannounced(&self, what: &str) -> Failure {
        if self.assignment.untouched {
            return drifted(what);
        }
        Failure {
            hint: "nothing of this step was sent; plan again, review what differs, and run that plan to finish the host"
                .to_owned(),
            ..drifted(what)
        }
    }

    /// What the probe says about going on: an end, or nothing.
    fn after_probe(&self, assessment: Assessment) -> AttemptResult<Probed> {
        let (plan, task) = (&self.shared.plan, self.assignment.task);
        if let Some(state) = stands_by(plan, task, &assessment) {
            return Ok(Probed::End(TaskEnd::Satisfied { state }));
        }
        // What an earlier process began, its plan had announced or it would not have begun.
        if !self.sent.get()
            && let Some(what) = contradiction(plan, task, &assessment)
        {
            return Err(Interrupt::End(TaskEnd::Failed { failure: self.unannounced(&what) }));
        }
        if self.assignment.untouched
            && let Some(drift) = drift(&self.shared.plan, self.assignment.task, &assessment)
        {
            return Err(Interrupt::End(TaskEnd::Failed { failure: drifted(&drift) }));
        }
        match assessment {
            Assessment::Satisfied { state } => Ok(Probed::End(TaskEnd::Satisfied { state })),
            Assessment::Refused { reason, hint } => fail(Cause::Refused, reason, hint),
            Assessment::NotYet { reason } => fail(Cause::Refused, reason, ""),
            Assessment::WouldChange { effect, .. } => Ok(Probed::Changes(effect.unwrap_or(Effect::Reads))),
        }
    }
}

fn show_changes(changes: &[Change]) -> String {
    let each =
        changes.iter().map(|change| format!("{} is {}, not {}", change.what, change.before, change.after));
    each.collect::<Vec<_>>().join("; ")
}
