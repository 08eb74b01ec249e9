//! `rollbook runs`: the records of runs.

mod output;

use std::fmt::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{Format, Runs as Args, RunsCommand};
use super::connections::{self, state_dir};
use super::outcome::Outcome;
use super::rehearse::all_kept;
use super::roll::{lock_state, way_on};
use super::terminal::Terminal;
use crate::app::AppError;
use crate::engine::History;
use crate::journal::{JournalError, Recorded, RecordedError, RunDir, runs};
use crate::plan::Plan;
use crate::report::{ExitKind, Plain, Reporter, Summary, Verbosity};
use crate::value::Timestamp;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    match &args.command {
        RunsCommand::List { format } => list(&state_dir(args.state_dir.as_ref())?, *format, terminal),
        RunsCommand::Show { run, verbose } => show(args, run.as_deref(), *verbose, terminal),
        RunsCommand::Output { run, host, step } => {
            let wanted = output::OutputFilter { host: host.as_deref(), step: step.as_deref() };
            output::show(run, &wanted, args.state_dir.as_ref(), terminal)
        }
        RunsCommand::Undo(undo) => super::undo::run(undo, args.state_dir.as_ref(), terminal),
        RunsCommand::Prune { keep, dry_run } => prune(args, *keep, *dry_run, terminal),
    }
}

/// Which run is meant where none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Newest,
    /// The newest one that can go on.
    Resumable,
}

/// The record of a run, and what to call it on a command line.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) dir: RunDir,
    pub(super) called: String,
}

impl Found {
    /// By its id where `rollbook resume ID` finds it, else by its directory.
    pub(super) fn new(dir: RunDir, state_dir: Option<&Utf8PathBuf>) -> Self {
        let called = if state_dir.is_none() { dir.id() } else { dir.path().as_str() }.to_owned();
        Self { dir, called }
    }

    /// How the run goes on, where it can: it was not given up, and what it was rehearsed on is still there.
    pub(super) fn way_on(&self, history: &History, plan: &Plan) -> Option<String> {
        let is_lost = self.dir.is_rehearsal() && !self.dir.path().join(RunDir::REHEARSAL).exists();
        let goes_on = history.state.can_resume() && !is_lost && self.dir.superseded().is_none();
        goes_on.then(|| way_on(&Summary::of(plan, history), &self.called, history, plan))
    }

    /// A line about a record that is no real run's.
    pub(super) fn is_of(&self) -> &'static str {
        if self.dir.is_rehearsal() { "This was a rehearsal: no host was touched.\n" } else { "" }
    }

    /// What the record tells.
    pub(super) fn read(&self) -> Result<Recorded, AppError> {
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
pub(super) fn find(
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
    let rehearsals = all_kept(&place).map_err(anyhow::Error::from)?;
    let Some(dir) = all.into_iter().chain(rehearsals).find(|run| run.id() == id) else {
        return Err(AppError::new(ExitKind::Usage, format!("there is no run `{id}` in {place}"))
            .hint("`rollbook runs list` shows what there is; --state-dir names another place"));
    };
    Ok(Some(Found::new(dir, state_dir)))
}

fn list(state: &Utf8Path, format: Format, terminal: &Terminal) -> Outcome {
    let mut rows = Vec::new();
    // Rehearsals first: whoever asks for the newest run reads the last line.
    let rehearsals = all_kept(state).map_err(anyhow::Error::from)?;
    for run in rehearsals.into_iter().chain(runs(state).map_err(anyhow::Error::from)?) {
        rows.push(match run.read() {
            Ok(recorded) => RunRow::of(&run, &recorded),
            Err(error) => RunRow::unreadable(&run, &error),
        });
    }
    terminal.data(&match format {
        Format::Text => table(&rows),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&rows).map_err(anyhow::Error::from)?),
    })
}

/// A line of `runs list`.
#[derive(serde::Serialize)]
struct RunRow {
    run: String,
    /// "running", "done", "stopped", "cut off", "undone", "given up", "failed", "damaged".
    state: &'static str,
    /// When it began, as a date and time; empty where it never did.
    began: String,
    /// From its first event to its last.
    took: String,
    /// Why it did not go to its end, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_by: Option<String>,
    can_resume: bool,
    /// No host was touched, and none is left.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rehearsal: bool,
    runbook: String,
    inventory: String,
    hosts: usize,
    /// Hosts that are out of service or half-changed.
    left: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

impl RunRow {
    fn of(run: &RunDir, recorded: &Recorded) -> Self {
        let Recorded { plan, history, .. } = recorded;
        let summary = Summary::of(plan, history);
        let given_up = run.superseded();
        let rehearsal = run.is_rehearsal();
        let can_resume = history.state.can_resume() && given_up.is_none();
        let word = match (history.state.finished(), summary.exit()) {
            _ if history.state.undone_by().is_some() => "undone",
            (false, _) if run.goes_on() => "running",
            _ if given_up.is_some() => "given up",
            (false, _) => "cut off",
            (true, ExitKind::Ok) => "done",
            (true, _) if can_resume => "stopped",
            (true, _) => "failed",
        };
        Self {
            run: run.id().to_owned(),
            state: word,
            began: history.events.first().map(|event| date(event.at)).unwrap_or_default(),
            took: summary.took.to_string(),
            stopped_by: summary.stopped_by.clone(),
            can_resume,
            rehearsal,
            runbook: plan.runbook.clone(),
            inventory: plan.inventory.clone(),
            // Not a machine that only runs kubectl.
            hosts: history.state.counts(plan).all(),
            left: if rehearsal { 0 } else { summary.left.len() },
            note: String::new(),
        }
    }

    fn unreadable(run: &RunDir, error: &dyn std::error::Error) -> Self {
        Self {
            run: run.id().to_owned(),
            state: "damaged",
            began: String::new(),
            took: String::new(),
            stopped_by: None,
            can_resume: false,
            rehearsal: run.is_rehearsal(),
            runbook: String::new(),
            inventory: String::new(),
            hosts: 0,
            left: 0,
            note: error.to_string(),
        }
    }
}

/// By the clock of this machine's zone.
fn date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

const TITLES: [&str; 8] = ["RUN", "BEGAN", "TOOK", "STATE", "HOSTS", "LEFT", "RUNBOOK", "INVENTORY"];

/// As wide as what stands in it, because names of runbooks have every length.
fn table(rows: &[RunRow]) -> String {
    let cells = |row: &RunRow| {
        let RunRow { run, began, took, state, hosts, left, runbook, inventory, .. } = row;
        let state = if row.rehearsal { format!("rehearsal, {state}") } else { (*state).to_owned() };
        [
            run.clone(),
            began.clone(),
            took.clone(),
            state,
            hosts.to_string(),
            left.to_string(),
            runbook.clone(),
            inventory.clone(),
        ]
    };
    let cells: Vec<[String; 8]> =
        std::iter::once(TITLES.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let widths: [usize; 8] =
        std::array::from_fn(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let notes = std::iter::once("").chain(rows.iter().map(|row| match &row.stopped_by {
        Some(reason) => reason.as_str(),
        None => row.note.as_str(),
    }));
    let mut out = String::new();
    for (row, note) in cells.iter().zip(notes) {
        let line: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = format!("{}  {note}", line.join("  "));
        writeln!(out, "{}", line.trim_end()).expect("invariant: writing to a string works");
    }
    out
}

fn show(args: &Args, named: Option<&str>, verbose: bool, terminal: &Terminal) -> Outcome {
    let Some(found) = find(args.state_dir.as_ref(), named, Which::Newest)? else {
        return Err(AppError::new(
            ExitKind::Usage,
            format!("there are no runs in {}", state_dir(args.state_dir.as_ref())?),
        ));
    };
    let Recorded { plan, history, .. } = found.read()?;
    let way_on = found.way_on(&history, &plan);
    let mut text = Vec::new();
    let mut plain = Plain::new(&mut text, Verbosity::of_log(verbose));
    // As it was told: what an event means depends on how far the run had come.
    let mut then = History::new(&plan).state;
    for event in &history.events {
        then.apply(&plan, event).map_err(anyhow::Error::from)?;
        plain.event(&plan, &then, event);
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    let mut summary = Summary::of(&plan, &history).recorded_in(found.dir.path().as_str());
    summary.can_resume = way_on.is_some();
    text.push_str(&summary.text(&plan));
    if let Some(way_on) = way_on {
        text.extend([way_on.as_str(), "\n"]);
    }
    if let Some(by) = history.state.undone_by() {
        let _ = writeln!(text, "undone by run {by}; a new run does what is still to be done");
    } else if let Some(why) = found.dir.superseded() {
        let _ = writeln!(text, "given up by {why}; a new run does what is still to be done");
    }
    let _ = writeln!(text, "record: {}", found.dir.path());
    text.push_str(found.is_of());
    terminal.data(&text)
}

/// Only what is over and left nothing behind is removed: the rest is somebody's evidence.
fn prune(args: &Args, keep: usize, dry_run: bool, terminal: &Terminal) -> Outcome {
    let held = lock_state(args.state_dir.as_ref(), "runs being pruned")?;
    let all = runs(held.path()).map_err(anyhow::Error::from)?;
    let old = all.len().saturating_sub(keep);
    for run in &all[..old] {
        let over = run.read().is_ok_and(|recorded| {
            let Recorded { plan, history, .. } = &recorded;
            !history.state.can_resume() && Summary::of(plan, history).left.is_empty()
        });
        if !over {
            terminal
                .say(&format!("keeping {}: it can go on, left hosts behind, or cannot be read", run.id()));
        } else if dry_run {
            terminal.say(&format!("would remove {}", run.id()));
        } else {
            std::fs::remove_dir_all(run.path()).map_err(|error| {
                anyhow::Error::from(error).context(format!("cannot remove {}", run.path()))
            })?;
            terminal.say(&format!("removed {}", run.id()));
        }
    }
    Ok(ExitKind::Ok)
}
