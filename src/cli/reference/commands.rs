//! The page of the command line, from the same definitions as `--help`.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use crate::cli::args::Cli;

pub(super) fn page() -> String {
    let mut root =
        Cli::command().disable_help_subcommand(true).disable_help_flag(true).disable_version_flag(true);
    root.build();
    let mut out = format!(
        "# Command line\n\n{}\n\nData goes to stdout, everything for people to stderr. [Exit codes](exit-codes.md) tell a script \
         what happened.\n",
        about(&root)
    );
    options(&root, &mut out);
    for command in root.get_subcommands() {
        section(command, "rollbook", &mut out);
    }
    out
}

fn section(command: &Command, parent: &str, out: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(out, "\n## {name}\n\n{}.\n\n```\n{usage}\n```\n", about(command).trim_end_matches('.'))
        .expect(WRITES);
    options(command, out);
    if let Some(help) = command.get_after_help() {
        write!(out, "\n```text\n{help}\n```\n").expect(WRITES);
    }
    for command in command.get_subcommands() {
        section(command, &name, out);
    }
}

const WRITES: &str = "invariant: writing to a string works";

fn about(command: &Command) -> String {
    command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default()
}

fn options(command: &Command, out: &mut String) {
    let shown = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help";
    let is_top = command.get_name() == "rollbook";
    let args: Vec<&Arg> = command.get_arguments().filter(|arg| is_top || shown(arg)).collect();
    if !args.is_empty() {
        out.push('\n');
    }
    for arg in args {
        let values = arg.get_possible_values();
        let words: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let words = if words.is_empty() || !arg.get_action().takes_values() {
            String::new()
        } else {
            format!(" One of {}.", words.join(", "))
        };
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if defaults.is_empty() || !arg.get_action().takes_values() {
            String::new()
        } else {
            format!(" Default: `{}`.", defaults.join(","))
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.trim_end_matches('.');
        // Help shows it as a heading above the arguments.
        let with = arg.get_help_heading().map(|heading| format!(" {heading}.")).unwrap_or_default();
        writeln!(out, "- `{}`: {help}.{words}{default}{with}", written(arg)).expect(WRITES);
    }
}

/// "-i, --inventory <FILE>", "[SELECTOR]".
fn written(arg: &Arg) -> String {
    let value = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
    let value = if arg.get_action().takes_values() { format!("<{value}>") } else { String::new() };
    match (arg.get_short(), arg.get_long()) {
        (None, None) if arg.is_required_set() => value,
        (None, None) => value.replace('<', "[").replace('>', "]"),
        (short, long) => {
            let short = short.map(|short| format!("-{short}"));
            let flags: Vec<String> = short.into_iter().chain(long.map(|long| format!("--{long}"))).collect();
            format!("{} {value}", flags.join(", ")).trim_end().to_owned()
        }
    }
}
