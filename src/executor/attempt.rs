//! One attempt at one task: look, decide whether there is anything to do, do it, look again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::time::{Instant, sleep};

use super::control::{InDoubt, Shared, Teller};
use super::drift::{check_host, drifted};
use super::late::{self, Late};
use super::lock::Barred;
use super::look::{api_is_silent, look};
use super::ops::{OpEnd, Sending, place, recall, send, take_up};
use super::output::escape;
use super::pause;
use super::poll::{Ended, Look, ONCE, until};
use crate::engine::{Cause, Event, Failure, OpRun, SkipReason, TaskEnd};
use crate::kubernetes::kubectl_errors;
use crate::op::{Effect, Exit, Op, Probe, RunWhen, Site};
use crate::plan::drift::drift;
use crate::plan::{Action, StepRef, TaskId};
use crate::step::{Assessment, Change, Poll, Role};
use crate::transport::OpResult;
use crate::value::Duration;

/// What the loop tells a worker about its task.
pub(super) struct Assignment {
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    /// The host counts against the budget already.
    pub(super) has_slot: bool,
    /// Nothing of this run changed the host yet: what the plan saw must still be so.
    pub(super) untouched: bool,
    /// Ops that an earlier process sent for this attempt.
    pub(super) recorded: Vec<OpRun>,
    /// Who has confirmed it, where it is a pause.
    pub(super) approved_by: Option<String>,
    /// A stop lets the host go on to its end.
    pub(super) finishes: bool,
    /// Results of the host's earlier tasks of the phase.
    pub(super) late: Late,
}

/// Runs an attempt and says how it ended.
pub(super) async fn run(shared: Rc<Shared>, teller: Teller, assignment: Assignment) {
    let Assignment { task, attempt, .. } = assignment;
    let action = match late::action(&shared, &assignment).await {
        Ok(Some(action)) => action,
        // What was sent before has to be settled, whatever the step would be now.
        Ok(None) if !assignment.recorded.is_empty() => {
            let reason = "its `when` is false now, and it was sent before".to_owned();
            return teller.say(Event::TaskEnded { task, attempt, end: TaskEnd::Unknown { reason } });
        }
        Ok(None) => return teller.say(Event::TaskSkipped { task, why: SkipReason::When }),
        Err(failure) if !assignment.recorded.is_empty() => {
            let end = TaskEnd::Unknown { reason: failure.message };
            return teller.say(Event::TaskEnded { task, attempt, end });
        }
        Err(failure) => {
            return teller.say(Event::TaskEnded { task, attempt, end: TaskEnd::Failed { failure } });
        }
    };
    if let Some(pause) = crate::step::pause_of(&action.kind, &action.args) {
        let end = pause::run(&shared, &teller, &assignment, pause).await;
        return teller.say(Event::TaskEnded { task, attempt, end });
    }
    let sent = Cell::new(!assignment.recorded.is_empty());
    let (shared, teller, assignment, action) = (&*shared, &teller, &assignment, &action);
    let worker = Worker { shared, teller, assignment, action, sent, told: RefCell::default() };
    let end = worker.through_obstacles().await;
    teller.say(Event::TaskEnded { task, attempt, end });
}

struct Worker<'a> {
    shared: &'a Shared,
    teller: &'a Teller,
    assignment: &'a Assignment,
    action: &'a Action,
    /// An op of this attempt was sent: what holds now may be its doing.
    sent: Cell<bool>,
    /// What people were last told that it waits for, and when.
    told: RefCell<Option<(String, Instant)>>,
}

/// A reason that changes all the time, such as a count of pods, is told this often.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// Between two goes at a task that something was in the way of.
const PAUSE: Duration = Duration::from_secs(3);
/// How long a lock that somebody else holds is waited for. dpkg's own waiting is apt's; this is for apt's lists lock,
/// for which apt does not wait at all.
const LOCKS_PASS_WITHIN: Duration = Duration::from_secs(300);

/// How one go at the task went, when it did not end it.
#[derive(Clone)]
pub(super) enum Go {
    End(TaskEnd),
    /// Something in the way that passes by itself, such as an API server that does not answer or a lock that somebody
    /// holds: nothing is wrong with the host.
    Again {
        reason: String,
        within: Duration,
    },
    /// An op was interrupted on its host and left no record of its end.
    Interrupted {
        reason: String,
        /// An earlier process sent it, so that the wish of whoever resumed the run is about it.
        taken_up: bool,
    },
}

/// What the look before the ops came to.
enum Probed {
    /// There is nothing to do.
    End(TaskEnd),
    /// There is, with this effect where the probe shows one.
    Changes(Effect),
}

/// Shorthand: most steps of an attempt end it early.
pub(super) type Step<T> = Result<T, Go>;

fn failed(cause: Cause, message: impl Into<String>, hint: impl Into<String>) -> Go {
    Go::End(TaskEnd::Failed { failure: Failure { cause, message: message.into(), hint: hint.into() } })
}

fn fail<T>(cause: Cause, message: impl Into<String>, hint: impl Into<String>) -> Step<T> {
    Err(failed(cause, message, hint))
}

impl Worker<'_> {
    /// Goes again, from the probe on, while something is in the way that passes by itself: an upgraded control plane
    /// brings its own API server back, and unattended-upgrades lets go of its locks.
    async fn through_obstacles(&self) -> TaskEnd {
        let began = Instant::now();
        let mut interrupted = false;
        let mut go = self.first_go();
        loop {
            match self.go(go).await {
                Ok(end) | Err(Go::End(end)) => return end,
                Err(Go::Again { reason, within }) if began.elapsed() >= within.to_std() => {
                    let message = format!("still after {within}: {reason}");
                    return TaskEnd::Failed {
                        failure: Failure { cause: Cause::TimedOut, message, hint: String::new() },
                    };
                }
                Err(Go::Again { reason, within }) => {
                    self.waits(&reason, within);
                    sleep(PAUSE.to_std()).await;
                }
                // Once: what is interrupted again and again is for people to look at.
                Err(Go::Interrupted { taken_up, .. }) if !interrupted && self.may_go_again(taken_up) => {
                    interrupted = true;
                }
                Err(Go::Interrupted { reason, .. }) => {
                    let reason = format!(
                        "{reason}. Look at the host, then resume with --in-doubt rerun or assume-done"
                    );
                    return TaskEnd::Unknown { reason };
                }
            }
            go += 1;
        }
    }

    /// A resumed attempt goes on with the go that was cut off; where that was at taking something back again and again, with
    /// the go that had failed.
    fn first_go(&self) -> u32 {
        let ops = &self.action.lowered.ops;
        let takes_back = |op: u16| ops.get(usize::from(op)).is_some_and(|op| op.when == RunWhen::OnFailure);
        let mut recorded = self.assignment.recorded.iter().rev();
        recorded.find(|sent| !takes_back(sent.op)).map_or(0, |sent| sent.go)
    }

    /// After an interruption a goal is settled by its probe, with which the next go begins; a means that may be repeated
    /// is. Anything else would be a blind retry, which only a person may ask for.
    fn may_go_again(&self, taken_up: bool) -> bool {
        let lowered = &self.action.lowered;
        let settles_itself = lowered.role == Role::Goal && lowered.probe.is_some();
        settles_itself || lowered.repeatable || (taken_up && self.shared.in_doubt == InDoubt::Rerun)
    }

    async fn go(&self, go: u32) -> Step<TaskEnd> {
        let lowered = &self.action.lowered;
        if lowered.role == Role::Check {
            return self.check().await;
        }
        // By its own word, or by what the plan saw apt do.
        let mut effect = lowered.effect.max(self.shared.plan.task(self.assignment.task).effect);
        // What an earlier process began was probed before, and had its slot.
        let begun = self.assignment.recorded.iter().any(|op| op.go == go);
        if let Some(probe) = lowered.probe.as_ref().filter(|_| !begun) {
            match self.probe(probe).await? {
                Probed::End(end) => return Ok(end),
                Probed::Changes(shown) => effect = effect.max(shown),
            }
        }
        // Before a slot is asked for: a host that is not what the plan saw should not take one.
        if self.assignment.untouched && effect > Effect::Reads {
            let task = self.assignment.task;
            let checked = check_host(self.shared, task.host, task.phase).await;
            checked.map_err(|failure| Go::End(TaskEnd::Failed { failure }))?;
        }
        if effect == Effect::Disrupts && !self.assignment.has_slot {
            return Ok(TaskEnd::NeedsSlot);
        }
        let mut outcome = self.run_ops(go).await;
        if outcome.is_ok() {
            outcome = self.verify().await.and(outcome);
        }
        self.clean_up(go, &outcome).await?;
        self.summary(outcome?.as_ref())
    }

    /// The look before the ops; an end where there is nothing to do, or nothing can be done.
    async fn probe(&self, probe: &Probe) -> Step<Probed> {
        let assessment = self.assess(probe, false).await?;
        let Assignment { task, attempt, .. } = *self.assignment;
        self.teller.say(Event::TaskProbed { task, attempt, assessment: assessment.clone() });
        if self.sent.get() && matches!(assessment, Assessment::Satisfied { .. }) {
            // It did what it was sent for before it was cut off.
            self.verify().await?;
            return self.summary(None).map(Probed::End);
        }
        self.after_probe(assessment)
    }

    /// A check runs where it stands: until it holds without a break for as long as it asks, or its time is over.
    async fn check(&self) -> Step<TaskEnd> {
        let Some(probe) = &self.action.lowered.probe else {
            return Ok(TaskEnd::Satisfied { state: String::new() });
        };
        let state = self.poll(probe, self.action.lowered.poll.unwrap_or(ONCE), false).await?;
        Ok(TaskEnd::Satisfied { state })
    }

    async fn verify(&self) -> Step<()> {
        let Some(verify) = &self.action.lowered.verify else { return Ok(()) };
        match self.poll(&verify.probe, verify.poll, true).await {
            Ok(_) => Ok(()),
            // It was asked for and did not come about: that is not the same as a command that failed.
            Err(Go::End(TaskEnd::Failed { failure }))
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

    async fn poll(&self, probe: &Probe, poll: Poll, verifying: bool) -> Step<String> {
        let look_once = async || match self.assess(probe, verifying).await {
            Ok(Assessment::Satisfied { state }) => Look::Holds(state),
            Ok(Assessment::NotYet { reason }) => Look::NotYet(reason),
            Ok(Assessment::WouldChange { changes, .. }) => Look::NotYet(show_changes(&changes)),
            Ok(Assessment::Refused { reason, hint }) => Look::Never(failed(Cause::Refused, reason, hint)),
            // While something restarts, a look that fails is only one more thing to wait for.
            Err(Go::Again { reason, .. }) => Look::NotYet(reason),
            Err(Go::End(TaskEnd::Failed { failure })) if failure.cause == Cause::Unreachable && verifying => {
                Look::NotYet(failure.message)
            }
            Err(other) => Look::Never(other),
        };
        let look_and_tell = async || {
            let look = look_once().await;
            if let Look::NotYet(reason) = &look {
                self.waits(reason, poll.within);
            }
            look
        };
        match until(poll, look_and_tell).await {
            Ok(state) => Ok(state),
            Err(Ended::TimedOut(reason)) => {
                let waited = if poll.within == Duration::ZERO {
                    String::new()
                } else {
                    format!(" after {}", poll.within)
                };
                Err(failed(Cause::Refused, format!("{reason}{waited}"), ""))
            }
            Err(Ended::Never(go)) => Err(go),
        }
    }

    /// Tells people what the attempt waits for: once, and again when that is something else.
    fn waits(&self, reason: &str, within: Duration) {
        let mut told = self.told.borrow_mut();
        let is_news =
            told.as_ref().is_none_or(|(before, at)| before != reason && at.elapsed() >= TELL_AGAIN.to_std());
        if within == Duration::ZERO || !is_news {
            return;
        }
        *told = Some((reason.to_owned(), Instant::now()));
        let Assignment { task, attempt, .. } = *self.assignment;
        self.teller.say(Event::TaskWaiting { task, attempt, reason: escape(reason), within });
    }

    async fn assess(&self, probe: &Probe, verifying: bool) -> Step<Assessment> {
        let look = async || self.look(probe, verifying).await;
        match self.shared.plan.task(self.assignment.task).step {
            StepRef::Action(action) if probe.is_same_for_every_host() => {
                self.shared.common.see((action, verifying), look).await
            }
            _ => look().await,
        }
    }

    async fn look(&self, probe: &Probe, verifying: bool) -> Step<Assessment> {
        let host = self.assignment.task.host;
        let answers = match look(self.shared, host, &[probe]).await {
            Ok(mut answers) => answers.pop().unwrap_or_default(),
            Err(failure) => return Err(Go::End(TaskEnd::Failed { failure })),
        };
        if let Some(silent) = answers.iter().find(|answer| api_is_silent(answer.rc, &answer.stderr)) {
            return Err(self.api_silent(&silent.stderr));
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

    /// What the probe says about going on: an end, or nothing.
    fn after_probe(&self, assessment: Assessment) -> Step<Probed> {
        if self.assignment.untouched
            && let Some(drift) = drift(&self.shared.plan, self.assignment.task, &assessment)
        {
            return Err(Go::End(TaskEnd::Failed { failure: drifted(&drift) }));
        }
        match assessment {
            Assessment::Satisfied { state } => Ok(Probed::End(TaskEnd::Satisfied { state })),
            Assessment::Refused { reason, hint } => fail(Cause::Refused, reason, hint),
            Assessment::NotYet { reason } => fail(Cause::Refused, reason, ""),
            Assessment::WouldChange { effect, .. } => Ok(Probed::Changes(effect.unwrap_or(Effect::Reads))),
        }
    }

    /// Runs the ops in order. After a failure only those run that always do, such as putting a hold back.
    async fn run_ops(&self, go: u32) -> Step<Option<OpResult>> {
        let mut outcome: Step<Option<OpResult>> = Ok(None);
        for (index, op) in (0..).zip(&self.action.lowered.ops) {
            let wanted = match op.when {
                RunWhen::InOrder => outcome.is_ok(),
                RunWhen::Always => !is_in_doubt(&outcome),
                RunWhen::OnFailure => false,
            };
            if wanted {
                let ended = self.run_op(index, op, go).await.map(Some);
                // The first failure is the one to tell. But while nobody knows whether an op has ended, the task has not.
                outcome = if is_unknown(&ended) { ended } else { outcome.and(ended) };
            }
        }
        outcome
    }

    /// Runs the ops that take something back after an op or the verification failed. Their own failures are told by
    /// what is left out of service; that nobody knows whether one has ended is the end of the task.
    async fn clean_up(&self, go: u32, outcome: &Step<Option<OpResult>>) -> Step<()> {
        let failed = matches!(outcome, Err(Go::End(TaskEnd::Failed { .. })));
        let began = Instant::now();
        let mut go = go;
        for (index, op) in (0..).zip(&self.action.lowered.ops) {
            if !failed || op.when != RunWhen::OnFailure {
                continue;
            }
            loop {
                let ended = self.run_op(index, op, go).await.map(drop);
                if is_unknown(&ended) {
                    return ended;
                }
                // An API that is away for a moment must not leave a node cordoned. What may not be repeated as a whole is
                // not: a resumed attempt would begin another go with it.
                let Err(Go::Again { reason, within }) = ended else { break };
                if !self.action.lowered.repeatable || began.elapsed() >= within.to_std() {
                    break;
                }
                self.waits(&reason, within);
                sleep(PAUSE.to_std()).await;
                go += 1;
            }
        }
        Ok(())
    }

    async fn run_op(&self, index: u16, op: &Op, go: u32) -> Step<OpResult> {
        let Assignment { task, attempt, .. } = *self.assignment;
        let sending = Sending { task, attempt, go, index, op };
        if let Some(sent) = self.recorded(sending) {
            return self.take_up(sending, sent).await;
        }
        let place = place(self.shared, task.host, op.site)
            .await
            .map_err(|failure| Go::End(TaskEnd::Failed { failure }))?;
        let on = place.kube_host;
        loop {
            self.shared.may_send().await.map_err(barred)?;
            if !self.teller.durable(Event::OpStarted { task, attempt, go, op: index, on }).await {
                self.teller.say(Event::OpNotStarted { task, attempt, go, op: index });
                return fail(Cause::Command, "the journal cannot be written, so nothing was sent", "");
            }
            // A disk that took its time, or a process that was stopped, may have made the lock too old meanwhile.
            if self.shared.may_send_now() {
                break;
            }
            self.teller.say(Event::OpNotStarted { task, attempt, go, op: index });
        }
        self.sent.set(true);
        let end = send(self.shared, place, sending).await;
        self.op_ended(sending, end)
    }

    /// What an earlier process wrote down of this op, if it sent it.
    fn recorded(&self, sending: Sending<'_>) -> Option<&OpRun> {
        self.assignment.recorded.iter().find(|sent| (sent.go, sent.op) == (sending.go, sending.index))
    }

    /// Goes on with an op of an earlier process: brings its end back, or the result where the end is known.
    async fn take_up(&self, sending: Sending<'_>, sent: &OpRun) -> Step<OpResult> {
        let Some(exit) = sent.exit else {
            let end = take_up(self.shared, sending, sent).await;
            return self.op_ended(sending, end);
        };
        // The end in the journal counts. What the op said is asked for again, because the verdict may depend on it.
        let recalled = match recall(self.shared, sending, sent).await {
            Ok(result) => result,
            Err(_) if self.is_judged_by_its_end(sending.op, exit) => {
                OpResult { exit, stdout: sent.stdout.clone().unwrap_or_default(), stderr: String::new() }
            }
            Err(reason) => {
                let reason =
                    format!("{}: it ended, and what it said cannot be read: {reason}", sending.op.title);
                return Err(Go::End(TaskEnd::Unknown { reason }));
            }
        };
        self.judge(sending, OpResult { exit, ..recalled }, "")
    }

    /// Whether the exit alone says how the op went.
    fn is_judged_by_its_end(&self, op: &Op, exit: Exit) -> bool {
        // What kubectl said is needed to know what its 1 means.
        let good =
            matches!(exit, Exit::Code(code) if op.success.contains(&code) && !(op.yields && code == 1));
        good && self.action.fail_when.is_none() && self.action.changed_when.is_none()
    }

    fn op_ended(&self, sending: Sending<'_>, end: OpEnd) -> Step<OpResult> {
        let Sending { task, attempt, go, index, op } = sending;
        let (result, last_line) = match end {
            OpEnd::Ended(result, last_line) => (result, last_line),
            OpEnd::NotStarted(failure) => {
                self.teller.say(Event::OpNotStarted { task, attempt, go, op: index });
                return Err(Go::End(TaskEnd::Failed { failure }));
            }
            OpEnd::Barred(why) => {
                self.teller.say(Event::OpNotStarted { task, attempt, go, op: index });
                return Err(barred(why));
            }
            OpEnd::Unknown(reason) => {
                let reason = format!("{}: {}", op.title, escape(&reason));
                return Err(Go::End(TaskEnd::Unknown { reason }));
            }
        };
        let stdout = self.action.id.as_ref().map(|_| result.stdout.clone());
        let (exit, line) = (result.exit, last_line.clone());
        self.teller.say(Event::OpEnded { task, attempt, go, op: index, exit, last_line: line, stdout });
        self.judge(sending, result, &last_line)
    }

    fn shown(&self, text: &str) -> String {
        self.shared.shown_text(self.assignment.task.host, text)
    }

    fn judge(&self, sending: Sending<'_>, result: OpResult, last_line: &str) -> Step<OpResult> {
        let op = sending.op;
        let title = self.shown(&op.title);
        let is_kubectl = op.site == Site::Kube && !self.action.has_its_own_words();
        match result.exit {
            // `fail_when` decides in the end, whatever the code.
            Exit::Code(code) if is_good(op, code, &result.stderr) || self.action.fail_when.is_some() => {
                Ok(result)
            }
            Exit::Code(code) if is_kubectl && api_is_silent(code, &result.stderr) => {
                Err(self.api_silent(&result.stderr))
            }
            Exit::Code(_) if self.passes(&result).is_some() => {
                let reason = self.passes(&result).expect("invariant: asked in the guard");
                Err(Go::Again { reason: escape(&reason), within: LOCKS_PASS_WITHIN })
            }
            Exit::Code(code) => {
                let said = last_words(&result, last_line);
                if !is_kubectl {
                    return fail(Cause::Command, format!("{title}: exit code {code}: {said}"), "");
                }
                let (meaning, hint) = kubectl_errors::explain(&result.stdout, &result.stderr);
                fail(Cause::Command, format!("{title}: {meaning}: {said}"), hint)
            }
            Exit::Signal(signal) => fail(Cause::Command, format!("{title}: killed by signal {signal}"), ""),
            Exit::TimedOut => {
                fail(Cause::TimedOut, format!("{title}: stopped after its time limit of {}", op.timeout), "")
            }
            Exit::Interrupted => {
                let taken_up = self.recorded(sending).is_some();
                let is_done = taken_up && self.shared.in_doubt == InDoubt::AssumeDone;
                if is_done && !self.may_go_again(taken_up) {
                    return Ok(result);
                }
                let reason = format!(
                    "{title}: interrupted on the host without a record; it lost power or the launcher was killed"
                );
                Err(Go::Interrupted { reason, taken_up })
            }
        }
    }

    /// What the kind says of a failure that passes by itself.
    fn passes(&self, result: &OpResult) -> Option<String> {
        crate::step::find(&self.action.kind).and_then(|kind| kind.transient(&result.stderr))
    }

    fn api_silent(&self, stderr: &str) -> Go {
        let within = self.shared.plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for);
        Go::Again { reason: format!("the API server does not answer: {}", escape(stderr.trim())), within }
    }

    fn summary(&self, result: Option<&OpResult>) -> Step<TaskEnd> {
        let changed = late::verdict(self.shared, self.assignment, self.action, result)
            .or_else(|message| fail(Cause::Refused, message, ""))?;
        let mut summary = self.shown(&self.action.lowered.title);
        let outcome = crate::step::find(&self.action.kind).zip(result);
        if let Some(outcome) = outcome.and_then(|(kind, result)| kind.outcome(&result.stdout, &result.stderr))
        {
            summary = format!("{summary} ({})", escape(&outcome));
        }
        Ok(if changed { TaskEnd::Changed { summary } } else { TaskEnd::Satisfied { state: summary } })
    }
}

/// Whether an exit code is one of success; 1 of an op that yields only where somebody else was first.
fn is_good(op: &Op, code: i32, stderr: &str) -> bool {
    let was_beaten = || kubectl_errors::causes(stderr).first() == Some(&kubectl_errors::Cause::TestFailed);
    op.success.contains(&code) && (!op.yields || code != 1 || was_beaten())
}

/// Whether an op was sent of which nobody knows whether it has ended.
fn is_unknown<T>(outcome: &Step<T>) -> bool {
    matches!(outcome, Err(Go::End(TaskEnd::Unknown { .. })))
}

/// After an unknown end nothing more is sent: it may still be running. Nor without the lock.
fn is_in_doubt<T>(outcome: &Step<T>) -> bool {
    let end = match outcome {
        Err(Go::Interrupted { .. }) => return true,
        Err(Go::End(end)) => end,
        _ => return false,
    };
    matches!(end, TaskEnd::Unknown { .. } | TaskEnd::Withheld { .. })
}

/// An op that the lock does not let go.
fn barred(why: Barred) -> Go {
    match why {
        Barred::Lost(reason) => Go::End(TaskEnd::Withheld { reason }),
        Barred::Stale { age } => failed(
            Cause::TimedOut,
            format!("the lock of the cluster was renewed {} ago and cannot be renewed now", age.rounded()),
            "look at the API server; `rollbook lock show` tells who holds the lock",
        ),
    }
}

/// What a failed command said last: stderr before stdout, because that is where reasons go.
fn last_words(result: &OpResult, last_line: &str) -> String {
    let last =
        |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| escape(line.trim()));
    last(&result.stderr).or_else(|| last(&result.stdout)).unwrap_or_else(|| last_line.to_owned())
}

fn show_changes(changes: &[Change]) -> String {
    let each =
        changes.iter().map(|change| format!("{} is {}, not {}", change.what, change.before, change.after));
    each.collect::<Vec<_>>().join("; ")
}
