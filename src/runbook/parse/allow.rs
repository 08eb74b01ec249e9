//! Opt-outs of the linter: names of rules, each with its reason. Which rules there are is the linter's to know.

use super::tables;
use crate::runbook::Allow;
use crate::source::{Diagnostics, MapReader, Node, NodeKind};

/// `lint: { allow: { … } }` of a step.
pub(super) fn of_step(node: &Node, errors: &mut Diagnostics) -> Vec<Allow> {
    let Some(mut reader) = MapReader::open_table(node, &tables::LINT, errors) else {
        return Vec::new();
    };
    let allow = reader.require("allow", "`lint`", errors).map(|entry| rules(&entry.value, errors));
    reader.finish("`lint`", errors);
    allow.unwrap_or_default()
}

/// A mapping from rules to reasons.
pub(super) fn rules(node: &Node, errors: &mut Diagnostics) -> Vec<Allow> {
    let NodeKind::Map(entries) = &node.kind else {
        let error = errors.wrong_type(node, "a mapping from rules to reasons");
        error.hint("write `allow: { RULE: \"the reason\" }`");
        return Vec::new();
    };
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        // `no-verification: true` is a switch, and a switch gives no reason.
        let bare =
            entry.value.is_plain() && matches!(entry.value.scalar(), Some("true" | "false" | "yes" | "no"));
        let text = |text: &str| (!bare && !text.trim().is_empty()).then(|| text.to_owned());
        match entry.value.parsed("the reason, as a text", errors, text) {
            Some(reason) => found.push(Allow { rule: entry.key.clone(), reason }),
            None => {
                let last = errors.last_mut().expect("invariant: what cannot be read was just reported");
                last.hint(format!("write `{}: \"why\"`", entry.key.value));
            }
        }
    }
    found
}
