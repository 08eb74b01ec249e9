//! `rollbook resume`: goes on with a run from its journal, with the plan that it was started with.

use std::io::ErrorKind;
use std::rc::Rc;

use camino::Utf8Path;

use super::Tell;
use super::approval::GivenApproval;
use super::connections::{Connections, runtime, targets};
use super::load::load_inventory;
use super::lock::{self, Begin};
use super::records::{Found, Which, find, lock_state, refuse_rehearsal};
use super::roll::{ReadyRun, roll_on, secrets};
use super::same_cluster;
use super::{ResumeRequest, RollRequest};
use crate::app::AppError;
use crate::engine::Awaited;
use crate::executor::{Approver, Lock, Secrets, target_of};
use crate::inventory::Connection;
use crate::journal::{Journal, Recorded, RunDir};
use crate::plan::Plan;
use crate::report::{ExitKind, Summary};
use crate::transport::Target;
use crate::value::Duration;

/// Goes on with a run to its end.
pub(crate) fn resume(args: &ResumeRequest<'_>, tell: &dyn Tell) -> Result<ExitKind, AppError> {
    let held = lock_state(args.state_dir.as_ref(), args.run.as_deref().unwrap_or("being resumed"))?;
    let Some(record) = find(args.state_dir.as_ref(), args.run.as_deref(), Which::Resumable)? else {
        return Err(AppError::new(ExitKind::Usage, "no run can go on")
            .hint("`rollbook runs list` shows what there is; start a new one with `rollbook run`"));
    };
    let hint = "what it was rehearsed on is not beside it any more, so it cannot go on: rehearse again";
    refuse_rehearsal(&record.dir, hint)?;
    // Before it is read: the run may be going on at this moment, from another state directory.
    let journal = open(&record.dir)?;
    let recorded = record.read()?;
    refuse(args, held.path(), &record.dir, &recorded)?;
    runtime()?.block_on(go_on(args, record, journal, recorded, tell))
}

pub(crate) fn open(run_dir: &RunDir) -> Result<Journal, AppError> {
    let path = run_dir.journal();
    match Journal::reopen(&path) {
        Ok(journal) => Ok(journal),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(AppError::new(ExitKind::Locked, format!("the run of {path} goes on at this moment")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(AppError::new(ExitKind::Usage, format!("{} holds no run that began", run_dir.path()))
                .hint("plan again: nothing was changed"))
        }
        Err(error) => Err(anyhow::Error::from(error).context(format!("cannot go on with {path}")).into()),
    }
}

/// Stops where there is nothing to go on with, or where a record from elsewhere would run commands here.
fn refuse(
    args: &ResumeRequest<'_>,
    state_dir: &Utf8Path,
    run_dir: &RunDir,
    recorded: &Recorded,
) -> Result<(), AppError> {
    let Recorded { plan, history, .. } = recorded;
    if history.events.is_empty() {
        return Err(AppError::new(ExitKind::Usage, format!("{} holds no run that began", run_dir.path()))
            .hint("plan again: nothing was changed"));
    }
    if let Some(by) = history.state.undone_by() {
        return Err(AppError::new(ExitKind::Usage, format!("run {} was undone by run {by}", run_dir.id()))
            .hint("start a new run: it does what is still to be done"));
    }
    if let Some(why) = run_dir.superseded() {
        return Err(AppError::new(ExitKind::Usage, format!("run {} was given up by {why}", run_dir.id()))
            .hint("start a new run: it does what is still to be done"));
    }
    if !history.state.can_resume() {
        let summary = Summary::of(plan, history).recorded_in(run_dir.path().as_str()).text(plan);
        let message = format!("run {} is over\n{}", run_dir.id(), summary.trim_end());
        return Err(
            AppError::new(ExitKind::Usage, message).hint("start a new run: it does what is still to be done")
        );
    }
    if args.approve && history.state.awaited(plan).is_empty() {
        return Err(nothing_to_approve(run_dir.id()));
    }
    if plan.runs_on_controller() && !args.allow_commands && !run_dir.path().starts_with(state_dir) {
        return Err(AppError::new(
            ExitKind::Invalid,
            format!("the plan of {} runs commands on this machine", run_dir.path()),
        )
        .hint("look at it, then give --allow-commands"));
    }
    Ok(())
}

/// What comes later is not known to whoever would approve it now.
pub(crate) fn nothing_to_approve(run: &str) -> AppError {
    AppError::new(ExitKind::Usage, format!("run {run} waits for nobody's approval"))
        .hint("resume it without --approve")
}

async fn go_on(
    args: &ResumeRequest<'_>,
    record: Found,
    journal: Journal,
    recorded: Recorded,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let Recorded { plan, digest, history } = recorded;
    let connections = Connections::real(ways(&plan, args.connection.as_deref(), tell)?)?;
    // Not the directory's name: a copy may have another, and the hosts know the run by its id.
    let run = history.run().expect("invariant: a run that can go on has begun").to_owned();
    let approver = approver(args, history.state.awaited(&plan));
    let request = RollRequest { approver, ..args.roll.clone() };
    let plan = Rc::new(plan);
    let begin = Begin {
        plan: &plan,
        digest: &digest,
        run: &run,
        record: Some(&record.dir),
        given_up: None,
        goes_on_since: history.events.first().map(|first| first.at),
        is_saved: false,
        patience: Duration::ZERO,
    };
    let held = match same_cluster::when_it_goes_on(&plan, &history.events, &connections, tell).await {
        Ok(()) => ready(&begin, &connections, tell).await,
        Err(stopped) => Err(stopped),
    };
    let outcome = match held {
        Ok((secrets, lock)) => {
            let plan = Rc::clone(&plan);
            let ready = ReadyRun { plan, digest, run, secrets, record, journal, lock };
            roll_on(ready, Some((history, args.in_doubt)), &connections, &request, tell).await
        }
        Err(stopped) => Err(stopped),
    };
    connections.close().await;
    outcome
}

/// Whoever resumes with `--approve` approves what the run waits for, and nothing that comes later.
fn approver(args: &ResumeRequest<'_>, awaited: Vec<Awaited>) -> Rc<dyn Approver> {
    let then = Rc::clone(&args.roll.approver);
    if args.approve { Rc::new(GivenApproval { about: awaited, then }) } else { then }
}

async fn ready(
    begin: &Begin<'_>,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(Secrets, Option<Rc<Lock>>), AppError> {
    let secrets = secrets(begin.plan, tell)?;
    Ok((secrets, lock::take(begin, connections, tell).await?))
}

/// How each host of the plan is reached: as the plan says, or as `--connection` does for the hosts that it knows.
pub(crate) fn ways(
    plan: &Plan,
    connection: Option<&Utf8Path>,
    tell: &dyn Tell,
) -> Result<Vec<Target>, AppError> {
    let mut ways: Vec<Target> = plan.hosts.iter().map(target_of).collect();
    if let Some(path) = connection {
        let inventory = load_inventory(path, tell)?;
        for other in targets(&inventory) {
            if let Some(way) = ways.iter_mut().find(|way| way.host == other.host) {
                // The records of what ran lie below the user's home or this directory: elsewhere they would not be found,
                // and what ran would run again.
                let (user, remote_dir) = (way.connection.user.take(), way.connection.remote_dir.take());
                way.address = other.address;
                way.connection = Connection { user, remote_dir, ..other.connection };
            }
        }
    }
    Ok(ways)
}
