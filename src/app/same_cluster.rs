//! Before a run begins or goes on: the cluster must be the one that its plan was made over.

use super::Tell;
use super::connections::Connections;
use crate::app::AppError;
use crate::engine::Stamped;
use crate::executor::cluster_since;
use crate::plan::Plan;
use crate::report::ExitKind;
use crate::value::Duration;

/// Stops a run that has not begun where a host's node is gone, renamed or replaced since the plan.
pub(crate) async fn at_the_start(
    plan: &Plan,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    compared(plan, &[], Duration::ZERO, connections, tell).await
}

/// The same once the run has the lock: an API that is silent for a moment is asked for as long as in the run.
pub(crate) async fn under_the_lock(
    plan: &Plan,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    compared(plan, &[], patience(plan), connections, tell).await
}

/// The same for a run that goes on. What its own events made of nodes is no drift. Its own work may have taken the API
/// away, which is then asked for as long as in the run.
pub(crate) async fn when_it_goes_on(
    plan: &Plan,
    events: &[Stamped],
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    compared(plan, events, patience(plan), connections, tell).await
}

fn patience(plan: &Plan) -> Duration {
    plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for)
}

async fn compared(
    plan: &Plan,
    events: &[Stamped],
    patience: Duration,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let (pool, controller) = (&connections.pool, &connections.controller);
    let since = match cluster_since(plan, events, (patience, &|text| tell.say(text)), pool, controller).await
    {
        Ok(since) => since,
        // Only the run itself brings it back, and asks for each node before it disrupts one.
        Err(failure) if !events.is_empty() && plan.policy.control_plane_outage => {
            let why = &failure.message;
            tell.say(&format!("warning: the cluster cannot be compared with the plan: {why}"));
            return Ok(());
        }
        Err(failure) => {
            return Err(AppError::new(
                ExitKind::Unreachable,
                format!("the cluster cannot be compared with the plan: {}", failure.message),
            )
            .hint(&failure.hint));
        }
    };
    for warning in &since.warnings {
        tell.say(&format!("warning: {warning}"));
    }
    let drifted = since.drifted.iter().map(|(host, failure)| format!("host {host}: {}", failure.message));
    let refused = since.refused.iter().map(|failure| failure.message.clone());
    let first = since.drifted.iter().map(|(_, failure)| failure).chain(&since.refused).next();
    let hint = first.map_or("", |failure| &failure.hint);
    // One way out of all, after the last.
    AppError::all(ExitKind::Drift, drifted.chain(refused).map(|message| (message, "")))
        .map_err(|error| error.hint(hint))
}
