//! What is true of hosts now. Reads only.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::connections::{Connections, runtime, targets};
use super::kube::KubectlChoice;
use super::load::{load_inventory, selected};
use super::{AppError, Tell};
use crate::engine::Failure;
use crate::executor::{Depth, Survey, gather_facts};
use crate::facts::Recording;
use crate::inventory::HostName;
use crate::report::ExitKind;

/// Hosts of an inventory.
#[derive(Clone, Debug)]
pub(crate) struct FactsRequest {
    pub(crate) inventory: Utf8PathBuf,
    pub(crate) selector: String,
}

/// Asks the hosts; those that could not be read are among what was found.
pub(crate) fn gather(request: &FactsRequest, tell: &dyn Tell) -> Result<Survey, AppError> {
    let inventory = load_inventory(&request.inventory, tell)?;
    let hosts = selected(&request.selector, "the selector", &inventory)?;
    let found = runtime()?.block_on(async {
        let connections = Connections::real(targets(&inventory))?;
        let (pool, controller) = (&connections.pool, &connections.controller);
        let found = gather_facts(pool, controller, &hosts, Depth::Facts, None, &mut |_, _| {}).await;
        connections.close().await;
        Ok::<Survey, anyhow::Error>(found)
    })?;
    Ok(found)
}

/// An error where hosts could not be read.
pub(crate) fn all_read(failed: &BTreeMap<HostName, Failure>) -> Result<(), AppError> {
    AppError::all(ExitKind::Unreachable, failed.values().map(|failure| (&failure.message, &failure.hint)))
}

/// Records hosts and cluster. Where a host could not be read nothing is recorded: a rehearsal needs them all.
pub(crate) fn record(
    request: &FactsRequest,
    kubectl: &KubectlChoice,
    tell: &dyn Tell,
) -> Result<Recording, AppError> {
    let inventory = load_inventory(&request.inventory, tell)?;
    let hosts = selected(&request.selector, "the selector", &inventory)?;
    let kube = kubectl.call(&inventory)?;
    let (recording, failed) = runtime()?.block_on(async {
        let connections = Connections::real(targets(&inventory))?;
        let kube = kube.as_ref().map(|(cx, via)| (cx, via.as_slice()));
        let found = crate::executor::record(&connections.pool, &connections.controller, &hosts, kube).await;
        connections.close().await;
        Ok::<_, anyhow::Error>(found)
    })?;
    all_read(&failed)?;
    recording.map_err(|failure| {
        AppError::new(ExitKind::Unreachable, failure.message).hint(
            "name where kubectl runs with `--via SELECTOR`, or record the hosts alone with `--via none`",
        )
    })
}
