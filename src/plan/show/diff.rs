//! What a plan has that an older one had not, and the other way round: parameters, phases, and per host the lines that
//! people review. Hosts for which the same differs share one paragraph.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use similar::{ChangeTag, DiffOp};

use super::bodies::Bodies;
use super::bytes;
use super::labels::for_people;
use super::rest::Rest;
use super::terms::REST;
use super::text::{Detail, PlanStyle, Text, abridged, choice, shown_value};
use crate::edits::edits;
use crate::plan::{Bracket, HostTasks, Plan, PlannedHost, PlannedPhase, Warning, worst_case};

/// Parts of a plan that have lines of their own.
const HEAD: &[&str] = &[
    "runbook",
    "inventory",
    "params",
    "choice",
    "warnings",
    "hosts",
    "actions",
    "deferred",
    "frozen",
    "phases",
];
/// Parts of a phase that have.
const PHASE: &[&str] = &["name", "batches", "hosts", "population", "verify", "gate"];

/// The differences as text: all of them, in what `-v` shows and in what no plan shows.
pub fn diff(old: &Plan, new: &Plan) -> String {
    let is_same = bytes(old) == bytes(new);
    let (old, new, mut out) = (&for_people(old), &for_people(new), String::new());
    write(old, new, &mut out).expect("invariant: writing to a string works");
    match (out.is_empty(), is_same) {
        (false, _) => out,
        (true, true) => "Nothing differs.\n".to_owned(),
        (true, false) => {
            "Both plans do the same; their parts are numbered or written down differently.\n".to_owned()
        }
    }
}

fn write(old: &Plan, new: &Plan, out: &mut String) -> fmt::Result {
    let changed = lines_that_differ(&head(old), &head(new));
    if !changed.is_empty() {
        writeln!(out, "Plan:")?;
        paragraph(&changed, "  ", out)?;
    }
    hosts(old, new, out)?;
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
            index.map(|index| PhaseSide { plan, index, phase: &plan.phases[index] })
        });
        phase(name, sides, out)?;
    }
    let moved = places(new).difference(&places(old)).count();
    if moved > 0 {
        let (steps, stand) = if moved == 1 { ("step", "stands") } else { ("steps", "stand") };
        writeln!(out, "Places: {moved} {steps} of the new plan {stand} in another line or file.")?;
    }
    Ok(())
}

/// Where steps are written: another place is none of what is done.
fn places(plan: &Plan) -> BTreeSet<&str> {
    let actions = plan.actions.iter().map(|action| action.place.as_str());
    actions.chain(plan.deferred.iter().chain(&plan.frozen).map(|step| step.place.as_str())).collect()
}

/// What stands above the phases, a line each.
fn head(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("runbook {}", plan.runbook), format!("inventory {}", plan.inventory)];
    lines.extend(plan.params.iter().map(|(name, value)| format!("{name} = {}", shown_value(value))));
    lines.extend(choice(plan));
    for Warning { message, hint } in &plan.warnings {
        let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
        lines.push(format!("warning: {message}{hint}"));
    }
    lines.extend(Rest { plan, without: HEAD }.lines("", plan));
    lines.extend(plan.phases.iter().map(|phase| format!("phase {}", phase.name)));
    lines.extend(plan.hosts.iter().map(|host| format!("host {}", host.name)));
    lines
}

/// How hosts that both plans have are reached, and what is known of them.
fn hosts(old: &Plan, new: &Plan, out: &mut String) -> fmt::Result {
    let mut groups = Groups::default();
    let lines = |plan: &Plan, host: &PlannedHost| Rest { plan, without: &["name"] }.lines("", host);
    for host in &new.hosts {
        let Some(before) = old.hosts.iter().find(|other| other.name == host.name) else { continue };
        groups.add(host.name.to_string(), lines_that_differ(&lines(old, before), &lines(new, host)));
    }
    if groups.0.is_empty() { Ok(()) } else { writeln!(out, "Hosts:").and_then(|()| groups.write(out)) }
}

/// Hosts for which the same differs.
#[derive(Default)]
struct Groups(Vec<(Vec<String>, Vec<String>)>);

impl Groups {
    fn add(&mut self, host: String, differs: Vec<String>) {
        if differs.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(other, _)| *other == differs) {
            Some((_, names)) => names.push(host),
            None => self.0.push((differs, vec![host])),
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        for (differs, names) in &self.0 {
            writeln!(out, "  {}", abridged(names))?;
            paragraph(differs, "    ", out)?;
        }
        Ok(())
    }
}

/// A phase of one of the two plans.
#[derive(Clone, Copy)]
struct PhaseSide<'p> {
    plan: &'p Plan,
    index: usize,
    phase: &'p PlannedPhase,
}

/// All of a plan, without colours.
fn text<'a>(plan: &'a Plan, out: &'a mut String) -> Text<'a> {
    Text::new(plan, PlanStyle { detail: Detail::Verbose, color: false }, Bodies::Compared, out)
}

impl PhaseSide<'_> {
    fn header(&self) -> Vec<String> {
        let Self { plan, phase, index } = *self;
        let header = text(plan, &mut String::new()).header(index, phase);
        // Where a phase stands among the others says nothing of the phase.
        let header = header.split_once(": ").map_or(header.as_str(), |(_, rest)| rest).to_owned();
        let mut lines = vec![format!("{header} · at most {}", worst_case::of_phase(plan, phase))];
        lines.extend(Rest { plan, without: PHASE }.lines("", phase));
        lines.extend(phase.population.iter().map(|host| format!("counts {}", plan.host(*host).name)));
        let between = text(plan, &mut String::new()).between(phase);
        // A gate that stands behind no batch is in the plan, too.
        lines.extend(phase.gate.iter().map(|gate| format!("gate: {}", plan.gate_words(gate))));
        for (line, check) in between {
            lines.push(line);
            let mut out = String::new();
            text(plan, &mut out).check(check).expect("invariant: writing to a string works");
            lines.extend(out.lines().map(str::to_owned));
        }
        lines
    }

    /// The hosts in the order in which they are worked on.
    fn order(&self) -> Vec<String> {
        self.phase.batches.iter().flatten().map(|host| self.plan.host(*host).name.to_string()).collect()
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
        let plan = self.plan;
        let mut out = String::new();
        text(plan, &mut out).tasks(tasks).expect("invariant: writing to a string works");
        let batch = self.phase.batches.iter().position(|batch| batch.contains(&tasks.host));
        let batch = batch.map(|batch| format!("in batch {}", batch + 1));
        let bracket = |bracket: &Bracket| {
            let title = |index: u16| plan.step_words(tasks.tasks[usize::from(index)].step).1;
            let key = Rest { plan, without: &["first", "last"] }.lines("", bracket).join(", ");
            format!("bracket {key}: from {} to {}", title(bracket.first), title(bracket.last))
        };
        batch
            .into_iter()
            .chain(out.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned()))
            .chain(tasks.brackets.iter().map(bracket))
            .collect()
    }
}

fn phase(name: &str, [old, new]: [Option<PhaseSide<'_>>; 2], out: &mut String) -> fmt::Result {
    let header = |side: Option<PhaseSide<'_>>| side.map(|side| side.header()).unwrap_or_default();
    let mut changed = lines_that_differ(&header(old), &header(new));
    if let (Some(old), Some(new)) = (old, new) {
        let [before, after] = [old, new].map(|side| side.order());
        let is_another = before != after && BTreeSet::from_iter(&before) == BTreeSet::from_iter(&after);
        changed.extend(is_another.then(|| format!("- order: {}", before.join(", "))));
        changed.extend(is_another.then(|| format!("+ order: {}", after.join(", "))));
    }
    let hosts: indexmap::IndexSet<String> = new.iter().chain(&old).flat_map(PhaseSide::names).collect();
    let mut groups = Groups::default();
    for host in hosts {
        let lines = |side: Option<PhaseSide<'_>>| side.map(|side| side.lines(&host)).unwrap_or_default();
        let follows = old.zip(new).map(|(old, new)| other_values(old.plan, new.plan)).unwrap_or_default();
        let (before, after) = (lines(old), lines(new));
        let as_new: Vec<String> = before.iter().map(|line| with_values(line, &follows)).collect();
        groups.add(host, those_that_differ(&before, &as_new, &after));
    }
    if changed.is_empty() && groups.0.is_empty() {
        return Ok(());
    }
    writeln!(out, "Phase {name}:")?;
    paragraph(&changed, "  ", out)?;
    groups.write(out)
}

fn paragraph(lines: &[String], indent: &str, out: &mut String) -> fmt::Result {
    lines.iter().try_for_each(|line| writeln!(out, "{indent}{line}"))
}

/// Parameters whose values are others, where a value is long enough to be told apart from everything else.
fn other_values(old: &Plan, new: &Plan) -> Vec<(String, String)> {
    const TOLD_APART: usize = 5;
    let pairs = old
        .params
        .iter()
        .filter_map(|(name, value)| Some((value.to_string(), new.params.get(name)?.to_string())));
    pairs.filter(|(old, new)| old != new && old.len().min(new.len()) >= TOLD_APART).collect()
}

/// What no plan shows, such as the commands of a probe, follows from parameters: it is told only where it differs in more
/// than their values, which stand at the top.
fn with_values(line: &str, values: &[(String, String)]) -> String {
    if !line.starts_with(REST) {
        return line.to_owned();
    }
    values.iter().fold(line.to_owned(), |line, (old, new)| line.replace(old.as_str(), new))
}

fn lines_that_differ(old: &[String], new: &[String]) -> Vec<String> {
    those_that_differ(old, old, new)
}

/// "- …" for what only the old one has, "+ …" for what only the new one has, where the old lines are compared as these.
fn those_that_differ(old: &[String], compared: &[String], new: &[String]) -> Vec<String> {
    let compared: Vec<&str> = compared.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    let line = |change: similar::Change<&str>| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => {
            Some(format!("- {}", change.old_index().map_or(change.value(), |index| old[index].as_str())))
        }
        ChangeTag::Insert => Some(format!("+ {}", change.value())),
    };
    let changes = |edit: &DiffOp| edit.iter_changes(compared.as_slice(), new.as_slice()).filter_map(line);
    edits(&compared, &new).iter().flat_map(changes).collect()
}
