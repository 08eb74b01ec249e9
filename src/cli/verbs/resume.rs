//! `rollbook resume`: goes on with a run from its journal, or with a rehearsal that was kept.

use super::rolling;
use crate::app::records::{Which, find};
use crate::app::{self, ResumeRequest};
use crate::cli::args::{InDoubtChoice, Resume as Args};
use crate::cli::outcome::Outcome;
use crate::cli::rehearse::{find_saved, resume_saved};
use crate::cli::terminal::Terminal;
use crate::cli::watchers::Watchers;
use crate::executor::InDoubt;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // A rehearsal that is named, or the newest one where no real run can go on.
    if let Some(kept) = find_saved(args)?
        && (args.run.is_some() || find(args.state_dir.as_ref(), None, Which::Resumable)?.is_none())
    {
        return resume_saved(args, kept, terminal);
    }
    let watchers = Watchers { roll: &args.roll, terminal };
    let request = ResumeRequest {
        run: args.run.clone(),
        approve: args.approve,
        in_doubt: match args.in_doubt {
            InDoubtChoice::Leave => InDoubt::Leave,
            InDoubtChoice::Rerun => InDoubt::Rerun,
            InDoubtChoice::AssumeDone => InDoubt::AssumeDone,
        },
        connection: args.connection.clone(),
        allow_commands: args.allow_commands,
        roll: rolling(&watchers, args.no_input),
        state_dir: args.state_dir.clone(),
    };
    app::resume::resume(&request, terminal)
}
