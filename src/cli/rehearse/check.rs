//! `rehearse --check`: scenarios as the unit test of a runbook, one line for each.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::super::args::Rehearse as Args;
use super::super::outcome::{Outcome, Stopped};
use super::super::terminal::Terminal;
use super::setup::{self, Staged};
use super::{paused, rehearse, words};
use crate::report::exit;
use crate::scenario::{Came, judge};

pub(super) fn run(args: &Args, terminal: &Terminal) -> Outcome {
    // Every mistake of every file, before anything is rehearsed.
    let mut all = Vec::new();
    let mut broken = None;
    for file in &args.check {
        match setup::read(args, Some(file), terminal).and_then(|staged| expects(staged, file, terminal)) {
            Ok(staged) => all.push((file, staged)),
            Err(Stopped::Told(code)) => broken = broken.or(Some(code)),
            Err(error) => return Err(error),
        }
    }
    if let Some(code) = broken {
        return Err(Stopped::Told(code));
    }
    let mut failed = 0;
    for (file, staged) in &all {
        let (differences, assumed) = differences(args, staged, terminal)?;
        failed += usize::from(!differences.is_empty());
        let word = if differences.is_empty() { "ok    " } else { "FAILED" };
        let mut lines = vec![format!("{word}  {file}")];
        lines.extend(differences.iter().map(|difference| format!("        {difference}")));
        lines.extend(assumed.iter().map(|line| format!("        {line}")));
        terminal.data(&format!("{}\n", lines.join("\n")))?;
    }
    if failed == 0 {
        return Ok(exit::OK);
    }
    terminal.say(&format!("{failed} of {} scenarios did not come as expected", all.len()));
    Ok(exit::FAILED)
}

/// A scenario that expects nothing would hold whatever happens.
fn expects(staged: Staged, file: &Utf8Path, terminal: &Terminal) -> Result<Staged, Stopped> {
    if staged.scenario.as_ref().is_some_and(|scenario| scenario.expect.is_some()) {
        return Ok(staged);
    }
    terminal.error(&format!("{file} expects nothing, so there is nothing to check"));
    terminal.hint("write `expect: { exit: 0 }`, and more");
    Err(Stopped::Told(exit::INVALID))
}

/// What came otherwise, and what was taken to hold.
fn differences(
    args: &Args,
    staged: &Staged,
    terminal: &Terminal,
) -> Result<(Vec<String>, Vec<String>), Stopped> {
    let silent = terminal.listening(true);
    match paused(rehearse(staged, args.audience(), None, &silent))? {
        Ok(rehearsed) => {
            let assumed = words::assumed(&rehearsed.simulation.simulated, &staged.world.hosts);
            Ok((rehearsed.differences(staged), assumed))
        }
        // The plan was refused: that may be what is expected.
        Err(Stopped::Told(code)) => {
            let said = silent.heard();
            let came = Came { exit: code, said: &said, run: None, nodes: BTreeMap::new() };
            let expect = staged.scenario.as_ref().and_then(|scenario| scenario.expect.as_ref());
            let mut differences =
                expect.map(|expect| judge(expect, &staged.loaded.inventory, &came)).unwrap_or_default();
            if !differences.is_empty() {
                // Why it was refused is what somebody wants to read then.
                differences.extend(said.lines().map(|line| format!("| {line}")));
            }
            Ok((differences, Vec::new()))
        }
        Err(error) => Err(error),
    }
}
