//! What a run did to hosts, or may have done, and did not take back, with the commands that do. A fold of the events.

use std::collections::BTreeMap;

use crate::engine::{Event, TaskEnd};
use crate::op::{Exit, RUN_ID_WORDS, RunWhen};
use crate::plan::{HostId, Plan, TaskId};
use crate::step::{BracketKey, Patched, patched};

/// Ways back, by host.
#[derive(Default)]
pub(super) struct WaysBack {
    all: BTreeMap<HostId, Vec<WayBack>>,
}

/// One sending of one op: its task, attempt, go and index.
type SendId = (TaskId, u32, u32, u16);

/// Something that was done, or may have been, and can be taken back.
struct WayBack {
    sending: SendId,
    /// Brackets that its task opened: it stands until they are closed. Without any, it stands until the task is done.
    opens: Vec<BracketKey>,
    command: String,
    /// It may be the cordon of another hand: the node has to be looked at first.
    in_doubt: bool,
}

impl WaysBack {
    pub(super) fn take(&mut self, plan: &Plan, event: &Event) {
        match event {
            Event::OpStarted { task, attempt, pass, op, .. } => {
                self.started(plan, (*task, *attempt, *pass, *op));
            }
            Event::OpNotStarted { task, attempt, pass, op } => self.forget((*task, *attempt, *pass, *op)),
            Event::OpEnded { task, attempt, pass, op, exit, last_line, .. } => {
                self.ended(plan, (*task, *attempt, *pass, *op), *exit, last_line);
            }
            Event::TaskEnded { task, end: TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }, .. } => {
                self.done(plan, *task);
            }
            _ => {}
        }
    }

    /// The commands for a host, the last thing done first.
    pub(super) fn commands(&mut self, plan: &Plan, host: HostId, run: &str) -> Vec<String> {
        let ways = self.all.remove(&host).unwrap_or_default();
        let is_known = |way: &WayBack| !way.in_doubt && way.opens.contains(&BracketKey::Cordon);
        let is_cordoned = ways.iter().any(is_known);
        let command = |way: WayBack| match way.in_doubt {
            false => Some(way.command.replace(RUN_ID_WORDS, run)),
            true if is_cordoned => None,
            true => Some(format!(
                "rollbook runs undo {run}  # whether the run cordoned {} is not known: this looks first",
                node_of(plan, host)
            )),
        };
        let mut commands: Vec<String> = ways.into_iter().rev().filter_map(command).collect();
        commands.dedup();
        commands
    }

    fn started(&mut self, plan: &Plan, sending: SendId) {
        let Some(lowered) = plan.lowered(sending.0) else { return };
        let Some(op) = lowered.ops.get(usize::from(sending.3)) else { return };
        let sets_cordon = lowered.sets_cordon(sending.3);
        // What follows a cordon, such as a drain, names the same way back, and works under the cordon of another hand, too.
        let follows = lowered.opens.contains(&BracketKey::Cordon) && !sets_cordon;
        if op.undo.is_empty() || follows {
            return;
        }
        let host = sending.0.host;
        let way = WayBack {
            sending,
            opens: lowered.opens.clone(),
            command: plan.spelled(&op.undo, host),
            in_doubt: sets_cordon,
        };
        self.all.entry(host).or_default().push(way);
    }

    fn ended(&mut self, plan: &Plan, sending: SendId, exit: Exit, last_line: &str) {
        let Some(lowered) = plan.lowered(sending.0) else { return };
        let Some(op) = lowered.ops.get(usize::from(sending.3)) else { return };
        let came = patched(exit, last_line);
        let restores = op.when == RunWhen::OnFailure && !lowered.opens.is_empty();
        if restores && matches!(came, Patched::Applied | Patched::NotMeant) {
            // The step has taken back itself what it had opened.
            self.of(sending.0.host).retain(|way| way.sending.0 != sending.0);
        }
        match (lowered.sets_cordon(sending.3), came, exit) {
            (true, Patched::Applied, _) => {
                let ways = self.of(sending.0.host).iter_mut();
                ways.filter(|way| way.sending == sending).for_each(|way| way.in_doubt = false);
            }
            (true, Patched::NotMeant | Patched::Refused, _) => self.forget(sending),
            (false, _, Exit::Code(code)) if code != 0 => self.forget(sending),
            _ => {}
        }
    }

    /// A closing step that ended well takes back what its bracket's opening did.
    fn done(&mut self, plan: &Plan, task: TaskId) {
        if self.of(task.host).is_empty() {
            return;
        }
        let Some(lowered) = plan.lowered(task) else { return };
        let closed = &lowered.closes;
        let is_done = |way: &WayBack| way.sending.0 == task && way.opens.is_empty();
        self.of(task.host).retain(|way| !is_done(way) && !way.opens.iter().any(|key| closed.contains(key)));
    }

    fn forget(&mut self, sending: SendId) {
        self.of(sending.0.host).retain(|way| way.sending != sending);
    }

    fn of(&mut self, host: HostId) -> &mut Vec<WayBack> {
        self.all.entry(host).or_default()
    }
}

fn node_of(plan: &Plan, host: HostId) -> &str {
    plan.host(host).subject.node.as_deref().unwrap_or_default()
}
