//! What a runbook may hold, for the reference pages: from the same tables that the parser reads by.

use super::parse::NAMESPACES;
use super::written;
use crate::template::NameType;
use crate::value::Table;

/// A namespace of expressions.
#[derive(Clone, Debug)]
pub struct NamespaceDoc {
    /// "facts", "steps.ID".
    pub name: &'static str,
    /// What it is, in Markdown.
    pub doc: &'static str,
    /// Members that are always there: name, type in words, meaning.
    pub members: Vec<(&'static str, String, &'static str)>,
}

/// Every mapping of a runbook and of a fragment.
pub fn tables() -> [&'static Table; 18] {
    written::all()
}

/// Every type of a parameter, with what it is.
pub fn param_types() -> Vec<(&'static str, &'static str)> {
    written::type_names()
}

/// Every namespace that expressions see.
pub fn namespaces() -> Vec<NamespaceDoc> {
    let words = |ty: NameType| match ty {
        NameType::Value(ty) => ty.expected(),
        NameType::Closed(_) | NameType::Open => "a mapping".to_owned(),
        NameType::List(_) => "a list".to_owned(),
    };
    let member =
        |(name, ty, doc): &(&'static str, fn() -> NameType, &'static str)| (*name, words(ty()), *doc);
    NAMESPACES
        .into_iter()
        .map(|(name, doc, members)| NamespaceDoc { name, doc, members: members.iter().map(member).collect() })
        .collect()
}
