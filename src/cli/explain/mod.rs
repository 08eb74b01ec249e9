//! `rollbook explain`: what an error code means, with what provokes it and what to write instead. The reference page is
//! made of the same text. With `--host`, what a name means for a host.

mod name;
mod origins;

use std::fmt::Write;

use super::args::Explain as Args;
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::lint::RULES;
use crate::report::ExitKind;
use crate::source::codes::{CODES, CodeInfo};
use crate::source::examples::{Shape, example};
use crate::source::nearest;

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let Some(code) = &args.code else { return terminal.data(&list()) };
    if let Some(host) = &args.host {
        return name::run(code, host, args, terminal);
    }
    if let Some(info) = find(code) {
        return terminal.data(&section(info));
    }
    let near = nearest(code, CODES.iter().map(|info| info.name));
    let hint = near.map_or_else(
        || "`rollbook explain` lists them; a name of a host needs --host".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(AppError::new(ExitKind::Usage, format!("there is no error code `{code}`")).hint(hint))
}

/// By its code as people type it, or by its name.
fn find(text: &str) -> Option<&'static CodeInfo> {
    let digits = text.trim_start_matches(['R', 'r']).trim_start_matches(['B', 'b']);
    let number = digits.parse::<u16>().ok();
    CODES.iter().find(|info| info.name == text || number == Some(info.code.0))
}

fn list() -> String {
    CODES.iter().fold(String::new(), |mut out, info| {
        writeln!(out, "{}  {}", info.code, info.title).expect("invariant: writing to a string works");
        out
    })
}

/// The reference page that leads to the pages of all codes.
pub(super) fn page() -> String {
    let mut out = String::from(
        "# Error codes\n\nEvery mistake in a file or on the command line has a code, which is never given a second meaning. \
         `rollbook explain RB0103` shows one of these pages, without what is said of its example.\n\n\
         | code | name | |\n|---|---|---|\n",
    );
    for info in CODES {
        writeln!(out, "| [{0}]({0}.md) | `{1}` | {2} |", info.code, info.name, info.title)
            .expect("invariant: writing to a string works");
    }
    out
}

fn section(info: &CodeInfo) -> String {
    let mut out = format!("# {} {}\n\n{}. {}\n", info.code, info.name, info.title, info.text);
    if let Some(rule) = RULES.iter().find(|rule| rule.code == info.code) {
        write!(
            out,
            "\n{}\n\nExample:\n\n```yaml\n{}```\n\nFix:\n\n```yaml\n{}```\n",
            rule.why, rule.bad, rule.good
        )
        .expect("invariant: writing to a string works");
    }
    let Some(example) = example(info.code) else { return out };
    let (language, within) = match example.shape {
        Shape::Steps => ("yaml", " in the steps of a phase"),
        Shape::Runbook => ("yaml", " in a runbook"),
        Shape::Inventory => ("yaml", " in an inventory"),
        Shape::File => ("yaml", ""),
        Shape::Shell => ("sh", ""),
    };
    for (title, within, text) in [("Example", within, example.wrong), ("Fix", "", example.right)] {
        // What a reader's screen would hide is written out.
        let text: String = text.chars().map(shown).collect();
        write!(out, "\n{title}{within}:\n\n```{language}\n{text}\n```\n")
            .expect("invariant: writing to a string works");
    }
    out
}

fn shown(character: char) -> String {
    match character {
        '\n' => "\n".to_owned(),
        control if control.is_control() => format!("<U+{:04X}>", u32::from(control)),
        other => other.to_string(),
    }
}
