//! `rollbook exec`: one command on many hosts.

use super::{consent, rolling};
use crate::app::exec::{ExecRequest, change, look, refuse_program};
use crate::app::{AppError, RunRequest, RunbookInput};
use crate::cli::args::{Exec as Args, Roll};
use crate::cli::outcome::Outcome;
use crate::cli::said::show;
use crate::cli::terminal::Terminal;
use crate::cli::watchers::Watchers;
use crate::inventory::HostName;
use crate::report::ExitKind;

pub(in crate::cli) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    refuse(args)?;
    let request = ExecRequest {
        inventory: args.inventory.clone(),
        selector: args.selector.clone(),
        command: args.command.clone(),
        r#become: args.r#become,
        parallel: args.parallel,
        timeout: args.timeout,
        kubectl: args.kubectl.request(),
    };
    let hear = |host: &HostName, said: (&str, &str)| show(args, host, said, terminal);
    if !args.change {
        return look(&request, &hear, terminal);
    }
    let roll = Roll { events: None, deadline: None, quiet: false, verbose: false, plain: args.grouped };
    let watchers = Watchers { roll: &roll, terminal };
    let run = RunRequest {
        file: "exec".into(),
        input: RunbookInput { inventory: Some(args.inventory.clone()), ..RunbookInput::default() },
        consent: consent(args.yes, args.no_input, terminal),
        wait_lock: args.wait_lock,
        resume_unfinished: false,
        roll: rolling(&watchers, args.no_input),
        state_dir: args.state_dir.clone(),
    };
    change(&request, &run, &hear, terminal)
}

/// What would be ignored without a word, and what no host could run.
fn refuse(args: &Args) -> Result<(), AppError> {
    let given = [("--yes", args.yes), ("--wait-lock", args.wait_lock.is_some())];
    let given = given.into_iter().filter_map(|(flag, given)| given.then_some(flag));
    let mut only_changing = given.chain(args.kubectl.given().map(|(flag, _)| flag));
    match only_changing.next().filter(|_| !args.change) {
        Some(flag) => Err(AppError::new(ExitKind::Usage, format!("{flag} belongs to --change"))
            .hint("a command that changes nothing takes no lock and asks nothing")),
        None => refuse_program(&args.command),
    }
}
