//! What a run did to hosts, or may have done, and did not take back: the one fold of its events that says so. The budget
//! counts by it, the last lines name its commands, `runs undo` takes it back, and drift is told from the run's own work.

use std::collections::BTreeMap;

use crate::op::{Effect, Exit, Op, Temporary};
use crate::plan::{HostId, Plan, TaskId};
use crate::step::{Assessment, BracketKey, Patched, patched};

use super::membership::nodes_deleted;
use super::{Event, Stamped, TaskEnd};

/// A change that stands, or may: who takes it back has to look first where that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The sending of the op that made it.
    pub sending: SentOp,
    /// What.
    pub change: OutstandingChange,
    /// The command that takes it back, as the plan has it; empty where the step names none.
    pub undo: String,
    /// The end of its op has not said that it is this run's: it may be the cordon of another hand.
    pub in_doubt: bool,
    /// Brackets that its task opened: it stands until they are closed. Without any, until the task is done.
    opens: Vec<BracketKey>,
}

impl Outstanding {
    /// The host that it was made for.
    pub fn host(&self) -> HostId {
        self.sending.task.host
    }
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

/// One sending of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentOp {
    /// The task.
    pub task: TaskId,
    /// The attempt at it.
    pub attempt: u32,
    /// The go of the attempt.
    pub pass: u32,
    /// Index into the lowered step's ops.
    pub op: u16,
}

/// Every op that events send, with the host where its kubectl runs, where that is a host of the plan.
pub fn sent_ops(events: &[Stamped]) -> impl Iterator<Item = (SentOp, Option<HostId>)> {
    events.iter().filter_map(|stamped| match stamped.event {
        Event::OpStarted { task, attempt, pass, op, on, .. } => {
            Some((SentOp { task, attempt, pass, op }, on))
        }
        _ => None,
    })
}

/// How many ops that change something were sent for a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Acts {
    all: u32,
    /// Of steps other than those that open brackets or uncordon: taking brackets back does not take back what they did.
    lasting: u32,
}

/// What a run did so far, or may have done, and did not take back. Of steps that are lowered in the run only what their
/// kind says is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outstandings {
    made: Vec<Outstanding>,
    /// Packages that the last probe of a task saw without a hold.
    off_hold: BTreeMap<TaskId, Vec<String>>,
    /// Ops that were sent and of whose end nothing is known, with the host where their kubectl runs.
    unheard: BTreeMap<SentOp, Option<HostId>>,
    /// Ops that change something and were sent for a host and began, or may have.
    acts: BTreeMap<HostId, Acts>,
}

impl Outstandings {
    /// Changes that stand, or may, in the order in which they were made.
    pub(super) fn made(&self) -> &[Outstanding] {
        &self.made
    }

    /// Ops whose end is not known, with the host where their kubectl runs.
    pub(super) fn unheard(&self) -> impl Iterator<Item = (SentOp, Option<HostId>)> {
        self.unheard.iter().map(|(sending, on)| (*sending, *on))
    }

    /// Whether an op that changes something was sent for a host and began, or may have.
    pub(super) fn has_acted_on(&self, host: HostId) -> bool {
        self.acts.get(&host).is_some_and(|acts| acts.all > 0)
    }

    /// Whether it did what stays when its cordons and holds are taken back.
    pub(super) fn has_lasting_acts(&self, host: HostId) -> bool {
        self.acts.get(&host).is_some_and(|acts| acts.lasting > 0)
    }

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
            Event::OpStarted { task, attempt, pass, op, on, .. } => {
                let sending = SentOp { task, attempt, pass, op };
                self.unheard.insert(sending, on);
                self.count(plan, task, 1);
                self.started(plan, sending);
            }
            Event::OpNotStarted { task, attempt, pass, op } => {
                self.never_began(plan, SentOp { task, attempt, pass, op });
            }
            Event::OpEnded { task, attempt, pass, op, exit, ref last_line, .. } => {
                let sending = SentOp { task, attempt, pass, op };
                self.unheard.remove(&sending);
                self.ended(plan, sending, exit, last_line);
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
                self.made.push(Outstanding {
                    sending,
                    in_doubt: change == OutstandingChange::Cordon,
                    change,
                    undo: op.undo.clone(),
                    opens: lowered.opens.clone(),
                });
            }
        }
    }

    /// It was about to be sent: its host is as it was before.
    fn never_began(&mut self, plan: &Plan, sending: SentOp) {
        self.unheard.remove(&sending);
        self.made.retain(|made| made.sending != sending);
        self.count(plan, sending.task, -1);
    }

    /// One op more or less was sent for a task that may change something.
    fn count(&mut self, plan: &Plan, task: TaskId, by: i32) {
        if plan.task(task).effect == Effect::Reads {
            return;
        }
        // Who closes a hold may have moved its package.
        let is_lasting = plan
            .lowered(task)
            .is_none_or(|lowered| lowered.opens.is_empty() && !lowered.closes.contains(&BracketKey::Cordon));
        let acts = self.acts.entry(task.host).or_default();
        acts.all = acts.all.saturating_add_signed(by);
        acts.lasting = acts.lasting.saturating_add_signed(if is_lasting { by } else { 0 });
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
            match came {
                // The cordon of another hand, unless a sending before it was this run's.
                Patched::Refused | Patched::NotMeant => self.made.retain(|made| made.sending != sending),
                Patched::Applied => {
                    let sent = self.made.iter_mut().filter(|made| made.sending == sending);
                    sent.for_each(|made| made.in_doubt = false);
                }
                Patched::InDoubt => {}
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
        let stands = |made: &Outstanding| made.sending.task.host == task.host;
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
