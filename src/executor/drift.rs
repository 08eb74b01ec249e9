//! Looks whether hosts are still what the plan saw: all of them before a saved plan rolls, and each before its first
//! change.

use super::context::Shared;
use super::look::{look, unreadable};
use crate::engine::{Cause, Failure};
use crate::facts::{host_probe, parse_host};
use crate::plan::forecast::assess;
use crate::plan::{HostId, drift, frozen};
use crate::value::{Duration, escape};

/// Asks a host again everything that the plan assumes of it for the phases from this one on. Only for a host that this
/// run has not changed: after that, what differs is the run's own work.
pub(super) async fn check_host(shared: &Shared, host: HostId, from: u16) -> Result<(), Failure> {
    let assumed = drift::assumed(&shared.plan, host);
    let facts = frozen::reads_facts(&shared.plan, host, from).then(|| host_probe(Duration::from_secs(60)));
    let probes: Vec<_> = assumed.iter().map(|(_, probe)| *probe).chain(&facts).collect();
    if probes.is_empty() {
        return Ok(());
    }
    let mut answers = look(shared, host, &probes).await?;
    if facts.is_some() {
        let facts = parse_host(&answers.pop().unwrap_or_default()).map_err(unreadable)?;
        if let Some(drift) = frozen::drift(&shared.plan, host, from, &facts) {
            return Err(drifted(&drift));
        }
    }
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
        message: escape(what),
        hint: "plan again and review what differs".to_owned(),
    }
}
