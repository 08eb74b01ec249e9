//! Finds out what can be put back of a run that will not go on: what its journal says, less what no longer stands and
//! what nobody can look at. Changes nothing; the plan that comes of it is rolled like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::orphaned_ops::{Leftover, await_orphan};
use super::{Pool, Redactor, forecast_plan};
use crate::engine::{History, OutstandingChange};
use crate::inventory::HostName;
use crate::plan::undo::{PutBack, undo_plan};
use crate::plan::{HostId, Plan, forecast};
use crate::step::LowerError;

/// What is put back, and what is not.
#[derive(Debug, Default)]
pub struct Undoing {
    /// The plan that does it; `None` where there is nothing to do.
    pub plan: Option<Plan>,
    /// What is left as it was, by host: why, or what a person may have to type.
    pub kept: BTreeMap<HostId, Vec<String>>,
    /// Some of it may still be put back: nobody could look at it now.
    pub is_unsure: bool,
}

/// Looks at the hosts of a run. `here` is whether this is the machine that it was controlled from; `tell` hears what is
/// waited for.
pub async fn undoing(
    of: &Plan,
    history: &History,
    here: bool,
    (pool, controller): (&Rc<Pool>, &Rc<Pool>),
    tell: &mut dyn FnMut(&str),
) -> Result<Undoing, LowerError> {
    let Some(run) = history.run() else { return Ok(Undoing::default()) };
    for host in of.hosts.iter().filter(|host| !host.machine_id.is_empty()) {
        pool.expect_machine(&host.name, &host.machine_id);
    }
    let mut work = UndoWork::of(history);
    // An op that still runs would go on under a node that takes pods again, or into the run that comes next.
    for orphan in Leftover::of(of, run, &history.state) {
        let host = orphan.host();
        let (name, title) = (&of.host(host).name, orphan.title(of));
        tell(&format!("{name}  waits for the end of `{title}`, if it still runs"));
        if let Err(why) = await_orphan(of, &orphan, here, pool, controller).await {
            work.keep(host, format!("nobody can tell whether `{title}` still runs: {why}"));
        }
    }
    while !work.wanted.is_empty() {
        let (plan, failed) = forecast_plan(
            undo_plan(of, run, &work.wanted)?,
            pool,
            controller,
            Redactor::default(),
            &mut |_, _| {},
        )
        .await;
        let refused: Vec<(HostName, String)> = forecast::refusals(&plan)
            .into_iter()
            .map(|(task, reason, _)| (plan.host(task.host).name.clone(), reason.to_owned()))
            .collect();
        if failed.is_empty() && refused.is_empty() {
            let plan = Some(plan).filter(forecast::has_changes);
            return Ok(Undoing { plan, kept: work.kept, is_unsure: work.is_unsure });
        }
        for (id, host) in (0..).map(HostId).zip(&of.hosts) {
            let failure = failed.get(&host.name).map(|failure| failure.message.clone());
            let refusal = || refused.iter().find(|(name, _)| *name == host.name).map(|(_, why)| why.clone());
            if let Some(why) = failure.or_else(refusal) {
                work.keep(id, why);
            }
        }
    }
    Ok(Undoing { plan: None, kept: work.kept, is_unsure: work.is_unsure })
}

struct UndoWork {
    wanted: BTreeMap<HostId, PutBack>,
    kept: BTreeMap<HostId, Vec<String>>,
    is_unsure: bool,
}

impl UndoWork {
    /// What the journal says that the run left.
    fn of(history: &History) -> Self {
        let mut work = Self { wanted: BTreeMap::new(), kept: BTreeMap::new(), is_unsure: false };
        // Each once, whatever was sent for it again.
        let changes: BTreeSet<_> =
            history.state.outstanding().iter().map(|made| (made.host(), &made.change)).collect();
        for (host, change) in changes {
            match change {
                OutstandingChange::Cordon => work.wanted.entry(host).or_default().uncordon = true,
                OutstandingChange::Unhold(package) => {
                    work.wanted.entry(host).or_default().hold.push(package.clone());
                }
                OutstandingChange::Other(command) => {
                    work.kept.entry(host).or_default().push(format!("it may need: {command}"));
                }
            }
        }
        work
    }

    /// Leaves a host as it is.
    fn keep(&mut self, host: HostId, why: String) {
        self.is_unsure = true;
        self.wanted.remove(&host);
        self.kept.entry(host).or_default().push(why);
    }
}
