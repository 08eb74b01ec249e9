//! `rollbook runs undo`: puts back the cordons and holds that a run left which will not go on.

use camino::Utf8PathBuf;

use super::{consent, rolling};
use crate::app::{self, UndoRequest};
use crate::cli::args::Undo as Args;
use crate::cli::outcome::Outcome;
use crate::cli::terminal::Terminal;
use crate::cli::watchers::Watchers;

pub(in crate::cli) fn run(args: &Args, state_dir: Option<&Utf8PathBuf>, terminal: &Terminal) -> Outcome {
    let watchers = Watchers { roll: &args.roll, terminal };
    let request = UndoRequest {
        run: args.run.clone(),
        consent: consent(args.yes, args.no_input, terminal),
        connection: args.connection.clone(),
        roll: rolling(&watchers, args.no_input),
        state_dir: state_dir.cloned(),
    };
    app::undo::undo(&request, terminal)
}
