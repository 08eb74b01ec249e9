//! Those who watch a run from this terminal: a live display or plain lines for people, a file of events for programs.

use camino::Utf8Path;
use console::Term;

use super::args::Roll;
use super::terminal::Terminal;
use crate::app::Audience;
use crate::report::{Events, Live, Plain, Reporter, Verbosity};

/// What the flags of a run say about who watches it.
pub(super) struct Watchers<'a> {
    pub(super) roll: &'a Roll,
    pub(super) terminal: &'a Terminal,
}

impl Audience for Watchers<'_> {
    fn check(&self) -> anyhow::Result<()> {
        check_events(self.roll)
    }

    fn reporters(&self) -> anyhow::Result<Vec<Box<dyn Reporter>>> {
        reporters(self.roll, Some(1.0), self.terminal)
    }
}

/// Where questions to people are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptMode {
    /// On this terminal.
    Here,
    /// On another one.
    Elsewhere,
}

/// For people: the live display on a tell that can show it, else plain lines.
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
fn check_events(roll: &Roll) -> anyhow::Result<()> {
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
