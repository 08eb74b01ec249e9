//! The records of runs: found, read, and removed.

use camino::{Utf8Path, Utf8PathBuf};

use super::connections;
use super::left::LaterRuns;
use super::{AppError, Tell};
use crate::engine::{HaltCause, History};
use crate::journal::{JournalError, Recorded, RecordedError, RunDir, StateDir, StateDirError, runs};
use crate::kubernetes::some_of;
use crate::plan::Plan;
use crate::report::{ExitKind, Summary};

/// Which run is meant where none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Newest,
    /// The newest one that can go on.
    Resumable,
}

/// The record of a run, and what to call it on a command line.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) dir: RunDir,
    pub(crate) called: String,
}

impl Found {
    /// By its id where `rollbook resume ID` finds it, else by its directory.
    pub(crate) fn new(dir: RunDir, state_dir: Option<&Utf8PathBuf>) -> Self {
        let called = if state_dir.is_none() { dir.id() } else { dir.path().as_str() }.to_owned();
        Self { dir, called }
    }

    /// How the run goes on, where it can: it was not given up, and what it was rehearsed on is still there.
    pub(crate) fn way_on(&self, history: &History, plan: &Plan) -> Option<String> {
        let is_lost = self.dir.is_rehearsal() && !self.dir.path().join(RunDir::REHEARSAL).exists();
        let goes_on = history.state.can_resume() && !is_lost && self.dir.superseded().is_none();
        goes_on.then(|| way_on(&Summary::of(plan, history), &self.called, history, plan))
    }

    /// A line about a record that is no real run's.
    pub(crate) fn is_of(&self) -> &'static str {
        if self.dir.is_rehearsal() { "This was a rehearsal: no host was touched.\n" } else { "" }
    }

    /// What the record tells.
    pub(crate) fn read(&self) -> Result<Recorded, AppError> {
        self.dir.read().map_err(|error| {
            let hint = way_around(&error);
            AppError::new(ExitKind::Io, format!("{:#}", anyhow::Error::from(error))).hint(hint)
        })
    }
}

/// What to do about a record that cannot be read.
fn way_around(error: &RecordedError) -> &'static str {
    match error {
        RecordedError::Plan { .. } | RecordedError::Journal(JournalError::Header { .. }) => {
            "an empty one was cut off before anything was sent; one of another format is for the rollbook that wrote it"
        }
        RecordedError::Read { .. } | RecordedError::Journal(JournalError::Read { .. }) => {
            "a run is read from its whole directory, by the user who rolled it"
        }
        RecordedError::Journal(JournalError::Damaged { .. })
        | RecordedError::OtherPlan { .. }
        | RecordedError::Illegal { .. } => {
            "put a whole copy of the directory in its place; where there is none, plan again: that shows what the run left, \
             and a new run says how this one is given up"
        }
    }
}

/// The record of a run: by its id, by a path to its directory, or the one that is meant.
pub(crate) fn find(
    state_dir: Option<&Utf8PathBuf>,
    named: Option<&str>,
    which: Which,
) -> Result<Option<Found>, AppError> {
    if let Some(path) = named.map(Utf8Path::new).filter(|path| path.join("plan.json").is_file()) {
        let path = path.canonicalize_utf8().map_err(anyhow::Error::from)?;
        return Ok(Some(Found { called: path.to_string(), dir: RunDir::at(path) }));
    }
    let place = connections::state_dir(state_dir)?;
    let all = runs(&place).map_err(anyhow::Error::from)?;
    let Some(id) = named else {
        let meant = |run: &RunDir| match which {
            Which::Newest => true,
            // One that cannot be read is for `runs show` to explain.
            Which::Resumable => {
                run.superseded().is_none()
                    && !run.is_rehearsal()
                    && run.read().is_ok_and(|run| run.history.state.can_resume())
            }
        };
        return Ok(all.into_iter().rev().find(meant).map(|dir| Found::new(dir, state_dir)));
    };
    let rehearsals = rehearsals(&place).map_err(anyhow::Error::from)?;
    let Some(dir) = all.into_iter().chain(rehearsals).find(|run| run.id() == id) else {
        return Err(AppError::new(ExitKind::Usage, format!("there is no run `{id}` in {place}"))
            .hint("`rollbook runs list` shows what there is; --state-dir names another place"));
    };
    Ok(Some(Found::new(dir, state_dir)))
}

const UNREADABLE: &str = "it cannot be read";

/// Why the record of a run is kept, where it is.
fn kept_because(recorded: &Recorded, run: &RunDir, later: &LaterRuns) -> Option<String> {
    let Recorded { plan, history, .. } = recorded;
    if run.goes_on() {
        return Some("it goes on at this moment".to_owned());
    }
    if history.state.can_resume() && run.superseded().is_none() {
        return Some("it can go on".to_owned());
    }
    let mut summary = Summary::of(plan, history);
    later.settle(&mut summary, recorded, run);
    let names: Vec<String> = summary.left.iter().map(|left| plan.host(left.host).name.to_string()).collect();
    (!names.is_empty()).then(|| format!("it left {}", some_of(&names)))
}

/// Only what is over and left nothing behind is removed: the rest is somebody's evidence.
pub(crate) fn prune(
    state_dir: Option<&Utf8PathBuf>,
    keep: usize,
    dry_run: bool,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let held = lock_state(state_dir, "runs being pruned")?;
    let all = runs(held.path()).map_err(anyhow::Error::from)?;
    let old = all.len().saturating_sub(keep);
    let mut later = LaterRuns::default();
    let mut kept = Vec::with_capacity(all.len());
    for run in all.iter().rev() {
        let recorded = run.read();
        kept.push(
            recorded.as_ref().map_or(Some(UNREADABLE.to_owned()), |found| kept_because(found, run, &later)),
        );
        if let Ok(recorded) = recorded {
            later.take(&recorded);
        }
    }
    kept.reverse();
    for (run, kept) in all[..old].iter().zip(kept) {
        if let Some(why) = kept {
            tell.say(&format!("keeping {}: {why}", run.id()));
        } else if dry_run {
            tell.say(&format!("would remove {}", run.id()));
        } else {
            std::fs::remove_dir_all(run.path()).map_err(|error| {
                anyhow::Error::from(error).context(format!("cannot remove {}", run.path()))
            })?;
            tell.say(&format!("removed {}", run.id()));
        }
    }
    Ok(())
}

/// Where the rehearsals of a state directory are kept, apart from real runs.
pub(crate) fn place_of_rehearsals(state: &Utf8Path) -> Utf8PathBuf {
    state.join("rehearsals")
}

/// The rehearsals that are kept beside the runs of a state directory, by name.
pub(crate) fn rehearsals(state: &Utf8Path) -> Result<Vec<RunDir>, StateDirError> {
    runs(&place_of_rehearsals(state))
}

/// Refuses what would reach hosts with the record of a rehearsal.
pub(crate) fn refuse_rehearsal(dir: &RunDir, hint: &str) -> Result<(), AppError> {
    if !dir.is_rehearsal() {
        return Ok(());
    }
    let message = format!("{} is the record of a rehearsal, which touched no host", dir.path());
    Err(AppError::new(ExitKind::Usage, message).hint(hint))
}

/// How a run goes on that can: where it waits for somebody's word, with that.
pub(crate) fn way_on(summary: &Summary, called: &str, history: &History, plan: &Plan) -> String {
    let is_paused = matches!(history.state.halted(), Some(HaltCause::Paused { .. }));
    let approve = if is_paused && !history.state.awaited(plan).is_empty() { " --approve" } else { "" };
    summary.way_on(&format!("rollbook resume {called}{approve}"))
}

/// Takes the state directory for a run.
pub(crate) fn lock_state(given: Option<&Utf8PathBuf>, run: &str) -> Result<StateDir, AppError> {
    let path = connections::state_dir(given)?;
    match StateDir::lock(&path, run) {
        Ok(state) => Ok(state),
        Err(locked @ StateDirError::Locked { .. }) => {
            Err(AppError::new(ExitKind::Locked, locked.to_string())
                .hint("wait until it has ended, or use another --state-dir for another fleet"))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
