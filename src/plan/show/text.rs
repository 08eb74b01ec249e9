//! A plan as people review it: phase, batch, host, and per task what would change. Hosts for which the same would
//! happen share one paragraph, so that the plan of a thousand nodes still fits a screen.

use std::fmt::{self, Write};

use super::bodies::{Apart, Bodies};
use super::labels::for_people;
use crate::op::{Effect, Op, OpKind, Site, show_symbols};
use crate::plan::{
    ActionId, Expected, Forecast, GateOpens, HostId, HostTasks, LeftOut, Plan, PlannedPhase, Section,
    StepRef, Task, Topology,
};
use crate::runbook::{Choice, GateAfter, Mode, OnFailure, Then};
use crate::step::{Change, Fidelity, IfUncordoned, LineDiff};
use crate::value::{Value, reveal};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// One line per task.
    Normal,
    /// Also what is sent.
    Verbose,
}

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub struct PlanStyle {
    /// How much.
    pub detail: Detail,
    /// Whether lines that come and go have a colour; only for a terminal.
    pub color: bool,
}

/// The plan as text, with how long it is expected to take.
pub fn text(plan: &Plan, digest: &str, style: PlanStyle, expected: &Expected) -> String {
    let (plan, mut out) = (&for_people(plan), String::new());
    let bodies = if style.detail == Detail::Verbose { Bodies::All } else { Bodies::First };
    Text::new(plan, style, bodies, &mut out)
        .all(digest, expected)
        .expect("invariant: writing to a string works");
    out
}

pub(super) struct Text<'a> {
    pub(super) plan: &'a Plan,
    pub(super) detail: Detail,
    pub(super) color: bool,
    pub(super) bodies: Bodies,
    /// Long texts that stand apart.
    pub(super) apart: Vec<Apart>,
    pub(super) out: &'a mut String,
}

impl<'a> Text<'a> {
    pub(super) fn new(plan: &'a Plan, style: PlanStyle, bodies: Bodies, out: &'a mut String) -> Self {
        let PlanStyle { detail, color } = style;
        Self { plan, detail, color, bodies, apart: Vec::new(), out }
    }
}

impl Text<'_> {
    fn all(&mut self, digest: &str, expected: &Expected) -> fmt::Result {
        let plan = self.plan;
        writeln!(self.out, "Plan: {} on {}", plan.runbook, plan.inventory)?;
        for (name, value) in &plan.params {
            writeln!(self.out, "  {name} = {}", shown_value(value))?;
        }
        for line in choice(plan).into_iter().chain(self.terms_of_plan()) {
            writeln!(self.out, "  {line}")?;
        }
        for warning in &plan.warnings {
            let hint = if warning.hint.is_empty() { String::new() } else { format!(" ({})", warning.hint) };
            writeln!(self.out, "warning: {}{hint}", warning.message)?;
        }
        if let Some(kube) = plan.kube.as_ref().filter(|kube| !kube.strangers.is_empty()) {
            writeln!(
                self.out,
                "note: nodes of the cluster that are no host of this plan: {}",
                kube.strangers.join(", ")
            )?;
        }
        for (index, phase) in plan.phases.iter().enumerate() {
            writeln!(self.out)?;
            self.phase(index, phase, expected)?;
        }
        writeln!(self.out)?;
        self.totals(digest, expected)
    }

    fn phase(&mut self, index: usize, phase: &PlannedPhase, expected: &Expected) -> fmt::Result {
        let header = self.timed_header(index, phase, expected);
        writeln!(self.out, "{header}")?;
        if let Some(terms) = self.terms_of_phase(phase) {
            writeln!(self.out, "  {terms}")?;
        }
        self.batches(phase)
    }

    /// "Phase 3/4: workers · 12 hosts · batches 1, 3, 8 · …".
    pub(super) fn header(&self, index: usize, phase: &PlannedPhase) -> String {
        let hosts: usize = phase.batches.iter().map(Vec::len).sum();
        let mut parts = vec![format!("Phase {}/{}: {}", index + 1, self.plan.phases.len(), phase.name)];
        if phase.left_out {
            parts.push("left out".to_owned());
            return parts.join(" · ");
        }
        if hosts == 0 {
            parts.push("no hosts".to_owned());
            return parts.join(" · ");
        }
        let of = phase.population.len();
        let of = if of == hosts { String::new() } else { format!(" of {of}") };
        parts.push(format!("{hosts} {}{of}", plural(hosts, "host")));
        if phase.mode == Mode::ReadOnly {
            parts.push("read only".to_owned());
            return parts.join(" · ");
        }
        let rollout = &phase.rollout;
        let sizes: Vec<String> = phase.batches.iter().map(|batch| batch.len().to_string()).collect();
        parts.push(format!("{} {}", plural(sizes.len(), "batch"), abridged(&sizes)));
        let (slots, written) = (rollout.slots(), rollout.max_unavailable);
        let members = self.plan.etcd_members_in(phase);
        let only_members = members == hosts && slots > 1;
        parts.push(match rollout.fewer_because() {
            Some(why) => format!("max_unavailable {slots} (written: {written}; {why})"),
            None if only_members => {
                format!("max_unavailable 1 (written: {written}; members of etcd go one at a time)")
            }
            None => format!("max_unavailable {slots}"),
        });
        let among_others = members > 1 && slots > 1 && !only_members;
        parts.extend(among_others.then(|| format!("{members} members of etcd one at a time")));
        parts.extend(phase.topology.as_ref().map(topology));
        parts.extend((rollout.max_failures > 0).then(|| format!("max_failures {}", rollout.max_failures)));
        parts.extend((rollout.on_failure == OnFailure::Freeze).then(|| "freezes on failure".to_owned()));
        let goes_alone = rollout.control_planes && rollout.fewer_because().is_none();
        parts.extend(goes_alone.then(|| "control planes one at a time".to_owned()));
        parts.join(" · ")
    }

    /// The same with how long it is expected to take.
    pub(super) fn timed_header(&self, index: usize, phase: &PlannedPhase, expected: &Expected) -> String {
        let header = self.header(index, phase);
        match expected.words_of(index).filter(|_| !phase.batches.is_empty()) {
            Some(words) => format!("{header} · {words}"),
            None => header,
        }
    }

    fn batches(&mut self, phase: &PlannedPhase) -> fmt::Result {
        let groups = alike(phase);
        for (batch, group) in groups {
            let names: Vec<String> = group.iter().map(|tasks| self.host(tasks.host)).collect();
            match batch {
                Some(batch) if phase.batches.len() > 1 => {
                    writeln!(self.out, "  batch {}: {}", batch + 1, abridged(&names))?;
                }
                _ => {
                    writeln!(self.out, "  {}", abridged(&names))?;
                }
            }
            self.tasks(group[0])?;
        }
        for (line, check) in self.between(phase) {
            writeln!(self.out, "    {line}")?;
            self.check(check)?;
        }
        Ok(())
    }

    /// What stands between batches, a line each, and the check that is made there.
    pub(super) fn between(&self, phase: &PlannedPhase) -> Vec<(String, Option<ActionId>)> {
        let title = |action: &ActionId| show_symbols(&self.plan.action(*action).title);
        let verify = phase
            .verify
            .iter()
            .map(|action| (format!("after every batch: {}", title(action)), Some(*action)));
        let gate = phase.gate.as_ref().filter(|_| phase.batches.len() > 1).map(|gate| {
            let check = match &gate.opens {
                GateOpens::Check { action, .. } => Some(*action),
                GateOpens::Approve { .. } | GateOpens::Time(_) => None,
            };
            let after = match gate.after {
                GateAfter::Each => "after each batch but the last",
                GateAfter::First => "after batch 1",
            };
            let words = self.plan.gate_words(gate);
            let waits = match &gate.opens {
                GateOpens::Approve { within: None, .. } => format!("a person approves: {words}"),
                GateOpens::Approve { within: Some(within), .. } => {
                    format!("a person approves within {within}: {words}")
                }
                GateOpens::Time(_) => words,
                GateOpens::Check { within, .. } => format!("within {within}: {words}"),
            };
            (format!("{after}, a gate: {waits}"), check)
        });
        verify.chain(gate).collect()
    }

    pub(super) fn host(&self, id: HostId) -> String {
        let host = self.plan.host(id);
        match &host.subject.node {
            Some(node) if node != host.name.as_str() => format!("{} (node {node})", host.name),
            _ => host.name.to_string(),
        }
    }

    pub(super) fn tasks(&mut self, tasks: &HostTasks) -> fmt::Result {
        let mut index = 0;
        while index < tasks.tasks.len() {
            self.heading(tasks, index)?;
            let settled = tasks.brackets.iter().find(|bracket| usize::from(bracket.first) == index);
            let folds =
                self.bodies != Bodies::Compared && tasks.tasks[index].forecast == Forecast::BracketHolds;
            match settled.filter(|_| folds) {
                Some(bracket) => {
                    let count = usize::from(bracket.last) - index + 1;
                    let (first, last) =
                        (self.title(tasks, index), self.title(tasks, usize::from(bracket.last)));
                    writeln!(self.out, "    = {first} … {last}: nothing to do ({count} steps)")?;
                    index += count;
                }
                None => {
                    self.task(tasks, index)?;
                    index += 1;
                }
            }
        }
        Ok(())
    }

    /// Above the first task of `rescue` and of `always`.
    fn heading(&mut self, tasks: &HostTasks, index: usize) -> fmt::Result {
        let begins =
            |section: &Section| tasks.has(*section) && usize::from(tasks.range(*section).start) == index;
        match [Section::Rescue, Section::Always].into_iter().find(begins) {
            Some(Section::Rescue) if tasks.then() == Then::Ok => {
                writeln!(self.out, "    if it fails, and it counts as done when these have gone well:")
            }
            Some(Section::Rescue) => writeln!(self.out, "    if it fails:"),
            Some(Section::Always) => writeln!(self.out, "    in the end, also if it fails:"),
            _ => Ok(()),
        }
    }

    fn title(&self, tasks: &HostTasks, index: usize) -> String {
        let title = match tasks.tasks[index].step {
            StepRef::Action(action) => &self.plan.action(action).title,
            StepRef::Deferred(deferred) => &self.plan.deferred[deferred.0 as usize].title,
        };
        self.plan.spelled(title, tasks.host)
    }

    fn task(&mut self, tasks: &HostTasks, index: usize) -> fmt::Result {
        let task = &tasks.tasks[index];
        let (mark, says) = forecast(task);
        let reads =
            matches!(task.step, StepRef::Action(action) if self.plan.action(action).lowered.only_reads());
        let effect = match (task.effect, &task.forecast) {
            (
                _,
                Forecast::Holds { .. }
                | Forecast::Excluded
                | Forecast::LeftOut { .. }
                | Forecast::BracketHolds,
            ) => "",
            (Effect::Reads, _) if reads => "  [reads]",
            (Effect::Reads, _) => "",
            (Effect::Changes, _) => "  [changes]",
            (Effect::Disrupts, _) => "  [disrupts]",
        };
        let title = self.title(tasks, index);
        let may_fail = self.may_fail(task);
        let closes = if task.ties.closes.is_empty() { "" } else { "  [closes the bracket]" };
        // Whatever has several lines stays below its task.
        let says = says.replace('\n', "\n        ");
        let colon = if says.is_empty() { "" } else { ": " };
        let uncordoned = self.if_uncordoned(task);
        writeln!(self.out, "    {mark} {title}{colon}{says}{effect}{closes}{uncordoned}{may_fail}")?;
        if let Forecast::Changes { changes, .. } = &task.forecast {
            changes.iter().filter_map(|change| change.diff.as_ref()).try_for_each(|diff| self.diff(diff))?;
        }
        self.terms(task)?;
        let plan = self.plan;
        match task.step {
            StepRef::Action(action) => {
                self.bodies_of_task(plan.action(action), task, &title, tasks.host)?;
            }
            StepRef::Deferred(_) if self.bodies != Bodies::Compared && !task.forecast.announces() => {}
            StepRef::Deferred(deferred) => {
                self.deferred_bodies(&plan.deferred[deferred.0 as usize], &title)?;
            }
        }
        self.rest_of_task(task)
    }

    /// What becomes of the host where somebody takes the cordon away that the task sets.
    fn if_uncordoned(&self, task: &Task) -> String {
        let sets = match task.step {
            StepRef::Action(action) => {
                let action = self.plan.action(action);
                crate::step::find(&action.kind).and_then(|kind| Some((kind, kind.cordons()?, &action.args)))
            }
            StepRef::Deferred(_) => None,
        };
        let is_nothing = matches!(task.forecast, Forecast::Holds { .. } | Forecast::BracketHolds);
        let Some((kind, cordons, args)) = sets.filter(|_| !is_nothing && !task.forecast.is_left_out()) else {
            return String::new();
        };
        match cordons.if_uncordoned(args) {
            IfUncordoned::Again => format!("  [{}s again if uncordoned]", kind.name()),
            IfUncordoned::Fail => "  [fails if uncordoned]".to_owned(),
        }
    }

    /// The run goes on where it fails: whoever reviews the plan has to know that, and why.
    fn may_fail(&self, task: &Task) -> String {
        let reason = match task.step {
            _ if task.forecast.is_left_out() => None,
            StepRef::Action(action) => self.plan.action(action).allow_failure.as_ref(),
            StepRef::Deferred(deferred) => self.plan.deferred[deferred.0 as usize].allow_failure.as_ref(),
        };
        reason.map(|reason| format!("  [may fail: {}]", show_symbols(&one_line(reason)))).unwrap_or_default()
    }

    fn diff(&mut self, diff: &LineDiff) -> fmt::Result {
        for line in &diff.lines {
            let code = match line.chars().next().filter(|_| self.color) {
                Some('+') => "32",
                Some('-') => "31",
                Some('@') => "36",
                _ => "",
            };
            if code.is_empty() {
                writeln!(self.out, "        {line}")?;
            } else {
                writeln!(self.out, "        \u{1b}[{code}m{line}\u{1b}[0m")?;
            }
        }
        match diff.more {
            0 => Ok(()),
            more => writeln!(self.out, "        … {more} more {}", plural(more as usize, "line")),
        }
    }

    /// What is sent.
    pub(super) fn op(&mut self, op: &Op) -> fmt::Result {
        let what = match &op.kind {
            OpKind::Exec { argv } => shown_argv(argv),
            OpKind::Write { path, mode, .. } => {
                // A length would tell of what is in it.
                let size = if op.body_holds_symbols() {
                    "a text with values known only later".to_owned()
                } else {
                    format!("{} bytes", op.stdin.len())
                };
                format!("write {} (mode {mode}, {size})", reveal(path))
            }
            OpKind::Reboot => "reboot".to_owned(),
        };
        let root = if op.r#become { "# " } else { "$ " };
        let site = if op.site == Site::Controller { "on the controller, " } else { "" };
        writeln!(self.out, "        {root}{what}   ({site}at most {})", op.timeout)
    }

    pub(super) fn totals(&mut self, digest: &str, expected: &Expected) -> fmt::Result {
        let tasks = || self.plan.phases.iter().flat_map(|phase| &phase.hosts).flat_map(|host| &host.tasks);
        let count = |wanted: fn(&Forecast) -> bool| tasks().filter(|task| wanted(&task.forecast)).count();
        let changes = count(|forecast| matches!(forecast, Forecast::Changes { .. } | Forecast::Runs { .. }));
        let holds = count(|forecast| {
            matches!(forecast, Forecast::Holds { .. } | Forecast::BracketHolds | Forecast::IfTouched)
        });
        let deferred = count(|forecast| {
            matches!(forecast, Forecast::Deferred { .. } | Forecast::Later | Forecast::Waits { .. })
        });
        let left_out =
            count(|forecast| matches!(forecast, Forecast::LeftOut { why } if *why != LeftOut::NoItems));
        let refused = count(|forecast| matches!(forecast, Forecast::Refused { .. }));
        let if_failed = count(|forecast| matches!(forecast, Forecast::IfFailed));
        let not_probed = count(|forecast| matches!(forecast, Forecast::NotProbed));
        let mut parts = vec![
            format!("{changes} to run"),
            format!("{holds} hold already"),
            format!("{deferred} known later"),
        ];
        parts.extend((not_probed > 0).then(|| format!("{not_probed} not probed (--offline)")));
        parts.extend((if_failed > 0).then(|| format!("{if_failed} only on hosts that fail")));
        parts.extend((left_out > 0).then(|| format!("{left_out} left out")));
        parts.extend((refused > 0).then(|| format!("{refused} refused")));
        writeln!(self.out, "Total: {}", parts.join(", "))?;
        writeln!(self.out, "Time: {}", expected.words())?;
        if let Some(words) = expected.not_counted() {
            writeln!(self.out, "  {words}")?;
        }
        writeln!(self.out, "Digest: {digest}")
    }
}

/// "at most 1 zone out (a, b, c)".
fn topology(topology: &Topology) -> String {
    let domains: Vec<String> = topology.domains.keys().cloned().collect();
    format!("at most {} {} out ({})", topology.max_domains, topology.key, abridged(&domains))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What was chosen of the runbook, a line for each flag.
pub(super) fn choice(plan: &Plan) -> Vec<String> {
    plan.choice.as_ref().map(Choice::flags).unwrap_or_default()
}

/// A task's mark and what is foreseen of it.
fn forecast(task: &Task) -> (char, String) {
    match &task.forecast {
        Forecast::NotProbed => ('·', String::new()),
        Forecast::Excluded => ('-', "`when` is false".to_owned()),
        Forecast::LeftOut { why } => ('-', why.to_string()),
        Forecast::Holds { state } => ('=', state.clone()),
        Forecast::BracketHolds => ('=', "nothing to do".to_owned()),
        Forecast::Changes { changes, fidelity } => {
            let each = changes.iter().map(shown_change);
            let predicted = if *fidelity == Fidelity::Predicted { " (predicted)" } else { "" };
            ('~', format!("{}{predicted}", each.collect::<Vec<_>>().join(", ")))
        }
        Forecast::Runs { .. } if task.effect == Effect::Reads => ('~', "would run".to_owned()),
        Forecast::Runs { fidelity: Fidelity::Opaque } => {
            ('!', "would run; nothing tells beforehand what it changes".to_owned())
        }
        Forecast::Runs { .. } => ('~', "would run".to_owned()),
        Forecast::Deferred { waits_for } => ('?', format!("known later, from {}", waits_for.join(", "))),
        Forecast::Waits { now } => ('?', format!("waits when its turn comes; now: {now}")),
        Forecast::IfFailed => ('·', String::new()),
        Forecast::IfTouched => ('=', "nothing to do, unless a step before it fails".to_owned()),
        Forecast::Later => ('?', "checked when its turn comes".to_owned()),
        Forecast::Refused { reason, hint } if hint.is_empty() => ('x', reason.clone()),
        Forecast::Refused { reason, hint } => ('x', format!("{reason} (hint: {hint})")),
    }
}

/// "kubelet 1.30.2-1.1 → 1.31.4-1.1", "/etc/motd 2 lines added, 1 removed".
fn shown_change(change: &Change) -> String {
    let Change { what, before, after, diff } = change;
    match diff {
        Some(LineDiff { added, removed, .. }) => {
            let lines = |count: u32| format!("{count} {}", plural(count as usize, "line"));
            match (before.as_str(), added, removed) {
                ("absent", added, _) => format!("{what} absent → {}", lines(*added)),
                (_, added, 0) => format!("{what} {} added", lines(*added)),
                (_, 0, removed) => format!("{what} {} removed", lines(*removed)),
                (_, added, removed) => format!("{what} {} added, {removed} removed", lines(*added)),
            }
        }
        None if before.is_empty() => format!("{what} {after}"),
        None => format!("{what} {before} → {after}"),
    }
}

/// Hosts of a batch for which the same would happen, in order.
pub(super) fn alike(phase: &PlannedPhase) -> Vec<(Option<usize>, Vec<&HostTasks>)> {
    let mut groups: Vec<(Option<usize>, Vec<&HostTasks>)> = Vec::new();
    for (batch, hosts) in phase.batches.iter().enumerate() {
        let start = groups.len();
        for tasks in hosts.iter().filter_map(|host| phase.tasks_of(*host)) {
            match groups[start..]
                .iter_mut()
                .find(|(_, group)| group[0].tasks == tasks.tasks && group[0].sections == tasks.sections)
            {
                Some((_, group)) => group.push(tasks),
                None => groups.push((Some(batch), vec![tasks])),
            }
        }
    }
    groups
}

/// A value on one line.
pub(super) fn shown_value(value: &Value) -> String {
    show_symbols(&reveal(&value.to_string()))
}

/// A command line as one would type it.
pub(super) fn shown_argv(argv: &[String]) -> String {
    let quoted = argv.iter().map(|arg| match shlex::try_quote(arg) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => format!("{arg:?}"),
    });
    show_symbols(&reveal(&quoted.collect::<Vec<_>>().join(" ")))
}

/// The first items and how many more.
pub(super) fn abridged(items: &[String]) -> String {
    const SHOWN: usize = 8;
    match items.len() {
        0..=SHOWN => items.join(", "),
        count => format!("{}, … ({count} in all)", items[..SHOWN].join(", ")),
    }
}

fn plural(count: usize, word: &str) -> String {
    match (count, word) {
        (1, word) => word.to_owned(),
        (_, "batch") => "batches".to_owned(),
        (_, word) => format!("{word}s"),
    }
}
