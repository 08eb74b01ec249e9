//! What a run did, or may have done, and did not take back. A fold of its events, as the summary is; for whoever takes
//! it back in the run's stead.

use std::collections::{BTreeMap, BTreeSet};

use crate::op::{Deed, Effect, Exit, Op};
use crate::plan::{HostId, Plan, StepRef, TaskId};
use crate::step::{Assessment, BracketKey, Change, Lowered, Patched, patched};

use super::{Event, Stamped, TaskEnd};

/// A change that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The host that it was made for.
    pub host: HostId,
    /// What.
    pub change: StandingChange,
}

/// A change that a run makes to take it back later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandingChange {
    /// The host's node is cordoned.
    Cordon,
    /// A package is off hold.
    Unhold(String),
    /// Anything else, with the command that takes it back.
    Other(String),
}

/// Changes that stand, each once, in the plan's order of hosts. One whose end nobody knows is among them: who takes it
/// back has to look first. Deferred steps are lowered in the run, and are not known here.
pub fn standing(plan: &Plan, events: &[Stamped]) -> Vec<Standing> {
    let mut fold = Fold { plan, made: Vec::new(), seen: BTreeMap::new() };
    for event in events {
        fold.take(&event.event);
    }
    let changes: BTreeSet<_> =
        fold.made.into_iter().map(|made| (made.sending.task.host, made.change)).collect();
    changes.into_iter().map(|(host, change)| Standing { host, change }).collect()
}

/// One sending of an op.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sending {
    task: TaskId,
    attempt: u32,
    go: u32,
    op: u16,
}

struct Made<'p> {
    sending: Sending,
    change: StandingChange,
    /// Brackets that its task opened: it stands until they are closed. Without any, until the task is done.
    opens: &'p [BracketKey],
}

struct Fold<'p> {
    plan: &'p Plan,
    made: Vec<Made<'p>>,
    /// What the last probe of a task saw.
    seen: BTreeMap<TaskId, Vec<Change>>,
}

impl<'p> Fold<'p> {
    fn take(&mut self, event: &Event) {
        match *event {
            Event::TaskProbed { task, assessment: Assessment::WouldChange { ref changes, .. }, .. } => {
                self.seen.insert(task, changes.clone());
            }
            Event::OpStarted { task, attempt, go, op, .. } => self.started(Sending { task, attempt, go, op }),
            Event::OpNotStarted { task, attempt, go, op } => {
                self.made.retain(|made| made.sending != Sending { task, attempt, go, op });
            }
            Event::OpEnded { task, attempt, go, op, exit, ref last_line, .. } => {
                self.ended(Sending { task, attempt, go, op }, exit, last_line);
            }
            Event::TaskEnded { task, end: TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }, .. } => {
                self.done(task);
            }
            _ => {}
        }
    }

    fn started(&mut self, sending: Sending) {
        let Some((lowered, op)) = self.op(sending) else { return };
        let mut changes = changes_of(lowered, op, lowered.sets_cordon(sending.op));
        if marked(op).is_none() {
            changes.retain(|change| !self.was_off_hold(sending.task, change));
        }
        let opens = &lowered.opens;
        self.made.extend(changes.into_iter().map(|change| Made { sending, change, opens }));
    }

    /// Whether the package of an `Unhold` was seen without a hold before: there is none to put back.
    fn was_off_hold(&self, task: TaskId, change: &StandingChange) -> bool {
        let StandingChange::Unhold(package) = change else { return false };
        let seen = self.seen.get(&task).into_iter().flatten();
        seen.into_iter().any(|seen| seen.what == *package && !seen.before.ends_with(", held"))
    }

    /// Any end but an exit code may have come after the change: a time limit, a signal, a power cut. So may a failed apt,
    /// which is why its hold is put back only by a hold, and a patch whose answer was lost: whose a cordon is stands on
    /// its node.
    fn ended(&mut self, sending: Sending, exit: Exit, last_line: &str) {
        let Some((lowered, op)) = self.op(sending) else { return };
        if lowered.sets_cordon(sending.op) {
            if patched(exit, last_line) == Patched::Refused {
                self.made.retain(|made| made.sending != sending);
            }
            return;
        }
        match (marked(op), exit) {
            (Some(("hold", packages)), Exit::Code(0)) => self.made.retain(|made| {
                let is_held = |package: &String| packages.contains(package);
                let same_host = made.sending.task.host == sending.task.host;
                !(same_host && matches!(&made.change, StandingChange::Unhold(package) if is_held(package)))
            }),
            (_, Exit::Code(code)) if code != 0 && !op.undo.is_empty() => {
                self.made.retain(|made| made.sending != sending);
            }
            _ => {}
        }
    }

    /// A task that ended well closes brackets of its host, and has taken back whatever it did only for itself.
    fn done(&mut self, task: TaskId) {
        let StepRef::Action(action) = self.plan.task(task).step else { return };
        let closed = &self.plan.action(action).lowered.closes;
        self.made.retain(|made| {
            let is_done = made.sending.task == task && made.opens.is_empty();
            let same_host = made.sending.task.host == task.host;
            let is_closed = same_host && made.opens.iter().any(|key| closed.contains(key));
            !is_done && !is_closed
        });
    }

    fn op(&self, sending: Sending) -> Option<(&'p Lowered, &'p Op)> {
        let StepRef::Action(action) = self.plan.task(sending.task).step else { return None };
        let lowered = &self.plan.action(action).lowered;
        Some((lowered, lowered.ops.get(usize::from(sending.op))?))
    }
}

/// What sending an op changes for a while.
fn changes_of(lowered: &Lowered, op: &Op, sets_cordon: bool) -> Vec<StandingChange> {
    let unhold = |package: &String| StandingChange::Unhold(package.clone());
    match marked(op) {
        // A hold is what a runbook is after, and stays.
        Some(("hold", _)) => Vec::new(),
        Some((_, packages)) => packages.iter().map(unhold).collect(),
        None if sets_cordon => vec![StandingChange::Cordon],
        // What follows it, such as a drain, names the same way back.
        None if lowered.opens.contains(&BracketKey::Cordon) => Vec::new(),
        None if !op.undo.is_empty() => vec![StandingChange::Other(op.undo.clone())],
        // Whoever moves a held package takes its hold off, and puts it back as the last thing.
        None if op.effect > Effect::Reads => {
            let held = lowered.closes.iter().filter_map(|key| match key {
                BracketKey::Hold(package) => Some(unhold(package)),
                BracketKey::Cordon => None,
            });
            held.collect()
        }
        None => Vec::new(),
    }
}

/// The verb and the packages of an `apt-mark`.
fn marked(op: &Op) -> Option<(&str, &[String])> {
    let Deed::Exec { argv } = &op.deed else { return None };
    match argv.as_slice() {
        [program, verb, dashes, packages @ ..] if program == "apt-mark" && dashes == "--" => {
            Some((verb.as_str(), packages))
        }
        _ => None,
    }
}
