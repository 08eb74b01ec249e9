//! What a run left on hosts that somebody has to look after: the one description that its last lines, its exit code,
//! `runs list`, `runs show`, `runs undo` and `runs prune` have.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::plain::host_name;
use crate::engine::{HostStatus, State};
use crate::plan::{HostId, Plan};

/// A host that somebody has to look after.
#[derive(Clone, Debug)]
pub struct Left {
    /// The host.
    pub host: HostId,
    /// "out of service", "half-changed" and the like.
    pub what: &'static str,
    /// Commands that bring it back, in order.
    pub commands: Vec<String>,
    /// What they do not mend, where the run saw something: "its node is `NotReady`".
    pub wrong: Option<String>,
}

/// A host that the runbook leaves cordoned.
#[derive(Clone, Debug)]
pub struct OnPurpose {
    /// The host.
    pub host: HostId,
    /// Why, as `leave_cordoned` says.
    pub reason: String,
    /// Commands that bring it back, in order.
    pub commands: Vec<String>,
}

/// Of what kind of run it is told.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) rehearsal: bool,
    /// Its last lines are followed by how it goes on.
    pub(super) can_resume: bool,
    /// Another run puts back what it left.
    pub(super) undone: bool,
}

/// Hosts of which the same is said, and nothing else.
struct SameLeft<'a> {
    hosts: Vec<HostId>,
    left: &'a Left,
}

/// Lines about hosts that are left. Hosts of which the same is said share one.
pub(super) fn write(plan: &Plan, all: &[Left], told: Told, out: &mut String) -> std::fmt::Result {
    let mut groups: Vec<SameLeft<'_>> = Vec::new();
    for left in all {
        let is_same = |group: &&mut SameLeft<'_>| {
            let Left { what, commands, wrong, .. } = group.left;
            let is_plain = matches!(*what, HALF_CHANGED | AT_WORK);
            is_plain
                && commands.is_empty()
                && (what, commands, wrong) == (&left.what, &left.commands, &left.wrong)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.hosts.push(left.host),
            None => groups.push(SameLeft { hosts: vec![left.host], left }),
        }
    }
    groups.iter().try_for_each(|group| group.write(plan, told, out))
}

impl SameLeft<'_> {
    fn write(&self, plan: &Plan, told: Told, out: &mut String) -> std::fmt::Result {
        let Left { what, commands, wrong, .. } = self.left;
        let names: Vec<&str> = self.hosts.iter().map(|host| host_name(plan, *host)).collect();
        let (are, it) = if names.len() > 1 { ("are", "them") } else { ("is", "it") };
        let names = names.join(", ");
        let what = &if self.hosts.len() > 1 { what.replace(" its ", " their ") } else { (*what).to_owned() };
        if told.undone {
            // What became of it is in the record of the run that put it back.
            let were = if self.hosts.len() > 1 { "were" } else { "was" };
            return writeln!(out, "{names}  {were} left {what}");
        }
        // Whether it serves nobody has looked: its power may have failed meanwhile.
        let service = match self.left.what {
            HALF_CHANGED => format!("; this run does not keep {it} out of service"),
            _ => String::new(),
        };
        let seen = wrong.as_ref().map(|wrong| format!(", and {wrong}")).unwrap_or_default();
        writeln!(out, "{names}  {are} left {what}{service}{seen}")?;
        // An uncordon makes no node Ready: pods would be sent to a node that cannot run them.
        let when = if wrong.is_some() { "when that is mended, " } else { "" };
        if wrong.is_some() && (!told.rehearsal || commands.is_empty()) {
            writeln!(out, "    first find out why, on the host: journalctl -b -u kubelet -u containerd")?;
        }
        write_ways(commands, told, when, out)
    }
}

/// The commands that bring a host back. Of a run that can go on they are one of two ways: who did both would let pods back
/// onto a host that the run then goes on to disrupt. A rehearsal names none: they would reach hosts that it never touched.
pub(super) fn write_ways(commands: &[String], told: Told, when: &str, out: &mut String) -> std::fmt::Result {
    if told.rehearsal && !commands.is_empty() {
        return writeln!(out, "    a real run names here what brings it back");
    }
    let either = if told.can_resume { "either, " } else { "" };
    commands.iter().try_for_each(|command| writeln!(out, "    {either}{when}to bring it back: {command}"))
}

pub(super) const OUT_OF_SERVICE: &str = "out of service";
/// The command that cordons it was stopped or lost, and nothing that disturbs it was sent.
pub(super) const PERHAPS_CORDONED: &str = "out of service, if its cordon took effect";
pub(super) const HALF_CHANGED: &str = "half-changed";
/// It was worked on without a cordon, so that pods go on as far as its node is Ready.
pub(super) const NOT_CORDONED: &str = "half-changed, and was not cordoned by this run";
/// The same of one that holds a slot, and of which nothing is known to be changed.
pub(super) const UNDER_WAY: &str = "in the middle of its steps, and was not cordoned by this run";
/// Whether it serves nobody has looked: it failed.
pub(super) const UNCORDONED: &str = "half-changed, and was uncordoned";

/// A host on which a run was at work that did not come to its end.
pub(super) const AT_WORK: &str = "in the middle of its steps";

/// Of hosts on which no cordon and no hold of the run stands any more: what is left there, without them.
pub(super) fn without_brackets(
    all: &mut Vec<Left>,
    plan: &Plan,
    state: &State,
    is_back: impl Fn(HostId) -> bool,
) {
    let half: BTreeSet<HostId> = state.half_changed(plan).into_iter().collect();
    let at_work: BTreeSet<HostId> = state.at_work(plan).into_iter().collect();
    all.retain_mut(|left| {
        // Whether a host that is no node serves, no cordon tells.
        if !is_back(left.host) || plan.host(left.host).subject.node.is_none() {
            return true;
        }
        left.commands.clear();
        left.what = match left.what {
            OUT_OF_SERVICE | PERHAPS_CORDONED if half.contains(&left.host) => HALF_CHANGED,
            OUT_OF_SERVICE | PERHAPS_CORDONED => AT_WORK,
            what => what,
        };
        state.has_lasting_acts(left.host) && (half.contains(&left.host) || at_work.contains(&left.host))
    });
}

/// Hosts that a run which puts back what another one left did not put back: they are as that one left them.
pub(super) fn not_put_back(plan: &Plan, run: &str, state: &State) -> Vec<Left> {
    let hosts = plan.phases.iter().flat_map(|phase| &phase.hosts).map(|tasks| tasks.host);
    let is_back = |host: &HostId| {
        matches!(state.overall_status(plan, *host), Some(HostStatus::Ok | HostStatus::Changed))
    };
    let commands = vec![format!("rollbook runs undo {run}")];
    hosts
        .filter(|host| !is_back(host))
        .map(|host| Left { host, what: "as it was", commands: commands.clone(), wrong: None })
        .collect()
}
