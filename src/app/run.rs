//! `rollbook run`: plans, asks, rolls, and says what is left.

use std::rc::Rc;

use super::Tell;
use super::connections::{Connections, run_id, runtime, state_dir, targets};
use super::earlier;
use super::load::{Loaded, load, refuse_commands};
use super::lock::{self, Begin};
use super::plan_file;
use super::records::{Found, lock_state};
use super::roll::{ReadyRun, roll_on, secrets};
use super::same_cluster;
use super::stage::{IfMissing, as_planned, live, refuse};
use super::swept;
use super::{Consent, ResumeRequest, RunRequest};
use crate::app::AppError;
use crate::executor::{InDoubt, Leave, Lock, target_of};
use crate::journal::{Journal, Recorded, RunDir, StateDir, plan_was_used, runs};
use crate::plan::show::Saved;
use crate::plan::{Plan, PlannedHost, forecast};
use crate::report::ExitKind;

/// Plans or reads a plan, asks, and rolls it to its end.
pub(crate) fn run(args: &RunRequest<'_>, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    // A file that cannot be rolled is told first: who adds --yes for it would only hear of it then.
    let source = RunSource::read(args, tell)?;
    args.consent.refuse_nobody("review with `rollbook plan`, then run with --yes")?;
    if args.resume_unfinished
        && let Some(record) = unfinished_of(args, &source)?
    {
        let code = go_on_first(args, &record, tell)?;
        let is_same = |saved: &Saved| record.read().is_ok_and(|recorded| recorded.digest == saved.digest);
        if code != ExitKind::Ok || source.saved().is_some_and(is_same) {
            return Ok(code);
        }
    }
    runtime()?.block_on(run_async(args, source, tell))
}

/// What is to be rolled.
enum RunSource {
    Saved(Box<Saved>),
    Written(Box<Loaded>),
}

impl RunSource {
    fn read(args: &RunRequest<'_>, tell: &dyn Tell) -> Result<Self, AppError> {
        let Some(saved) = plan_file::read(&args.file)? else {
            let loaded = load(&args.file, &args.input, tell)?;
            refuse_commands(&loaded, &args.input, tell)?;
            return Ok(Self::Written(Box::new(loaded)));
        };
        plan_file::refuse_input(&args.input)?;
        if saved.plan.runs_on_controller() && !args.input.allow_commands {
            return Err(AppError::new(
                ExitKind::Invalid,
                format!("{} runs commands on this machine", args.file),
            )
            .hint("review them, then allow them with --allow-commands"));
        }
        Ok(Self::Saved(Box::new(saved)))
    }

    fn saved(&self) -> Option<&Saved> {
        match self {
            Self::Saved(saved) => Some(saved),
            Self::Written(_) => None,
        }
    }

    /// Whether a run was of the same runbook and inventory: their names, the phases, and every host as it is reached.
    fn began(&self, of: &Plan) -> bool {
        let phases: Vec<&str> = of.phases.iter().map(|phase| phase.name.as_str()).collect();
        let names = [of.runbook.as_str(), &of.inventory];
        match self {
            Self::Saved(saved) => {
                let Plan { runbook, inventory, .. } = &saved.plan;
                let has = |host: &PlannedHost| {
                    let same = |own: &PlannedHost| own.name == host.name && own.address == host.address;
                    saved.plan.hosts.iter().any(same)
                };
                names == [runbook.as_str(), inventory]
                    && saved.plan.phases.iter().map(|phase| phase.name.as_str()).eq(phases)
                    && of.hosts.iter().all(has)
            }
            Self::Written(loaded) => {
                let Loaded { runbook, inventory, .. } = loaded.as_ref();
                let has = |host: &PlannedHost| {
                    inventory.hosts.get(&host.name).is_some_and(|own| own.address == host.address)
                };
                names == [runbook.name.as_str(), &inventory.name]
                    && runbook.phases.iter().map(|phase| phase.name.value.as_str()).eq(phases)
                    && of.hosts.iter().all(has)
            }
        }
    }
}

/// The newest run that has not ended, of the same runbook and inventory, where nobody goes on with it.
fn unfinished_of(args: &RunRequest<'_>, source: &RunSource) -> Result<Option<RunDir>, AppError> {
    let all = runs(&state_dir(args.state_dir.as_ref())?).map_err(anyhow::Error::from)?;
    let is_meant = |record: &RunDir| {
        let is_out = record.superseded().is_some() || record.is_rehearsal() || record.goes_on();
        !is_out
            && record
                .read()
                .is_ok_and(|Recorded { plan, history, .. }| history.state.can_resume() && source.began(&plan))
    };
    Ok(all.into_iter().rev().find(is_meant))
}

/// What `rollbook resume` does. What people have to say is not said by a flag.
fn go_on_first(args: &RunRequest<'_>, record: &RunDir, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    tell.say(&format!("run {} has not ended: it goes on first", record.id()));
    let resume = ResumeRequest {
        run: Some(record.id().to_owned()),
        approve: false,
        in_doubt: InDoubt::Leave,
        connection: None,
        allow_commands: args.input.allow_commands,
        roll: args.roll.clone(),
        state_dir: args.state_dir.clone(),
    };
    super::resume::resume(&resume, tell)
}

async fn run_async(args: &RunRequest<'_>, source: RunSource, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    let is_saved = source.saved().is_some();
    let (saved, connections) = match source {
        RunSource::Saved(saved) => {
            // Before the hosts are asked what has changed: its own run has changed them.
            if plan_was_used(&state_dir(args.state_dir.as_ref())?, &saved.digest) {
                return Err(used_before(args));
            }
            let plan = &saved.plan;
            let connections = Connections::real(plan.hosts.iter().map(target_of).collect())?;
            if let Err(stopped) = as_planned(plan, &connections, tell).await {
                connections.close().await;
                return Err(stopped);
            }
            tell.say(&format!("plan: {}", saved.digest));
            (*saved, connections)
        }
        RunSource::Written(loaded) => {
            let connections = Connections::real(targets(&loaded.inventory))?;
            match live(&loaded, &args.input, IfMissing::Stop, &connections, tell).await {
                Ok(plan) => (Saved::of(plan), connections),
                Err(stopped) => {
                    connections.close().await;
                    return Err(stopped);
                }
            }
        }
    };
    let outcome = approved(args, &run_id(), saved, is_saved, &connections, tell).await;
    connections.close().await;
    outcome
}

/// Asks, and rolls a plan as the run of this id.
pub(crate) async fn approved(
    args: &RunRequest<'_>,
    run: &str,
    saved: Saved,
    is_saved: bool,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let Saved { plan, body, digest } = saved;
    refuse(&plan)?;
    if !forecast::has_work(&plan) {
        swept::before(&plan, &state_dir(args.state_dir.as_ref())?, connections).await;
        tell.say("nothing to do: every goal of the runbook holds already");
        return Ok(ExitKind::Ok);
    }
    if args.wait_lock.is_none() {
        lock::look_first(&plan, connections, tell).await?;
    }
    let expected = earlier::expected(&plan, args.state_dir.as_ref(), args.roll.deadline);
    if args.consent == Consent::Given {
        tell.say(&format!("time: {}", expected.words()));
        expected.not_counted().into_iter().for_each(|words| tell.say(&words));
    } else {
        tell.plan(&plan, &digest, &expected);
        if !tell.confirm("Roll this plan?") {
            tell.say("nothing was changed");
            return Err(AppError::told(ExitKind::Approval));
        }
    }
    let secrets = secrets(&plan, tell)?;
    args.roll.audience.check()?;
    let state = lock_state(args.state_dir.as_ref(), run)?;
    lock::refuse_beside(&plan, state.path(), args.state_dir.as_ref())?;
    let run_dir = state.create_run(run, &body).map_err(anyhow::Error::from)?;
    let journal = Journal::create(&run_dir.journal()).map_err(anyhow::Error::from)?;
    let begin = Begin {
        plan: &plan,
        digest: &digest,
        run,
        record: Some(&run_dir),
        given_up: None,
        goes_on_since: None,
        is_saved,
        patience: args.wait_lock.unwrap_or_default(),
    };
    let lock = match begun(&begin, &state, args, connections, tell).await {
        Ok(lock) => lock,
        Err(stopped) => {
            // It never began, and nobody needs to hear of it again.
            run_dir.remove().map_err(anyhow::Error::from)?;
            return Err(stopped);
        }
    };
    let record = Found::new(run_dir, args.state_dir.as_ref());
    let ready = ReadyRun { plan: Rc::new(plan), digest, run: run.to_owned(), secrets, record, journal, lock };
    roll_on(ready, None, connections, &args.roll, tell).await
}

/// Takes the lock of the cluster, and uses up a saved plan: whatever stops the run before leaves both as they were.
async fn begun(
    begin: &Begin<'_>,
    state: &StateDir,
    args: &RunRequest<'_>,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<Option<Rc<Lock>>, AppError> {
    let lock = lock::take(begin, connections, tell).await?;
    // While somebody was asked, or another run was waited for, the cluster went on.
    let same = if args.consent == Consent::Given && args.wait_lock.is_none() {
        Ok(())
    } else {
        same_cluster::under_the_lock(begin.plan, connections, tell).await
    };
    let may =
        same.and_then(|()| Ok(!begin.is_saved || state.use_plan(begin.digest).map_err(anyhow::Error::from)?));
    let (stopped, left) = match may {
        Ok(true) => return Ok(lock),
        Ok(false) => (used_before(args), Leave::Over),
        Err(stopped) => (stopped, Leave::NeverBegan),
    };
    if let Some(lock) = lock {
        lock::leave(&lock, &left, begin.plan, tell).await;
    }
    Err(stopped)
}

fn used_before(args: &RunRequest<'_>) -> AppError {
    AppError::new(
        ExitKind::Approval,
        format!("{} was run already: a saved plan is good for one run", args.file),
    )
    .hint("plan again: what has changed since is then in the new plan")
}
