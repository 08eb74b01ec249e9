//! Ops that a run sent and never heard of again: before anybody puts back what the run did, they must have ended. They
//! are only followed here; what they did is for probes to say.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::ops::{Sent, launch_id};
use super::{Pool, look};
use crate::engine::{Event, Stamped};
use crate::inventory::HostName;
use crate::op::{Op, Site};
use crate::plan::{HostId, Plan, StepRef, TaskId};
use crate::transport::{LaunchId, OutputSink, SessionError, Stream};
use crate::value::Duration;

/// How long a host is tried that cannot be reached.
const REACH_WITHIN: Duration = Duration::from_secs(20);

/// How often a link may be lost before that is the answer.
const TRIES: u32 = 20;

/// An op without a known end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    /// The host that it was sent for.
    pub(super) host: HostId,
    task: TaskId,
    on: Option<HostId>,
    site: Site,
    r#become: bool,
    id: LaunchId,
}

impl Leftover {
    /// Every op of a run that was sent and whose end is not in the journal.
    pub(super) fn of(plan: &Plan, run: &str, events: &[Stamped]) -> Vec<Self> {
        let mut open: BTreeMap<(TaskId, Sent), Option<HostId>> = BTreeMap::new();
        for stamped in events {
            match stamped.event {
                Event::OpStarted { task, attempt, pass, op, on, .. } => {
                    open.insert((task, (attempt, pass, op)), on);
                }
                Event::OpEnded { task, attempt, pass, op, .. }
                | Event::OpNotStarted { task, attempt, pass, op } => {
                    open.remove(&(task, (attempt, pass, op)));
                }
                _ => {}
            }
        }
        let leftovers = open.into_iter().map(|((task, sent), on)| Self::from(plan, run, task, sent, on));
        leftovers.collect()
    }

    fn from(plan: &Plan, run: &str, task: TaskId, sent: Sent, on: Option<HostId>) -> Self {
        let (site, r#become) = match plan.task(task).step {
            StepRef::Action(action) => {
                let op: Option<&Op> = plan.action(action).lowered.ops.get(usize::from(sent.2));
                op.map_or((Site::Subject, true), |op| (op.site, op.r#become))
            }
            StepRef::Deferred(step) => {
                let step = &plan.deferred[step.0 as usize];
                let kube = if on.is_some() { Site::Kube } else { Site::Subject };
                (step.run_on.unwrap_or(kube), step.r#become)
            }
        };
        Self { host: task.host, task, on, site, r#become, id: launch_id(run, task, sent) }
    }

    /// The step, for people.
    pub(super) fn title(&self, plan: &Plan) -> String {
        plan.spelled(plan.title(self.task), self.task.host)
    }

    /// Where it was sent; `None` where that was the machine that ran Rollbook.
    fn place(&self, plan: &Plan) -> Option<HostName> {
        let host = match self.site {
            Site::Subject => Some(self.host),
            Site::Kube => self.on,
            Site::Controller => None,
        };
        host.map(|host| plan.host(host).name.clone())
    }
}

/// Follows an op to its end; an error says why that cannot be done. `here` is whether this is the machine that the run
/// was controlled from.
pub(super) async fn await_orphan(
    plan: &Plan,
    orphan: &Leftover,
    here: bool,
    pool: &Rc<Pool>,
    controller: &Rc<Pool>,
) -> Result<(), String> {
    let (pool, name) = match orphan.place(plan) {
        Some(name) => (pool, name),
        None if here => (controller, look::controller_name()),
        None => return Err("it ran on the machine that the run was started from".to_owned()),
    };
    for _ in 0..TRIES {
        let session = pool.reconnect(&name, REACH_WITHIN).await.map_err(|error| error.to_string())?;
        match session.attach(&orphan.id, orphan.r#become, &mut Unheard).await {
            Ok(_) => return Ok(()),
            Err(SessionError::Lost(_)) => pool.forget(&name, &session).await,
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Err(format!("{name}: the connection is lost again and again"))
}

struct Unheard;

impl OutputSink for Unheard {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}
