//! Mistakes in users' files: collected, never thrown, each with a code, a place and a hint.

use super::codes::{UNKNOWN_KEY, WRONG_TYPE};
use super::slip::{meant_key, slip, slip_in_key};
use super::{Node, NodeKind, SourceMap, Span, Spanned, render};

/// A stable code such as `RB0101`. Codes are never reused; `docs/reference/errors` has a page for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RB{:04}", self.0)
    }
}

/// How bad it is. Only errors stop a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Must be corrected.
    Error,
    /// Should be looked at.
    Warning,
}

impl Severity {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Its code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in the present tense, without a full stop: "unknown step kind `drian`".
    pub message: String,
    /// Where; `None` for what stands in no file, such as a missing command-line parameter.
    pub span: Option<Span>,
    /// A few words under the caret; may be empty.
    pub label: String,
    /// Other places that belong to it: "first defined here".
    pub related: Vec<(Span, String)>,
    /// What to do: "did you mean `drain`?"
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic with a message only. A place, if there is one, is set through [`Diagnostics::error`].
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            span: None,
            label: String::new(),
            related: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Adds what to do; the same is said once, whoever finds it.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Sets the words under the caret.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Adds another place that belongs to it.
    pub fn related(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.related.push((span, text.into()));
        self
    }
}

/// Every mistake found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// All of them, in the order found.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// The one found last, to add a hint to it.
    pub fn last_mut(&mut self) -> Option<&mut Diagnostic> {
        self.items.last_mut()
    }

    /// Adds those of another collection behind these.
    pub fn append(&mut self, mut other: Self) {
        self.items.append(&mut other.items);
    }

    /// Whether any of them stops the command.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// How many of them stop the command.
    pub fn count_errors(&self) -> usize {
        self.items.iter().filter(|item| item.severity == Severity::Error).count()
    }

    /// Adds an error; give it hints through the result.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, code, span, message.into())
    }

    /// Adds a warning; give it hints through the result.
    pub fn warning(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, code, span, message.into())
    }

    fn add(&mut self, severity: Severity, code: Code, span: Span, message: String) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(code, severity, message);
        diagnostic.span = Some(span);
        self.items.push(diagnostic);
        self.items.last_mut().expect("invariant: just pushed")
    }

    /// Reports a node of the wrong type. `expected` completes the sentence: "a duration such as 10m".
    pub fn wrong_type(&mut self, node: &Node, expected: &str) -> &mut Diagnostic {
        let error = self.error(WRONG_TYPE, node.span, format!("expected {expected}, found {}", found(node)));
        if let Some(hint) = slip(node, expected) {
            error.hint(hint);
        }
        error
    }

    /// Reports a key that `what` does not have, with the nearest of `expected` as a suggestion.
    pub fn unknown_key(&mut self, key: &Spanned<String>, what: &str, expected: &[String]) -> &mut Diagnostic {
        let message = format!("unknown key `{}` in {what}", shorten(&key.value));
        let diagnostic = self.error(UNKNOWN_KEY, key.span, message);
        if let Some(hint) = slip_in_key(&key.value) {
            return diagnostic.hint(hint);
        }
        if let Some(meant) = meant_key(&key.value, expected.iter().map(String::as_str)) {
            diagnostic.hint(format!("did you mean `{meant}`?"));
        } else if (1..=MOST_KEYS_LISTED).contains(&expected.len()) {
            let mut known: Vec<_> = expected.iter().map(|key| format!("`{key}`")).collect();
            known.dedup();
            diagnostic.hint(format!("known keys: {}", known.join(", ")));
        }
        diagnostic
    }

    /// All of them by file and place, in the order in which the files were read; what has no place comes first.
    pub fn in_order(&self) -> Vec<&Diagnostic> {
        let mut items: Vec<&Diagnostic> = self.items.iter().collect();
        items.sort_by_key(|item| item.span.map(|span| (span.file, span.start)));
        items
    }

    /// The first of them as people read them, with source lines, and how many more there are; `color` adds ANSI styles.
    pub fn render(&self, sources: &SourceMap, color: bool) -> String {
        let items = self.in_order();
        let shown = items.iter().take(MOST_SHOWN).map(|item| render::text(item, sources, color));
        let mut text: String = shown.collect();
        if let Some(more) = items.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
            let rest = format!("and {more} more\n\n");
            text.push_str(&rest);
        }
        text
    }

    /// All of them for machines: a list of objects.
    pub fn to_json(&self, sources: &SourceMap) -> serde_json::Value {
        self.in_order().into_iter().map(|item| render::json(item, sources)).collect()
    }
}

/// Whoever mended this many looks again anyway.
const MOST_SHOWN: usize = 50;

/// A longer list is a page of the reference, not a hint.
const MOST_KEYS_LISTED: usize = 14;

/// What stands at a node, for the second half of "expected …, found …".
fn found(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "nothing".to_owned(),
        NodeKind::Scalar { text, .. } if text.is_empty() => "an empty text".to_owned(),
        NodeKind::Scalar { text, .. } => format!("`{}`", shorten(text)),
        NodeKind::Seq(items) if items.is_empty() => "an empty list".to_owned(),
        NodeKind::Seq(_) => "a list".to_owned(),
        NodeKind::Map(entries) if entries.is_empty() => "an empty mapping".to_owned(),
        NodeKind::Map(_) => "a mapping".to_owned(),
    }
}

/// `text` on one line and short enough for a message; control characters are shown escaped.
pub fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let escaped: String = text.chars().take(MOST + 1).map(render::visible).collect();
    if escaped.chars().count() <= MOST {
        return escaped;
    }
    let kept: String = escaped.chars().take(MOST - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_do_not_stop_a_command() {
        let mut sources = SourceMap::default();
        let span = Span::new(sources.add("a.yaml", "a: 1"), 0, 1);
        let mut diagnostics = Diagnostics::default();
        diagnostics.warning(WRONG_TYPE, span, "odd");
        assert!(!diagnostics.has_errors());
        diagnostics.error(WRONG_TYPE, span, "wrong");
        assert!(diagnostics.has_errors());
    }

    #[test]
    fn messages_hold_no_control_characters_and_no_pages() {
        assert_eq!(shorten("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(shorten(&"x".repeat(500)).chars().count(), 60);
    }
}
