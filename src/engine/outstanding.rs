//! What a run did, or may have done, and did not take back. A fold of its events, as the summary is; for whoever takes
//! it back in the run's stead, and for the budget of the run itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::op::{Exit, Op, Temporary};
use crate::plan::{HostId, Plan, TaskId};
use crate::step::{Assessment, BracketKey, Patched, patched};

use super::membership::nodes_deleted;
use super::{Event, Stamped, TaskEnd};

/// A change that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The host that it was made for.
    pub host: HostId,
    /// What.
    pub change: OutstandingChange,
}

/// A change that a run makes to take it back later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutstandingChange {
    /// The host's node is cordoned.
    Cordon,
    /// A package is off hold.
    Unhold(String),
    /// Anything else, with the command that takes it back.
    Other(String),
}

/// Changes that stand, each once, in the plan's order of hosts. One whose end nobody knows is among them: who takes it
/// back has to look first. Deferred steps are lowered in the run, and are not known here.
pub fn standing(plan: &Plan, events: &[Stamped]) -> Vec<Outstanding> {
    let mut fold = Outstandings::default();
    for event in events {
        fold.take(plan, &event.event);
    }
    let changes: BTreeSet<_> =
        fold.made.into_iter().map(|made| (made.sending.task.host, made.change)).collect();
    changes.into_iter().map(|(host, change)| Outstanding { host, change }).collect()
}

/// One sending of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SentOp {
    task: TaskId,
    attempt: u32,
    pass: u32,
    op: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    sending: SentOp,
    change: OutstandingChange,
    /// Brackets that its task opened: it stands until they are closed. Without any, until the task is done.
    opens: Vec<BracketKey>,
}

/// What a run did so far, or may have done, and did not take back: the one answer to that. The budget counts by it, the
/// last lines name the hosts, and `rollbook runs undo` takes it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outstandings {
    made: Vec<Made>,
    /// Packages that the last probe of a task saw without a hold.
    off_hold: BTreeMap<TaskId, Vec<String>>,
}

impl Outstandings {
    /// Hosts whose node this run cordoned, or may have, each with the task that did.
    pub(super) fn cordons(&self) -> impl Iterator<Item = (HostId, TaskId)> {
        let cordons = self.made.iter().filter(|made| made.change == OutstandingChange::Cordon);
        cordons.map(|made| (made.sending.task.host, made.sending.task))
    }

    pub(super) fn take(&mut self, plan: &Plan, event: &Event) {
        match *event {
            Event::TaskProbed { task, assessment: Assessment::WouldChange { ref changes, .. }, .. } => {
                let off_hold = changes.iter().filter(|change| !change.before.ends_with(", held"));
                let off_hold: Vec<String> = off_hold.map(|change| change.what.clone()).collect();
                // Only who takes a hold off is asked about it.
                if !off_hold.is_empty() && is_about_holds(plan, task) {
                    self.off_hold.insert(task, off_hold);
                } else {
                    self.off_hold.remove(&task);
                }
            }
            Event::OpStarted { task, attempt, pass, op, .. } => {
                self.started(plan, SentOp { task, attempt, pass, op });
            }
            Event::OpNotStarted { task, attempt, pass, op } => {
                self.made.retain(|made| made.sending != SentOp { task, attempt, pass, op });
            }
            Event::OpEnded { task, attempt, pass, op, exit, ref last_line, .. } => {
                self.ended(plan, SentOp { task, attempt, pass, op }, exit, last_line);
            }
            Event::TaskEnded { task, end: TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }, .. } => {
                self.done(plan, task);
            }
            _ => {}
        }
    }

    fn started(&mut self, plan: &Plan, sending: SentOp) {
        let Some(lowered) = plan.lowered(sending.task) else { return };
        let Some(op) = lowered.ops.get(usize::from(sending.op)) else { return };
        for change in &op.makes {
            let change = outstanding(op, change);
            if !self.was_off_hold(sending.task, &change) {
                self.made.push(Made { sending, change, opens: lowered.opens.clone() });
            }
        }
    }

    /// Whether the package of an `Unhold` was seen without a hold before: there is none to put back.
    fn was_off_hold(&self, task: TaskId, change: &OutstandingChange) -> bool {
        let OutstandingChange::Unhold(package) = change else { return false };
        self.off_hold.get(&task).is_some_and(|seen| seen.contains(package))
    }

    /// Any end but an exit code may have come after the change: a time limit, a signal, a power cut. So may a failed apt,
    /// which is why its hold is put back only by a hold, and a patch whose answer was lost: whose a cordon is stands on
    /// its node.
    fn ended(&mut self, plan: &Plan, sending: SentOp, exit: Exit, last_line: &str) {
        let Some(lowered) = plan.lowered(sending.task) else { return };
        let Some(op) = lowered.ops.get(usize::from(sending.op)) else { return };
        let came = patched(exit, last_line);
        if lowered.sets_cordon(sending.op) {
            // The cordon of another hand, unless a sending before it was this run's.
            if matches!(came, Patched::Refused | Patched::NotMeant) {
                self.made.retain(|made| made.sending != sending);
            }
            return;
        }
        if op.restores.contains(&Temporary::Cordon) && matches!(came, Patched::Applied | Patched::NotMeant) {
            self.made.retain(|made| made.sending.task != sending.task);
        }
        match exit {
            Exit::Code(0) => self.succeeded(plan, sending.task.host, op),
            Exit::Code(_) if !op.undo.is_empty() => self.made.retain(|made| made.sending != sending),
            _ => {}
        }
    }

    fn succeeded(&mut self, plan: &Plan, host: HostId, op: &Op) {
        let deleted = nodes_deleted(plan, host, op);
        self.made.retain(|made| match &made.change {
            OutstandingChange::Cordon => !deleted.contains(&made.sending.task.host),
            OutstandingChange::Unhold(package) => {
                made.sending.task.host != host || !op.restores.contains(&Temporary::Unhold(package.clone()))
            }
            OutstandingChange::Other(_) => true,
        });
    }

    /// A task that ended well closes brackets of its host, and has taken back whatever it did only for itself.
    fn done(&mut self, plan: &Plan, task: TaskId) {
        let stands = |made: &Made| made.sending.task.host == task.host;
        if !self.made.iter().any(stands) {
            return;
        }
        let Some(lowered) = plan.lowered(task) else { return };
        let closed = &lowered.closes;
        self.made.retain(|made| {
            let is_done = made.sending.task == task && made.opens.is_empty();
            let is_closed = stands(made) && made.opens.iter().any(|key| closed.contains(key));
            !is_done && !is_closed
        });
    }
}

fn is_about_holds(plan: &Plan, task: TaskId) -> bool {
    plan.lowered(task).is_some_and(|lowered| {
        lowered.opens.iter().chain(&lowered.closes).any(|key| matches!(key, BracketKey::Hold(_)))
    })
}

/// A change that an op makes, as what a run may leave behind.
fn outstanding(op: &Op, change: &Temporary) -> OutstandingChange {
    match change {
        Temporary::Cordon => OutstandingChange::Cordon,
        Temporary::Unhold(package) => OutstandingChange::Unhold(package.clone()),
        Temporary::Undo => OutstandingChange::Other(op.undo.clone()),
    }
}
