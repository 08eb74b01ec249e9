//! `rollbook schema`: JSON Schemas of the files that people write, made from the tables by which they are read. For editors:
//! completion, hover texts, and marks at the right place. Draft 7, which every editor understands.

mod runbook;
mod scenario;
mod shapes;
mod steps;

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::Value as Json;

use super::args::Schema as Args;
use super::outcome::Outcome;
use super::terminal::Terminal;

/// A kind of file.
struct FileKind {
    /// How people name it on the command line, and the beginning of its file's name.
    name: &'static str,
    /// What it is.
    doc: &'static str,
    schema: fn() -> Json,
}

const KINDS: [FileKind; 4] = [
    FileKind { name: "runbook", doc: "Runbooks (`kind: Runbook`)", schema: runbook::runbook },
    FileKind {
        name: "steps",
        doc: "Fragments that runbooks include (`kind: Steps`)",
        schema: runbook::fragment,
    },
    FileKind { name: "inventory", doc: "Inventories (`kind: Inventory`)", schema: runbook::inventory },
    FileKind {
        name: "scenario",
        doc: "Scenarios of rehearsals (`kind: Scenario`)",
        schema: scenario::scenario,
    },
];

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    let Some(name) = &args.kind else {
        let lines = KINDS.iter().map(|kind| format!("{:10} {}\n", kind.name, kind.doc));
        return terminal.data(&lines.collect::<String>());
    };
    let kind = KINDS.iter().find(|kind| kind.name == name);
    terminal.data(&text(kind.expect("invariant: the command line takes no other words")))
}

/// The words that name a kind of file on the command line.
pub(super) fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.doc)))
}

/// Every schema by the name of its file below `docs/schema`.
pub fn schemas() -> Vec<(String, String)> {
    KINDS.iter().map(|kind| (format!("{}.schema.json", kind.name), text(kind))).collect()
}

fn text(kind: &FileKind) -> String {
    let schema = (kind.schema)();
    let mut text = serde_json::to_string_pretty(&schema).expect("invariant: JSON can be written");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
