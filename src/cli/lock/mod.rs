//! `rollbook lock`: who works on a cluster, and what a run left there that nobody goes on with.

mod held;
mod words;

use camino::Utf8PathBuf;

use super::args::{Format, Lock as Args, LockCommand, LockedCluster};
use super::connections::{Connections, now, runtime, state_dir, targets, who};
use super::kube::KubectlOptions;
use super::load::load_inventory;
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::executor::{Claim, Clock, LeaseApi, Lock, LockRequest};
use crate::journal::{RunDir, runs};
use crate::kubernetes::lease::Lease;
use crate::report::ExitKind;
use crate::step::KubeCx;
use crate::value::Duration;

pub(super) use held::{
    Begin, give_up, leave, leave_of, look_first, needed_rights, note, refuse_beside, take,
};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    match &args.command {
        LockCommand::Show { cluster, format } => {
            runtime()?.block_on(show(&ReachedLease::new(cluster, terminal)?, *format, terminal))
        }
        LockCommand::Release { cluster, supersede, reason, state_dir } => {
            let release =
                Release { run: supersede.as_deref(), why: &format!("{}: {reason}", who()), state_dir };
            release.run(cluster, terminal)
        }
    }
}

/// The Lease of a cluster, with the connections to its hosts.
struct ReachedLease {
    connections: Connections,
    cx: KubeCx,
    via: Vec<crate::inventory::HostName>,
}

impl ReachedLease {
    fn new(cluster: &LockedCluster, terminal: &Terminal) -> Result<Self, AppError> {
        let Some(path) = &cluster.inventory else {
            return Err(AppError::new(ExitKind::Usage, "there is no inventory")
                .hint("name one with `-i inventory.yaml`"));
        };
        let inventory = load_inventory(path, terminal)?;
        let call =
            KubectlOptions { kubeconfig: cluster.kubeconfig.as_deref(), context: cluster.context.as_deref() };
        let (cx, via) = call.on(&cluster.via, &inventory)?;
        Ok(Self { connections: Connections::real(targets(&inventory))?, cx, via })
    }

    fn api(&self) -> LeaseApi {
        LeaseApi::new(&self.connections.pool, &self.connections.controller, &self.cx, &self.via)
    }
}

async fn show(reached: &ReachedLease, format: Format, terminal: &Terminal) -> Outcome {
    let seen = reached.api().read(&mut |text| terminal.say(text)).await;
    reached.connections.close().await;
    let lease = seen.map_err(|error| words::lease_error(&error))?;
    terminal.data(&match format {
        Format::Text => words::shown(lease.as_ref()),
        Format::Json => format!("{:#}\n", words::as_json(lease.as_ref())),
    })
}

/// A run is given up, or what is left of none is taken away.
struct Release<'a> {
    run: Option<&'a str>,
    why: &'a str,
    state_dir: &'a Option<Utf8PathBuf>,
}

impl Release<'_> {
    fn run(&self, cluster: &LockedCluster, terminal: &Terminal) -> Outcome {
        let record = self.record()?;
        if record.as_ref().is_some_and(RunDir::goes_on) {
            return Err(AppError::new(
                ExitKind::Locked,
                format!("run {} goes on at this moment", self.run.unwrap_or_default()),
            )
            .hint("stop it with Ctrl-C first"));
        }
        if cluster.inventory.is_some() {
            let reached = ReachedLease::new(cluster, terminal)?;
            let outcome = runtime()?.block_on(async {
                let outcome = self.on_cluster(&reached, record.is_some(), terminal).await;
                reached.connections.close().await;
                outcome
            });
            outcome?;
        } else if record.is_none() {
            return Err(AppError::new(
                ExitKind::Usage,
                match self.run {
                    Some(run) => {
                        format!("there is no run `{run}` in {}", state_dir(self.state_dir.as_ref())?)
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
            terminal.say(&format!("run {run} is given up; a new run does what is still to be done"));
        } else {
            terminal.say("the lock of the cluster is free");
        }
        Ok(ExitKind::Ok)
    }

    /// The run's record in the state directory, if it lies there.
    fn record(&self) -> Result<Option<RunDir>, AppError> {
        let Some(run) = self.run else { return Ok(None) };
        let all = runs(&state_dir(self.state_dir.as_ref())?).map_err(anyhow::Error::from)?;
        Ok(all.into_iter().find(|record| record.id() == run))
    }

    async fn on_cluster(
        &self,
        reached: &ReachedLease,
        is_dead: bool,
        terminal: &Terminal,
    ) -> Result<(), AppError> {
        let lease = reached
            .api()
            .read(&mut |text| terminal.say(text))
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
        let lock = Lock::take(reached.api(), &claim, clock, &mut |text| terminal.say(text)).await;
        let lock = lock.map_err(|error| words::lock_error(&error))?;
        let given_up: Vec<String> = self.run.iter().map(|run| (*run).to_owned()).collect();
        lock.clear(&given_up, self.why).await.map_err(|error| words::lease_error(&error))
    }
}
