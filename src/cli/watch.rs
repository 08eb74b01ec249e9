//! `rollbook watch`: follows a run from its journal. Reads only; the run does not notice.

use std::thread::sleep;
use std::time::Duration;

use super::args::Watch as Args;
use super::outcome::Outcome;
use super::terminal::Terminal;
use super::watchers::{PromptMode, eyes};
use crate::app::AppError;
use crate::app::connections::state_dir;
use crate::app::records::{Found, Which, find};
use crate::engine::History;
use crate::journal::{Follow, Recorded};
use crate::plan::Plan;
use crate::report::{ExitKind, Summary};

/// Between two looks at the journal.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let Some(record) = find(args.state_dir.as_ref(), args.run.as_deref(), Which::Newest)? else {
        return Err(AppError::new(
            ExitKind::Usage,
            format!("there are no runs in {}", state_dir(args.state_dir.as_ref())?),
        ));
    };
    // A journal that does not fit its plan is found out before anything is shown.
    let Recorded { plan, .. } = record.read()?;
    let mut history = History::new(&plan);
    let mut journal = Follow::of(&record.dir.journal());
    // Questions are asked elsewhere: what they are is shown like everything else.
    let mut reporter = eyes(PromptMode::Elsewhere, args.plain, args.verbose, Some(1.0), terminal);
    loop {
        // In this order: what was written before the controller went is read after it is known to be gone.
        let goes_on = record.dir.goes_on();
        for event in journal.more().map_err(anyhow::Error::from)? {
            history.state.apply(&plan, &event).map_err(anyhow::Error::from)?;
            reporter.event(&plan, &history.state, &event);
            history.events.push(event);
        }
        if !goes_on {
            break;
        }
        sleep(PAUSE);
    }
    drop(reporter);
    ended(&record, &history, &plan, terminal)
}

fn ended(record: &Found, history: &History, plan: &Plan, terminal: &Terminal) -> Outcome {
    if !history.state.finished() {
        terminal
            .error("its controller is gone: nothing new is started, and what ran on hosts ends by itself");
    }
    let way_on = record.way_on(history, plan);
    let mut summary = Summary::of(plan, history).recorded_in(record.dir.path().as_str());
    summary.can_resume = way_on.is_some();
    let mut text = summary.text(plan);
    text.push_str(record.is_of());
    if let Some(way_on) = way_on {
        text.extend([way_on.as_str(), "\n"]);
    }
    terminal.data(&text)
}
