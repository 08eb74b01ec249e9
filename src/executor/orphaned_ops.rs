//! Ops that a run sent and never heard of again: before anybody puts back what the run did, they must have ended. They
//! are only followed here; what they did is for probes to say.

use std::rc::Rc;

use super::Pool;
use super::op_site::OpSite;
use super::ops::launch_id;
use crate::engine::{SentOp, State};
use crate::plan::{HostId, Plan};
use crate::transport::{LaunchId, OutputSink, SessionError, Stream};
use crate::value::Duration;

/// How long a host is tried that cannot be reached.
const REACH_WITHIN: Duration = Duration::from_secs(20);

/// How often a link may be lost before that is the answer.
const TRIES: u32 = 20;

/// An op without a known end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    sending: SentOp,
    site: OpSite,
    id: LaunchId,
}

impl Leftover {
    /// Every op of a run that was sent and whose end is not in the journal.
    pub(super) fn of(plan: &Plan, run: &str, state: &State) -> Vec<Self> {
        let leftover = |(sending, on)| Self {
            sending,
            site: OpSite::of(plan, sending, on),
            id: launch_id(run, sending),
        };
        state.unheard().map(leftover).collect()
    }

    /// The host that it was sent for.
    pub(super) fn host(&self) -> HostId {
        self.sending.task.host
    }

    /// The step, for people.
    pub(super) fn title(&self, plan: &Plan) -> String {
        plan.spelled(plan.title(self.sending.task), self.host())
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
    let pool = match orphan.site.host {
        Some(_) => pool,
        None if here => controller,
        None => return Err("it ran on the machine that the run was started from".to_owned()),
    };
    let name = orphan.site.name(plan);
    for _ in 0..TRIES {
        let session = pool.reconnect(&name, REACH_WITHIN).await.map_err(|error| error.to_string())?;
        match session.attach(&orphan.id, orphan.site.r#become, &mut Unheard).await {
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
