//! Where values are written: the layers of a name, the strongest first, each with its file and line.

use crate::inventory::{Host, expand};
use crate::source::{Node, NodeKind, SourceMap, Span, shorten};

/// A place that gives a value.
pub(super) struct Layer {
    /// As written.
    pub(super) value: String,
    /// "a variable of the group workers".
    pub(super) what: String,
    /// "inventory.yaml:9"; empty for the command line.
    pub(super) place: String,
}

impl Layer {
    /// A node of a file.
    pub(super) fn of(node: &Node, what: impl Into<String>, sources: &SourceMap) -> Self {
        Self { value: written(sources, node.span), what: what.into(), place: place(sources, node.span) }
    }
}

/// "inventory.yaml:9".
pub(super) fn place(sources: &SourceMap, span: Span) -> String {
    let (line, _) = sources.line_column(span);
    format!("{}:{line}", sources.file(span.file).name)
}

/// The text of a span, on one line.
pub(super) fn written(sources: &SourceMap, span: Span) -> String {
    let text = &sources.file(span.file).text;
    let text = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A member of a mapping.
pub(super) fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let NodeKind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
}

/// Layers of a label or a variable: the host's own, its groups', and what holds for every host.
pub(super) fn of_host(root: &Node, host: &Host, kind: &str, name: &str, sources: &SourceMap) -> Vec<Layer> {
    let word = if kind == "vars" { "a variable" } else { "a label" };
    let of = |node: Option<&Node>, whose: String| {
        let node = member(member(node?, kind)?, name)?;
        Some(Layer::of(node, format!("{word} of {whose}"), sources))
    };
    let own = of(own_entry(root, host), "the host".to_owned());
    let groups = host.groups.iter().filter_map(|group| {
        let node = member(root, "groups").and_then(|groups| member(groups, group));
        of(node, format!("the group {group}"))
    });
    let top = of(Some(root), "every host".to_owned());
    own.into_iter().chain(groups).chain(top).collect()
}

/// The entry of `hosts:` that stands for the host, perhaps among others.
fn own_entry<'n>(root: &'n Node, host: &Host) -> Option<&'n Node> {
    let NodeKind::Map(entries) = &member(root, "hosts")?.kind else { return None };
    let is_it = |text: &str| {
        expand(text).is_ok_and(|names| names.iter().any(|name| name.as_str() == host.name.as_str()))
    };
    entries.iter().find(|entry| is_it(&entry.key.value)).map(|entry| &entry.value)
}

/// How a group's hosts are written.
pub(super) fn of_group(root: &Node, name: &str, sources: &SourceMap) -> Option<String> {
    let group = member(member(root, "groups")?, name)?;
    let node = member(group, "select").or_else(|| member(group, "hosts"))?;
    Some(written(sources, node.span))
}
