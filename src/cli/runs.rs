//! `rollbook runs`: the records of runs.

mod output;

use std::fmt::Write;

use camino::Utf8Path;

use super::args::{Format, Runs as Args, RunsCommand};
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::app::connections::state_dir;
use crate::app::left::{LaterRuns, as_it_stands};
use crate::app::records::{Which, find, prune, rehearsals};
use crate::engine::History;
use crate::journal::{Recorded, RunDir, runs};
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
        RunsCommand::Undo(undo) => super::verbs::undo::run(undo, args.state_dir.as_ref(), terminal),
        RunsCommand::Prune { keep, dry_run } => {
            prune(args.state_dir.as_ref(), *keep, *dry_run, terminal)?;
            Ok(ExitKind::Ok)
        }
    }
}

fn list(state: &Utf8Path, format: Format, terminal: &Terminal) -> Outcome {
    let mut rows = Vec::new();
    // Rehearsals first: whoever asks for the newest run reads the last line.
    let rehearsals = rehearsals(state).map_err(anyhow::Error::from)?;
    let all = rehearsals.into_iter().chain(runs(state).map_err(anyhow::Error::from)?);
    // What a run left is known once those after it are.
    let mut later = LaterRuns::default();
    for run in all.collect::<Vec<_>>().iter().rev() {
        rows.push(match run.read() {
            Ok(recorded) => {
                let row = RunRow::of(run, &recorded, &later);
                later.take(&recorded);
                row
            }
            Err(error) => RunRow::unreadable(run, &error),
        });
    }
    rows.reverse();
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
    /// No host was touched: what it left, it left in the simulation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rehearsal: bool,
    runbook: String,
    inventory: String,
    hosts: usize,
    /// Hosts that it left out of service, half-changed or in the middle of its steps, and that no later run brought to
    /// their end.
    left: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

impl RunRow {
    fn of(run: &RunDir, recorded: &Recorded, later: &LaterRuns) -> Self {
        let Recorded { plan, history, .. } = recorded;
        let mut summary = Summary::of(plan, history);
        let exit = summary.exit();
        if run.goes_on() {
            summary.without_those_at_work(plan, &history.state);
        } else if !run.is_rehearsal() {
            later.settle(&mut summary, recorded, run);
        }
        let given_up = run.superseded();
        let rehearsal = run.is_rehearsal();
        let can_resume = history.state.can_resume() && given_up.is_none();
        let word = match (history.state.finished(), exit) {
            _ if history.state.undone_by().is_some() => "undone",
            (false, _) if run.goes_on() => "running",
            _ if given_up.is_some() => "given up",
            (false, _) => "cut off",
            (true, ExitKind::Ok) => "done",
            // It was asked to stop when everything was under way.
            (true, ExitKind::Interrupted | ExitKind::Terminated | ExitKind::Deadline)
                if history.state.is_whole() && !can_resume =>
            {
                "done"
            }
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
            left: summary.left.len(),
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
    let recorded = found.read()?;
    let (summary, ended_later) = as_it_stands(&recorded, &found.dir, args.state_dir.as_ref())?;
    let Recorded { plan, history, .. } = recorded;
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
    let mut summary = summary.recorded_in(found.dir.path().as_str());
    summary.can_resume = way_on.is_some();
    text.push_str(&summary.text(&plan));
    for ended in ended_later {
        text.extend([ended.line(&plan).as_str(), "\n"]);
    }
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
