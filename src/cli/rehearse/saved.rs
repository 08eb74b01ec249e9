//! Rehearsals that are kept: a record from which `rollbook resume` goes on. The simulated cluster is not written down; it
//! is made again, by rolling once more up to where the journal ends.

use std::fs;
use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::super::args::Resume as Args;
use super::super::outcome::Outcome;
use super::super::terminal::Terminal;
use super::controller::{ControllerEnd, ControllerRun, Simulation};
use super::interrupts::{RepeatedStop, Repeats};
use super::setup::{SimulationSetup, Staged};
use super::{Audience, paused, roll_on, words};
use crate::app::AppError;
use crate::app::connections::state_dir;
use crate::app::records::place_of_rehearsals;
use crate::app::resume::nothing_to_approve;
use crate::engine::History;
use crate::executor::InDoubt;
use crate::journal::{Journal, Recorded, RunDir, StateDir, StateDirError, runs};
use crate::plan::show::bytes;
use crate::report::ExitKind;
use crate::scenario::{self, Scenario};
use crate::source::{Diagnostics, Limits, SourceMap, parse};

/// What stands beside plan and journal.
#[derive(Serialize, Deserialize)]
struct SavedRehearsal {
    /// Version of this format.
    format: u32,
    world: SimulationSetup,
    /// The scenario's text; empty where there is none.
    scenario: String,
    /// Where people stopped it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stops: Vec<RepeatedStop>,
}

const FORMAT: u32 = 1;
const FILE: &str = RunDir::REHEARSAL;

/// The record of a rehearsal, while it is written.
pub(super) struct RehearsalRecord {
    pub(super) dir: RunDir,
    /// What to type after `rollbook resume`.
    pub(super) called: String,
    _state: StateDir,
}

/// Where rehearsals are kept, apart from real runs.
fn place(given: Option<&Utf8PathBuf>) -> anyhow::Result<Utf8PathBuf> {
    Ok(place_of_rehearsals(&state_dir(given)?))
}

fn lock(place: &Utf8Path, run: &str) -> Result<StateDir, AppError> {
    match StateDir::lock(place, run) {
        Ok(state) => Ok(state),
        Err(locked @ StateDirError::Locked { .. }) => {
            Err(AppError::new(ExitKind::Locked, locked.to_string())
                .hint("wait until it has ended, or use another --state-dir"))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}

/// Begins the record of a rehearsal, beside those of earlier ones of the same scenario and seed.
pub(super) fn begin(
    given: Option<&Utf8PathBuf>,
    staged: &Staged,
    simulation: &mut Simulation,
) -> Result<RehearsalRecord, AppError> {
    let place = place(given)?;
    let state = lock(&place, &simulation.run)?;
    let runs = place.join("runs");
    let others = (2_u32..).map(|number| format!("{}-{number}", simulation.run));
    let mut names = std::iter::once(simulation.run.clone()).chain(others);
    let is_free = |run: &String| !runs.join(run).exists();
    simulation.run = names.find(is_free).expect("invariant: numbers do not end");
    let run = simulation.run.as_str();
    let path = runs.join(run);
    let dir = state.create_run(run, &bytes(&simulation.plan)).map_err(anyhow::Error::from)?;
    let (world, scenario) = (staged.world.clone(), staged.text.clone());
    write(&dir, &SavedRehearsal { format: FORMAT, world, scenario, stops: Vec::new() })?;
    Journal::create(&dir.journal()).map_err(anyhow::Error::from)?;
    let called = if given.is_none() { run } else { path.as_str() }.to_owned();
    Ok(RehearsalRecord { dir, called, _state: state })
}

/// The kept rehearsal that a `resume` means: the one that is named, or the newest one that can go on.
pub(in super::super) fn find(args: &Args) -> anyhow::Result<Option<RunDir>> {
    if let Some(path) = args.run.as_deref().map(Utf8Path::new).filter(|path| path.join(FILE).is_file()) {
        return Ok(Some(RunDir::at(path.canonicalize_utf8()?)));
    }
    let mut all = runs(&place(args.state_dir.as_ref())?)?;
    all.reverse();
    Ok(all.into_iter().filter(|run| run.path().join(FILE).is_file()).find(|run| match &args.run {
        Some(id) => run.id() == id,
        None => run.read().is_ok_and(|run| run.history.state.can_resume()),
    }))
}

/// `rollbook resume` of a rehearsal.
pub(in super::super) fn resume(args: &Args, dir: RunDir, terminal: &Terminal) -> Outcome {
    // One that was moved stands for itself.
    let runs = dir.path().parent().filter(|runs| runs.file_name() == Some("runs"));
    let place = runs.and_then(Utf8Path::parent).unwrap_or(dir.path());
    let state = lock(place, dir.id())?;
    let Recorded { plan, history, .. } = dir.read().map_err(anyhow::Error::from)?;
    if history.events.is_empty() || !history.state.can_resume() {
        return Err(AppError::new(ExitKind::Usage, format!("the rehearsal {} is over", dir.id()))
            .hint("rehearse again: nothing is left of it but its record"));
    }
    let awaited = history.state.awaited(&plan);
    if args.approve && awaited.is_empty() {
        return Err(nothing_to_approve(dir.id()));
    }
    let approved = if args.approve { awaited } else { Vec::new() };
    let saved = read(&dir)?;
    let scenario = scenario_of(&saved.scenario);
    let run = history.run().unwrap_or_default().to_owned();
    terminal.say(&format!(
        "{} is a rehearsal: it goes on over its simulated cluster, and no host is touched.",
        dir.id()
    ));
    let plan = Rc::new(plan);
    let simulation = Simulation::new(&saved.world, scenario.as_ref(), plan, run, &mut Diagnostics::default());
    let record = RehearsalRecord {
        called: args.run.clone().unwrap_or_else(|| dir.id().to_owned()),
        dir,
        _state: state,
    };
    let audience = Audience { roll: &args.roll, speed: None, heard: None, approved: &approved };
    let exit = paused(go_on(&simulation, history, saved.stops, &record, audience, terminal))??;
    terminal.say(&words::left(&simulation.simulated, &saved.world.hosts));
    for line in words::taken(&simulation, &saved.world.hosts) {
        terminal.say(&line);
    }
    terminal.say("This was a rehearsal: no host was touched.");
    Ok(exit)
}

fn write(dir: &RunDir, saved: &SavedRehearsal) -> anyhow::Result<()> {
    let (path, new) = (dir.path().join(FILE), dir.path().join("rehearsal.new"));
    fs::write(&new, serde_json::to_vec(saved)?)?;
    Ok(fs::rename(new, path)?)
}

/// Notes that people stopped the rehearsal. Without the note it is not taken up again, and `resume` says so.
pub(super) fn note_stop(dir: &RunDir, stop: RepeatedStop) {
    if let Ok(mut saved) = read(dir) {
        saved.stops.push(stop);
        drop(write(dir, &saved));
    }
}

fn read(dir: &RunDir) -> anyhow::Result<SavedRehearsal> {
    let path = dir.path().join(FILE);
    let saved: SavedRehearsal = serde_json::from_slice(&fs::read(&path)?)?;
    anyhow::ensure!(saved.format == FORMAT, "{path} is of a format that this version cannot read");
    Ok(saved)
}

/// It was read without a mistake when the rehearsal began.
fn scenario_of(text: &str) -> Option<Scenario> {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let file = sources.add("scenario", text);
    let tree = parse(&sources, file, Limits::default(), &mut diagnostics)?;
    scenario::parse(&tree, &mut diagnostics)
}

async fn go_on(
    simulation: &Simulation,
    history: History,
    stops: Vec<RepeatedStop>,
    record: &RehearsalRecord,
    audience: Audience<'_>,
    terminal: &Terminal,
) -> Outcome {
    if let Err(reason) = repeat(simulation, &history, &stops, &terminal.listening(true)).await {
        return Err(AppError::new(
            ExitKind::Io,
            format!("the rehearsal {} cannot be taken up: {reason}", record.dir.id()),
        )
        .hint("it was kept by another version of rollbook, or with another --deadline: rehearse again"));
    }
    roll_on(simulation, Some(history), Some(record), audience, terminal).await
}

/// Rolls again up to the end of a journal, unseen, so that the simulated cluster is as it was then.
async fn repeat(
    simulation: &Simulation,
    history: &History,
    stops: &[RepeatedStop],
    unheard: &Terminal,
) -> Result<(), String> {
    let stage = &simulation.stage;
    let end = history.events.last().map_or(0, |last| last.seq);
    stage.cut_after(Some(end));
    let mut past = None;
    while stage.last() < end {
        let before = stage.last();
        let life = ControllerRun {
            past,
            record: Box::new(()),
            run_dir: None,
            reporters: vec![Box::new(Repeats { stops: stops.to_vec(), stage: Rc::clone(stage) })],
            deadline: None,
            in_doubt: InDoubt::Leave,
            approved: Vec::new(),
        };
        match simulation.live(life, unheard).await {
            Ok(ControllerEnd::Over(result)) => result.map(drop).map_err(|error| error.to_string())?,
            Ok(ControllerEnd::Killed(_)) => {}
            Err(_) => return Err("it does not get the lock of its cluster again".to_owned()),
        }
        if stage.last() == before {
            return Err("it does not come as far as its journal".to_owned());
        }
        past = Some(History::of(&simulation.plan, stage.events()).map_err(|error| error.to_string())?);
    }
    stage.cut_after(None);
    if stage.last() != end {
        return Err("it comes further than its journal".to_owned());
    }
    match stage.events().iter().zip(&history.events).find(|(now, then)| now != then) {
        None => Ok(()),
        Some((now, _)) => Err(format!("its event {} does not come again", now.seq)),
    }
}
