//! What `run`, `resume` and `rehearse` share: the lock, the reporters, the roll itself, and the last words.

use std::rc::Rc;

use camino::Utf8Path;

use super::RollRequest;
use super::Tell;
use super::connections::{Connections, machine, now};
use super::lock;
use super::records::{Found, way_on};
use super::stops;
use super::swept;
use crate::app::AppError;
use crate::engine::History;
use crate::executor::{Clock, InDoubt, Lock, RollError, Secrets, Setup, roll};
use crate::journal::{Journal, runs};
use crate::plan::Plan;
use crate::report::{ExitKind, Summary};

/// A run that is about to roll, or to go on.
pub(crate) struct ReadyRun {
    pub(crate) plan: Rc<Plan>,
    pub(crate) digest: String,
    /// The run's id.
    pub(crate) run: String,
    pub(crate) secrets: Secrets,
    pub(crate) record: Found,
    pub(crate) journal: Journal,
    /// The lock of the cluster, where the plan's policy asks for one.
    pub(crate) lock: Option<Rc<Lock>>,
}

/// Reads what a plan needs of secrets, and hides it from everything that is shown from now on.
pub(crate) fn secrets(plan: &Plan, tell: &dyn Tell) -> anyhow::Result<Secrets> {
    let secrets = Secrets::read(&plan.secrets, |name| std::env::var(name).ok())?;
    tell.hide(secrets.redactor());
    Ok(secrets)
}

/// Rolls over the hosts that `connections` reach, shows what came of it, and gives the exit code.
pub(crate) async fn roll_on(
    ready: ReadyRun,
    goes_on: Option<(History, InDoubt)>,
    connections: &Connections,
    request: &RollRequest<'_>,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let ReadyRun { plan, digest, run, secrets, record, journal, lock } = ready;
    let (past, in_doubt) = goes_on.map_or((None, InDoubt::Leave), |(past, in_doubt)| (Some(past), in_doubt));
    tell.say(&format!("record: {}", record.dir.path()));
    let over = given_up(lock.as_deref(), record.dir.path().parent())?;
    let run_dir = record.dir.clone();
    if let Some(state_dir) = run_dir.path().parent().and_then(Utf8Path::parent) {
        swept::before(&plan, state_dir, connections).await;
    }
    let setup = Setup {
        plan: Rc::clone(&plan),
        digest,
        run: run.clone(),
        pool: Rc::clone(&connections.pool),
        controller: Rc::clone(&connections.controller),
        record: Box::new(journal),
        run_dir: Some(record.dir),
        reporters: request.audience.reporters()?,
        deadline: request.deadline,
        secrets,
        past,
        machine: machine(),
        in_doubt,
        lock: lock.clone(),
        over,
        approver: Rc::clone(&request.approver),
        clock: Clock::starting_at(now()),
        stops: stops::listen()?,
    };
    let result = roll(setup).await;
    let kept = match &result {
        Ok(history) => swept::behind(&plan, history, &run_dir, connections).await,
        Err(_) => None,
    };
    if let Some(lock) = lock {
        lock::leave(&lock, &lock::leave_of(&plan, &result), &plan, tell).await;
    }
    let record = Written { called: &record.called, directory: run_dir.path().as_str() };
    let outcome = finish(result, &plan, Some(record), tell);
    if let Some(kept) = kept {
        tell.say(&kept);
    }
    outcome
}

/// Runs that somebody gave up, on the cluster or beside this one's record: their late commands must find no host.
fn given_up(lock: Option<&Lock>, runs_dir: Option<&Utf8Path>) -> anyhow::Result<Vec<String>> {
    let mut over = lock.map(Lock::superseded).unwrap_or_default();
    let beside = match runs_dir.and_then(Utf8Path::parent) {
        Some(state) => runs(state)?,
        None => Vec::new(),
    };
    over.extend(beside.iter().filter(|run| run.superseded().is_some()).map(|run| run.id().to_owned()));
    // What is no id of a run was written by somebody else.
    over.retain(|run| is_run_id(run));
    over.sort();
    over.dedup();
    Ok(over)
}

fn is_run_id(text: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 100 && !text.starts_with('-') && text.bytes().all(clean)
}

/// Where the record of a run is.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    /// The name by which it goes on.
    pub(crate) called: &'a str,
    pub(crate) directory: &'a str,
}

/// Shows what a run came to, and gives its exit code.
pub(crate) fn finish(
    result: Result<History, RollError>,
    plan: &Plan,
    record: Option<Written<'_>>,
    tell: &dyn Tell,
) -> Result<ExitKind, AppError> {
    let (history, trouble) = match result {
        Ok(history) => (history, None),
        Err(RollError::Journal { source, history }) => {
            let error = anyhow::Error::from(source)
                .context("the journal cannot be written, so nothing more was started");
            (*history, Some(AppError::from(error)))
        }
        Err(RollError::Illegal(illegal)) => {
            return Err(AppError::new(ExitKind::Bug, format!("this is a bug in rollbook: {illegal}")));
        }
    };
    let directory = record.map_or("", |record| record.directory);
    let summary = Summary::of(plan, &history).recorded_in(directory);
    tell.say(summary.text(plan).trim_end());
    if let Some(Written { called, .. }) = record
        && history.state.can_resume()
    {
        tell.say(&way_on(&summary, called, &history, plan));
    }
    match (trouble, summary.exit()) {
        // What is left out of service matters more than the reason why the run stopped.
        (Some(error), ExitKind::LeftOut) => {
            tell.error(&error);
            Ok(ExitKind::LeftOut)
        }
        (Some(error), _) => Err(error),
        (None, exit) => Ok(exit),
    }
}
