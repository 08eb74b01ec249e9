//! A dry run: the plan of a runbook, with what its hosts say, and with what a run of it would find in its way.

use camino::Utf8PathBuf;

use super::connections::{Connections, runtime, targets};
use super::load::{load, refuse_commands};
use super::stage::{IfMissing, has_rights, live, offline};
use super::{AppError, RunbookInput, Tell, lock};
use crate::plan::Plan;
use crate::plan::show::Saved;

/// A plan to be made.
#[derive(Clone, Debug)]
pub(crate) struct PlanRequest {
    pub(crate) runbook: Utf8PathBuf,
    pub(crate) input: RunbookInput,
    /// No host is contacted.
    pub(crate) offline: bool,
}

/// A plan of a runbook.
pub(crate) fn planned(args: &PlanRequest, tell: &dyn Tell) -> Result<Saved, AppError> {
    let loaded = load(&args.runbook, &args.input, tell)?;
    refuse_commands(&loaded, &args.input, tell)?;
    let plan: Plan = if args.offline {
        offline(&loaded, &args.input, tell)?
    } else {
        let runtime = runtime()?;
        runtime.block_on(async {
            let connections = Connections::real(targets(&loaded.inventory))?;
            let plan = live(&loaded, &args.input, IfMissing::Warn, &connections, tell).await;
            // A run acquires the lock before anything else, and names then what it lacks.
            if let Ok(made) = &plan
                && made.policy.lock_cluster
            {
                let needed = lock::needed_rights(made, &connections).await;
                has_rights(made, &needed, IfMissing::Warn, &connections, tell).await?;
            }
            if let Ok(plan) = &plan
                && let Some((what, hint)) = lock::note(plan, &connections).await
            {
                tell.say(&format!("note: {what}"));
                tell.hint(&hint);
            }
            connections.close().await;
            plan
        })?
    };
    Ok(Saved::of(plan))
}
