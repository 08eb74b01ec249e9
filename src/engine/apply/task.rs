//! Transitions of a task: attempts, ops, ends, and when the next attempt is due.

use crate::engine::host::{AttemptRun, Cursor, HostRun, HostWork, NextStep, OpRun, TakenBack, TaskResult};
use crate::engine::{Cause, Failure, HostStatus, IllegalReason, SkipReason, State, TaskEnd};
use crate::op::{Effect, Exit, Op, RunWhen};
use crate::plan::{Cordoning, Plan, Section, StepRef, TaskId};
use crate::step::{CordonSet, Lowered, Patched, patched};
use crate::value::Timestamp;

use super::{EventTime, refuse};

/// What an op said at its end, as far as it is recorded.
pub(super) struct Said<'a> {
    pub(super) last_line: &'a str,
    pub(super) stdout: Option<&'a str>,
    pub(super) refused: bool,
}

impl State {
    pub(super) fn task_started(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let planned = plan.phase(task.phase);
        let run = self.open(task.phase)?;
        let target = &mut run.hosts[position];
        let due = match target.next_if_idle(&planned.hosts[position]) {
            Some(NextStep::Attempt(next, _)) => next == attempt && target.at.index == task.index,
            _ => false,
        };
        if !due {
            return Err(refuse(plan, task.host, "does not stand before this attempt"));
        }
        target.work = Some(HostWork::Attempt(AttemptRun { attempt, ..AttemptRun::default() }));
        run.requeue(planned, position);
        Ok(())
    }

    /// The attempt in flight, if it is this one.
    pub(super) fn attempt_mut(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
    ) -> Result<&mut AttemptRun, IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let target = &mut self.open(task.phase)?.hosts[position];
        match &mut target.work {
            Some(HostWork::Attempt(run)) if run.attempt == attempt && target.at.index == task.index => {
                Ok(run)
            }
            _ => Err(refuse(plan, task.host, "has no such attempt in flight")),
        }
    }

    /// Something is in the way of a task inside the bracket that is looked at.
    pub(super) fn bracket_waits(&mut self, plan: &Plan, task: TaskId) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let brackets = &plan.phase(task.phase).hosts[position].brackets;
        let probed = match self.open(task.phase)?.hosts[position].work {
            Some(HostWork::Bracket(number)) => brackets.get(usize::from(number)),
            _ => None,
        };
        let is_inside = probed.is_some_and(|bracket| (bracket.first..=bracket.last).contains(&task.index));
        if is_inside { Ok(()) } else { Err(refuse(plan, task.host, "looks at no bracket around this task")) }
    }

    /// Once per host and phase, by the first task that has it, and before anything of that task is sent.
    pub(super) fn condition_decided(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
        condition: u16,
        holds: bool,
    ) -> Result<(), IllegalReason> {
        let is_sent = !self.attempt_mut(plan, task, attempt)?.ops.is_empty();
        let position = self.active_host(plan, task.phase, task.host)?;
        let has_it = plan.task(task).ties.conditions.contains(&condition);
        let target = &mut self.open(task.phase)?.hosts[position];
        if is_sent || !has_it || target.decided.contains_key(&condition) {
            return Err(refuse(plan, task.host, "decides a condition that is not this task's, or once more"));
        }
        target.decided.insert(condition, holds);
        Ok(())
    }

    pub(super) fn op_started(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
        sent: OpRun,
    ) -> Result<(), IllegalReason> {
        if plan.task(task).effect == Effect::Disrupts && !self.holds_slot(task.host) {
            return Err(refuse(plan, task.host, "sends an op that disrupts, without a slot"));
        }
        if plan.task(task).effect == Effect::Disrupts && self.is_apart(plan, task) {
            return Err(refuse(
                plan,
                task.host,
                "sends an op that disrupts, on a node that was not cordoned",
            ));
        }
        if self.lock_lost {
            return Err(refuse(plan, task.host, "sends an op after the lock was lost"));
        }
        let run = self.attempt_mut(plan, task, attempt)?;
        let follows = |last: &OpRun| (last.pass, last.op) < (sent.pass, sent.op) && last.exit.is_some();
        if !run.ops.last().is_none_or(follows) {
            return Err(refuse(plan, task.host, "sends its ops in order, each once, one at a time"));
        }
        run.ops.push(sent);
        self.count_act(plan, task, |acts| acts + 1)
    }

    /// Another change was sent to the host, or was not sent after all.
    fn count_act(
        &mut self,
        plan: &Plan,
        task: TaskId,
        count: impl Fn(u32) -> u32,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let target = &mut self.open(task.phase)?.hosts[position];
        if target.section == Section::Steps && plan.task(task).effect > Effect::Reads {
            target.acts = count(target.acts);
        }
        Ok(())
    }

    pub(super) fn op_ended(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
        (pass, op): (u32, u16),
        exit: Exit,
        said: &Said<'_>,
    ) -> Result<(), IllegalReason> {
        match self.attempt_mut(plan, task, attempt)?.ops.last_mut() {
            Some(last) if (last.pass, last.op) == (pass, op) && last.exit.is_none() => {
                last.exit = Some(exit);
                if exit != Exit::Code(0) {
                    said.last_line.clone_into(&mut last.said);
                }
                last.stdout = said.stdout.map(str::to_owned);
                last.refused = said.refused;
                Ok(())
            }
            _ => Err(refuse(plan, task.host, "has no such op in flight")),
        }
    }

    /// As if it had never been about to be sent: it changed nothing, and others may follow it.
    pub(super) fn op_not_started(
        &mut self,
        plan: &Plan,
        task: TaskId,
        attempt: u32,
        (pass, op): (u32, u16),
    ) -> Result<(), IllegalReason> {
        let run = self.attempt_mut(plan, task, attempt)?;
        match run.ops.last() {
            Some(last) if (last.pass, last.op) == (pass, op) && last.exit.is_none() => {
                run.ops.pop();
                self.count_act(plan, task, |acts| acts - 1)
            }
            _ => Err(refuse(plan, task.host, "has no such op in flight")),
        }
    }

    pub(super) fn task_ended(
        &mut self,
        plan: &Plan,
        at: EventTime,
        task: TaskId,
        attempt: u32,
        end: &TaskEnd,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let ended = std::mem::take(self.attempt_mut(plan, task, attempt)?);
        let in_flight = ended.ops.last().is_some_and(|op| op.exit.is_none());
        if in_flight && !matches!(end, TaskEnd::Unknown { .. }) {
            // Another attempt, or a rescue, would follow a change that may still be at work.
            return Err(refuse(plan, task.host, "ends its attempt while an op has no end"));
        }
        let run = self.open(task.phase)?;
        let target = &mut run.hosts[position];
        target.work = None;
        let mut paused = None;
        match end {
            TaskEnd::NeedsSlot if target.slot || !ended.ops.is_empty() => {
                return Err(refuse(plan, task.host, "holds a slot already, or has sent an op without one"));
            }
            TaskEnd::NeedsSlot => {
                target.at = Cursor { attempt, needs_slot: true, retry_at: None, ..target.at };
            }
            TaskEnd::Satisfied { .. } => {
                note_cordon(target, plan, task, &ended, false);
                target.settle(TaskResult { satisfied: true, ..result_of(&ended) });
            }
            TaskEnd::Changed { .. } => {
                target.change();
                note_cordon(target, plan, task, &ended, true);
                target.settle(TaskResult { changed: true, ..result_of(&ended) });
            }
            TaskEnd::Uncordoned { .. } => {
                let relies = target.at.back.is_none() && plan.cordoning(task) == Cordoning::Leaves;
                let is_left = target.open_cordon().is_some_and(|open| open.again > 0);
                if !relies || !is_left {
                    return Err(refuse(plan, task.host, "relies on no cordon that may be set again"));
                }
                if !ended.ops.is_empty() && plan.task(task).effect > Effect::Reads {
                    target.change_and_go_on();
                }
                target.cordon_again(attempt);
            }
            TaskEnd::Failed { failure } => task_failed(target, plan, at.now, task, &ended, failure),
            // A resumed run goes on with the attempt, as after an end that is not known; nothing is in doubt, though.
            TaskEnd::Withheld { .. } => {
                let changed = !ended.ops.is_empty() && plan.task(task).effect > Effect::Reads;
                target.put_off(HostStatus::Stopped, &ended);
                if changed {
                    target.change();
                }
                target.settle(TaskResult { changed, ..result_of(&ended) });
            }
            TaskEnd::Paused { .. } if !ended.ops.is_empty() => {
                return Err(refuse(plan, task.host, "pauses in the middle of its ops"));
            }
            // As after one that was held back: a resumed run goes on with the attempt.
            TaskEnd::Paused { text, why } => {
                target.put_off(HostStatus::Stopped, &ended);
                target.settle(result_of(&ended));
                let text = format!("{}: {text}", plan.host(task.host).name);
                paused = Some((text, why.clone()));
            }
            TaskEnd::Unknown { .. } => {
                target.put_off(HostStatus::Unknown, &ended);
                let changed = plan.task(task).effect > Effect::Reads;
                if changed {
                    target.change();
                }
                target.settle(TaskResult { changed, failed: true, ..result_of(&ended) });
            }
        }
        run.requeue(plan.phase(task.phase), position);
        self.paused = self.paused.take().or(paused);
        Ok(())
    }

    pub(super) fn task_skipped(
        &mut self,
        plan: &Plan,
        task: TaskId,
        why: SkipReason,
    ) -> Result<(), IllegalReason> {
        let position = self.active_host(plan, task.phase, task.host)?;
        let planned = plan.phase(task.phase);
        let run = self.open(task.phase)?;
        let target = &mut run.hosts[position];
        let ties = &plan.task(task).ties;
        let fits = match target.attempt() {
            // A `when` that could be evaluated only here: the worker answers with the skip.
            Some(attempt) => {
                let is_false = ties.conditions.is_empty() || target.fails_its_condition(ties);
                why == SkipReason::When && attempt.ops.is_empty() && is_false && !target.has_open(ties)
            }
            None => target.next_if_idle(&planned.hosts[position]) == Some(NextStep::Skip(why)),
        };
        if !fits || target.at.index != task.index {
            return Err(refuse(plan, task.host, "does not skip this task here"));
        }
        target.work = None;
        target.settle(TaskResult::default());
        run.requeue(planned, position);
        Ok(())
    }
}

/// A task ended well: what it means for the cordon that later ones rely on.
fn note_cordon(target: &mut HostRun, plan: &Plan, task: TaskId, ended: &AttemptRun, changed: bool) {
    match plan.cordoning(task) {
        Cordoning::Sets => {
            let set = CordonSet { changed, ours: changed && sets_ours(plan, task, ended) };
            target.hold(ended.attempt, Some(set));
        }
        Cordoning::TakesAway => target.release(),
        Cordoning::Leaves if !target.held.is_empty() && plan.is_check(task) => {
            target.hold(ended.attempt, None);
        }
        Cordoning::Leaves => {}
    }
}

/// Whether the attempt put this run's name on the cordon. Of a deferred step that is known to nobody but its worker.
fn sets_ours(plan: &Plan, task: TaskId, ended: &AttemptRun) -> bool {
    let StepRef::Action(action) = plan.task(task).step else { return false };
    let lowered = &plan.action(action).lowered;
    let applied = |ran: &OpRun| ran.exit.is_some_and(|exit| patched(exit, &ran.said) == Patched::Applied);
    ended.ops.iter().any(|ran| lowered.sets_cordon(ran.op) && applied(ran))
}

/// A failed attempt: another one later, a failure that is allowed, or the end of the host.
fn task_failed(
    target: &mut HostRun,
    plan: &Plan,
    now: Timestamp,
    task: TaskId,
    ended: &AttemptRun,
    failure: &Failure,
) {
    // An op that was sent may have changed something before it failed.
    let changed = ended.has_acted() && plan.task(task).effect > Effect::Reads;
    if changed {
        target.change_and_fail(taken_back(plan, task, ended));
    }
    let failures = target.at.failures + 1;
    let retry = plan.retry(task).filter(|retry| failures < retry.attempts && is_retryable(ended, failure));
    if let Some(retry) = retry {
        let retry_at = Some(now.after(retry.delay_after(failures)));
        target.at = Cursor { attempt: ended.attempt, failures, retry_at, ..target.at };
        return;
    }
    // A drain that failed, or a check under it, is nothing to rely on.
    target.held.retain(|held| held.index != task.index);
    if plan.allow_failure(task).is_none() || !is_allowable(failure.cause) {
        target.fail(Some(task.index), failure);
    }
    target.settle(TaskResult { failed: true, changed, ..result_of(ended) });
}

/// What a failed attempt put back of what its task had opened: a drain that did not finish and took its own cordon back
/// leaves the host as it was, and one that never opened anything leaves it as it found it.
fn taken_back(plan: &Plan, task: TaskId, ended: &AttemptRun) -> TakenBack {
    let Some(lowered) = plan.lowered(task) else { return TakenBack::No };
    let pass = ended.ops.last().map_or(0, |last| last.pass);
    let went_well = |index: u16, op: &Op| {
        let ran = ended.ops.iter().rev().find(|ran| (ran.pass, ran.op) == (pass, index));
        ran.is_some_and(|ran| has_restored(op, ran))
    };
    let mut restores = (0..).zip(&lowered.ops).filter(|(_, op)| op.when == RunWhen::OnFailure).peekable();
    if lowered.opens.is_empty() || restores.peek().is_none() {
        return TakenBack::No;
    }
    if restores.all(|(index, op)| went_well(index, op)) {
        return TakenBack::All;
    }
    let opened = ended.ops.iter().any(|ran| may_have_cordoned(&lowered, ran));
    if opened { TakenBack::No } else { TakenBack::NothingToTake }
}

/// Whether an op that takes something back has done so, or found that there was nothing of this run to take back. A code
/// of success is not enough where kubectl has one for every failure.
fn has_restored(op: &Op, ran: &OpRun) -> bool {
    match ran.exit {
        Some(exit) if op.yields => matches!(patched(exit, &ran.said), Patched::Applied | Patched::NotMeant),
        Some(Exit::Code(code)) => op.success.contains(&code),
        _ => false,
    }
}

/// Whether an op may have set a cordon.
fn may_have_cordoned(lowered: &Lowered, ran: &OpRun) -> bool {
    let came = ran.exit.map_or(Patched::InDoubt, |exit| patched(exit, &ran.said));
    lowered.sets_cordon(ran.op) && matches!(came, Patched::Applied | Patched::InDoubt)
}

/// Whether another attempt may help, and cannot hide what happened.
///
/// A change that did not have its effect is not tried again: its goal would look satisfied the second time, and the
/// failed check after it would be forgotten.
fn is_retryable(ended: &AttemptRun, failure: &Failure) -> bool {
    match failure.cause {
        Cause::Command | Cause::TimedOut | Cause::Output | Cause::Busy => true,
        Cause::Unreachable => ended.ops.is_empty(),
        Cause::Verification
        | Cause::Refused
        | Cause::Drift
        | Cause::Identity
        | Cause::NodeLost
        | Cause::Privilege => false,
    }
}

/// `allow_failure` speaks of the task. That the host is not the one of the plan is never allowed.
fn is_allowable(cause: Cause) -> bool {
    !matches!(cause, Cause::Drift | Cause::Identity | Cause::NodeLost)
}

fn result_of(ended: &AttemptRun) -> TaskResult {
    let rc = ended.ops.iter().rev().find_map(|op| match op.exit {
        Some(Exit::Code(code)) => Some(code),
        _ => None,
    });
    let stdout = ended.ops.iter().rev().find_map(|op| op.stdout.clone());
    TaskResult { ran: true, rc, stdout, ..TaskResult::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_causes_that_may_pass_are_tried_again() {
        use Cause::{
            Command, Drift, Identity, NodeLost, Output, Privilege, Refused, TimedOut, Unreachable,
            Verification,
        };
        let cases = [
            (Command, true, true),
            (TimedOut, true, true),
            (Output, true, true),
            // Once an op was sent, a host that cannot be reached is a question, not a failure to repeat.
            (Unreachable, true, false),
            (Verification, false, false),
            (Refused, false, false),
            (Drift, false, false),
            (Identity, false, false),
            (NodeLost, false, false),
            (Privilege, false, false),
        ];
        for (cause, before, after) in cases {
            let failure = Failure { cause, message: String::new(), hint: String::new() };
            let fresh = AttemptRun { attempt: 1, ..AttemptRun::default() };
            let op = OpRun {
                pass: 0,
                op: 0,
                on: None,
                sent: None,
                exit: None,
                said: String::new(),
                stdout: None,
                refused: false,
            };
            let sent = AttemptRun { ops: vec![op], ..fresh.clone() };
            assert_eq!(is_retryable(&fresh, &failure), before, "{cause:?} before an op was sent");
            assert_eq!(is_retryable(&sent, &failure), after, "{cause:?} after an op was sent");
        }
    }
}
