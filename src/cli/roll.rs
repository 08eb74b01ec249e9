//! What `run`, `resume` and `rehearse` share: the lock, the reporters, the roll itself, and the last words.

use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use console::Term;

use super::args::Roll;
use super::connections::{Connections, machine, now, state_dir};
use super::lock;
use super::outcome::Outcome;
use super::runs::Found;
use super::stops;
use super::swept;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::engine::{HaltCause, History};
use crate::executor::{Approver, Clock, InDoubt, Lock, RollError, Secrets, Setup, roll};
use crate::journal::{Journal, StateDir, StateDirError, runs};
use crate::plan::Plan;
use crate::report::{Events, ExitKind, Live, Plain, Reporter, Summary, Verbosity};

/// A run that is about to roll, or to go on.
pub(super) struct ReadyRun {
    pub(super) plan: Rc<Plan>,
    pub(super) digest: String,
    /// The run's id.
    pub(super) run: String,
    pub(super) secrets: Secrets,
    pub(super) record: Found,
    pub(super) journal: Journal,
    /// The lock of the cluster, where the plan's policy asks for one.
    pub(super) lock: Option<Rc<Lock>>,
    /// Who is asked at gates and pauses.
    pub(super) approver: Rc<dyn Approver>,
}

/// Reads what a plan needs of secrets, and hides it from everything that is shown from now on.
pub(super) fn secrets(plan: &Plan, terminal: &Terminal) -> anyhow::Result<Secrets> {
    let secrets = Secrets::read(&plan.secrets, |name| std::env::var(name).ok())?;
    terminal.hide(secrets.redactor());
    Ok(secrets)
}

/// Rolls over the hosts that `connections` reach, shows what came of it, and gives the exit code.
pub(super) async fn roll_on(
    ready: ReadyRun,
    goes_on: Option<(History, InDoubt)>,
    connections: &Connections,
    args: &Roll,
    terminal: &Terminal,
) -> Outcome {
    let ReadyRun { plan, digest, run, secrets, record, journal, lock, approver } = ready;
    let (past, in_doubt) = goes_on.map_or((None, InDoubt::Leave), |(past, in_doubt)| (Some(past), in_doubt));
    terminal.say(&format!("record: {}", record.dir.path()));
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
        reporters: reporters(args, Some(1.0), terminal)?,
        deadline: args.deadline,
        secrets,
        past,
        machine: machine(),
        in_doubt,
        lock: lock.clone(),
        over,
        approver,
        clock: Clock::starting_at(now()),
        stops: stops::listen()?,
    };
    let result = roll(setup).await;
    let kept = match &result {
        Ok(history) => swept::behind(&plan, history, &run_dir, connections).await,
        Err(_) => None,
    };
    if let Some(lock) = lock {
        lock::leave(&lock, &lock::leave_of(&plan, &result), &plan, terminal).await;
    }
    let record = Written { called: &record.called, directory: run_dir.path().as_str() };
    let outcome = finish(result, &plan, Some(record), terminal);
    if let Some(kept) = kept {
        terminal.say(&kept);
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
pub(super) struct Written<'a> {
    /// The name by which it goes on.
    pub(super) called: &'a str,
    pub(super) directory: &'a str,
}

/// Shows what a run came to, and gives its exit code.
pub(super) fn finish(
    result: Result<History, RollError>,
    plan: &Plan,
    record: Option<Written<'_>>,
    terminal: &Terminal,
) -> Outcome {
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
    terminal.say(summary.text(plan).trim_end());
    if let Some(Written { called, .. }) = record
        && history.state.can_resume()
    {
        terminal.say(&way_on(&summary, called, &history, plan));
    }
    match (trouble, summary.exit()) {
        // What is left out of service matters more than the reason why the run stopped.
        (Some(error), ExitKind::LeftOut) => {
            terminal.tell(&error);
            Ok(ExitKind::LeftOut)
        }
        (Some(error), _) => Err(error),
        (None, exit) => Ok(exit),
    }
}

/// How a run goes on that can: where it waits for somebody's word, with that.
pub(super) fn way_on(summary: &Summary, called: &str, history: &History, plan: &Plan) -> String {
    let is_paused = matches!(history.state.halted(), Some(HaltCause::Paused { .. }));
    let approve = if is_paused && !history.state.awaited(plan).is_empty() { " --approve" } else { "" };
    summary.way_on(&format!("rollbook resume {called}{approve}"))
}

/// Where questions to people are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptMode {
    /// On this terminal.
    Here,
    /// On another one.
    Elsewhere,
}

/// For people: the live display on a terminal that can show it, else plain lines.
pub(super) fn eyes(
    asks: PromptMode,
    plain: bool,
    verbose: bool,
    speed: Option<f64>,
    terminal: &Terminal,
) -> Box<dyn Reporter> {
    match (terminal.look().filter(|_| !plain), speed) {
        (Some(look), Some(speed)) => {
            let size = || Term::stderr().size();
            let live = Live::new(Box::new(std::io::stderr()), size, look, verbose, speed);
            Box::new(if asks == PromptMode::Here { live.giving_way() } else { live })
        }
        _ => Box::new(Plain::new(std::io::stderr(), Verbosity::of_log(verbose))),
    }
}

/// Everybody who wants to hear of events. Time passes `speed` times as fast as on the wall, or in no time at all.
pub(super) fn reporters(
    roll: &Roll,
    speed: Option<f64>,
    terminal: &Terminal,
) -> anyhow::Result<Vec<Box<dyn Reporter>>> {
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if !roll.quiet {
        reporters.push(eyes(PromptMode::Here, roll.plain, roll.verbose, speed, terminal));
    }
    if let Some(path) = &roll.events {
        reporters.push(Box::new(Events::new(events_file(path)?, std::io::stderr())));
    }
    Ok(reporters)
}

/// Stops before a record is begun, where no copy of the events can be written. A pipe or device is opened only once: whoever
/// reads a pipe would see its end. A file that is there keeps its content until the run begins.
pub(super) fn check_events(roll: &Roll) -> anyhow::Result<()> {
    let Some(path) = roll.events.as_deref() else { return Ok(()) };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Ok(());
    }
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| cannot_write(path, error))
}

fn events_file(path: &Utf8Path) -> anyhow::Result<std::fs::File> {
    std::fs::File::create(path).map_err(|error| cannot_write(path, error))
}

fn cannot_write(path: &Utf8Path, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::from(error).context(format!("cannot write {path}"))
}

/// Takes the state directory for a run.
pub(super) fn lock_state(given: Option<&Utf8PathBuf>, run: &str) -> Result<StateDir, AppError> {
    let path = state_dir(given)?;
    match StateDir::lock(&path, run) {
        Ok(state) => Ok(state),
        Err(locked @ StateDirError::Locked { .. }) => {
            Err(AppError::new(ExitKind::Locked, locked.to_string())
                .hint("wait until it has ended, or use another --state-dir for another fleet"))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
