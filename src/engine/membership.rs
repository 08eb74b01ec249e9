//! Hosts whose node this run itself takes out of the cluster or lets in: `kubectl delete node`, `kubeadm reset`, `kubeadm
//! join`, as a step's command or in its script. What such a node is afterwards is the run's own work, and no drift. Told by
//! the events alone, so that a resumed run knows the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Stamped};
use crate::op::{Op, OpKind, base_name};
use crate::plan::{HostId, Plan, StepRef, TaskId};

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
        let lowered = plan.lowered(task);
        let op = match &lowered {
            Some(lowered) => lowered.ops.get(usize::from(op)).cloned(),
            None => written_op(plan, task),
        };
        let Some(op) = op else { return };
        for host in members_moved(plan, task.host, &op) {
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

/// What stands for the op of a command or script that is known only when its turn comes: its words as they are written,
/// with a `$` for each that is not known, such as the token of a join.
fn written_op(plan: &Plan, task: TaskId) -> Option<Op> {
    let StepRef::Deferred(id) = plan.task(task).step else { return None };
    let step = plan.deferred.get(id.0 as usize)?;
    let program = match step.kind.as_str() {
        "command" | "script" => "",
        "kubectl" => "kubectl ",
        _ => return None,
    };
    let does = step.words_as_written().filter(|(name, _)| *name != "unless");
    let of_field = |(_, words): (&str, String)| format!("{program}{}\n", unknown_as_variable(&words));
    Some(Op {
        stdin: does.map(of_field).collect(),
        r#become: step.r#become,
        timeout: step.timeout,
        effect: step.effect,
        ..Op::exec(&step.title, [] as [&str; 0])
    })
}

fn unknown_as_variable(text: &str) -> String {
    let mut parts = text.split("{{");
    let known = parts.next().unwrap_or_default().to_owned();
    parts.fold(known, |known, part| known + "$" + part.split_once("}}").map_or("", |(_, rest)| rest))
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
        let ends = |letter: char| matches!(letter, ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`');
        // A comment goes on to the end of its line.
        for line in text.lines() {
            commands.extend(line.split(ends).take_while(|command| !is_comment(command)).map(words));
        }
    }
    for words in commands {
        if calls(&words, "kubeadm")
            .is_some_and(|rest| rest.iter().any(|word| matches!(*word, "join" | "reset")))
        {
            hosts.insert(host);
        }
        let Some(rest) = calls(&words, "kubectl") else { continue };
        hosts.extend(deleted(plan, host, rest));
        if selects_nodes(rest) {
            hosts.extend((0..).zip(&plan.hosts).map(|(number, _)| HostId(number)));
        }
    }
    hosts
}

/// The hosts whose Node a command takes out of the cluster: `kubectl delete node NAME…`.
pub(super) fn nodes_deleted(plan: &Plan, host: HostId, op: &Op) -> Vec<HostId> {
    let OpKind::Exec { argv } = &op.kind else { return Vec::new() };
    let [program, words @ ..] = argv.as_slice() else { return Vec::new() };
    if base_name(program) != "kubectl" {
        return Vec::new();
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    deleted(plan, host, &words)
}

/// The words behind a program, wherever it stands in a command.
fn calls<'w, 't>(words: &'w [&'t str], program: &str) -> Option<&'w [&'t str]> {
    let at = words.iter().position(|word| base_name(word) == program)?;
    words.get(at + 1..)
}

/// Hosts whose nodes kubectl deletes with these words. A name that only the host knows is taken for its own.
fn deleted(plan: &Plan, host: HostId, words: &[&str]) -> Vec<HostId> {
    let Some(objects) = behind(words, |word| word == "delete") else { return Vec::new() };
    let named = |name: &str| {
        if name.contains('$') {
            return Some(host);
        }
        plan.host_of_node(&plan.spelled(name, host))
    };
    if let Some(names) = behind(objects, is_node) {
        return names.iter().filter(|word| !word.starts_with('-')).filter_map(|name| named(name)).collect();
    }
    let each = objects.iter().filter_map(|word| word.split_once('/'));
    each.filter(|(kind, _)| is_node(kind)).filter_map(|(_, name)| named(name)).collect()
}

/// Whether kubectl deletes nodes with these words that a selector finds, or all: any of them may be among these.
fn selects_nodes(words: &[&str]) -> bool {
    let Some(objects) = behind(words, |word| word == "delete") else { return false };
    let selects = |word: &&str| {
        let flag = word.split('=').next().unwrap_or_default();
        matches!(flag, "--all" | "--selector" | "--field-selector") || word.starts_with("-l")
    };
    behind(objects, is_node).is_some() && words.iter().any(selects)
}

fn is_node(word: &str) -> bool {
    matches!(word, "node" | "nodes" | "no")
}

/// The words behind the wanted one, where nothing but options and their values stands before it.
fn behind<'w, 't>(words: &'w [&'t str], is_wanted: impl Fn(&str) -> bool) -> Option<&'w [&'t str]> {
    let mut may_be_value = false;
    for (at, word) in words.iter().enumerate() {
        if is_wanted(word) {
            return words.get(at + 1..);
        }
        let is_option = word.starts_with('-');
        if !is_option && !may_be_value {
            return None;
        }
        may_be_value = is_option && !word.contains('=');
    }
    None
}

fn is_comment(command: &str) -> bool {
    command.trim_start().starts_with('#')
}

/// The words of a command of a shell, without quotes around them.
fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect()
}
