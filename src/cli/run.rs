//! `rollbook run`: plans, asks, rolls, and says what is left.

use std::rc::Rc;

use camino::Utf8Path;

use super::args::{Roll, Run as Args};
use super::compose::{Connections, now, run_id, runtime, state_dir, targets};
use super::load::load;
use super::outcome::{Outcome, Stopped};
use super::stage::{as_planned, live, refuse};
use super::stops;
use super::terminal::Terminal;
use crate::executor::{Clock, Finished, RollError, Secrets, Setup, roll, target_of};
use crate::journal::{Journal, StateDir, StateDirError};
use crate::plan::show::{Detail, bytes, digest, text};
use crate::plan::{Plan, forecast};
use crate::report::{Events, Plain, Reporter, Summary, exit};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let unattended = args.no_input || !terminal.is_interactive();
    if unattended && !args.yes {
        terminal.error("nobody is there to ask, and `--yes` is not given");
        terminal.hint("review with `rollbook plan`, then run with --yes");
        return Err(Stopped::Told(exit::USAGE));
    }
    runtime()?.block_on(run_async(args, terminal))
}

async fn run_async(args: &Args, terminal: &Terminal) -> Outcome {
    let saved = saved_plan(&args.file)?;
    let is_saved = saved.is_some();
    let (plan, connections) = if let Some(plan) = saved {
        let connections = Connections::real(plan.hosts.iter().map(target_of).collect())?;
        if let Err(stopped) = as_planned(&plan, &connections, terminal).await {
            connections.close().await;
            return Err(stopped);
        }
        (plan, connections)
    } else {
        let loaded = load(&args.file, &args.input, terminal)?;
        let connections = Connections::real(targets(&loaded.inventory))?;
        match live(&loaded, &args.input, &connections, terminal).await {
            Ok(plan) => (plan, connections),
            Err(stopped) => {
                connections.close().await;
                return Err(stopped);
            }
        }
    };
    let outcome = approved(args, plan, is_saved, &connections, terminal).await;
    connections.close().await;
    outcome
}

async fn approved(
    args: &Args,
    plan: Plan,
    is_saved: bool,
    connections: &Connections,
    terminal: &Terminal,
) -> Outcome {
    refuse(&plan, terminal)?;
    let body = bytes(&plan);
    let digest = digest(&body);
    if !forecast::has_changes(&plan) {
        terminal.say("nothing to do: every goal of the runbook holds already");
        return Ok(exit::OK);
    }
    if !args.yes {
        terminal.say(&text(&plan, &digest, Detail::Normal));
        if !terminal.confirm("Roll this plan?") {
            terminal.say("nothing was changed");
            return Err(Stopped::Told(exit::APPROVAL));
        }
    }
    let secrets =
        Secrets::read(&plan.secrets, |name| std::env::var(name).ok()).map_err(anyhow::Error::from)?;
    let run = run_id();
    let state = lock(args, &run, terminal)?;
    if is_saved && !state.use_plan(&digest).map_err(anyhow::Error::from)? {
        terminal.error(&format!("{} was run already: a saved plan is good for one run", args.file));
        terminal.hint("plan again: what has changed since is then in the new plan");
        return Err(Stopped::Told(exit::APPROVAL));
    }
    let run_dir = state.create_run(&run, &body).map_err(anyhow::Error::from)?;
    let record = Journal::create(&run_dir.journal()).map_err(anyhow::Error::from)?;
    terminal.say(&format!("record: {}", run_dir.path()));
    let plan = Rc::new(plan);
    let setup = Setup {
        plan: Rc::clone(&plan),
        digest,
        run,
        pool: Rc::clone(&connections.pool),
        controller: Rc::clone(&connections.controller),
        record: Box::new(record),
        run_dir: Some(run_dir),
        reporters: reporters(&args.roll)?,
        deadline: args.roll.deadline,
        secrets,
        clock: Clock::starting_at(now()),
        stops: stops::listen()?,
    };
    finish(roll(setup).await, &plan, terminal)
}

/// Shows what a run came to, and gives its exit code.
pub(super) fn finish(result: Result<Finished, RollError>, plan: &Plan, terminal: &Terminal) -> Outcome {
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
        reporters.push(Box::new(Events::new(std::io::BufWriter::new(file))));
    }
    Ok(reporters)
}

fn lock(args: &Args, run: &str, terminal: &Terminal) -> Result<StateDir, Stopped> {
    let path = state_dir(args.state_dir.as_ref())?;
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

/// A plan saved by `rollbook plan -o`; `None` when the file is a runbook.
fn saved_plan(path: &Utf8Path) -> anyhow::Result<Option<Plan>> {
    let bytes = std::fs::read(path)
        .map_err(|error| anyhow::Error::from(error).context(format!("cannot read {path}")))?;
    if bytes.first() != Some(&b'{') {
        return Ok(None);
    }
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| {
        anyhow::Error::from(error).context(format!("{path} is no plan that this version can read"))
    })?;
    anyhow::ensure!(
        plan.format == Plan::FORMAT,
        "{path} has plan format {}, this version reads {}",
        plan.format,
        Plan::FORMAT
    );
    Ok(Some(plan))
}
