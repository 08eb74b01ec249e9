//! Where a byte of a scalar's text stands in its file, whatever escapes, folding and indentation did to it.

use super::{Node, NodeKind, ScalarStyle, Span};

impl Node {
    /// The place of `length` bytes of the scalar's text from `at` on. Where they cannot be found: the whole scalar.
    pub fn within(&self, at: usize, length: usize) -> Span {
        let NodeKind::Scalar { text, style } = &self.kind else { return self.span };
        let place = |at| match &self.raw {
            Some(raw) => in_raw(text, raw, *style, at),
            None => Some(at + usize::from(matches!(style, ScalarStyle::Quoted | ScalarStyle::DoubleQuoted))),
        };
        // The last byte is looked for, not the one behind it, which may stand on another line.
        let last = (at..at + length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(at);
        let (Some(start), Some(end)) = (place(at), place(last)) else { return self.span };
        let end = end + (at + length).saturating_sub(last).max(usize::from(length > 0));
        let start = self.span.start as usize + start;
        let end = (self.span.start as usize + end).min(self.span.end as usize);
        if start > end { self.span } else { Span::new(self.span.file, start, end) }
    }
}

/// Walks through a scalar's text and what is written for it, side by side.
fn in_raw(text: &str, raw: &str, style: ScalarStyle, wanted: usize) -> Option<usize> {
    let is_quoted = matches!(style, ScalarStyle::Quoted | ScalarStyle::DoubleQuoted);
    let mut at = usize::from(is_quoted);
    for (place, character) in text.char_indices() {
        if style == ScalarStyle::DoubleQuoted {
            at = skip_continued_lines(raw, at);
        }
        if character.is_whitespace() {
            let escape = (style == ScalarStyle::DoubleQuoted).then(|| escape_length(&raw[at..])).flatten();
            if place >= wanted {
                return Some(at);
            }
            at += match escape {
                Some(length) => length,
                None if raw[at..].starts_with(character) => character.len_utf8(),
                // A folded line: what stands between both words is all skipped.
                None => usize::from(raw[at..].starts_with(char::is_whitespace)),
            };
            continue;
        }
        // Indentation and the ends of folded lines leave nothing, or one space, in the text.
        at += raw[at..].len() - raw[at..].trim_start().len();
        if place >= wanted {
            return Some(at);
        }
        at += match escape_length(&raw[at..]).filter(|_| style == ScalarStyle::DoubleQuoted) {
            Some(length) => length,
            None if style == ScalarStyle::Quoted && raw[at..].starts_with("''") => 2,
            None if raw[at..].starts_with(character) => character.len_utf8(),
            None => return None,
        };
    }
    (wanted == text.len()).then_some(at)
}

/// The length of an escape of double quotes that stands here.
fn escape_length(raw: &str) -> Option<usize> {
    let after = raw.strip_prefix('\\')?;
    Some(match after.chars().next()? {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        other => 1 + other.len_utf8(),
    })
}

/// A backslash at the end of a line joins it to the next.
fn skip_continued_lines(raw: &str, mut at: usize) -> usize {
    while let Some(rest) = raw[at..].strip_prefix('\\').filter(|rest| rest.starts_with(['\n', '\r'])) {
        at = raw.len() - rest.trim_start().len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostics, Limits, SourceMap, parse};
    use super::*;

    #[test]
    fn every_word_of_a_text_is_found_in_the_file() {
        let scalars = [
            "plain one two",
            "plain\n  one\n\n  two",
            "'it''s one two'",
            "'it''s\n  one\n  two'",
            "\"a \\\"b\\\" one two\"",
            "\"\\u00e9\\n\\tone\\x41 two\"",
            "\"é one\\\n   two\"",
            "\"é\n\n  one\n  two\"",
            "|\n  é\n  one\n\n    two\n",
            ">-\n  é\n  one\n\n    deeper\n  two\n",
            "|+\n    é\n\n\n    one\n    two\n\n",
        ];
        for scalar in scalars {
            let file = format!("key: {scalar}\n");
            let mut sources = SourceMap::default();
            let id = sources.add("a.yaml", file.clone());
            let mut errors = Diagnostics::default();
            let root = parse(&sources, id, Limits::default(), &mut errors).expect(scalar);
            let NodeKind::Map(entries) = &root.kind else { panic!("{scalar}") };
            let node = &entries[0].value;
            let text = node.scalar().expect(scalar);
            for word in ["one", "two"] {
                let at = text.find(word).expect(scalar);
                let span = node.within(at, word.len());
                assert_eq!(&file[span.start as usize..span.end as usize], word, "{scalar}: {text:?}");
            }
        }
    }
}
