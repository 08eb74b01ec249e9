//! `rollbook rehearse`: the real plan, engine and reporters over a simulated cluster, in simulated time; with a
//! scenario, of what goes wrong, too.

mod assumed;
mod check;
mod controller;
mod faults;
mod given;
mod injector;
mod interrupts;
mod named_files;
mod recorded;
mod saved;
mod setup;
mod systems;
mod words;

use std::cell::Cell;
use std::rc::Rc;

use camino::Utf8PathBuf;

use super::args::{Rehearse as Args, Roll};
use super::outcome::Outcome;
use super::terminal::Terminal;
use super::watchers::reporters;
use crate::app::AppError;
use crate::app::connections::{Connections, targets};
use crate::app::roll::{Written, finish};
use crate::app::stage::{IfMissing, live_with, refuse};
use crate::engine::{Awaited, History, REHEARSAL};
use crate::executor::InDoubt;
use crate::journal::{Journal, Record};
use crate::plan::{Plan, Warning};
use crate::report::{ExitKind, Pace, Plain, Reporter, Summary, Verbosity};
use crate::scenario::{AfterKill, FaultKind, Scenario, judge};
use crate::source::Diagnostics;
use controller::{ControllerEnd, ControllerRun, ReportBuffer, Simulation};
use injector::Killed;
use interrupts::{HandsOn, Interrupts};
use setup::Staged;

pub(super) use saved::{find as find_saved, resume as resume_saved};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    if !args.check.is_empty() {
        return check::run(args, terminal);
    }
    let terminal = terminal.listening(false);
    let staged = setup::read(args, named_files::scenario_of(args).as_deref(), &terminal)?;
    let rehearsed = paused(rehearse(&staged, args.audience(), args.state_dir.as_ref(), &terminal))?;
    let rehearsed = rehearsed.map_err(|error| match error {
        Unrehearsed::Mistaken(diagnostics) => {
            terminal.diagnostics(&diagnostics, &staged.loaded.sources);
            AppError::invalid()
        }
        Unrehearsed::Refused(error) => AppError::told(terminal.tell(&error)),
    });
    if let Ok(rehearsed) = &rehearsed {
        let simulation = &rehearsed.simulation;
        terminal.say(&words::left(&simulation.simulated, &staged.world.hosts));
        for line in words::taken(simulation, &staged.world.hosts) {
            terminal.say(&line);
        }
        words::expected(&staged, &rehearsed.differences(&staged), &terminal);
    }
    terminal.say("This was a rehearsal: no host was touched.");
    let rehearsed = rehearsed?;
    let exit = rehearsed.exit;
    // The program ends here, and the simulated hosts go with it at once, not string by string.
    std::mem::forget(rehearsed);
    Ok(exit)
}

/// Who is told of a rehearsal while it goes on.
#[derive(Clone, Copy)]
struct Audience<'a> {
    roll: &'a Roll,
    /// How many times as fast as on the wall time passes; nothing where it passes in no time at all.
    speed: Option<f64>,
    /// Takes what people are told.
    heard: Option<&'a ReportBuffer>,
    /// What somebody has approved who goes on with it.
    approved: &'a [Awaited],
}

impl Args {
    fn audience(&self) -> Audience<'_> {
        Audience { roll: &self.roll, speed: self.speed, heard: None, approved: &[] }
    }
}

impl Audience<'_> {
    /// The reporters of a roll, after one that makes them wait where somebody wants to watch.
    fn reporters(
        self,
        interrupts: &Interrupts,
        terminal: &Terminal,
    ) -> anyhow::Result<Vec<Box<dyn Reporter>>> {
        let mut all: Vec<Box<dyn Reporter>> = Vec::new();
        if !terminal.is_silent() {
            let paced = |speed| {
                let interrupts = interrupts.clone();
                Box::new(Pace::new(speed, move |time| interrupts.sleep(time))) as Box<dyn Reporter>
            };
            all.extend(self.speed.map(paced));
            all.extend(reporters(self.roll, self.speed, terminal)?);
        }
        if let Some(heard) = self.heard {
            all.push(Box::new(Plain::new(heard.clone(), Verbosity::Changes)));
        }
        Ok(all)
    }
}

/// Runs on a clock that nothing but the simulated hosts moves: hours pass in milliseconds.
fn paused<F: Future>(rehearsal: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(rehearsal))
}

/// A rehearsal that is over.
struct Rehearsed {
    exit: ExitKind,
    simulation: Simulation,
    /// Everything that people were told.
    said: String,
}

impl Rehearsed {
    /// What came otherwise than the scenario expects.
    fn differences(&self, staged: &Staged) -> Vec<String> {
        let Some(scenario) = &staged.scenario else { return Vec::new() };
        let history = self.simulation.history();
        let came = crate::scenario::Came {
            exit: self.exit.code(),
            said: &self.said,
            run: Some((&self.simulation.plan, &history, *self.simulation.slots.borrow())),
            nodes: words::nodes(&self.simulation.simulated, &staged.world.hosts),
        };
        let mut differences = scenario
            .expect
            .as_ref()
            .map(|expect| judge(expect, &staged.loaded.inventory, &came))
            .unwrap_or_default();
        let sources = &staged.loaded.sources;
        let place = |fault: usize| {
            let fault = &scenario.faults[fault];
            let (line, column) = sources.line_column(fault.span);
            format!("faults: `{}` at {}:{line}:{column}", fault.word(), sources.file(fault.span.file).name)
        };
        if self.simulation.stage.is_too_long() {
            differences.push(words::too_long());
        }
        let never_struck = self.simulation.stage.never_struck();
        differences.extend(never_struck.into_iter().map(|fault| format!("{} never struck", place(fault))));
        differences
    }
}

/// Why nothing was rehearsed.
enum Unrehearsed {
    /// The scenario has mistakes that only the plan shows.
    Mistaken(Diagnostics),
    /// As a run would be refused.
    Refused(AppError),
}

impl<E: Into<AppError>> From<E> for Unrehearsed {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Plans and rolls.
async fn rehearse(
    staged: &Staged,
    audience: Audience<'_>,
    keep: Option<&Utf8PathBuf>,
    terminal: &Terminal,
) -> Result<Rehearsed, Unrehearsed> {
    let plan = Rc::new(plan(staged, terminal).await?);
    for Warning { message, hint } in &plan.warnings {
        terminal.say(&format!("warning: {message}"));
        terminal.hint(hint);
    }
    let mut diagnostics = Diagnostics::default();
    let scenario = staged.scenario.as_ref();
    let run = run_id(scenario, staged.world.seed);
    let mut simulation = Simulation::new(&staged.world, scenario, plan, run, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(Unrehearsed::Mistaken(diagnostics));
    }
    terminal.diagnostics(&diagnostics, &staged.loaded.sources);
    let leaves = |fault: &crate::scenario::Fault| {
        let killed = FaultKind::ControllerKilled { then: AfterKill::Leave };
        fault.kind == killed || fault.kind == FaultKind::ApprovalRefused
    };
    let leaves = scenario.is_some_and(|scenario| scenario.faults.iter().any(leaves));
    // What is only checked leaves nothing behind.
    let saved = (leaves || keep.is_some()) && !terminal.is_silent();
    let record = if saved { Some(saved::begin(keep, staged, &mut simulation)?) } else { None };
    let heard = ReportBuffer::default();
    // Only a scenario asks what people were told.
    let audience = Audience { heard: scenario.map(|_| &heard), ..audience };
    let exit = roll_on(&simulation, None, record.as_ref(), audience, terminal).await?;
    let said = heard.text() + &terminal.heard();
    Ok(Rehearsed { exit, simulation, said })
}

/// A run's id holds small letters, digits and hyphens only.
fn run_id(scenario: Option<&Scenario>, seed: u64) -> String {
    let name = scenario.map(|scenario| scenario.name.to_ascii_lowercase()).unwrap_or_default();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let middle: String = words.iter().flat_map(|word| [word, "-"]).collect();
    format!("{REHEARSAL}{middle}{seed}")
}

/// Rolls on to the end, or to where the controller is killed for good.
async fn roll_on(
    simulation: &Simulation,
    mut past: Option<History>,
    record: Option<&saved::RehearsalRecord>,
    audience: Audience<'_>,
    terminal: &Terminal,
) -> Outcome {
    let written =
        record.map(|record| Written { called: &record.called, directory: record.dir.path().as_str() });
    // Nobody can stop what nobody sees.
    let interrupts = if terminal.is_silent() { Interrupts::default() } else { Interrupts::listen()? };
    let heard = Rc::new(Cell::new(0));
    loop {
        let mut reporters = audience.reporters(&interrupts, terminal)?;
        let note = {
            let dir = record.map(|record| record.dir.clone());
            move |stop| {
                if let Some(dir) = &dir {
                    saved::note_stop(dir, stop);
                }
            }
        };
        let stage = Rc::clone(&simulation.stage);
        reporters.push(Box::new(HandsOn {
            interrupts: interrupts.clone(),
            stage,
            heard: Rc::clone(&heard),
            note,
        }));
        let journal = record.map(|record| Journal::reopen(&record.dir.journal())).transpose();
        let journal = journal.map_err(anyhow::Error::from)?;
        let life = ControllerRun {
            past,
            record: journal.map_or_else(|| Box::new(()) as Box<dyn Record>, |journal| Box::new(journal)),
            run_dir: record.map(|record| record.dir.clone()),
            reporters,
            deadline: audience.roll.deadline,
            in_doubt: InDoubt::Leave,
            approved: audience.approved.to_vec(),
        };
        match simulation.live(life, terminal).await? {
            ControllerEnd::Over(result) => return finish(*result, &simulation.plan, written, terminal),
            ControllerEnd::Killed(Killed::Resumes) => {
                terminal.say("the controller was killed; another one goes on");
                past = Some(simulation.history());
            }
            ControllerEnd::Killed(Killed::TooLong) => {
                let summary = Summary::of(&simulation.plan, &simulation.history());
                terminal.say(&words::too_long());
                terminal
                    .hint("rehearse with shorter times: as parameters (`-p`), or in a copy of the runbook");
                terminal.say(summary.text(&simulation.plan).trim_end());
                return Ok(ExitKind::Failed);
            }
            ControllerEnd::Killed(Killed::Leaves | Killed::Cut) => {
                let summary = Summary::of(&simulation.plan, &simulation.history());
                terminal.say("the controller was killed");
                terminal.say(summary.text(&simulation.plan).trim_end());
                if let Some(Written { called, .. }) = written {
                    terminal.say(&summary.way_on(&format!("rollbook resume {called}")));
                }
                return Ok(ExitKind::Killed);
            }
        }
    }
}

/// The plan, made over a world of its own: what is rehearsed begins where the plan saw it.
async fn plan(staged: &Staged, terminal: &Terminal) -> Result<Plan, AppError> {
    let simulated = staged.world.build(staged.scenario.as_ref());
    let transport = Rc::new(simulated.clone());
    let connections = Connections::over(transport.clone(), targets(&staged.loaded.inventory), transport);
    let assume = |plan: &Plan| assumed::assume(&simulated, plan);
    let plan =
        live_with(&staged.loaded, &staged.input, IfMissing::Stop, &connections, assume, terminal).await?;
    refuse(&plan)?;
    Ok(Plan { rehearsal: true, ..plan })
}
