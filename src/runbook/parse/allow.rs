//! Opt-outs of the linter: names of rules, each with its reason. Which rules there are is the linter's to know.

use crate::runbook::Allow;
use crate::source::{Diagnostics, FromNode, Node, NodeKind, written};
use crate::value::Type;

written! {
    /// What the linter is told at a step.
    pub(super) struct Lint at "lint", called "`lint`, such as `{ allow: { RULE: reason } }`" {
        /// Rules by their names, each with the reason.
        allow: Vec<Allow>,
    }
}

impl FromNode for Vec<Allow> {
    fn ty() -> Type {
        Type::LintRules
    }

    fn from_node(node: &Node, _: &Type, errors: &mut Diagnostics) -> Option<Self> {
        Some(rules(node, errors))
    }
}

/// `lint: { allow: { … } }` of a step.
pub(super) fn of_step(node: &Node, errors: &mut Diagnostics) -> Vec<Allow> {
    Lint::from_node(node, &Lint::ty(), errors).map(|lint| lint.allow).unwrap_or_default()
}

/// A mapping from rules to reasons.
fn rules(node: &Node, errors: &mut Diagnostics) -> Vec<Allow> {
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
