//! `rollbook validate`: parses, type-checks and lints; touches no host.

use camino::Utf8Path;

use super::args::{Format, Validate};
use super::outcome::Outcome;
use super::terminal::Terminal;
use crate::app::AppError;
use crate::app::load::{choice, read_inventory, read_leniently, read_tree};
use crate::inventory::Inventory;
use crate::lint;
use crate::report::ExitKind;
use crate::runbook::WrittenChoice;
use crate::source::{Diagnostics, Node, NodeKind, SourceMap};

pub(super) fn run(args: &Validate, terminal: &Terminal) -> Outcome {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let inventory = match &args.inventory {
        Some(path) => read_inventory(&mut sources, path, &mut diagnostics)?,
        None => None,
    };
    let choice = choice(&mut sources, &args.only, &args.skip);
    for file in &args.files {
        check(&mut sources, file, inventory.as_ref(), &choice, &mut diagnostics)?;
    }
    match args.format {
        Format::Text => terminal.diagnostics(&diagnostics, &sources),
        Format::Json => {
            terminal.data(&format!("{:#}\n", diagnostics.to_json(&sources)))?;
        }
    }
    let warnings = diagnostics.items().len();
    if diagnostics.has_errors() || args.strict && warnings > 0 {
        return Err(AppError::invalid());
    }
    terminal.say(&format!("{}: no mistakes{}", counted(args.files.len(), "file"), aside(warnings)));
    Ok(ExitKind::Ok)
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Warnings stop nothing, and are not nothing.
fn aside(warnings: usize) -> String {
    if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) }
}

fn check(
    sources: &mut SourceMap,
    path: &Utf8Path,
    inventory: Option<&Inventory>,
    choice: &WrittenChoice,
    diagnostics: &mut Diagnostics,
) -> Result<(), AppError> {
    let before = diagnostics.count_errors();
    // The file says itself what it is; a file that does not parse says so once.
    let mut first = Diagnostics::default();
    let mut peeked = SourceMap::default();
    let tree = read_tree(&mut peeked, path, &mut first)?.map(|(_, tree)| tree);
    if kind_of(tree.as_ref()) == Some("Inventory") {
        read_inventory(sources, path, diagnostics)?;
        return Ok(());
    }
    if kind_of(tree.as_ref()) == Some("Scenario") {
        let tree = read_tree(sources, path, diagnostics)?;
        let scenario = tree.and_then(|(_, tree)| crate::scenario::parse(&tree, diagnostics));
        if let (Some(scenario), Some(inventory)) = (scenario, inventory) {
            scenario.check(inventory, diagnostics);
        }
        return Ok(());
    }
    let runbook = read_leniently(sources, path, diagnostics)?;
    if let Some(runbook) = runbook {
        if let Some(inventory) = inventory {
            runbook.check_selection(inventory, diagnostics);
        }
        // What a runbook with mistakes lacks may only be the consequence of them.
        if diagnostics.count_errors() == before {
            runbook.choose(choice, diagnostics);
        }
        lint::check(&lint::LintInput { runbook: &runbook, sources, params: None, inventory }, diagnostics);
    }
    Ok(())
}

fn kind_of(tree: Option<&Node>) -> Option<&str> {
    let NodeKind::Map(entries) = &tree?.kind else { return None };
    let kind = entries.iter().find(|entry| entry.key.value == "kind")?;
    match &kind.value.kind {
        NodeKind::Scalar { text, .. } => Some(text),
        _ => None,
    }
}
