//! One host in one phase: where it stands in its tasks, and what comes next for it. Knows nothing of other hosts, the
//! budget or stops; those may hold back what is next, never change it.

use std::collections::BTreeMap;

use crate::op::{Effect, Exit};
use crate::plan::{Bracket, HostId, HostTasks, Section, Ties};
use crate::runbook::Then;
use crate::step::{Assessment, CordonSet};
use crate::value::{Duration, Timestamp};

use super::slots::Observation;
use super::{Cause, Failure, HostStatus, SkipReason};

/// What later expressions see of a task as `steps.<id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "expressions read each of the four by its name")]
pub struct TaskResult {
    /// It was not skipped.
    pub ran: bool,
    /// Something changed, or may have.
    pub changed: bool,
    /// The goal held before, or the check passed.
    pub satisfied: bool,
    /// It failed, and `allow_failure` let the host go on, or the host ended with it.
    pub failed: bool,
    /// Exit code of the last op that ended with one.
    pub rc: Option<i32>,
    /// Standard output of the last op for which it was recorded.
    pub stdout: Option<String>,
}

/// An op of the attempt in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpRun {
    /// The go that sent it.
    pub pass: u32,
    /// Index into the lowered step's ops.
    pub op: u16,
    /// The host where kubectl runs, where that is a host of the plan.
    pub on: Option<HostId>,
    /// The digest of what its launcher receives, where it was recorded.
    pub sent: Option<String>,
    /// How it ended; `None` while its own record has not said so.
    pub exit: Option<Exit>,
    /// Its last line, where it failed.
    pub said: String,
    /// Its standard output, where it was recorded.
    pub stdout: Option<String>,
    /// Its command's own checks refused it before it changed anything.
    pub refused: bool,
}

/// The attempt in flight, as far as it is recorded: all that is needed to take it up again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptRun {
    /// Counts from 1.
    pub attempt: u32,
    /// What the last probe said.
    pub probed: Option<Assessment>,
    /// Ops that were sent, or were about to be, in order.
    pub ops: Vec<OpRun>,
    /// A person was asked.
    pub asked: bool,
    /// Who has said that it is done.
    pub approved_by: Option<String>,
}

impl AttemptRun {
    /// Whether an op was sent that its own checks did not refuse. What follows one that was refused takes back what was
    /// never done.
    pub(super) fn has_acted(&self) -> bool {
        let mut refused = None;
        self.ops.iter().any(|op| {
            if op.refused {
                refused = Some(op.pass);
            }
            refused != Some(op.pass)
        })
    }

    /// The effect that its probe showed, beyond what the plan knows.
    pub fn effect_shown(&self) -> Option<Effect> {
        match self.probed {
            Some(Assessment::WouldChange { effect, .. }) => effect,
            _ => None,
        }
    }
}

/// Work in flight on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostWork {
    /// The goals of this bracket are probed.
    Bracket(u16),
    /// An attempt at the task at the cursor.
    Attempt(AttemptRun),
}

/// The next task and what is known of its earlier attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Index of the next task.
    pub(super) index: u16,
    /// The last attempt at it; 0 before the first.
    pub(super) attempt: u32,
    /// Attempts that failed. An attempt that only asked for a slot is none.
    pub(super) failures: u32,
    /// An attempt asked for a slot.
    pub(super) needs_slot: bool,
    /// When the next attempt is due, after one that failed.
    pub(super) retry_at: Option<Timestamp>,
    /// What earlier tasks had changed, once an attempt at this one may have changed something and did not end well.
    pub(super) before: Option<Changes>,
    /// The node is cordoned and drained again; the task that waits for that goes on afterwards.
    pub(super) back: Option<Back>,
}

/// A task that was about to disrupt a node whose cordon is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Back {
    index: u16,
    attempt: u32,
    failures: u32,
    before: Option<Changes>,
}

impl Back {
    /// Before the next attempt at the task.
    fn cursor(self) -> Cursor {
        let Self { index, attempt, failures, before } = self;
        Cursor { index, attempt, failures, before, ..Cursor::default() }
    }
}

/// A task that is done again where the cordon is gone: one that set it, or a check behind one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) index: u16,
    /// Its last attempt.
    pub(super) attempt: u32,
    /// How it set the cordon; `None` for a check.
    pub(super) set: Option<CordonSet>,
}

/// The cordon that keeps a host's pods away: what a task that disrupts relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCordon {
    /// Tasks that set it, by index, in their order.
    pub set_by: Vec<(u16, CordonSet)>,
    /// How often it may be set again yet.
    pub again: u32,
    /// Something was changed on the host since it was set.
    pub acted: bool,
}

/// How often a cordon is set again that somebody took away, up to its uncordon. Who takes it away more often means it.
pub(super) const CORDONS_AGAIN: u32 = 3;

/// What the tasks of a host changed, or may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Anything at all.
    pub(super) any: bool,
    /// Something that was not taken back.
    pub(super) stand: bool,
    /// Something that was not taken back, made while the host counted as out of service.
    pub(super) out: bool,
}

/// What a failed attempt took back of what its task had opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakenBack {
    /// Not all of it, or nobody knows.
    No,
    /// It opened nothing itself, and took back nothing.
    NothingToTake,
    /// All that the task had opened, earlier attempts included: nothing of the run stands there.
    All,
}

/// An attempt whose end is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Where the host stood.
    pub(super) at: Cursor,
    /// What is recorded of the attempt.
    pub(super) attempt: AttemptRun,
    /// What earlier tasks had changed.
    pub(super) before: Changes,
}

/// What went wrong with a host in its steps of a phase: what a rescue is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFailure {
    /// Index of the task; `None` where the goals of its bracket could not be looked at.
    pub task: Option<u16>,
    /// How.
    pub failure: Failure,
}

/// Whether a host that has not ended counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing went wrong.
    None,
    /// It failed, and its rescue may make that good.
    Open,
    /// It failed, whatever is still done on it.
    Certain,
}

/// What comes next for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// This part of its tasks begins.
    Section(Section),
    /// The task at the cursor does not run.
    Skip(SkipReason),
    /// Probe the bracket that begins at the cursor.
    Probe(u16),
    /// A slot, before anything else.
    Slot,
    /// This attempt, but not before the time given.
    Attempt(u32, Option<Timestamp>),
    /// Nothing: its tasks ended so.
    End(HostStatus),
}

/// How long a look at a bracket is good for while its host waits for a slot; as long as a look at the cluster.
const LOOK_LASTS: Duration = Duration::from_secs(60);

/// Where a host is; says which queue of its phase holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HostStage {
    /// Not started.
    #[default]
    Outside,
    /// Work is in flight.
    Working,
    /// Something can be decided for it now.
    Ready,
    /// It needs a slot before it goes on.
    WantsSlot,
    /// It tries again at this time.
    BackingOff(Timestamp),
    /// It ended.
    Ended,
}

/// A host in a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostRun {
    /// As of the last event about it.
    pub(super) stage: HostStage,
    /// The part of its tasks that the cursor is in.
    pub(super) section: Section,
    /// Results of the tasks before the cursor.
    pub(super) results: Vec<TaskResult>,
    /// Where it stands.
    pub(super) at: Cursor,
    /// Work in flight.
    pub(super) work: Option<HostWork>,
    /// The last bracket probed, and whether it is needed.
    pub(super) bracket: Option<(u16, bool)>,
    /// When that was found.
    pub(super) bracket_seen: Timestamp,
    /// Conditions that were decided in the run.
    pub(super) decided: BTreeMap<u16, bool>,
    /// It may disrupt.
    pub(super) slot: bool,
    /// What it changed.
    pub(super) changes: Changes,
    /// Why it cannot go on in this part: failed or unknown.
    pub(super) fault: Option<HostStatus>,
    /// What failed in its steps.
    pub(super) failure: Option<HostFailure>,
    /// It failed in an earlier part, and no rescue has made that good.
    pub(super) lost: bool,
    /// It is not what the plan saw, or not the machine: nobody acts on it, not even to rescue it.
    pub(super) barred: bool,
    /// Ops sent in its steps that change something.
    pub(super) acts: u32,
    /// What is done again where the node's cordon is gone, in the order of the tasks; empty while this run set none.
    pub(super) held: Vec<Held>,
    /// How often that was done.
    pub(super) cordoned_again: u32,
    /// The attempt whose end is not known: a resumed run settles it.
    pub(super) in_doubt: Option<Doubt>,
    /// How it ended.
    pub(super) status: Option<HostStatus>,
}

impl HostRun {
    /// What comes next, were the host at `at`, with nothing in flight.
    pub(super) fn next(&self, tasks: &HostTasks, at: Cursor) -> NextStep {
        match self.fault {
            Some(HostStatus::Stopped) if self.lost => return NextStep::End(HostStatus::Failed),
            Some(fault @ (HostStatus::Stopped | HostStatus::Unknown)) => return NextStep::End(fault),
            _ => {}
        }
        let is_over = self.fault.is_some() || at.index >= tasks.range(self.section).end;
        let Some(task) = tasks.tasks.get(usize::from(at.index)).filter(|_| !is_over) else {
            return self.after_section(tasks, at);
        };
        // What is done again was found to be needed before.
        if let Some((number, bracket)) = bracket_around(tasks, at.index).filter(|_| at.back.is_none()) {
            match self.bracket.filter(|(probed, _)| *probed == number) {
                Some((_, false)) => return NextStep::Skip(SkipReason::BracketHolds),
                Some((_, true)) if !self.slot && disrupts(tasks, bracket) => return NextStep::Slot,
                None if at.index == bracket.first && runs(tasks, bracket) => return NextStep::Probe(number),
                _ => {}
            }
        }
        let is_false = self.fails_its_condition(&task.ties) && !self.has_open(&task.ties);
        if task.forecast.is_left_out() || is_false {
            return NextStep::Skip(SkipReason::When);
        }
        // A goal may hold: its first attempt looks, and asks for a slot only when there is something to do.
        let disrupts = task.effect == Effect::Disrupts && !task.looks_first;
        if !self.slot && (disrupts || at.needs_slot) {
            return NextStep::Slot;
        }
        NextStep::Attempt(at.attempt + 1, at.retry_at)
    }

    /// Whether a task with these ties has a condition that was decided and does not hold.
    pub(super) fn fails_its_condition(&self, ties: &Ties) -> bool {
        ties.conditions.iter().any(|condition| self.decided.get(condition) == Some(&false))
    }

    /// Whether what a task with these ties closes was opened, by a task that was not skipped.
    pub(super) fn has_open(&self, ties: &Ties) -> bool {
        self.any_ran(&ties.closes)
    }

    /// Whether a task with these ties stands in a bracket that was not opened, and has a condition of its own.
    pub(super) fn is_apart(&self, ties: &Ties) -> bool {
        !ties.apart_from.is_empty() && !self.any_ran(&ties.apart_from)
    }

    fn any_ran(&self, tasks: &[u16]) -> bool {
        tasks.iter().any(|index| self.results.get(usize::from(*index)).is_some_and(|result| result.ran))
    }

    /// What follows a part of its tasks that is over.
    fn after_section(&self, tasks: &HostTasks, at: Cursor) -> NextStep {
        let has_failed = self.has_failed(tasks, at);
        let touched = has_failed || self.acts > 0 || self.section == Section::Rescue;
        let follows = |section: Section| !self.barred && tasks.has(section);
        match self.section {
            Section::Steps if has_failed && follows(Section::Rescue) => NextStep::Section(Section::Rescue),
            // Where nothing was done there is nothing to tidy up: a second run changes nothing.
            Section::Steps | Section::Rescue if touched && follows(Section::Always) => {
                NextStep::Section(Section::Always)
            }
            _ if has_failed => NextStep::End(HostStatus::Failed),
            _ if self.changes.any => NextStep::End(HostStatus::Changed),
            _ => NextStep::End(HostStatus::Ok),
        }
    }

    /// Whether it would count as failed if it ended at `at`.
    fn has_failed(&self, tasks: &HostTasks, at: Cursor) -> bool {
        match self.section {
            Section::Rescue => {
                let range = tasks.range(Section::Rescue);
                // A rescue all of whose steps were left out has rescued nothing.
                let ran = self.results.iter().skip(usize::from(range.start)).any(|result| result.ran);
                let is_saved = self.fault.is_none() && at.index >= range.end && ran;
                !(is_saved && tasks.then() == Then::Ok)
            }
            Section::Steps | Section::Always => self.lost || self.fault == Some(HostStatus::Failed),
        }
    }

    /// Whether it counts as failed while it is not at its end. Only where something is still done on a host that failed
    /// does that matter.
    pub(super) fn trouble(&self, tasks: &HostTasks) -> Trouble {
        let has_failed = self.fault == Some(HostStatus::Failed) || self.lost;
        if tasks.sections.is_none() || self.status.is_some() || !has_failed {
            return Trouble::None;
        }
        let may_be_saved = tasks.then() == Then::Ok
            && match self.section {
                Section::Steps => tasks.has(Section::Rescue) && !self.barred,
                Section::Rescue => self.fault.is_none(),
                Section::Always => false,
            };
        if may_be_saved { Trouble::Open } else { Trouble::Certain }
    }

    /// How it ends where a stop takes it away between two tasks.
    pub(super) fn cut_short(&self, tasks: &HostTasks, at: Cursor) -> HostStatus {
        // Its last attempt failed, and the next one will never be made.
        if self.has_failed(tasks, at) || at.failures > 0 { HostStatus::Failed } else { HostStatus::Stopped }
    }

    /// It cannot go on in this part of its tasks.
    pub(super) fn fail(&mut self, task: Option<u16>, failure: &Failure) {
        self.fault = Some(HostStatus::Failed);
        self.barred |= matches!(failure.cause, Cause::Drift | Cause::Identity | Cause::NodeLost);
        if self.section == Section::Steps {
            self.failure = Some(HostFailure { task, failure: failure.clone() });
        }
    }

    /// Goes on with another part of its tasks. Those in between did not run.
    pub(super) fn enter(&mut self, section: Section, tasks: &HostTasks) {
        self.lost = self.has_failed(tasks, self.at);
        self.fault = None;
        self.section = section;
        // A task that was to be tried again, or waited for its cordon, has run: what it opened has to be closed.
        let left = self.at.back.map_or(self.at, Back::cursor);
        if left.before.is_some() && self.results.len() == usize::from(left.index) {
            self.results.push(TaskResult { ran: true, changed: true, ..TaskResult::default() });
        }
        let start = tasks.range(section).start;
        self.results.resize(usize::from(start), TaskResult::default());
        self.at = Cursor { index: start, ..Cursor::default() };
    }

    /// Whether a stop at `at` would leave a bracket open: it is needed, and `at` is past its first task and not past
    /// its last.
    pub(super) fn is_inside_bracket(&self, tasks: &HostTasks, at: Cursor) -> bool {
        if at.back.is_some() {
            return true;
        }
        bracket_around(tasks, at.index)
            .is_some_and(|(number, bracket)| self.bracket == Some((number, true)) && at.index > bracket.first)
    }

    /// A slot is given, by a look at the cluster of this time. The bracket that it is for is looked at again where that
    /// was long before: nobody is drained for what somebody else has done meanwhile.
    pub(super) fn take_slot(&mut self, tasks: &HostTasks, look: Option<&Observation>) {
        self.slot = true;
        let is_old = look.is_some_and(|look| look.at.since(self.bracket_seen) > LOOK_LASTS);
        let is_before = |(_, bracket): (u16, &Bracket)| bracket.first == self.at.index;
        if is_old && self.at.attempt == 0 && bracket_around(tasks, self.at.index).is_some_and(is_before) {
            self.bracket = None;
        }
    }

    /// Where it is, after an event about it.
    pub(super) fn stage_now(&self, tasks: &HostTasks) -> HostStage {
        if self.status.is_some() {
            return HostStage::Ended;
        }
        if self.work.is_some() {
            return HostStage::Working;
        }
        match self.next(tasks, self.at) {
            NextStep::Slot => HostStage::WantsSlot,
            NextStep::Attempt(_, Some(at)) => HostStage::BackingOff(at),
            _ => HostStage::Ready,
        }
    }

    /// What comes next; `None` while work is in flight.
    pub(super) fn next_if_idle(&self, tasks: &HostTasks) -> Option<NextStep> {
        self.work.is_none().then(|| self.next(tasks, self.at))
    }

    /// Whether it started and has not ended.
    pub(super) fn is_active(&self) -> bool {
        !matches!(self.stage, HostStage::Outside | HostStage::Ended)
    }

    /// The attempt in flight.
    pub(super) fn attempt(&self) -> Option<&AttemptRun> {
        match &self.work {
            Some(HostWork::Attempt(attempt)) => Some(attempt),
            _ => None,
        }
    }

    /// Takes up again what a resumed run can go on with: what a stop took away, and an attempt whose end is not known.
    /// Says how it had ended, where it had.
    pub(super) fn reopen(&mut self, tasks: &HostTasks) -> Option<HostStatus> {
        match self.fault.or(self.status) {
            Some(HostStatus::Unknown | HostStatus::Stopped) if self.in_doubt.is_some() => {
                let doubt = self.in_doubt.take()?;
                // One that was done again has a result from before.
                if doubt.at.back.is_none() {
                    self.results.pop();
                }
                self.fault = None;
                self.at = doubt.at;
                self.changes = doubt.before;
                self.work = Some(HostWork::Attempt(doubt.attempt));
                self.status.take()
            }
            // The stop took the rest of it away: its next attempt, its rescue, what is done in the end.
            _ if !matches!(self.next(tasks, self.at), NextStep::End(_)) => self.status.take(),
            _ => None,
        }
    }

    /// Whether anything was sent to it, or a person was asked: looks alone are no beginning.
    pub(super) fn was_begun(&self) -> bool {
        let was_sent = |attempt: &AttemptRun| !attempt.ops.is_empty() || attempt.asked;
        self.changes.any
            || self.failure.is_some()
            || self.at.failures > 0
            || self.in_doubt.as_ref().is_some_and(|doubt| was_sent(&doubt.attempt))
            || self.results.iter().any(|result| result.changed || result.failed || result.rc.is_some())
    }

    /// Something changed, or may have.
    pub(super) fn change(&mut self) {
        self.changes = Changes { any: true, stand: true, out: self.changes.out || self.slot };
    }

    /// An attempt changed something, or may have, and another one follows.
    pub(super) fn change_and_go_on(&mut self) {
        self.at.before.get_or_insert(self.changes);
        self.change();
    }

    /// An attempt changed something, or may have, and failed. What was taken back does not stand; taking it back may have
    /// failed in an earlier attempt, and a later one makes that good.
    pub(super) fn change_and_fail(&mut self, taken_back: TakenBack) {
        let before = *self.at.before.get_or_insert(self.changes);
        match taken_back {
            TakenBack::No => self.change(),
            TakenBack::NothingToTake => self.changes.any = true,
            TakenBack::All => self.changes = Changes { any: true, ..before },
        }
    }

    /// Ends with this attempt, with which a resumed run goes on.
    pub(super) fn put_off(&mut self, status: HostStatus, attempt: &AttemptRun) {
        self.fault = Some(status);
        self.in_doubt = Some(Doubt { at: self.at, attempt: attempt.clone(), before: self.changes });
    }

    /// Leaves the task at the cursor behind.
    pub(super) fn settle(&mut self, result: TaskResult) {
        match self.results.get_mut(usize::from(self.at.index)).filter(|_| self.at.back.is_some()) {
            Some(before) if result.ran => {
                *before = TaskResult { changed: before.changed || result.changed, ..result };
            }
            Some(_) => {}
            None => self.results.push(result),
        }
        self.at = self.following(self.at);
    }

    /// Before the next attempt at what follows the task at `at`.
    pub(super) fn following(&self, at: Cursor) -> Cursor {
        let Some(back) = at.back else {
            return Cursor { index: at.index + 1, ..Cursor::default() };
        };
        let next = self.held.iter().find(|held| held.index > at.index && held.index < back.index);
        next.map_or_else(|| back.cursor(), |held| Cursor { back: Some(back), ..held.cursor() })
    }

    /// The task at the cursor ended well: what it set, or looked at under a cordon, is done again where that is gone.
    pub(super) fn hold(&mut self, attempt: u32, set: Option<CordonSet>) {
        let index = self.at.index;
        self.held.retain(|held| held.index != index);
        self.held.push(Held { index, attempt, set });
        self.held.sort_by_key(|held| held.index);
    }

    /// Nothing keeps pods away any more, or nothing of this run.
    pub(super) fn release(&mut self) {
        self.held.clear();
        self.cordoned_again = 0;
    }

    /// The cordon that the task at the cursor relies on, where this run set one.
    pub(super) fn open_cordon(&self) -> Option<OpenCordon> {
        let set_by: Vec<_> = self.held.iter().filter_map(|held| Some((held.index, held.set?))).collect();
        let (first, _) = *set_by.first()?;
        let since = self.results.iter().skip(usize::from(first) + 1);
        Some(OpenCordon {
            again: CORDONS_AGAIN.saturating_sub(self.cordoned_again),
            acted: self.at.failures > 0 || since.into_iter().any(|result| result.changed),
            set_by,
        })
    }

    /// Goes back to what set the cordon; the task at the cursor goes on after that.
    pub(super) fn cordon_again(&mut self, attempt: u32) {
        let Cursor { index, failures, before, .. } = self.at;
        let Some(first) = self.held.iter().find(|held| held.set.is_some()) else { return };
        self.at = Cursor { back: Some(Back { index, attempt, failures, before }), ..first.cursor() };
        self.cordoned_again += 1;
    }
}

impl Held {
    /// Before the next attempt at it.
    fn cursor(self) -> Cursor {
        Cursor { index: self.index, attempt: self.attempt, ..Cursor::default() }
    }
}

/// The bracket that holds the task `index`, with its number.
fn bracket_around(tasks: &HostTasks, index: u16) -> Option<(u16, &Bracket)> {
    (0..).zip(&tasks.brackets).find(|(_, bracket)| (bracket.first..=bracket.last).contains(&index))
}

/// Whether a task of the bracket that is not excluded satisfies `test`.
fn any_task(tasks: &HostTasks, bracket: &Bracket, test: impl Fn(Effect) -> bool) -> bool {
    let inside = usize::from(bracket.first)..=usize::from(bracket.last);
    let inside = tasks.tasks.get(inside).unwrap_or_default();
    inside.iter().any(|task| !task.forecast.is_left_out() && test(task.effect))
}

fn runs(tasks: &HostTasks, bracket: &Bracket) -> bool {
    any_task(tasks, bracket, |_| true)
}

fn disrupts(tasks: &HostTasks, bracket: &Bracket) -> bool {
    any_task(tasks, bracket, |effect| effect == Effect::Disrupts)
}
