//! Nodes that an op takes out of the cluster or lets in: `kubectl delete node`, `kubeadm reset`, `kubeadm join`, as a command
//! that people wrote, or in their script.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Op, OpKind, base_name};

/// A node that an op takes out of the cluster or lets in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovedNode {
    /// That of the host on whose behalf the op is sent.
    Own,
    /// The one of this name.
    Named(String),
    /// The one of this name, which is gone when the op has succeeded.
    Deleted(String),
    /// Any: a selector finds it.
    Any,
}

impl MovedNode {
    /// What a command moves. What an interpreter is given, as an argument or as its input, is read as lines of a shell.
    pub(super) fn of_command(op: &Op) -> Vec<Self> {
        let OpKind::Exec { argv } = &op.kind else { return Vec::new() };
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let mut moved = Self::of_words(&words);
        if words.first().is_some_and(|program| base_name(program) == "kubectl") {
            let gone = |node| if let Self::Named(name) = node { Self::Deleted(name) } else { node };
            moved = moved.into_iter().map(gone).collect();
        }
        let texts = words.into_iter().chain([op.stdin.as_str()]);
        for text in texts.filter(|text| text.contains(char::is_whitespace)) {
            moved.extend(Self::of_text(text));
        }
        moved.into_iter().collect()
    }

    /// What lines of a shell move.
    pub fn of_text(text: &str) -> BTreeSet<Self> {
        let ends = |letter: char| matches!(letter, ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`');
        // A comment goes on to the end of its line.
        let commands =
            text.lines().flat_map(|line| line.split(ends).take_while(|command| !is_comment(command)));
        commands.flat_map(|command| Self::of_words(&words(command))).collect()
    }

    fn of_words(words: &[&str]) -> BTreeSet<Self> {
        let mut moved = BTreeSet::new();
        let is_move = |rest: &[&str]| rest.iter().any(|word| matches!(*word, "join" | "reset"));
        if calls(words, "kubeadm").is_some_and(is_move) {
            moved.insert(Self::Own);
        }
        if let Some(rest) = calls(words, "kubectl") {
            moved.extend(deleted(rest));
            moved.extend(selects_nodes(rest).then_some(Self::Any));
        }
        moved
    }
}

/// The words behind a program, wherever it stands in a command.
fn calls<'w, 't>(words: &'w [&'t str], program: &str) -> Option<&'w [&'t str]> {
    let at = words.iter().position(|word| base_name(word) == program)?;
    words.get(at + 1..)
}

/// The nodes that kubectl deletes with these words. A name that only the host knows is taken for its own.
fn deleted(words: &[&str]) -> Vec<MovedNode> {
    let Some(objects) = behind(words, |word| word == "delete") else { return Vec::new() };
    let node =
        |name: &str| if name.contains('$') { MovedNode::Own } else { MovedNode::Named(name.to_owned()) };
    if let Some(names) = behind(objects, is_node) {
        return names.iter().filter(|word| !word.starts_with('-')).map(|name| node(name)).collect();
    }
    let each = objects.iter().filter_map(|word| word.split_once('/'));
    each.filter(|(kind, _)| is_node(kind)).map(|(_, name)| node(name)).collect()
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
