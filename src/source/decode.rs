//! Reads single nodes that hold constants: text, booleans, words, anything that text can be parsed to. Whatever does
//! not fit is reported where it stands. Templates are none of this file's business, beyond saying that they do not
//! belong here.

use super::{Diagnostic, Diagnostics, Entry, MapReader, Node, NodeKind, ScalarStyle, Span, Spanned, nearest};
use crate::value::Table;

impl Node {
    /// The scalar's text; `None` for anything else.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is a scalar without quotes, which alone may mean a number or a boolean.
    pub fn is_plain(&self) -> bool {
        matches!(self.kind, NodeKind::Scalar { style: ScalarStyle::Plain, .. })
    }

    /// The text of a constant; `expected` completes "expected …".
    pub fn text(&self, expected: &str, diagnostics: &mut Diagnostics) -> Option<&str> {
        self.parsed(expected, diagnostics, Some)
    }

    /// What `parse` makes of a constant's text; `expected` completes "expected …".
    pub fn parsed<'n, T>(
        &'n self,
        expected: &str,
        diagnostics: &mut Diagnostics,
        parse: impl FnOnce(&'n str) -> Option<T>,
    ) -> Option<T> {
        let text = self.scalar().filter(|text| !text.contains("{{"));
        let value = text.and_then(parse);
        if value.is_none() {
            self.no_constant(expected, diagnostics);
        }
        value
    }

    /// Tells that this is no constant of the wanted kind.
    fn no_constant<'d>(&self, expected: &str, diagnostics: &'d mut Diagnostics) -> &'d mut Diagnostic {
        let diagnostic = diagnostics.wrong_type(self, expected);
        if self.scalar().is_some_and(|text| text.contains("{{")) {
            diagnostic.hint("this is read before any value is known, so it cannot hold a template");
        }
        diagnostic
    }

    /// `true` or `false`, and nothing else that YAML has meant by them over the years.
    pub fn boolean(&self, diagnostics: &mut Diagnostics) -> Option<bool> {
        match self.scalar().filter(|_| self.is_plain()) {
            Some("true") => return Some(true),
            Some("false") => return Some(false),
            _ => {}
        }
        let diagnostic = diagnostics.wrong_type(self, "`true` or `false`");
        match self.scalar().map(str::to_ascii_lowercase).as_deref() {
            Some("yes" | "on" | "y" | "true") => Some(diagnostic.hint("write `true`, without quotes")),
            Some("no" | "off" | "n" | "false") => Some(diagnostic.hint("write `false`, without quotes")),
            _ => None,
        };
        None
    }

    /// One of `words`, with its value.
    pub fn word<T: Copy>(&self, words: &[(&str, T)], diagnostics: &mut Diagnostics) -> Option<T> {
        let names = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        let written = self.scalar().unwrap_or_default();
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == written) {
            return Some(*value);
        }
        let nearest = nearest(written, words.iter().map(|(word, _)| *word));
        let diagnostic = self.no_constant(&names, diagnostics);
        if let Some(nearest) = nearest.filter(|_| diagnostic.hints.is_empty()) {
            diagnostic.hint(format!("did you mean `{nearest}`?"));
        }
        None
    }

    /// The items of a list; `expected` completes "expected …".
    pub fn items(&self, expected: &str, diagnostics: &mut Diagnostics) -> Option<&[Self]> {
        if let NodeKind::Seq(items) = &self.kind {
            return Some(items);
        }
        diagnostics.wrong_type(self, expected);
        None
    }

    /// The place of `text[offset..]` where the scalar shows its text unchanged; else the whole scalar.
    pub fn at(&self, offset: usize) -> Span {
        self.scalar().map_or(self.span, |text| inside(self.span, text, offset))
    }
}

impl Spanned<String> {
    /// The place of `value[offset..]` where it was written unchanged; else all of it.
    pub fn at(&self, offset: usize) -> Span {
        inside(self.span, &self.value, offset)
    }
}

/// A scalar whose span is as long as its text is plain; two bytes longer, and it is in quotes without escapes.
fn inside(span: Span, text: &str, offset: usize) -> Span {
    let quote = match ((span.end - span.start) as usize).checked_sub(text.len()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return span,
    };
    let offset = offset.min(text.len());
    let length = text[offset..].chars().next().map_or(1, char::len_utf8);
    let start = span.start as usize + quote + offset;
    Span::new(span.file, start, start + length)
}

impl<'n> MapReader<'n> {
    /// Takes the value of a key that must be written; reports it as missing where it is not.
    pub fn require(&mut self, key: &str, what: &str, diagnostics: &mut Diagnostics) -> Option<&'n Entry> {
        let entry = self.take(key);
        if entry.is_none() && !self.is_misspelt(key) {
            let span = self.span();
            // Only where it begins: a page of carets says nothing.
            let place = Span { end: span.start + u32::from(span.end > span.start), ..span };
            diagnostics.error(super::codes::MISSING_KEY, place, format!("{what} needs `{key}`"));
        }
        entry
    }

    /// The value of a key of the mapping's table; where it must be written and is not, that is reported.
    pub fn key(&mut self, key: &str, required: bool, diagnostics: &mut Diagnostics) -> Option<&'n Entry> {
        let what = self.table.map_or("", Table::name);
        if required { self.require(key, what, diagnostics) } else { self.take(key) }
    }

    /// Like [`Self::finish_with`], for a mapping whose keys stand in a table.
    pub fn close(self, diagnostics: &mut Diagnostics, answer: impl Fn(&Entry, &mut Diagnostics) -> bool) {
        let what = self.table.map_or("", Table::name);
        self.finish_with(what, diagnostics, answer);
    }

    /// Like [`Self::finish`]; `answer` reports a key by itself and says so, such as one of another tool.
    pub fn finish_with(
        mut self,
        what: &str,
        diagnostics: &mut Diagnostics,
        answer: impl Fn(&Entry, &mut Diagnostics) -> bool,
    ) {
        self.check_table();
        let expected = std::mem::take(&mut self.expected);
        for entry in self.take_rest() {
            if !answer(entry, diagnostics) {
                diagnostics.unknown_key(&entry.key, what, &expected);
            }
        }
    }

    /// Like [`Self::finish`], with a hint for keys that people bring along from other tools.
    pub fn finish_with_foreign_keys(
        self,
        what: &str,
        foreign_keys: &[(&str, &str)],
        diagnostics: &mut Diagnostics,
    ) {
        self.finish_with(what, diagnostics, answers(what, foreign_keys));
    }
}

/// Answers keys that people bring along from other tools with what to write instead.
pub fn answers(what: &str, foreign_keys: &[(&str, &str)]) -> impl Fn(&Entry, &mut Diagnostics) -> bool {
    move |entry, diagnostics| {
        let key = entry.key.value.as_str();
        let Some((_, instead)) = foreign_keys.iter().find(|(foreign_key, _)| *foreign_key == key) else {
            return false;
        };
        let message = format!("unknown key `{key}` in {what}");
        diagnostics.error(super::codes::UNKNOWN_KEY, entry.key.span, message).hint(*instead);
        true
    }
}
