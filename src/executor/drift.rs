//! Looks whether hosts are still what the plan saw: all of them before a saved plan rolls, and each before its first
//! change.

use super::control::Shared;
use super::look::look;
use crate::engine::{Cause, Failure};
use crate::plan::forecast::assess;
use crate::plan::{HostId, drift};

/// Asks a host again everything that the plan assumes of it. Only for a host that this run has not changed: after
/// that, what differs is the run's own work.
pub(super) async fn check_host(shared: &Shared, host: HostId) -> Result<(), Failure> {
    let assumed = drift::assumed(&shared.plan, host);
    if assumed.is_empty() {
        return Ok(());
    }
    let probes: Vec<_> = assumed.iter().map(|(_, probe)| *probe).collect();
    let answers = look(shared, host, &probes).await?;
    for ((task, _), answers) in assumed.iter().zip(answers) {
        let now = assess(&shared.plan, *task, &answers);
        if let Some(drift) = drift::drift(&shared.plan, *task, &now) {
            return Err(drifted(&drift));
        }
    }
    Ok(())
}

/// A host that is not what the plan saw, as a failure.
pub(super) fn drifted(what: &str) -> Failure {
    Failure {
        cause: Cause::Drift,
        message: super::output::escape(what),
        hint: "plan again and review what differs".to_owned(),
    }
}
