//! The ops of an attempt, in order: sent, or taken up where an earlier process sent them, and taken back after a failure.

use tokio::time::{Instant, sleep};

use super::{Assignment, AttemptResult, Interrupt, PAUSE, Worker, fail, failed};
use crate::engine::{Cause, Event, OpRun, TaskEnd};
use crate::executor::lock::Barred;
use crate::executor::ops::{OpEnd, OpId, hush, place, recall, send, take_up};
use crate::kubernetes::kubeadm;
use crate::op::{Exit, Op, OpKind, RunWhen, command_behind};
use crate::plan::HostId;
use crate::step::Role;
use crate::transport::OpResult;
use crate::value::escape;

impl Worker<'_> {
    /// Runs the ops in order. After a failure only those run that always do, such as putting a hold back.
    pub(super) async fn run_ops(&self, pass: u32) -> AttemptResult<Option<OpResult>> {
        let mut outcome: AttemptResult<Option<OpResult>> = Ok(None);
        for (index, op) in (0..).zip(&self.action.lowered.ops) {
            let wanted = match op.when {
                RunWhen::InOrder => outcome.is_ok(),
                RunWhen::Always => !is_in_doubt(&outcome),
                RunWhen::OnFailure => false,
            };
            if wanted {
                let ended = self.run_op(index, op, pass).await.map(Some);
                // The first failure is the one to tell. But while nobody knows whether an op has ended, the task has not.
                outcome = if is_unknown(&ended) { ended } else { outcome.and(ended) };
            }
        }
        outcome
    }

    /// Runs the ops that take something back after an op or the verification failed. Their own failures are told by
    /// what is left out of service; that nobody knows whether one has ended is the end of the task.
    pub(super) async fn clean_up(
        &self,
        pass: u32,
        outcome: &AttemptResult<Option<OpResult>>,
    ) -> AttemptResult<()> {
        let failed = matches!(outcome, Err(Interrupt::End(TaskEnd::Failed { .. })));
        let began = Instant::now();
        let mut pass = pass;
        for (index, op) in (0..).zip(&self.action.lowered.ops) {
            if !failed || op.when != RunWhen::OnFailure {
                continue;
            }
            loop {
                let ended = self.run_op(index, op, pass).await.map(drop);
                if is_unknown(&ended) {
                    return ended;
                }
                // An API that is away for a moment must not leave a node cordoned. What may not be repeated as a whole is
                // not: a resumed attempt would begin another go with it.
                let Err(Interrupt::Again { reason, within }) = ended else { break };
                if !self.action.lowered.repeatable || began.elapsed() >= within.to_std() {
                    break;
                }
                self.waits(&reason, within);
                sleep(PAUSE.to_std()).await;
                pass += 1;
            }
        }
        Ok(())
    }

    async fn run_op(&self, index: u16, op: &Op, pass: u32) -> AttemptResult<OpResult> {
        let Assignment { task, attempt, .. } = *self.assignment;
        let sending = OpId { task, attempt, pass, index, op };
        if let Some(sent) = self.recorded(sending) {
            return self.take_up(sending, sent).await;
        }
        self.begin(sending).await
    }

    /// Sends an op that has not begun, once its event is durable.
    async fn begin(&self, sending: OpId<'_>) -> AttemptResult<OpResult> {
        let OpId { task, attempt, pass, index, op } = sending;
        // What closes a bracket is announced by the line of its opening.
        let closes = self.action.lowered.role == Role::Means && !self.action.lowered.closes.is_empty();
        if !self.sent.get() && !closes && !self.shared.plan.task(task).forecast.announces() {
            let what = format!("{}: the plan says that there is nothing to do", self.shown(&op.title));
            return Err(Interrupt::End(TaskEnd::Failed { failure: self.unannounced(&what) }));
        }
        let place = place(self.shared, task.host, op.site)
            .await
            .map_err(|failure| Interrupt::End(TaskEnd::Failed { failure }))?;
        let on = place.kube_host;
        loop {
            self.rely_on_cordon(op).await?;
            self.shared.may_send().await.map_err(barred)?;
            let sent = Some(sending.digest(self.shared));
            if !self.event_sender.durable(Event::OpStarted { task, attempt, pass, op: index, on, sent }).await
            {
                self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
                return fail(Cause::Command, "the journal cannot be written, so nothing was sent", "");
            }
            // A disk that took its time, or a process that was stopped, may have made the lock too old meanwhile.
            if self.shared.may_send_now() {
                break;
            }
            self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
        }
        self.sent.set(true);
        let end = send(self.shared, place, sending, async || self.rely_on_cordon(op).await).await;
        self.op_ended(sending, end, on).await
    }

    /// What an earlier process wrote down of this op, if it sent it.
    pub(super) fn recorded(&self, sending: OpId<'_>) -> Option<&OpRun> {
        self.assignment.recorded.iter().find(|sent| (sent.pass, sent.op) == (sending.pass, sending.index))
    }

    /// Goes on with an op of an earlier process: brings its end back, or the result where the end is known.
    async fn take_up(&self, sending: OpId<'_>, sent: &OpRun) -> AttemptResult<OpResult> {
        let Some(exit) = sent.exit else {
            // A step that is known later is lowered anew, and may give another op than the one that was recorded.
            let is_as_recorded =
                sent.sent.as_ref().is_none_or(|digest| *digest == sending.digest(self.shared));
            let may_begin = async || {
                self.rely_on_cordon(sending.op).await.map_err(Some)?;
                if is_as_recorded { Ok(()) } else { Err(None) }
            };
            let Some(end) = take_up(self.shared, sending, sent, may_begin).await.with_reason() else {
                let OpId { task, attempt, pass, index, .. } = sending;
                self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
                return self.begin(sending).await;
            };
            return self.op_ended(sending, end, sent.on).await;
        };
        self.done.set(true);
        // The end in the journal counts. What the op said is asked for again, because the verdict may depend on it.
        let recalled = match recall(self.shared, sending, sent).await {
            Ok(result) => result,
            Err(_) if self.is_judged_by_its_end(sending.op, exit) => {
                OpResult { exit, stdout: sent.stdout.clone().unwrap_or_default(), stderr: String::new() }
            }
            Err(reason) => {
                let reason =
                    format!("{}: it ended, and what it said cannot be read: {reason}", sending.op.title);
                return Err(Interrupt::End(TaskEnd::Unknown { reason }));
            }
        };
        self.judge(sending, OpResult { exit, ..recalled }, "").await
    }

    /// Whether the exit alone says how the op went.
    fn is_judged_by_its_end(&self, op: &Op, exit: Exit) -> bool {
        // What kubectl said is needed to know what its 1 means.
        let good =
            matches!(exit, Exit::Code(code) if op.success.contains(&code) && !(op.yields && code == 1));
        good && self.takes_no_verdict_from_output()
    }

    fn takes_no_verdict_from_output(&self) -> bool {
        self.action.fail_when.is_none() && self.action.changed_when.is_none()
    }

    async fn op_ended(
        &self,
        sending: OpId<'_>,
        end: OpEnd<Interrupt>,
        on: Option<HostId>,
    ) -> AttemptResult<OpResult> {
        let OpId { task, attempt, pass, index, op } = sending;
        let (result, last_line) = match end {
            OpEnd::Ended(result, last_line) => (result, last_line),
            OpEnd::NotStarted(failure) => {
                self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
                return Err(Interrupt::End(TaskEnd::Failed { failure }));
            }
            OpEnd::Barred(why) => {
                self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
                return Err(barred(why));
            }
            OpEnd::HeldBack(why) => {
                self.event_sender.say(Event::OpNotStarted { task, attempt, pass, op: index });
                return Err(why);
            }
            OpEnd::Unknown(reason) => {
                let reason = format!("{}: {}", op.title, escape(&reason));
                return Err(Interrupt::End(TaskEnd::Unknown { reason }));
            }
        };
        self.done.set(true);
        let stdout = self.action.id.as_ref().map(|_| result.stdout.clone());
        let (exit, line) = (result.exit, last_line.clone());
        let refused = is_refused(op, &result);
        let ended = Event::OpEnded { task, attempt, pass, op: index, exit, last_line: line, stdout, refused };
        // What it said may hold a secret, and is here by now. Where a verdict depends on it, a resumed run asks for it once
        // more, and it stays until the run ends.
        if sending.is_given_a_secret() && !op.yields && self.takes_no_verdict_from_output() {
            if self.event_sender.durable(ended).await {
                hush(self.shared, sending, on).await;
            }
        } else {
            self.event_sender.say(ended);
        }
        self.judge(sending, result, &last_line).await
    }
}

/// Whether the op's command failed by checks of its own, before it changed anything.
fn is_refused(op: &Op, result: &OpResult) -> bool {
    let OpKind::Exec { argv } = &op.kind else { return false };
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    matches!(result.exit, Exit::Code(code) if code != 0)
        && kubeadm::refused(command_behind(&words), &result.stdout, &result.stderr)
}

/// Whether an op was sent of which nobody knows whether it has ended.
fn is_unknown<T>(outcome: &AttemptResult<T>) -> bool {
    matches!(outcome, Err(Interrupt::End(TaskEnd::Unknown { .. })))
}

/// After an unknown end nothing more is sent: it may still be running. Nor without the lock.
fn is_in_doubt<T>(outcome: &AttemptResult<T>) -> bool {
    let end = match outcome {
        Err(Interrupt::Interrupted { .. }) => return true,
        Err(Interrupt::End(end)) => end,
        _ => return false,
    };
    matches!(end, TaskEnd::Unknown { .. } | TaskEnd::Withheld { .. })
}

/// An op that the lock does not let go.
fn barred(why: Barred) -> Interrupt {
    match why {
        Barred::Lost(reason) => Interrupt::End(TaskEnd::Withheld { reason }),
        Barred::Stale { age, why } => failed(
            Cause::TimedOut,
            format!(
                "the lock of the cluster was renewed {} ago and cannot be renewed now: {}",
                age.rounded(),
                escape(&why)
            ),
            "look at the API server; `rollbook lock show` tells who holds the lock",
        ),
    }
}
