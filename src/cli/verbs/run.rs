//! `rollbook run`: plans, asks, rolls, and says what is left.

use super::{consent, rolling};
use crate::app::{self, RunRequest};
use crate::cli::args::{Run as Args, UnfinishedChoice};
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::cli::watchers::Watchers;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let watchers = Watchers { roll: &args.roll, terminal };
    let request = RunRequest {
        file: args.file.clone(),
        input: args.input.request(),
        consent: consent(args.yes, args.no_input, terminal),
        wait_lock: args.wait_lock,
        resume_unfinished: args.unfinished == UnfinishedChoice::Resume,
        roll: rolling(&watchers, args.no_input),
        state_dir: args.state_dir.clone(),
    };
    app::run::run(&request, terminal)
}
