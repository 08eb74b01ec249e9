//! Hosts whose node this run itself takes out of the cluster or lets in: `kubectl delete node`, `kubeadm reset`, `kubeadm
//! join`, as a step's command or in its script. What such a node is afterwards is the run's own work, and no drift. Told by
//! the events alone, so that a resumed run knows the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Stamped};
use crate::op::{Op, OpKind};
use crate::plan::{HostId, Plan};

/// Hosts by the number of ops that began, or may have, and change whether their node is of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership(BTreeMap<HostId, u32>);

impl Membership {
    /// What these events came to.
    pub fn of(plan: &Plan, events: &[Stamped]) -> Self {
        let mut membership = Self::default();
        for stamped in events {
            membership.note(plan, &stamped.event);
        }
        membership
    }

    /// One more event.
    pub fn note(&mut self, plan: &Plan, event: &Event) {
        let (task, op, began) = match *event {
            Event::OpStarted { task, op, .. } => (task, op, true),
            // It was about to be sent and never began.
            Event::OpNotStarted { task, op, .. } => (task, op, false),
            _ => return,
        };
        let Some(lowered) = plan.lowered(task) else { return };
        let Some(op) = lowered.ops.get(usize::from(op)) else { return };
        for host in members_moved(plan, task.host, op) {
            let count = self.0.entry(host).or_default();
            *count = if began { *count + 1 } else { count.saturating_sub(1) };
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// Whether the host's node is this run's own work.
    pub fn is_own(&self, host: HostId) -> bool {
        self.0.contains_key(&host)
    }

    /// All such hosts.
    pub fn hosts(&self) -> BTreeSet<HostId> {
        self.0.keys().copied().collect()
    }
}

/// Hosts whose node an op on behalf of `host` takes out of the cluster or lets in.
fn members_moved(plan: &Plan, host: HostId, op: &Op) -> BTreeSet<HostId> {
    let mut hosts: BTreeSet<HostId> = nodes_deleted(plan, host, op).into_iter().collect();
    let OpKind::Exec { argv } = &op.kind else { return hosts };
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut commands = vec![argv.clone()];
    // What an interpreter is given, as an argument or as its input.
    for text in
        argv.iter().copied().chain([op.stdin.as_str()]).filter(|text| text.contains(char::is_whitespace))
    {
        let ends = |letter: char| matches!(letter, ';' | '&' | '|' | '\n' | '(' | ')' | '{' | '}' | '`');
        commands.extend(text.split(ends).map(words));
    }
    for words in commands {
        if calls(&words, "kubeadm")
            .is_some_and(|rest| rest.iter().any(|word| matches!(*word, "join" | "reset")))
        {
            hosts.insert(host);
        }
        hosts.extend(calls(&words, "kubectl").into_iter().flat_map(|rest| deleted(plan, host, rest)));
    }
    hosts
}

/// The hosts whose Node a command takes out of the cluster: `kubectl delete node NAME…`.
pub(super) fn nodes_deleted(plan: &Plan, host: HostId, op: &Op) -> Vec<HostId> {
    let OpKind::Exec { argv } = &op.kind else { return Vec::new() };
    let [program, words @ ..] = argv.as_slice() else { return Vec::new() };
    if program.rsplit('/').next() != Some("kubectl") {
        return Vec::new();
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    deleted(plan, host, &words)
}

/// The words behind a program, wherever it stands in a command.
fn calls<'w, 't>(words: &'w [&'t str], program: &str) -> Option<&'w [&'t str]> {
    let at = words.iter().position(|word| word.rsplit('/').next() == Some(program))?;
    words.get(at + 1..)
}

/// Hosts whose nodes kubectl deletes with these words. A name that only the host knows is taken for its own.
fn deleted(plan: &Plan, host: HostId, words: &[&str]) -> Vec<HostId> {
    let mut words = words.iter().copied().filter(|word| !word.starts_with('-'));
    if words.next() != Some("delete") {
        return Vec::new();
    }
    let is_node = |word: &str| matches!(word, "node" | "nodes" | "no");
    let named = |name: &str| {
        if name.contains('$') {
            return Some(host);
        }
        plan.host_of_node(&plan.spelled(name, host))
    };
    match words.next() {
        Some(first) if is_node(first) => words.filter_map(named).collect(),
        Some(first) => {
            let each = std::iter::once(first).chain(words).filter_map(|word| word.split_once('/'));
            each.filter(|(kind, _)| is_node(kind)).filter_map(|(_, name)| named(name)).collect()
        }
        None => Vec::new(),
    }
}

/// The words of a command of a shell, without quotes around them.
fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect()
}
