//! Reads what a scenario says is on hosts from the beginning: packages of repositories, files, open ports.

use super::{list, selector, text};
use crate::scenario::{Given, GivenWhat};
use crate::source::{Diagnostics, MapReader, Node, NodeKind};

pub(super) fn package(node: &Node, errors: &mut Diagnostics) -> Option<Given> {
    const WHAT: &str = "a package";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let name = reader.require("name", WHAT, errors).and_then(|entry| text(entry, "a name", errors));
    let written = reader.require("versions", WHAT, errors);
    let versions = list(written, "a list of versions", errors, version);
    if let Some(entry) =
        written.filter(|entry| matches!(&entry.value.kind, NodeKind::Seq(items) if items.is_empty()))
    {
        errors.wrong_type(&entry.value, "one version or more");
    }
    let repository = reader.take("repository").and_then(|entry| text(entry, "a text", errors));
    let installed = reader.take("installed").and_then(|entry| version(&entry.value, errors));
    let hosts = reader.take("host").and_then(|entry| selector(&entry.value, errors));
    reader.finish(WHAT, errors);
    let repository = repository.unwrap_or_else(|| "the scenario".to_owned());
    Some(Given { hosts, what: GivenWhat::Package { name: name?, versions, repository, installed } })
}

pub(super) fn file(node: &Node, errors: &mut Diagnostics) -> Option<Given> {
    const WHAT: &str = "a file";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let path = reader.require("path", WHAT, errors).and_then(|entry| {
        entry.value.parsed("an absolute path", errors, |path| path.starts_with('/').then(|| path.to_owned()))
    });
    let content = reader.take("content").and_then(|entry| text(entry, "a text", errors));
    let hosts = reader.take("host").and_then(|entry| selector(&entry.value, errors));
    reader.finish(WHAT, errors);
    Some(Given { hosts, what: GivenWhat::File { path: path?, content: content.unwrap_or_default() } })
}

pub(super) fn port(node: &Node, errors: &mut Diagnostics) -> Option<Given> {
    const WHAT: &str = "a port";
    let mut reader = MapReader::open(node, WHAT, errors)?;
    let number = reader.require("port", WHAT, errors).and_then(|entry| {
        entry.value.parsed("a number from 1 to 65535", errors, |text| {
            text.parse().ok().filter(|port: &u16| *port > 0)
        })
    });
    let hosts = reader.take("host").and_then(|entry| selector(&entry.value, errors));
    reader.finish(WHAT, errors);
    Some(Given { hosts, what: GivenWhat::Port(number?) })
}

/// A version of a package: what apt would take for one.
fn version(node: &Node, errors: &mut Diagnostics) -> Option<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || ".+~:-".contains(c);
    node.parsed("a version of a package, such as 1.7.24-1", errors, |text| {
        let good = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(known);
        good.then(|| text.to_owned())
    })
}

/// A mapping from packages to versions.
pub(super) fn versions(node: &Node, errors: &mut Diagnostics) -> Vec<(String, String)> {
    let NodeKind::Map(entries) = &node.kind else {
        errors.wrong_type(node, "a mapping from packages to versions");
        return Vec::new();
    };
    let pair = |entry: &crate::source::Entry| Some((entry.key.value.clone(), version(&entry.value, errors)?));
    entries.iter().filter_map(pair).collect()
}
