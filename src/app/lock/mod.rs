//! The lock of a cluster: who works on a cluster, and what a run left there that nobody goes on with.

mod held;
pub(crate) mod words;

use camino::Utf8PathBuf;

use super::connections::{Connections, now, runtime, state_dir, targets};
use super::kube::KubectlOptions;
use super::load::load_inventory;
use crate::app::AppError;
use crate::app::Tell;
use crate::executor::{Claim, Clock, LeaseApi, Lock, LockRequest};
use crate::journal::{RunDir, runs};
use crate::kubernetes::KubeCx;
use crate::kubernetes::lease::Lease;
use crate::report::ExitKind;
use crate::value::Duration;

pub(crate) use held::{
    Begin, give_up, leave, leave_of, look_first, needed_rights, note, refuse_beside, take,
};

/// How the API server of a cluster is reached without a runbook.
#[derive(Clone, Debug)]
pub(crate) struct LockedCluster {
    /// The inventory file.
    pub(crate) inventory: Option<Utf8PathBuf>,
    /// Where kubectl runs: hosts of the inventory, or `controller` for this machine.
    pub(crate) via: String,
    /// Its kubeconfig there, if not the usual one.
    pub(crate) kubeconfig: Option<String>,
    /// Its context, if not the current one.
    pub(crate) context: Option<String>,
}

/// The Lease of a cluster, or nothing where there is none.
pub(crate) fn read(cluster: &LockedCluster, tell: &dyn Tell) -> Result<Option<Lease>, AppError> {
    let reached = ReachedLease::new(cluster, tell)?;
    let seen = runtime()?.block_on(async {
        let seen = reached.api().read(&mut |text| tell.say(text)).await;
        reached.connections.close().await;
        seen
    });
    seen.map_err(|error| words::lease_error(&error))
}

/// The Lease of a cluster, with the connections to its hosts.
struct ReachedLease {
    connections: Connections,
    cx: KubeCx,
    via: Vec<crate::inventory::HostName>,
}

impl ReachedLease {
    fn new(cluster: &LockedCluster, tell: &dyn Tell) -> Result<Self, AppError> {
        let Some(path) = &cluster.inventory else {
            return Err(AppError::new(ExitKind::Usage, "there is no inventory")
                .hint("name one with `-i inventory.yaml`"));
        };
        let inventory = load_inventory(path, tell)?;
        let call =
            KubectlOptions { kubeconfig: cluster.kubeconfig.as_deref(), context: cluster.context.as_deref() };
        let (cx, via) = call.on(&cluster.via, &inventory)?;
        Ok(Self { connections: Connections::real(targets(&inventory))?, cx, via })
    }

    fn api(&self) -> LeaseApi {
        LeaseApi::new(&self.connections.pool, &self.connections.controller, &self.cx, &self.via)
    }
}

/// A run is given up, or what is left of none is taken away.
pub(crate) struct Release<'a> {
    /// The run to give up.
    pub(crate) run: Option<&'a str>,
    /// Who gives it up, and why.
    pub(crate) why: &'a str,
    /// Where runs are recorded, if not in the usual place.
    pub(crate) state_dir: Option<&'a Utf8PathBuf>,
}

impl Release<'_> {
    /// Gives up, on the cluster and in the state directory.
    pub(crate) fn run(&self, cluster: &LockedCluster, tell: &dyn Tell) -> Result<ExitKind, AppError> {
        let record = self.record()?;
        if record.as_ref().is_some_and(RunDir::goes_on) {
            return Err(AppError::new(
                ExitKind::Locked,
                format!("run {} goes on at this moment", self.run.unwrap_or_default()),
            )
            .hint("stop it with Ctrl-C first"));
        }
        if cluster.inventory.is_some() {
            let reached = ReachedLease::new(cluster, tell)?;
            let outcome = runtime()?.block_on(async {
                let outcome = self.on_cluster(&reached, record.is_some(), tell).await;
                reached.connections.close().await;
                outcome
            });
            outcome?;
        } else if record.is_none() {
            return Err(AppError::new(
                ExitKind::Usage,
                match self.run {
                    Some(run) => {
                        format!("there is no run `{run}` in {}", state_dir(self.state_dir)?)
                    }
                    None => "neither a run nor a cluster is named".to_owned(),
                },
            )
            .hint("name the cluster with `-i inventory.yaml`, or a run with `--supersede RUN`"));
        }
        if let Some(record) = &record {
            record.supersede(self.why).map_err(anyhow::Error::from)?;
        }
        if let Some(run) = self.run {
            tell.say(&format!("run {run} is given up; a new run does what is still to be done"));
        } else {
            tell.say("the lock of the cluster is free");
        }
        Ok(ExitKind::Ok)
    }

    /// The run's record in the state directory, if it lies there.
    fn record(&self) -> Result<Option<RunDir>, AppError> {
        let Some(run) = self.run else { return Ok(None) };
        let all = runs(&state_dir(self.state_dir)?).map_err(anyhow::Error::from)?;
        Ok(all.into_iter().find(|record| record.id() == run))
    }

    async fn on_cluster(
        &self,
        reached: &ReachedLease,
        is_dead: bool,
        tell: &dyn Tell,
    ) -> Result<(), AppError> {
        let lease = reached
            .api()
            .read(&mut |text| tell.say(text))
            .await
            .map_err(|error| words::lease_error(&error))?;
        let over = lease.as_ref().and_then(held::over_here);
        let (run, dead) = match (self.run, over) {
            (None, Some(over)) => (Some(over), true),
            (run, over) => (run.map(str::to_owned), is_dead || (run.is_some() && run == over.as_deref())),
        };
        let claim = Claim {
            request: LockRequest::Clear { run, dead },
            holder: held::holder(),
            ttl: lease.map_or(held::USUAL_TTL, |lease: Lease| lease.ttl),
            unfinished: None,
            saved_plan: false,
            patience: Duration::ZERO,
            knows: held::known_here,
        };
        let clock = Clock::starting_at(now());
        let lock = Lock::take(reached.api(), &claim, clock, &mut |text| tell.say(text)).await;
        let lock = lock.map_err(|error| words::lock_error(&error))?;
        let given_up: Vec<String> = self.run.iter().map(|run| (*run).to_owned()).collect();
        lock.clear(&given_up, self.why).await.map_err(|error| words::lease_error(&error))
    }
}
