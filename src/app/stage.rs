//! From loaded files to a plan with forecasts: looks at the hosts, compiles, probes. Shared by plan, run and rehearse.

use indexmap::IndexMap;

use crate::engine::{Cause, Failure};
use crate::executor::{
    Depth, Redactor, Secrets, Survey, changed_since, forecast_plan, gather_facts, missing_rights,
};
use crate::facts::ClusterFacts;
use crate::inventory::{HostName, Inventory};
use crate::kubernetes::KubeCx;
use crate::kubernetes::kubectl_errors::GRANT;
use crate::kubernetes::rights::Right;
use crate::plan::compile::{
    CompileInput, Knowledge, Overrides, ThisMachine, compile, reads_facts, settle_controller, settle_outage,
};
use crate::plan::{HostId, Plan, forecast};
use crate::report::{ExitKind, said_of};
use crate::runbook::{KubeVia, Runbook, SecretSource};
use crate::source::{Diagnostics, SourceMap};
use crate::value::escape;

use super::RunbookInput;
use super::Tell;
use super::connections::{Connections, machine, own_node};
use super::load::Loaded;
use super::same_cluster;
use crate::app::AppError;

/// A plan without a look at any host.
pub(crate) fn offline(loaded: &Loaded, input: &RunbookInput, tell: &dyn Tell) -> Result<Plan, AppError> {
    let mut plan = compiled(loaded, input, Knowledge::Offline, tell)?;
    accept_outage(&mut plan, None, loaded, tell)?;
    Ok(plan)
}

/// A plan with what its hosts say. Tells about hosts that cannot be read and stops there.
pub(crate) async fn live(
    loaded: &Loaded,
    input: &RunbookInput,
    if_missing: IfMissing,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<Plan, AppError> {
    live_with(loaded, input, if_missing, connections, |_| {}, tell).await
}

/// The same, with a look at the plan before anything is probed.
pub(crate) async fn live_with(
    loaded: &Loaded,
    input: &RunbookInput,
    if_missing: IfMissing,
    connections: &Connections,
    compiled_to: impl FnOnce(&Plan),
    tell: &dyn Tell,
) -> Result<Plan, AppError> {
    let redactor = hide(&loaded.runbook.secrets, tell);
    let hosts = named_hosts(loaded);
    let depth = if reads_facts(&loaded.runbook) { Depth::Facts } else { Depth::Identity };
    let via = via(&loaded.runbook, &loaded.inventory);
    let cx = kube_cx(&loaded.runbook);
    let kube = cx.as_ref().map(|cx| (cx, via.as_slice()));
    let found =
        gather_facts(&connections.pool, &connections.controller, &hosts, depth, kube, &mut |_, _| {}).await;
    unreadable(&found)?;
    let cluster = match &found.cluster {
        Some(Ok(cluster)) => Some(cluster),
        Some(Err(failure)) => {
            return Err(AppError::new(
                ExitKind::Unreachable,
                format!("the cluster cannot be asked: {}", failure.message),
            )
            .hint(&failure.hint));
        }
        None => None,
    };
    let plan = compiled(loaded, input, Knowledge::Live { hosts: &found.hosts, cluster }, tell)?;
    compiled_to(&plan);
    has_rights(&plan, &plan.needed_rights(), if_missing, connections, tell).await?;
    let (pool, controller) = (&connections.pool, &connections.controller);
    let (mut plan, failed) = forecast_plan(plan, pool, controller, redactor, &mut |_, _| {}).await;
    if let Some((host, failure)) = failed.first_key_value() {
        let what = match said_of(&failure.message, host.as_str()) {
            message if message.contains(host.as_str()) => message.to_owned(),
            message => format!("{host}: {message}"),
        };
        return Err(AppError::new(ExitKind::Unreachable, what).hint(&failure.hint));
    }
    accept_outage(&mut plan, cluster, loaded, tell)?;
    Ok(plan)
}

/// An outage of the API, or a restart of this machine, that was not accepted is an error of the plan.
fn accept_outage(
    plan: &mut Plan,
    cluster: Option<&ClusterFacts>,
    loaded: &Loaded,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let mut diagnostics = Diagnostics::default();
    settle_outage(plan, cluster, &mut diagnostics);
    settle_controller(plan, ThisMachine { id: &machine(), node: &own_node() }, &mut diagnostics);
    tell.diagnostics(&diagnostics, &loaded.sources);
    if diagnostics.has_errors() { Err(AppError::invalid()) } else { Ok(()) }
}

fn compiled(
    loaded: &Loaded,
    input: &RunbookInput,
    knowledge: Knowledge<'_>,
    tell: &dyn Tell,
) -> Result<Plan, AppError> {
    let mut diagnostics = Diagnostics::default();
    let overrides = Overrides {
        max_unavailable: input.max_unavailable,
        parallel: input.parallel,
        accept_outage: input.accept_control_plane_outage,
        accept_controller_reboot: input.accept_controller_reboot,
        adopt: input.adopt_cordons.as_deref(),
        choice: Some(&loaded.choice),
    };
    let compile_input = CompileInput {
        runbook: &loaded.runbook,
        inventory: &loaded.inventory,
        params: &loaded.params,
        limit: loaded.limit.as_ref(),
        overrides,
        knowledge,
    };
    let plan = compile(&compile_input, &mut diagnostics);
    tell.diagnostics(&diagnostics, &loaded.sources);
    plan.ok_or_else(AppError::invalid)
}

/// Refusals stop a run before anything changes; a plan shows them.
pub(crate) fn refuse(plan: &Plan) -> Result<(), AppError> {
    let refusals = forecast::distinct_refusals(plan);
    let problem =
        |forecast::RefusedHosts { hosts, reason, hint }| (format!("{}: {reason}", who(plan, &hosts)), hint);
    AppError::all(ExitKind::Failed, refusals.into_iter().map(problem))
}

/// "w1", "on 14 hosts: w01, w02, …".
fn who(plan: &Plan, hosts: &[HostId]) -> String {
    const SHOWN: usize = 8;
    let names: Vec<&str> = hosts.iter().take(SHOWN).map(|host| plan.host(*host).name.as_str()).collect();
    let more = if hosts.len() > SHOWN { ", …" } else { "" };
    match names.as_slice() {
        [one] => (*one).to_owned(),
        some => format!("on {} hosts: {}{more}", hosts.len(), some.join(", ")),
    }
}

/// Before a saved plan rolls: every host must answer, be the machine that the plan saw, and be as the plan saw it.
pub(crate) async fn as_planned(
    plan: &Plan,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let redactor = hide(&plan.secrets, tell);
    spare_this_machine(plan, tell)?;
    for host in plan.hosts.iter().filter(|host| !host.machine_id.is_empty()) {
        connections.pool.expect_machine(&host.name, &host.machine_id);
    }
    let hosts: Vec<HostName> = plan.hosts.iter().map(|host| host.name.clone()).collect();
    let found = gather_facts(
        &connections.pool,
        &connections.controller,
        &hosts,
        Depth::Identity,
        None,
        &mut |_, _| {},
    )
    .await;
    unreadable(&found)?;
    same_cluster::at_the_start(plan, connections, tell).await?;
    has_rights(plan, &plan.needed_rights(), IfMissing::Stop, connections, tell).await?;
    let changed = changed_since(plan, &connections.pool, &connections.controller, redactor).await;
    let problems =
        changed.iter().map(|(host, failure)| (format!("{host}: {}", failure.message), &failure.hint));
    AppError::all(kind_of(changed.iter().map(|(_, failure)| failure)), problems)
}

/// What it comes to that the account of the kubeconfig lacks a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// It is an error, before anything changes.
    Stop,
    /// Who only makes a plan is told that a run with this account stops: another account may run it.
    Warn,
}

/// Tells what is to be done that the account of the kubeconfig may not do: better by day than in the middle of a run.
pub(crate) async fn has_rights(
    plan: &Plan,
    rights: &[Right],
    if_missing: IfMissing,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let missing = missing_rights(plan, rights, &connections.pool, &connections.controller).await;
    if missing.is_empty() {
        return Ok(());
    }
    let words: Vec<String> = missing.iter().map(Right::words).collect();
    let what = format!("the account of `kube.kubeconfig` may not {}", escape(&words.join(", ")));
    if if_missing == IfMissing::Stop {
        return Err(AppError::new(ExitKind::Failed, what).hint(GRANT));
    }
    tell.say(&format!("warning: {what}: `run` refuses to start with it"));
    tell.hint(GRANT);
    Ok(())
}

/// A plan that was made elsewhere may restart the machine that it was brought to.
fn spare_this_machine(plan: &Plan, tell: &dyn Tell) -> Result<(), AppError> {
    let mut diagnostics = Diagnostics::default();
    settle_controller(&mut plan.clone(), ThisMachine { id: &machine(), node: &own_node() }, &mut diagnostics);
    tell.diagnostics(&diagnostics, &SourceMap::default());
    if diagnostics.has_errors() { Err(AppError::invalid()) } else { Ok(()) }
}

/// Hides secrets from everything that is printed and written from here on, as far as they are known: a plan can be made
/// without them.
fn hide(secrets: &IndexMap<String, SecretSource>, tell: &dyn Tell) -> Redactor {
    let redactor = Secrets::at_hand(secrets, |name| std::env::var(name).ok()).redactor();
    tell.hide(redactor.clone());
    redactor
}

fn unreadable(found: &Survey) -> Result<(), AppError> {
    let problems = found.failed.values().map(|failure| (&failure.message, &failure.hint));
    AppError::all(kind_of(found.failed.values()), problems)
}

/// What hosts that are not as they should be come to before anything changed.
fn kind_of<'f>(mut failures: impl Iterator<Item = &'f Failure>) -> ExitKind {
    let is_drift =
        |failure: &Failure| matches!(failure.cause, Cause::Identity | Cause::Drift | Cause::NodeLost);
    if failures.any(is_drift) { ExitKind::Drift } else { ExitKind::Unreachable }
}

/// Every host that a phase names of which anything is left, in the inventory's order. Selectors that are wrong are the
/// compiler's to report.
fn named_hosts(loaded: &Loaded) -> Vec<HostName> {
    let (runbook, inventory) = (&loaded.runbook, &loaded.inventory);
    let mut named: indexmap::IndexSet<HostName> = via(runbook, inventory).into_iter().collect();
    let limit = loaded.limit.as_ref().and_then(|limit| limit.select(inventory).ok());
    // Its mistakes were told when the files were read.
    let chosen = runbook.choose(&loaded.choice, &mut Diagnostics::default()).phases;
    let phases = runbook.phases.iter().zip(chosen).filter(|(_, chosen)| !chosen.is_left_out());
    for (phase, _) in phases {
        let hosts = phase.hosts.value.select(inventory).unwrap_or_default();
        named
            .extend(hosts.into_iter().filter(|host| limit.as_ref().is_none_or(|limit| limit.contains(host))));
    }
    inventory.hosts.keys().filter(|host| named.contains(*host)).cloned().collect()
}

fn via(runbook: &Runbook, inventory: &Inventory) -> Vec<HostName> {
    match runbook.kube.as_ref().map(|kube| &kube.via) {
        Some(KubeVia::Hosts(selector)) => selector.value.select(inventory).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn kube_cx(runbook: &Runbook) -> Option<KubeCx> {
    let kube = runbook.kube.as_ref()?;
    Some(KubeCx {
        kubeconfig: kube.kubeconfig.clone(),
        context: kube.context.clone(),
        request_timeout: kube.request_timeout,
        r#become: matches!(kube.via, KubeVia::Hosts(_)),
    })
}
