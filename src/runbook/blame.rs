//! Which value of a step an error of its kind is about. A message begins with the name of a field, or with a value as it
//! was written, in backticks.

use crate::source::{Node, NodeKind, Span};
use crate::step::{LowerError, StepKind};

/// The field and the place that an error is about; the field is `None` for a value that was found by its text. `None`
/// where nothing of what was written can be blamed alone.
pub(crate) fn place_of<'e>(
    error: &'e LowerError,
    args: &Node,
    kind: &'static dyn StepKind,
) -> Option<(Option<&'e str>, Span)> {
    let mut named = error.named();
    let first = named.next()?;
    let mut at = args;
    let mut path = first.split('.');
    let root = path.next().unwrap_or(first);
    let is_field = kind.fields().iter().any(|field| field.name == root);
    if !is_field {
        return leaf(args, first).map(|span| (None, span));
    }
    if matches!(args.kind, NodeKind::Map(_)) {
        for name in std::iter::once(root).chain(path) {
            at = member(at, name)?;
        }
    }
    // A list as a whole says less than its item.
    let inside = if at.scalar().is_some() { None } else { named.find_map(|text| leaf(at, text)) };
    Some((Some(root), inside.unwrap_or(at.span)))
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let NodeKind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.key.value == name).map(|entry| &entry.value)
}

/// The first key or scalar with this text.
fn leaf(node: &Node, text: &str) -> Option<Span> {
    match &node.kind {
        NodeKind::Scalar { text: written, .. } => (written == text).then_some(node.span),
        NodeKind::Null => None,
        NodeKind::Seq(items) => items.iter().find_map(|item| leaf(item, text)),
        NodeKind::Map(entries) => entries.iter().find_map(|entry| {
            if entry.key.value == text { Some(entry.key.span) } else { leaf(&entry.value, text) }
        }),
    }
}
