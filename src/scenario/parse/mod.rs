//! Reads a scenario from its tree, with all mistakes in one go. Pure: a tree in, a scenario or diagnostics out.

mod expect;
mod faults;
mod given;

use super::{CommandAnswer, Scenario};
use crate::inventory::Selector;
use crate::source::codes::{BAD_SELECTOR, NOT_A_SCENARIO};
use crate::source::{Diagnostics, Entry, MapReader, Node, NodeKind, Span, Spanned};
use crate::value::{Duration, Version};

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
    let name = top.require("metadata", "a scenario", errors).and_then(|entry| metadata(entry, errors));
    let mut path =
        |key: &str, errors: &mut Diagnostics| top.take(key).and_then(|entry| text(entry, "a path", errors));
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
    let commands = list(top.take("commands"), "a list of commands", errors, command);
    let mut given = list(top.take("packages"), "a list of packages", errors, given::package);
    given.extend(list(top.take("files"), "a list of files", errors, given::file));
    given.extend(list(top.take("ports"), "a list of ports", errors, given::port));
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

fn metadata(entry: &Entry, errors: &mut Diagnostics) -> Option<String> {
    let mut reader = MapReader::open(&entry.value, "`metadata`", errors)?;
    let name = reader.require("name", "`metadata`", errors).and_then(|entry| text(entry, "a name", errors));
    if let Some(entry) = reader.take("description") {
        entry.value.text("a text", errors);
    }
    reader.finish("`metadata`", errors);
    name
}

/// How a command answers.
fn command(node: &Node, errors: &mut Diagnostics) -> Option<CommandAnswer> {
    const WHAT: &str = "a command";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let matched = reader.require("match", WHAT, errors);
    let matched = matched.and_then(|entry| {
        entry
            .value
            .parsed("a text of the command line", errors, |text| (!text.is_empty()).then(|| text.to_owned()))
    });
    let hosts = reader.take("host").and_then(|entry| selector(&entry.value, errors));
    let exit = number(reader.take("exit"), 0..=255, "an exit code from 0 to 255", errors);
    let mut words = |key: &str, errors: &mut Diagnostics| {
        reader.take(key).and_then(|entry| text(entry, "a text", errors))
    };
    let (stdout, stderr, needs) = (words("stdout", errors), words("stderr", errors), words("needs", errors));
    let takes = reader.take("takes").and_then(|entry| duration(entry, errors));
    let creates = reader.take("creates").and_then(|entry| {
        entry.value.parsed("an absolute path", errors, |path| path.starts_with('/').then(|| path.to_owned()))
    });
    let installs = reader.take("installs").map(|entry| given::versions(&entry.value, errors));
    reader.finish(WHAT, errors);
    Some(CommandAnswer {
        text: matched?,
        hosts,
        exit: exit.unwrap_or(0),
        stdout: stdout.unwrap_or_default(),
        stderr: stderr.unwrap_or_default(),
        takes: takes.unwrap_or(Duration::from_secs(1)),
        creates,
        needs,
        installs: installs.unwrap_or_default(),
    })
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

fn text(entry: &Entry, expected: &str, errors: &mut Diagnostics) -> Option<String> {
    // What a host prints may well look like a template.
    let text = entry.value.scalar().map(str::to_owned);
    if text.is_none() {
        errors.wrong_type(&entry.value, expected);
    }
    text
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
