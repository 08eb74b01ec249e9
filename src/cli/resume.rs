//! `rollbook resume`: goes on with a run from its journal, with the plan that it was started with.

use std::rc::Rc;

use super::args::{InDoubtChoice, Resume as Args};
use super::compose::{Connections, now, runtime, targets};
use super::load::load_inventory;
use super::outcome::{Outcome, Stopped};
use super::roll::{Recorded as HasRecord, finish, lock, reporters};
use super::runs::{Which, find};
use super::stops;
use super::terminal::Terminal;
use crate::executor::{Clock, InDoubt, Past, Secrets, Setup, roll, target_of};
use crate::journal::{Journal, Recorded, RunDir};
use crate::plan::Plan;
use crate::report::{Summary, exit};
use crate::transport::Target;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // The lock comes first: the run may be going on at this moment.
    let held = lock(args.state_dir.as_ref(), args.run.as_deref().unwrap_or("being resumed"), terminal)?;
    let Some(run_dir) = find(held.path(), args.run.as_deref(), Which::Resumable, terminal)? else {
        terminal.error("no run can go on");
        terminal.hint("`rollbook runs list` shows what there is; start a new one with `rollbook run`");
        return Err(Stopped::Told(exit::USAGE));
    };
    let recorded = run_dir.read().map_err(anyhow::Error::from)?;
    if !recorded.state.can_resume() {
        let summary = Summary::of(&recorded.plan, &recorded.state, &recorded.events);
        terminal.error(&format!("run {} is over", run_dir.id()));
        terminal.say(summary.text(&recorded.plan).trim_end());
        terminal.hint("start a new run: it does what is still to be done");
        return Err(Stopped::Told(exit::USAGE));
    }
    runtime()?.block_on(go_on(args, run_dir, recorded, terminal))
}

async fn go_on(args: &Args, run_dir: RunDir, recorded: Recorded, terminal: &Terminal) -> Outcome {
    let Recorded { plan, digest, events, state } = recorded;
    let connections = Connections::real(ways(&plan, args, terminal)?)?;
    let secrets =
        Secrets::read(&plan.secrets, |name| std::env::var(name).ok()).map_err(anyhow::Error::from)?;
    let record = Journal::reopen(&run_dir.journal()).map_err(|error| {
        anyhow::Error::from(error).context(format!("cannot go on with {}", run_dir.journal()))
    })?;
    terminal.say(&format!("record: {}", run_dir.path()));
    let plan = Rc::new(plan);
    let setup = Setup {
        plan: Rc::clone(&plan),
        digest,
        run: run_dir.id().to_owned(),
        pool: Rc::clone(&connections.pool),
        controller: Rc::clone(&connections.controller),
        record: Box::new(record),
        run_dir: Some(run_dir),
        reporters: reporters(&args.roll)?,
        deadline: args.roll.deadline,
        secrets,
        past: Some(Past { state, events }),
        in_doubt: match args.in_doubt {
            InDoubtChoice::Leave => InDoubt::Leave,
            InDoubtChoice::Rerun => InDoubt::Rerun,
            InDoubtChoice::AssumeDone => InDoubt::AssumeDone,
        },
        clock: Clock::starting_at(now()),
        stops: stops::listen()?,
    };
    let outcome = finish(roll(setup).await, &plan, HasRecord::Yes, terminal);
    connections.close().await;
    outcome
}

/// How each host of the plan is reached: as the plan says, or as `--connection` does for the hosts that it knows.
fn ways(plan: &Plan, args: &Args, terminal: &Terminal) -> Result<Vec<Target>, Stopped> {
    let mut ways: Vec<Target> = plan.hosts.iter().map(target_of).collect();
    if let Some(path) = &args.connection {
        let inventory = load_inventory(path, terminal)?;
        for other in targets(&inventory) {
            if let Some(way) = ways.iter_mut().find(|way| way.host == other.host) {
                *way = other;
            }
        }
    }
    Ok(ways)
}
