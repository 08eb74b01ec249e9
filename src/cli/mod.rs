//! The command line: the composition root. Every verb is a thin file that reads, calls and shows; nobody imports it.

mod args;
mod ask;
mod exit_codes;
mod explain;
mod facts;
mod inventory;
mod kube;
mod new;
mod outcome;
mod reference;
mod rehearse;
mod runs;
mod said;
mod schema;
mod steps;
mod terminal;
mod validate;
mod verbs;
mod watch;
mod watchers;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, Parser};

use crate::app::AppError;
use crate::report::ExitKind;
use crate::source::nearest;
use args::{Cli, Command};
use outcome::Outcome;
pub use reference::pages as reference_pages;
pub use schema::schemas;
use terminal::Terminal;

/// Runs the command line and gives the process's exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // A panic is a bug: its exit code must not look like a failed host's.
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(args)));
    ExitCode::from(code.unwrap_or(ExitKind::Bug.code()))
}

fn dispatch(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with 0. Everything else is a usage error; a closed pipe changes neither.
            let _ = error.print();
            return if error.use_stderr() { ExitKind::Usage } else { ExitKind::Ok }.code();
        }
    };
    let terminal = Terminal::new(cli.color);
    let result: Outcome = match &cli.command {
        Command::Validate(args) => validate::run(args, &terminal),
        Command::Plan(args) => verbs::plan::run(args, &terminal),
        Command::Run(args) => verbs::run::run(args, &terminal),
        Command::Resume(args) => verbs::resume::run(args, &terminal),
        Command::Watch(args) => watch::run(args, &terminal),
        Command::Runs(args) => runs::run(args, &terminal),
        Command::Lock(args) => verbs::lock::run(args, &terminal),
        Command::Rehearse(args) => rehearse::run(args, &terminal),
        Command::Inventory(args) => inventory::run(args, &terminal),
        Command::Facts(args) => verbs::facts::run(args, &terminal),
        Command::Steps(args) => steps::run(args, &terminal),
        Command::Schema(args) => schema::run(args, &terminal),
        Command::Explain(args) => explain::run(args, &terminal),
        Command::Doctor(args) => verbs::doctor::run(args, &terminal),
        Command::Exec(args) => verbs::exec::run(args, &terminal),
        Command::New(args) => new::run(args, &terminal),
        Command::Completions { shell } => completions(*shell, &terminal),
        Command::Man { command } => manual(command, &terminal),
    };
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => terminal.tell(&error),
    };
    exit.code()
}

fn completions(shell: clap_complete::Shell, terminal: &Terminal) -> Outcome {
    // What may also be typed otherwise (`apt-mark`, `rb0103`) is no list for the parser, but one to choose from.
    let kinds = || crate::step::all().iter().map(|kind| kind.name());
    let codes = || crate::source::codes::CODES.iter().map(|info| info.code.to_string());
    let mut command = Cli::command()
        .mut_subcommand("steps", |steps| {
            steps.mut_arg("kind", |arg| arg.value_parser(PossibleValuesParser::new(kinds())))
        })
        .mut_subcommand("explain", |explain| {
            explain.mut_arg("code", |arg| arg.value_parser(PossibleValuesParser::new(codes())))
        });
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "rollbook", &mut script);
    terminal.data(&String::from_utf8_lossy(&script))
}

/// The page of the program, or of the command that these words name.
fn manual(words: &[String], terminal: &Terminal) -> Outcome {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in words {
        let Some(found) = command.find_subcommand(word) else {
            let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let near = nearest(word, known.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            let name = command.get_bin_name().unwrap_or("rollbook");
            return Err(
                AppError::new(ExitKind::Usage, format!("`{name}` has no command `{word}`")).hint(hint)
            );
        };
        command = found;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(anyhow::Error::from)?;
    page.flush().map_err(anyhow::Error::from)?;
    terminal.data(&String::from_utf8_lossy(&page))
}
