//! Reads a scenario from its tree, with all mistakes in one go. Pure: a tree in, a scenario or diagnostics out.

mod expect;
mod faults;
mod given;

use super::{CommandAnswer, Raw, Scenario};
use crate::inventory::Selector;
use crate::source::codes::{BAD_SELECTOR, NOT_A_SCENARIO};
use crate::source::{Diagnostics, Entry, FromNode, MapReader, Node, NodeKind, Span, Spanned, written};
use crate::value::{Duration, Type, Version};

pub(super) use expect::{ExpectedNode, ExpectedStep};
use given::Installs;
pub(super) use given::{File, Package, Port};

const A_DURATION: &str = "a duration such as 10m";

/// Reads a scenario. `None` when nothing usable came out; the diagnostics say why.
pub fn parse(root: &Node, diagnostics: &mut Diagnostics) -> Option<Scenario> {
    let mut errors = Diagnostics::default();
    let scenario = parse_leniently(root, &mut errors);
    let failed = errors.has_errors();
    diagnostics.append(errors);
    scenario.filter(|_| !failed)
}

/// Like [`parse`], but gives what could be read also where there are errors: enough to look for further mistakes in what it
/// says of hosts and steps, and good for nothing else.
pub fn parse_leniently(root: &Node, diagnostics: &mut Diagnostics) -> Option<Scenario> {
    read(root, diagnostics)
}

fn read(root: &Node, errors: &mut Diagnostics) -> Option<Scenario> {
    let NodeKind::Map(entries) = &root.kind else {
        let error = errors.error(NOT_A_SCENARIO, root.span, "a scenario is a mapping");
        error.hint("begin with `apiVersion: rollbook/v1` and `kind: Scenario`");
        return None;
    };
    let mut top = MapReader::open(root, "a scenario", errors)?;
    for (key, expected) in [("apiVersion", "rollbook/v1"), ("kind", "Scenario")] {
        let Some(entry) = top.require(key, "a scenario", errors) else { continue };
        if entry.value.scalar() != Some(expected) {
            let message = format!("`{key}` of a scenario is `{expected}`");
            let error = errors.error(NOT_A_SCENARIO, entry.value.span, message);
            if matches!(entry.value.scalar(), Some("Runbook" | "Steps" | "Inventory")) {
                error.hint("give a runbook first and an inventory with `-i`");
            }
        }
    }
    // What stands in a file of another kind would only be misread.
    let kind = entries.iter().find(|entry| entry.key.value == "kind");
    if kind.is_some_and(|kind| kind.value.scalar() != Some("Scenario")) {
        return None;
    }
    let name = top.require("metadata", "a scenario", errors);
    let name =
        name.and_then(|entry| Metadata::from_entry(entry, &Metadata::ty(), errors)).map(Metadata::name);
    let mut path = |key: &str, errors: &mut Diagnostics| {
        top.take(key).and_then(|entry| spanned(entry, "a path", errors))
    };
    let (runbook, inventory) = (path("runbook", errors), path("inventory", errors));
    let params = top.take("params").and_then(|entry| {
        if !matches!(entry.value.kind, NodeKind::Map(_)) {
            errors.wrong_type(&entry.value, "a mapping from parameters to values");
            return None;
        }
        Some(entry.value.clone())
    });
    let limit = top.take("limit").and_then(|entry| selector(&entry.value, errors));
    let word = |node: &Node, errors: &mut Diagnostics| {
        let text = node.text("a tag, an id, or the name of a phase", errors)?;
        Some(Spanned { value: text.to_owned(), span: node.span })
    };
    let only = list(top.take("only"), "a list of words", errors, word);
    let skip = list(top.take("skip"), "a list of words", errors, word);
    let seed = top
        .take("seed")
        .and_then(|entry| entry.value.parsed("a whole number", errors, |text| text.parse().ok()));
    let kubernetes = top.take("kubernetes").and_then(|entry| version(entry, errors));
    let faults = top.take("faults").map(|entry| faults::read(&entry.value, errors)).unwrap_or_default();
    let commands = all::<Command, _>(top.take("commands"), "a list of commands", errors);
    let mut given = all::<Package, _>(top.take("packages"), "a list of packages", errors);
    given.extend(all::<File, _>(top.take("files"), "a list of files", errors));
    given.extend(all::<Port, _>(top.take("ports"), "a list of ports", errors));
    let expect = top.take("expect").and_then(|entry| expect::read(&entry.value, errors));
    top.finish("a scenario", errors);
    Some(Scenario {
        name: name?,
        runbook,
        inventory,
        params,
        limit: limit.map(|limit| limit.value.source),
        only,
        skip,
        seed,
        kubernetes,
        faults,
        commands,
        given,
        expect,
    })
}

written! {
    /// What people call it.
    pub(in crate::scenario) struct Metadata at "metadata", called "`metadata`" {
        /// Stands in what `rehearse --check` says.
        name: Raw as (Type::Str.called("a name")),
        /// For readers.
        description: Option<String>,
    }
}

written! {
    /// How a command answers.
    pub(in crate::scenario) struct Command at "commands[]", called "a command" {
        /// Text in the command line, or in its standard input: a step's command, or its `check`, `unless` or `only_if`. Of
        /// several items that match, the first one counts.
        matched ("match"): String as (Type::Str.called("a text of the command line")) where (not_empty),
        /// A selector of the inventory; on all hosts where it is left out.
        host: Option<Spanned<Selector>> as (selector_type()),
        /// Exit code.
        exit: u8 as (Type::Whole { least: 0, most: Some(255) }.called("an exit code from 0 to 255")) = 0,
        /// Standard output.
        stdout: Raw = Raw::default(),
        /// Standard error.
        stderr: Raw = Raw::default(),
        /// How long it takes.
        takes: Duration = Duration::from_secs(1),
        /// A file that is there after it ended with 0.
        creates: Option<String> as (Type::Str.called("an absolute path")) where (|path| absolute(path).map(Some)),
        /// Packages with the versions that they have after it ended with 0, such as `{ kubelet: 1.31.4 }`.
        installs: Option<Installs>,
        /// Text of a command that must have ended well on the host before. Until then this one says nothing and exits 1.
        needs: Option<Raw>,
    }
}

impl Metadata {
    /// The name; the description is for readers of the file alone.
    fn name(self) -> String {
        drop(self.description);
        self.name.0
    }
}

impl From<Command> for CommandAnswer {
    fn from(written: Command) -> Self {
        Self {
            text: written.matched,
            hosts: written.host,
            exit: written.exit.into(),
            stdout: written.stdout.0,
            stderr: written.stderr.0,
            takes: written.takes,
            creates: written.creates,
            needs: written.needs.map(|needs| needs.0),
            installs: written.installs.map(|installs| installs.0).unwrap_or_default(),
        }
    }
}

impl FromNode for Selector {
    fn ty() -> Type {
        selector_type()
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        selector(node, errors).map(|selector| selector.value)
    }
}

fn selector_type() -> Type {
    Type::Str.called("a selector such as `w1` or `workers & !w1`")
}

fn absolute(path: &str) -> Option<String> {
    path.starts_with('/').then(|| path.to_owned())
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What a list of mappings holds, as far as it can be read.
fn all<T: FromNode, U: From<T>>(entry: Option<&Entry>, expected: &str, errors: &mut Diagnostics) -> Vec<U> {
    list(entry, expected, errors, |node, errors| T::from_node(node, &T::ty(), errors).map(U::from))
}

/// The items of a list that can be read.
fn list<T>(
    entry: Option<&Entry>,
    expected: &str,
    errors: &mut Diagnostics,
    read: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    entry.map(|entry| list_of(&entry.value, expected, errors, read)).unwrap_or_default()
}

fn list_of<T>(
    node: &Node,
    expected: &str,
    errors: &mut Diagnostics,
    read: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let items = node.items(expected, errors).unwrap_or_default();
    items.iter().filter_map(|item| read(item, errors)).collect()
}

fn spanned(entry: &Entry, expected: &str, errors: &mut Diagnostics) -> Option<Spanned<String>> {
    let value = entry.value.text(expected, errors)?.to_owned();
    Some(Spanned { value, span: entry.value.span })
}

fn duration(entry: &Entry, errors: &mut Diagnostics) -> Option<Duration> {
    entry.value.parsed(A_DURATION, errors, Duration::parse)
}

fn version(entry: &Entry, errors: &mut Diagnostics) -> Option<Version> {
    entry.value.parsed("a version such as 1.31.4", errors, |text| Version::parse(text).ok())
}

fn number(
    entry: Option<&Entry>,
    range: std::ops::RangeInclusive<u32>,
    expected: &str,
    errors: &mut Diagnostics,
) -> Option<i32> {
    let number = |text: &str| text.parse().ok().filter(|number| range.contains(number));
    let number = entry?.value.parsed(expected, errors, number)?;
    i32::try_from(number).ok()
}

/// A selector, as far as it can be read without an inventory.
fn selector(node: &Node, errors: &mut Diagnostics) -> Option<Spanned<Selector>> {
    let text = node.text("a selector such as `w1` or `workers & !w1`", errors)?;
    selector_of(text, node.span, |offset| node.at(offset), errors)
}

fn selector_of(
    text: &str,
    span: Span,
    at: impl Fn(usize) -> Span,
    errors: &mut Diagnostics,
) -> Option<Spanned<Selector>> {
    match Selector::parse(text) {
        Ok(value) => Some(Spanned { value, span }),
        Err(error) => {
            errors.error(BAD_SELECTOR, at(error.offset), error.message).hints.extend(error.hint);
            None
        }
    }
}

#[cfg(test)]
mod tests;
