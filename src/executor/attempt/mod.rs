//! One attempt at one task: look, decide whether there is anything to do, do it, look again.

mod cordon;
mod looks;
mod sends;
mod verdict;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::{Instant, sleep};

use super::clearance;
use super::context::{EventSender, InDoubt, Shared};
use super::drift::check_host;
use super::forbidden::Refusals;
use super::pause;
use super::runtime_values::{self, RuntimeValues};
use crate::engine::{Cause, Event, Failure, OpRun, OpenCordon, SkipReason, TaskEnd};
use crate::op::{Effect, RunWhen};
use crate::plan::{Action, TaskId};
use crate::step::Role;
use crate::transport::OpResult;
use crate::value::{Duration, escape};
use looks::Probed;

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
    pub(super) runtime: RuntimeValues,
    /// The cordon under which it disrupts, where this run set one.
    pub(super) cordon: Option<OpenCordon>,
    /// The effect that an earlier process saw its probe show.
    pub(super) shown: Option<Effect>,
}

/// Runs an attempt and says how it ended.
pub(super) async fn run(shared: Rc<Shared>, event_sender: EventSender, assignment: Assignment) {
    let Assignment { task, attempt, .. } = assignment;
    let action = match runtime_values::action(&shared, &event_sender, &assignment).await {
        Ok(Some(action)) => action,
        // What was sent before has to be settled, whatever the step would be now.
        Ok(None) if !assignment.recorded.is_empty() => {
            let reason = "its `when` is false now, and it was sent before".to_owned();
            return event_sender.say(Event::TaskEnded { task, attempt, end: TaskEnd::Unknown { reason } });
        }
        Ok(None) => return event_sender.say(Event::TaskSkipped { task, why: SkipReason::When }),
        Err(failure) if !assignment.recorded.is_empty() => {
            let end = TaskEnd::Unknown { reason: failure.message };
            return event_sender.say(Event::TaskEnded { task, attempt, end });
        }
        Err(failure) => {
            return event_sender.say(Event::TaskEnded { task, attempt, end: TaskEnd::Failed { failure } });
        }
    };
    if let Some(pause) = crate::step::pause_of(&action.kind, &action.args) {
        let end = pause::run(&shared, &event_sender, &assignment, pause).await;
        return event_sender.say(Event::TaskEnded { task, attempt, end });
    }
    let sent = Cell::new(!assignment.recorded.is_empty());
    // By its own word, by what the plan saw apt do, or by what its probe showed before.
    let effect = action.lowered.effect.max(shared.plan.task(task).effect);
    let effect = Cell::new(effect.max(assignment.shown.unwrap_or(Effect::Reads)));
    let (shared, event_sender, assignment, action) = (&*shared, &event_sender, &assignment, &action);
    let worker = Worker {
        shared,
        event_sender,
        assignment,
        action,
        effect,
        sent,
        done: Cell::new(false),
        told: RefCell::default(),
        notes: RefCell::default(),
        refusals: RefCell::default(),
    };
    let end = worker.through_obstacles().await;
    event_sender.say(Event::TaskEnded { task, attempt, end });
}

struct Worker<'a> {
    shared: &'a Shared,
    event_sender: &'a EventSender,
    assignment: &'a Assignment,
    action: &'a Action,
    /// The strongest effect that it has, as far as is known.
    effect: Cell<Effect>,
    /// An op of this attempt was sent: what holds now may be its doing.
    sent: Cell<bool>,
    /// An op of this attempt has ended.
    done: Cell<bool>,
    /// What people were last told that it waits for, and when.
    told: RefCell<Option<(String, Instant)>>,
    /// What was seen before the machine was restarted, for the result.
    notes: RefCell<Option<String>>,
    /// What the API server forbade each op, by its index, since it last ended well itself.
    refusals: RefCell<BTreeMap<u16, Refusals>>,
}

/// Between two goes at a task that something was in the way of.
const PAUSE: Duration = Duration::from_secs(3);

/// How one go at the task went, when it did not end it.
#[derive(Clone)]
pub(super) enum Interrupt {
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

/// Shorthand: most steps of an attempt end it early.
pub(super) type AttemptResult<T> = Result<T, Interrupt>;

fn failed(cause: Cause, message: impl Into<String>, hint: impl Into<String>) -> Interrupt {
    Interrupt::End(TaskEnd::Failed { failure: Failure { cause, message: message.into(), hint: hint.into() } })
}

fn fail<T>(cause: Cause, message: impl Into<String>, hint: impl Into<String>) -> AttemptResult<T> {
    Err(failed(cause, message, hint))
}

impl Worker<'_> {
    /// Goes again, from the probe on, while something is in the way that passes by itself: an upgraded control plane
    /// brings its own API server back, and unattended-upgrades lets go of its locks.
    async fn through_obstacles(&self) -> TaskEnd {
        let mut met: Option<Instant> = None;
        let mut interrupted = false;
        let mut pass = self.first_go();
        loop {
            match self.pass(pass).await {
                Ok(end) | Err(Interrupt::End(end)) => return end,
                // What went well before, such as minutes of a drain, is no waiting for what is in the way now.
                Err(Interrupt::Again { reason, within })
                    if met.get_or_insert_with(Instant::now).elapsed() >= within.to_std() =>
                {
                    let message = format!("still after {within}: {reason}");
                    return TaskEnd::Failed {
                        failure: Failure { cause: Cause::TimedOut, message, hint: String::new() },
                    };
                }
                Err(Interrupt::Again { reason, within }) => {
                    self.waits(&reason, within);
                    sleep(PAUSE.to_std()).await;
                }
                // Once: what is interrupted again and again is for people to look at.
                Err(Interrupt::Interrupted { taken_up, .. })
                    if !interrupted && self.may_go_again(taken_up) =>
                {
                    interrupted = true;
                }
                Err(Interrupt::Interrupted { reason, .. }) => {
                    let reason = format!(
                        "{reason}. Look at the host, then resume with --in-doubt rerun or assume-done"
                    );
                    return TaskEnd::Unknown { reason };
                }
            }
            pass += 1;
        }
    }

    /// A resumed attempt goes on with the go that was cut off; where that was at taking something back again and again, with
    /// the go that had failed.
    fn first_go(&self) -> u32 {
        let ops = &self.action.lowered.ops;
        let takes_back = |op: u16| ops.get(usize::from(op)).is_some_and(|op| op.when == RunWhen::OnFailure);
        let mut recorded = self.assignment.recorded.iter().rev();
        recorded.find(|sent| !takes_back(sent.op)).map_or(0, |sent| sent.pass)
    }

    /// After an interruption a goal is settled by its probe, with which the next go begins; a means that may be repeated
    /// is. Anything else would be a blind retry, which only a person may ask for.
    fn may_go_again(&self, taken_up: bool) -> bool {
        let lowered = &self.action.lowered;
        let settles_itself = lowered.role == Role::Goal && lowered.probe.is_some();
        settles_itself || lowered.repeatable || (taken_up && self.shared.in_doubt == InDoubt::Rerun)
    }

    async fn pass(&self, pass: u32) -> AttemptResult<TaskEnd> {
        let lowered = &self.action.lowered;
        if lowered.role == Role::Check {
            return self.check().await;
        }
        // What an earlier process began was probed before, and had its slot.
        let begun = self.assignment.recorded.iter().any(|op| op.pass == pass);
        if let Some(probe) = lowered.probe.as_ref().filter(|_| !begun) {
            match self.probe(probe).await? {
                Probed::End(end) => return Ok(end),
                Probed::Changes(shown) => self.effect.set(self.effect.get().max(shown)),
            }
        }
        let effect = self.effect.get();
        // Before a slot is asked for: a host that is not what the plan saw should not take one.
        if self.assignment.untouched && effect > Effect::Reads {
            let task = self.assignment.task;
            let checked = check_host(self.shared, task.host, task.phase).await;
            checked.map_err(|failure| Interrupt::End(TaskEnd::Failed { failure }))?;
        }
        if effect == Effect::Disrupts && self.assignment.runtime.is_apart && !begun {
            let message = "it would disrupt a node that was not cordoned: the step that does it was skipped";
            let hint = "give both the same `when`, or an `include` around them; look at the host, then run the runbook again";
            return fail(Cause::Refused, message, hint);
        }
        // Before a slot is asked for, and once more before it is used: somebody may have begun meanwhile.
        if !begun {
            self.restart_is_clear().await?;
        }
        if effect == Effect::Disrupts && !self.assignment.has_slot {
            return Ok(TaskEnd::NeedsSlot);
        }
        let mut outcome = self.run_ops(pass).await;
        if outcome.is_ok() {
            outcome = self.verify().await.and(outcome);
        }
        self.clean_up(pass, &outcome).await?;
        self.summary(outcome?.as_ref())
    }

    /// Waits until nothing stands in the way of restarting the machine, where the ops do that.
    async fn restart_is_clear(&self) -> AttemptResult<()> {
        let host = self.assignment.task.host;
        let waits = |reason: &str, within| self.waits(reason, within);
        match clearance::wait(self.shared, host, self.action, waits).await {
            Ok(notes) => {
                *self.notes.borrow_mut() = notes;
                Ok(())
            }
            Err(failure) => Err(Interrupt::End(TaskEnd::Failed { failure })),
        }
    }

    fn shown(&self, text: &str) -> String {
        self.shared.shown_text(self.assignment.task.host, text)
    }

    fn summary(&self, result: Option<&OpResult>) -> AttemptResult<TaskEnd> {
        let changed = runtime_values::verdict(self.shared, self.assignment, self.action, result)
            .or_else(|message| fail(Cause::Refused, message, ""))?;
        let mut summary = self.shown(&self.action.lowered.title);
        let outcome = crate::step::find(&self.action.kind).zip(result);
        if let Some(outcome) = outcome.and_then(|(kind, result)| kind.outcome(&result.stdout, &result.stderr))
        {
            summary = format!("{summary} ({})", escape(&outcome));
        }
        if let Some(notes) = self.notes.borrow().as_ref() {
            summary = format!("{summary} ({notes})");
        }
        if changed {
            return Ok(TaskEnd::Changed { summary });
        }
        let printed = result.filter(|_| self.action.lowered.only_reads()).and_then(printed);
        Ok(TaskEnd::Satisfied { state: printed.unwrap_or(summary) })
    }
}

/// Lines of what a command printed that are told with its end; its file has all of them.
const PRINTED_LINES: usize = 20;

/// What a command that only reads has found out, for people; `None` where it printed nothing.
fn printed(result: &OpResult) -> Option<String> {
    let said = result.stdout.lines().chain(result.stderr.lines());
    let mut lines: Vec<String> = said.map(|line| escape(line.trim_end())).collect();
    let more = lines.len().saturating_sub(PRINTED_LINES);
    if more > 0 {
        lines.truncate(PRINTED_LINES);
        lines.push(format!("… and {more} more: rollbook runs output RUN"));
    }
    let shown = lines.join("\n          ");
    Some(shown).filter(|shown| !shown.trim().is_empty())
}
