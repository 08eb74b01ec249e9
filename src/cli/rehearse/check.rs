//! `rehearse --check`: scenarios as the unit test of a runbook, one line for each.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::super::args::Rehearse as Args;
use super::super::outcome::Outcome;
use super::super::terminal::Terminal;
use super::setup::{self, Staged};
use super::{Unrehearsed, paused, rehearse, words};
use crate::app::AppError;
use crate::report::ExitKind;
use crate::scenario::{Came, judge};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // Every mistake of every file, before anything is rehearsed.
    let mut all = Vec::new();
    let mut broken = None;
    for file in &args.check {
        match setup::read(args, Some(file), terminal).and_then(|staged| expects(staged, file)) {
            Ok(staged) => all.push((file, staged)),
            Err(error) => broken = broken.or(Some(terminal.tell(&error))),
        }
    }
    if let Some(kind) = broken {
        return Ok(kind);
    }
    let (mut failed, mut mistaken) = (0, 0);
    for (file, staged) in &all {
        let Checked::Rehearsed { differences, assumed } = check(args, staged, terminal)? else {
            mistaken += 1;
            continue;
        };
        failed += usize::from(!differences.is_empty());
        let word = if differences.is_empty() { "ok    " } else { "FAILED" };
        let mut lines = vec![format!("{word}  {file}")];
        lines.extend(differences.iter().map(|difference| format!("        {difference}")));
        lines.extend(assumed.iter().map(|line| format!("        {line}")));
        terminal.data(&format!("{}\n", lines.join("\n")))?;
    }
    if failed > 0 {
        terminal.say(&format!("{failed} of {} scenarios did not come as expected", all.len()));
    }
    Ok(match (mistaken, failed) {
        (0, 0) => ExitKind::Ok,
        (0, _) => ExitKind::Failed,
        (_, _) => ExitKind::Invalid,
    })
}

/// A scenario that expects nothing would hold whatever happens.
fn expects(staged: Staged, file: &Utf8Path) -> Result<Staged, AppError> {
    if staged.scenario.as_ref().is_some_and(|scenario| scenario.expect.is_some()) {
        return Ok(staged);
    }
    Err(AppError::new(ExitKind::Invalid, format!("{file} expects nothing, so there is nothing to check"))
        .hint("write `expect: { exit: 0 }`, and more"))
}

/// What a check found.
enum Checked {
    Rehearsed {
        /// What came otherwise.
        differences: Vec<String>,
        /// What was taken to hold.
        assumed: Vec<String>,
    },
    /// The scenario has mistakes that only the plan shows; they are told.
    Mistaken,
}

fn check(args: &Args, staged: &Staged, terminal: &Terminal) -> Result<Checked, AppError> {
    let silent = terminal.listening(true);
    match paused(rehearse(staged, args.audience(), None, &silent))? {
        Ok(rehearsed) => {
            let assumed = words::assumed(&rehearsed.simulation.simulated, &staged.world.hosts);
            Ok(Checked::Rehearsed { differences: rehearsed.differences(staged), assumed })
        }
        Err(Unrehearsed::Mistaken(diagnostics)) => {
            terminal.diagnostics(&diagnostics, &staged.loaded.sources);
            Ok(Checked::Mistaken)
        }
        Err(Unrehearsed::Refused(error)) if error.kind == ExitKind::Io => Err(error),
        // The plan was refused: that may be what is expected.
        Err(Unrehearsed::Refused(error)) => {
            let code = silent.tell(&error).code();
            let said = silent.heard();
            let came = Came { exit: code, said: &said, run: None, nodes: BTreeMap::new() };
            let expect = staged.scenario.as_ref().and_then(|scenario| scenario.expect.as_ref());
            let mut differences =
                expect.map(|expect| judge(expect, &staged.loaded.inventory, &came)).unwrap_or_default();
            if !differences.is_empty() {
                // Why it was refused is what somebody wants to read then.
                differences.extend(said.lines().map(|line| format!("| {line}")));
            }
            Ok(Checked::Rehearsed { differences, assumed: Vec::new() })
        }
    }
}
