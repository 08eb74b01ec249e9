//! What `run`, `resume` and `rehearse` share: the lock, the reporters, and the last words.

use camino::Utf8PathBuf;

use super::args::Roll;
use super::compose::state_dir;
use super::outcome::{Outcome, Stopped};
use super::terminal::Terminal;
use crate::executor::{Finished, RollError};
use crate::journal::{RunDir, StateDir, StateDirError};
use crate::plan::Plan;
use crate::report::{Events, Plain, Reporter, Summary, exit};

/// Whether a run has a record from which it could go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// What to type after `rollbook resume`.
    As(String),
    No,
}

impl Recorded {
    /// By its id where no state directory was named, else by its directory.
    pub(super) fn of(run_dir: &RunDir, state_dir: Option<&Utf8PathBuf>) -> Self {
        Self::As(if state_dir.is_none() { run_dir.id() } else { run_dir.path().as_str() }.to_owned())
    }
}

/// Shows what a run came to, and gives its exit code.
pub(super) fn finish(
    result: Result<Finished, RollError>,
    plan: &Plan,
    recorded: &Recorded,
    terminal: &Terminal,
) -> Outcome {
    let (finished, trouble) = match result {
        Ok(finished) => (finished, None),
        Err(RollError::Journal { source, finished }) => {
            let error = anyhow::Error::from(source)
                .context("the journal cannot be written, so nothing more was started");
            (*finished, Some(error))
        }
        Err(RollError::Illegal(illegal)) => {
            terminal.error(&format!("this is a bug in rollbook: {illegal}"));
            return Err(Stopped::Told(exit::BUG));
        }
    };
    let summary = Summary::of(plan, &finished.state, &finished.events);
    terminal.say(summary.text(plan).trim_end());
    if let Recorded::As(name) = recorded
        && finished.state.can_resume()
    {
        terminal.say(&format!("to go on: rollbook resume {name}"));
    }
    match (trouble, summary.exit_code()) {
        // What is left out of service matters more than the reason why the run stopped.
        (Some(error), exit::LEFT_OUT) => {
            terminal.error(&format!("{error:#}"));
            Ok(exit::LEFT_OUT)
        }
        (Some(error), _) => Err(Stopped::Error(error)),
        (None, code) => Ok(code),
    }
}

/// Everybody who wants to hear of events.
pub(super) fn reporters(roll: &Roll) -> anyhow::Result<Vec<Box<dyn Reporter>>> {
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if !roll.quiet {
        reporters.push(Box::new(Plain::new(std::io::stderr(), roll.verbose)));
    }
    if let Some(path) = &roll.events {
        let file = std::fs::File::create(path)
            .map_err(|error| anyhow::Error::from(error).context(format!("cannot write {path}")))?;
        reporters.push(Box::new(Events::new(file)));
    }
    Ok(reporters)
}

/// Takes the state directory for a run.
pub(super) fn lock(given: Option<&Utf8PathBuf>, run: &str, terminal: &Terminal) -> Result<StateDir, Stopped> {
    let path = state_dir(given)?;
    match StateDir::lock(&path, run) {
        Ok(state) => Ok(state),
        Err(locked @ StateDirError::Locked { .. }) => {
            terminal.error(&locked.to_string());
            terminal.hint("wait until it has ended, or use another --state-dir for another fleet");
            Err(Stopped::Told(exit::LOCKED))
        }
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
