//! What a run came to, phase by phase, and which versions hosts have now. For a run that did not go to its end: what one
//! phase did to a host says nothing of the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use super::plain::{counted, names};
use crate::engine::{Counts, Event, State, TaskEnd};
use crate::plan::{Forecast, HostId, Plan, Section, TaskId};
use crate::step::Matter;

/// Counts in words: "3 done, 1 failed, 13 not started".
pub(super) fn words(counts: &Counts, done: impl Fn(&Counts) -> Vec<(usize, &'static str)>) -> String {
    let mut all = done(counts);
    all.extend([
        (counts.partly, "done in some phases"),
        (counts.failed, "failed"),
        (counts.unknown, "unknown"),
        (counts.stopped, "stopped"),
        (counts.active, "unfinished"),
        (counts.not_started, "not started"),
    ]);
    let shown = all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    shown.collect::<Vec<_>>().join(", ")
}

/// A line for each phase that works on hosts, where there are several and not all of them went through.
pub(super) fn write(plan: &Plan, state: &State, out: &mut String) -> fmt::Result {
    let worked_on = (0..).zip(&plan.phases).filter(|(_, phase)| !phase.batches.is_empty() && !phase.left_out);
    let counts: Vec<(&str, Counts)> =
        worked_on.map(|(index, phase)| (phase.name.as_str(), state.counts_of_phase(plan, index))).collect();
    let is_done = |counts: &Counts| counts.ok + counts.changed == counts.all();
    if counts.len() < 2 || counts.iter().all(|(_, counts)| is_done(counts)) {
        return Ok(());
    }
    let widest = counts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(WIDEST);
    for (name, counts) in &counts {
        let said = words(counts, |counts| vec![(counts.ok + counts.changed, "done")]);
        writeln!(out, "  {name:<widest$}  {}: {said}", counted(counts.all(), "host"))?;
    }
    Ok(())
}

/// Names of phases are lined up to this width.
const WIDEST: usize = 30;

/// Versions that a plan foresees, and on which hosts they came about. A fold of the events.
#[derive(Default)]
pub(super) struct Versions {
    sent: BTreeSet<TaskId>,
    done: BTreeSet<TaskId>,
}

impl Versions {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::OpStarted { task, .. } => {
                self.sent.insert(*task);
            }
            // Its host is at the version at which it was.
            Event::OpEnded { task, refused: true, .. } => {
                self.sent.remove(task);
            }
            Event::TaskEnded { task, end: TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. }, .. } => {
                self.done.insert(*task);
            }
            _ => {}
        }
    }

    /// Whether a rescue sent something to a task's host, in the same phase and after it, that may move packages.
    fn was_rescued(&self, plan: &Plan, task: TaskId) -> bool {
        let phase = plan.phases.get(usize::from(task.phase));
        let tasks = phase.and_then(|phase| phase.hosts.iter().find(|tasks| tasks.host == task.host));
        let mut rescue = tasks.into_iter().flat_map(|tasks| tasks.range(Section::Rescue));
        let moves = |id| plan.may_change(id).iter().any(|matter| matter.meets(&Matter::Packages));
        rescue.any(|index| {
            let id = TaskId { index, ..task };
            index > task.index && self.sent.contains(&id) && moves(id)
        })
    }

    /// "kubelet 1.30.8-1.1 → 1.31.4-1.1: 3 of 17 hosts; not known: w01".
    pub(super) fn lines(&self, plan: &Plan) -> Vec<String> {
        let mut all: Vec<((&str, &str, &str), Hosts)> = Vec::new();
        let mut places: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        for (task, key) in foreseen(plan) {
            let place = *places.entry(key).or_insert_with(|| {
                all.push((key, Hosts::default()));
                all.len() - 1
            });
            let hosts = &mut all[place].1;
            match (self.done.contains(&task), self.sent.contains(&task)) {
                // What a rescue does is to put back what it can.
                (true, _) if self.was_rescued(plan, task) => hosts.in_doubt.push(task.host),
                (true, _) => hosts.after.push(task.host),
                (false, true) => hosts.in_doubt.push(task.host),
                (false, false) => hosts.before += 1,
            }
        }
        // A package of the same version says it with its revision.
        let packages: Vec<(&str, &str, &str)> = all.iter().map(|(key, _)| *key).collect();
        let is_package_of = |(what, before, after): (&str, &str, &str), package: &(&str, &str, &str)| {
            let is_revision = |version: &str, of: &str| {
                of.strip_prefix(version).is_some_and(|revision| revision.starts_with('-'))
            };
            what == package.0 && is_revision(before, package.1) && is_revision(after, package.2)
        };
        all.retain(|(key, _)| !packages.iter().any(|package| is_package_of(*key, package)));
        let line = |((what, before, after), hosts): &((&str, &str, &str), Hosts)| {
            let Hosts { after: done, before: waiting, in_doubt } = hosts;
            let all = done.len() + waiting + in_doubt.len();
            let in_doubt = match in_doubt.as_slice() {
                [] => String::new(),
                hosts => format!("; not known: {}", names(plan, hosts)),
            };
            format!("{what} {before} → {after}: {} of {}{in_doubt}", done.len(), counted(all, "host"))
        };
        all.sort_by_key(|((what, ..), _)| {
            FIRST.iter().position(|first| first == what).unwrap_or(FIRST.len())
        });
        // A line that says that there is one more is no shorter than that one.
        let shown = if all.len() == MOST_LINES + 1 { all.len() } else { MOST_LINES };
        let mut lines: Vec<String> = all.iter().take(shown).map(line).collect();
        let more = all.len().saturating_sub(shown);
        lines.extend((more > 0).then(|| format!("and {} more", counted(more, "version"))));
        lines
    }
}

/// What people look for first, whatever else moved.
const FIRST: [&str; 3] = ["kubelet", "kubelet version", "kube-apiserver"];

/// What a step of kubeadm waits for; no host has it.
const OF_NO_HOST: &str = "cluster";

/// Versions that are told. An upgrade of all packages moves a hundred.
const MOST_LINES: usize = 4;

#[derive(Default)]
struct Hosts {
    after: Vec<HostId>,
    before: usize,
    in_doubt: Vec<HostId>,
}

/// The tasks that move something from one version to another, with what they move.
fn foreseen(plan: &Plan) -> impl Iterator<Item = (TaskId, (&str, &str, &str))> {
    let hosts = (0..)
        .zip(&plan.phases)
        .flat_map(|(phase, planned)| planned.hosts.iter().map(move |tasks| (phase, tasks)));
    let tasks = hosts.flat_map(|(phase, tasks)| {
        (0..).zip(&tasks.tasks).map(move |(index, task)| (TaskId { phase, host: tasks.host, index }, task))
    });
    tasks.flat_map(|(id, task)| {
        let changes = match &task.forecast {
            Forecast::Changes { changes, .. } => changes.as_slice(),
            _ => &[],
        };
        changes.iter().filter(|change| change.what != OF_NO_HOST).filter_map(move |change| {
            Some((id, (change.what.as_str(), version(&change.before)?, version(&change.after)?)))
        })
    })
}

/// The version that a state is, of a package or of a program; nothing where it is another state.
fn version(state: &str) -> Option<&str> {
    let version = state.strip_suffix(", held").unwrap_or(state);
    let digits = version.strip_prefix('v').unwrap_or(version);
    let is_version = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.contains('.')
        && !digits.contains(char::is_whitespace);
    is_version.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_states() {
        for text in ["1.30.8-1.1", "v1.31.4", "1:2.3.4+ds-1ubuntu2", "1.7.24-1"] {
            assert_eq!(version(text), Some(text));
            assert_eq!(version(&format!("{text}, held")), Some(text));
        }
        for text in ["absent", "", "held", "0644", "4 packages", "1.30.8 (held)", "active.running"] {
            assert_eq!(version(text), None);
        }
    }
}
