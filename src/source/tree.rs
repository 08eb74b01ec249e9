//! The tree of a YAML document as written: raw text of scalars, order of keys, a span on everything.

use std::sync::Arc;

use super::{Diagnostics, Span, Spanned, meant_key};
use crate::value::Table;

/// How a scalar was written. Only a plain one may mean a number, a boolean or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes: `1.30`, `no`, `drain`.
    Plain,
    /// In single quotes.
    Quoted,
    /// In double quotes.
    DoubleQuoted,
    /// A block: `|` or `>`.
    Block,
}

/// A node and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it was written. For an alias: where the alias stands.
    pub span: Span,
    /// What stands in the file for a scalar of which YAML made another text: escapes, folding, indentation.
    pub raw: Option<Arc<str>>,
}

impl Node {
    /// One that stands in the file as it is.
    pub fn new(kind: NodeKind, span: Span) -> Self {
        Self { kind, span, raw: None }
    }
}

/// What a node is. Anchors, aliases and merge keys are resolved; nothing else is interpreted.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Nothing was written, or `null` or `~`.
    Null,
    /// A scalar with its raw text.
    Scalar {
        /// The text after YAML's unescaping, never read as a number: `1.30` stays `1.30`.
        text: String,
        /// How it was written.
        style: ScalarStyle,
    },
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping in written order; duplicate keys are already reported and dropped.
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key's text.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

/// Reads a mapping key by key; what nobody took is reported as unknown, with a suggestion.
pub struct MapReader<'n> {
    entries: &'n [Entry],
    taken: Vec<bool>,
    span: Span,
    pub(super) expected: Vec<String>,
    pub(super) table: Option<&'static Table>,
    /// What is said of keys of other tools.
    habits: fn(&str) -> Option<&'static str>,
}

impl<'n> MapReader<'n> {
    /// Opens `node` for reading; reports and returns `None` where it is no mapping. `what` names it in the message,
    /// such as "a phase".
    pub fn open(node: &'n Node, what: &str, diagnostics: &mut Diagnostics) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            diagnostics.wrong_type(node, &format!("a mapping for {what}"));
            return None;
        };
        let (taken, expected) = (vec![false; entries.len()], Vec::new());
        Some(Self { entries, taken, span: node.span, expected, table: None, habits: |_| None })
    }

    /// Like [`Self::open`], for a mapping whose keys stand in a table.
    pub fn open_table(node: &'n Node, table: &'static Table, diagnostics: &mut Diagnostics) -> Option<Self> {
        Some(Self { table: Some(table), ..Self::open(node, table.what, diagnostics)? })
    }

    /// With what is said of keys of other tools, such as "write `steps:`" of `tasks`.
    #[must_use]
    pub fn with_habits(self, habits: fn(&str) -> Option<&'static str>) -> Self {
        Self { habits, ..self }
    }

    /// The mapping's own span.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Takes the value of `key`, if it was written.
    pub fn take(&mut self, key: &str) -> Option<&'n Entry> {
        if let Some(table) = self.table {
            table.field(key);
        }
        self.expected.push(key.to_owned());
        let index = self.entries.iter().position(|entry| entry.key.value == key)?;
        self.taken[index] = true;
        Some(&self.entries[index])
    }

    /// Whether a key stands here that is none of the table's and was meant to be this one: reported as unknown, it is not
    /// missing too.
    pub fn is_misspelt(&self, key: &str) -> bool {
        let Some(table) = self.table else { return false };
        let known = || table.names();
        let is_meant = |written: &str| match (self.habits)(written) {
            Some(instead) => writes(instead, key),
            None => meant_key(written, known()) == Some(key),
        };
        let mut keys = self.entries.iter().map(|entry| entry.key.value.as_str());
        keys.any(|written| !known().any(|known| known == written) && is_meant(written))
    }

    /// Everything that was not taken so far; marks it as taken.
    pub fn take_rest(&mut self) -> Vec<&'n Entry> {
        let rest = self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(entry, _)| entry);
        let rest = rest.collect();
        self.taken.fill(true);
        rest
    }

    /// Reports every key that nobody took. `what` as in [`Self::open`].
    pub fn finish(self, what: &str, diagnostics: &mut Diagnostics) {
        self.check_table();
        for (entry, taken) in self.entries.iter().zip(&self.taken) {
            if !taken {
                diagnostics.unknown_key(&entry.key, what, &self.expected);
            }
        }
    }

    /// A key that the reference page promises and nobody reads would be refused as unknown.
    pub(super) fn check_table(&self) {
        let Some(table) = self.table else { return };
        let unread = table.names().find(|key| !self.expected.iter().any(|taken| taken == key));
        debug_assert!(unread.is_none(), "invariant: {} reads {unread:?}", table.what);
    }
}

/// Whether a hint says to write a key: "write `steps:`".
fn writes(instead: &str, key: &str) -> bool {
    let written = instead.split('`').nth(1).and_then(|written| written.strip_prefix(key));
    instead.starts_with("write `") && written.is_some_and(|rest| rest.starts_with(':'))
}
