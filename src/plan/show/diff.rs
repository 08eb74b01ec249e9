//! What a plan has that an older one had not, and the other way round: parameters, phases, and per host the lines that
//! people review. Hosts for which the same differs share one paragraph.

use std::fmt::{self, Write};

use similar::{ChangeTag, DiffOp};

use super::bodies::{Bodies, unseen};
use super::bytes;
use super::text::{Detail, PlanStyle, Text, abridged, choice, shown_value};
use crate::edits::edits;
use crate::plan::{HostTasks, Plan, PlannedPhase, worst_case};

/// The differences as text.
pub fn diff(old: &Plan, new: &Plan, detail: Detail) -> String {
    let mut out = String::new();
    write(old, new, detail, &mut out).expect("invariant: writing to a string works");
    if !out.is_empty() {
        return out;
    }
    match (bytes(old) == bytes(new), detail) {
        (true, _) => "Nothing differs.\n".to_owned(),
        // What is sent may differ in what only `-v` shows, such as a time limit.
        (false, Detail::Normal) => diff(old, new, Detail::Verbose),
        (false, Detail::Verbose) => {
            let parts = unseen(old, new);
            let all = abridged(&parts);
            format!("What people review is the same, and the plans differ in: {all}\n")
        }
    }
}

fn write(old: &Plan, new: &Plan, detail: Detail, out: &mut String) -> fmt::Result {
    let changed = lines_that_differ(&head(old), &head(new));
    if !changed.is_empty() {
        writeln!(out, "Plan:")?;
        paragraph(&changed, "  ", out)?;
    }
    let mut names: Vec<&str> = new.phases.iter().map(|phase| phase.name.as_str()).collect();
    names.extend(
        old.phases
            .iter()
            .map(|phase| phase.name.as_str())
            .filter(|name| !new.phases.iter().any(|phase| phase.name == **name)),
    );
    for name in names {
        let sides = [old, new].map(|plan| {
            let index = plan.phases.iter().position(|phase| phase.name == name);
            index.map(|index| PhaseSide { plan, index, phase: &plan.phases[index], detail })
        });
        phase(name, sides, out)?;
    }
    Ok(())
}

/// What stands above the phases, a line each.
fn head(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("runbook {}", plan.runbook), format!("inventory {}", plan.inventory)];
    lines.extend(plan.params.iter().map(|(name, value)| format!("{name} = {}", shown_value(value))));
    lines.extend(choice(plan));
    lines.extend(plan.warnings.iter().map(|warning| format!("warning: {}", warning.message)));
    lines
}

/// A phase of one of the two plans.
#[derive(Clone, Copy)]
struct PhaseSide<'p> {
    plan: &'p Plan,
    index: usize,
    phase: &'p PlannedPhase,
    detail: Detail,
}

impl PhaseSide<'_> {
    fn header(&self) -> Vec<String> {
        let mut out = String::new();
        let text =
            Text::new(self.plan, PlanStyle { detail: self.detail, color: false }, Bodies::All, &mut out);
        let header = format!(
            "{} · at most {}",
            text.header(self.index, self.phase),
            worst_case::of_phase(self.plan, self.phase)
        );
        let between = text.between(self.phase);
        // Where a phase stands among the others says nothing of the phase.
        let header = header.split_once(": ").map_or(header.as_str(), |(_, rest)| rest).to_owned();
        std::iter::once(header).chain(between).collect()
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.phase.hosts.iter().map(|tasks| self.plan.host(tasks.host).name.to_string())
    }

    /// A host's lines; none where the phase does not work on it.
    fn lines(&self, name: &str) -> Vec<String> {
        let found = self.phase.hosts.iter().find(|tasks| self.plan.host(tasks.host).name.as_str() == name);
        found.map(|tasks| self.of_host(tasks)).unwrap_or_default()
    }

    fn of_host(&self, tasks: &HostTasks) -> Vec<String> {
        let mut out = String::new();
        let mut text =
            Text::new(self.plan, PlanStyle { detail: self.detail, color: false }, Bodies::All, &mut out);
        text.tasks(tasks).expect("invariant: writing to a string works");
        let batch = self.phase.batches.iter().position(|batch| batch.contains(&tasks.host));
        let batch = batch.map(|batch| format!("in batch {}", batch + 1));
        batch
            .into_iter()
            .chain(out.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned()))
            .collect()
    }
}

fn phase(name: &str, [old, new]: [Option<PhaseSide<'_>>; 2], out: &mut String) -> fmt::Result {
    let header = |side: Option<PhaseSide<'_>>| side.map(|side| side.header()).unwrap_or_default();
    let changed = lines_that_differ(&header(old), &header(new));
    let hosts: indexmap::IndexSet<String> = new.iter().chain(&old).flat_map(PhaseSide::names).collect();
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for host in hosts {
        let lines = |side: Option<PhaseSide<'_>>| side.map(|side| side.lines(&host)).unwrap_or_default();
        let differs = lines_that_differ(&lines(old), &lines(new));
        if differs.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|(other, _)| *other == differs) {
            Some((_, names)) => names.push(host),
            None => groups.push((differs, vec![host])),
        }
    }
    if changed.is_empty() && groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "Phase {name}:")?;
    paragraph(&changed, "  ", out)?;
    for (differs, names) in groups {
        writeln!(out, "  {}", abridged(&names))?;
        paragraph(&differs, "    ", out)?;
    }
    Ok(())
}

fn paragraph(lines: &[String], indent: &str, out: &mut String) -> fmt::Result {
    lines.iter().try_for_each(|line| writeln!(out, "{indent}{line}"))
}

/// "- …" for what only the old one has, "+ …" for what only the new one has.
fn lines_that_differ(old: &[String], new: &[String]) -> Vec<String> {
    let old: Vec<&str> = old.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    let line = |change: similar::Change<&str>| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => Some(format!("- {}", change.value())),
        ChangeTag::Insert => Some(format!("+ {}", change.value())),
    };
    let changes = |edit: &DiffOp| edit.iter_changes(old.as_slice(), new.as_slice()).filter_map(line);
    edits(&old, &new).iter().flat_map(changes).collect()
}
