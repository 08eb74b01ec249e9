//! The files of a rehearsal: those of the command line, and those that a scenario names.

use camino::{Utf8Path, Utf8PathBuf};

use super::super::args::Rehearse as Args;
use crate::app::load::{bytes_of, directory_of, read_tree};
use crate::app::{AppError, RunbookInput};
use crate::report::ExitKind;
use crate::scenario::Scenario;
use crate::source::{Diagnostics, Node, NodeKind, SourceMap, Spanned};

/// Where the scenario of a command line is: one that is named in the place of a runbook is meant as what it is.
pub(super) fn scenario_of(args: &Args) -> Option<Utf8PathBuf> {
    let is_scenario = |path: &&Utf8PathBuf| {
        let (mut sources, mut unheard) = (SourceMap::default(), Diagnostics::default());
        let tree = read_tree(&mut sources, path, &mut unheard).ok().flatten();
        tree.is_some_and(|(_, tree)| is_of_kind_scenario(&tree))
    };
    args.scenario.clone().or_else(|| args.runbook.as_ref().filter(is_scenario).cloned())
}

fn is_of_kind_scenario(tree: &Node) -> bool {
    let NodeKind::Map(entries) = &tree.kind else { return false };
    let kind = entries.iter().find(|entry| entry.key.value == "kind");
    kind.is_some_and(|kind| kind.value.scalar() == Some("Scenario"))
}

/// The runbook of the command line.
pub(super) fn runbook_of(args: &Args, scenario: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
    let is_runbook = |path: &&Utf8PathBuf| args.scenario.is_some() || Some(path.as_path()) != scenario;
    args.runbook.as_ref().filter(is_runbook).cloned()
}

/// A file that a scenario names.
pub(super) fn beside(scenario: &Utf8Path, path: Option<&Spanned<String>>) -> Option<Utf8PathBuf> {
    let directory = directory_of(scenario);
    path.map(|path| if directory == "." { path.value.as_str().into() } else { directory.join(&path.value) })
}

/// Stops where a file cannot be read, and says where the scenario names it.
pub(super) fn can_read(
    file: Option<&Utf8Path>,
    scenario: Option<&Scenario>,
    [runbook, inventory]: [Option<&Utf8PathBuf>; 2],
    sources: &SourceMap,
) -> Result<(), AppError> {
    let (Some(file), Some(scenario)) = (file, scenario) else { return Ok(()) };
    let written = [("runbook", &scenario.runbook, runbook), ("inventory", &scenario.inventory, inventory)];
    for (key, written, path) in written {
        let (Some(written), Some(path)) = (written, path) else { continue };
        if beside(file, Some(written)).as_ref() != Some(path) {
            continue;
        }
        if let Err(error) = bytes_of(path) {
            let (line, column) = sources.line_column(written.span);
            let message = format!("{file}:{line}:{column}: {error}");
            return Err(AppError::new(ExitKind::Io, message).hint(format!(
                "`{key}` is relative to the scenario's directory; of a scenario from a pipe, to the working directory"
            )));
        }
    }
    Ok(())
}

/// The runbook and the input: the command line's, else the scenario's.
pub(super) fn named(
    args: &Args,
    file: Option<&Utf8Path>,
    scenario: Option<&Scenario>,
) -> Result<(Utf8PathBuf, RunbookInput), AppError> {
    let mut input = args.input.request();
    let mut runbook = runbook_of(args, file);
    if let (Some(file), Some(scenario)) = (file, scenario) {
        runbook = runbook.or_else(|| beside(file, scenario.runbook.as_ref()));
        input.inventory = input.inventory.or_else(|| beside(file, scenario.inventory.as_ref()));
        input.limit = input.limit.or_else(|| scenario.limit.clone());
    }
    match runbook {
        Some(runbook) => Ok((runbook, input)),
        None => Err(AppError::new(ExitKind::Usage, "there is no runbook")
            .hint("name one on the command line, or in a scenario as `runbook: FILE`")),
    }
}
