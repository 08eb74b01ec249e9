//! Slips of the keyboard that leave a file that is no YAML, found by looking at its lines. Pure.

use std::ops::Range;

use super::super::slip::advice;

/// The line that begins at `line_start` and the two lines before it: where the parser gives up, the slip is not far.
pub(super) fn lines_before(text: &str, line_start: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = line_start;
    for _ in 0..3 {
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        lines.push(start..end);
        let Some(before) = start.checked_sub(1) else { break };
        start = text[..before].rfind('\n').map_or(0, |newline| newline + 1);
    }
    lines
}

/// A character that looks like a space, in the indentation of a line or behind its `:` or `-`.
pub(super) fn no_break_space(text: &str, lines: &[Range<usize>]) -> Option<(usize, char)> {
    lines.iter().find_map(|line| {
        let written = &text[line.clone()];
        let indentation = written.len() - written.trim_start().len();
        let mut before = ' ';
        written.char_indices().find_map(|(at, character)| {
            let is_place = at < indentation || before == ':' || before == '-';
            before = character;
            (is_place && is_odd_space(character)).then_some((line.start + at, character))
        })
    })
}

/// A character that looks like one of YAML's marks, outside of quotes and comments, with what to type instead.
pub(super) fn look_alike(text: &str, lines: &[Range<usize>]) -> Option<(usize, char, String)> {
    lines.iter().find_map(|line| {
        let written = &text[line.clone()];
        let mut quote = None;
        let mut before = ' ';
        for (at, character) in written.char_indices() {
            let is_mark = quote.is_none() && !character.is_ascii() && !is_odd_space(character);
            if let Some(advice) = advice(character).filter(|_| is_mark) {
                return Some((line.start + at, character, advice));
            }
            match quote {
                Some(open) if character == open => quote = None,
                None if character == '#' && before.is_whitespace() => return None,
                None if matches!(character, '"' | '\'') && !before.is_alphanumeric() => {
                    quote = Some(character);
                }
                _ => {}
            }
            before = character;
        }
        None
    })
}

/// Whether a character looks like a space and is none to YAML.
pub(in crate::source) fn is_odd_space(character: char) -> bool {
    matches!(
        character,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200B}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\u{FEFF}'
    )
}

/// A `:` behind a key, or a `-` before an item, without a space behind it.
pub(super) fn no_space(text: &str, lines: &[Range<usize>]) -> Option<(usize, char)> {
    lines.iter().find_map(|line| {
        let (at, mark) = missing_space(&text[line.clone()])?;
        Some((line.start + at, mark))
    })
}

/// The same in one line, or in a text without quotes.
pub(in crate::source) fn missing_space(line: &str) -> Option<(usize, char)> {
    let indentation = line.len() - line.trim_start().len();
    let written = &line[indentation..];
    if let Some(item) = written.strip_prefix('-') {
        let starts_a_word = item.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_entry = item.contains(": ") || item.ends_with(':') || !item.contains(' ');
        if starts_a_word && is_entry {
            return Some((indentation, '-'));
        }
        let inner = item.trim_start();
        return missing_space(inner).map(|(at, mark)| (line.len() - inner.len() + at, mark));
    }
    let length = written.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let rest = written.get(length..)?.strip_prefix(':')?;
    let is_value = rest.starts_with(|c: char| !c.is_whitespace() && c != ':') && !rest.starts_with("//");
    (length > 0 && is_value).then_some((indentation + length, ':'))
}

/// The quote that is open at `end`, read as YAML reads quotes: one begins where a value or a key does.
pub(super) fn open_quote(text: &str, end: usize) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let mut last = None;
    let mut before = '\n';
    let mut characters = text[..end].char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match open {
            Some((_, '"')) if character == '\\' => drop(characters.next()),
            Some((_, '\''))
                if character == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') =>
            {
                characters.next();
            }
            Some((_, quote)) if character == quote => open = None,
            Some(_) => {}
            None if character == '#' && before.is_whitespace() => {
                while characters.peek().is_some_and(|(_, next)| *next != '\n') {
                    characters.next();
                }
            }
            None if matches!(character, '"' | '\'')
                && (before.is_whitespace() || "[{,(".contains(before)) =>
            {
                open = Some((at, character));
                last = Some(at);
            }
            None => {}
        }
        before = character;
    }
    // One that closed may have closed too early.
    open.map(|(at, _)| at).or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_space_is_found_behind_its_mark() {
        let cases = [
            ("    timeout:10m", Some((11, ':'))),
            ("dest:/etc/x", Some((4, ':'))),
            ("- drain:{}", Some((7, ':'))),
            ("  -drain: {}", Some((2, '-'))),
            ("-kubelet", Some((0, '-'))),
            ("  - name: a", None),
            ("url: https://x", None),
            ("  https://x", None),
            ("--- ", None),
            ("key: a:b", None),
        ];
        for (line, expected) in cases {
            assert_eq!(missing_space(line), expected, "{line}");
        }
    }

    #[test]
    fn the_open_quote_is_the_one_that_nothing_closed() {
        let cases = [
            ("a: \"b\nc: d\n", Some(3)),
            ("a: 'it''s\n", Some(3)),
            ("a: it's\nb: \"c", Some(11)),
            ("a: \"b\"\nb: [\"c\n", Some(11)),
            ("# don't\na: b\n", None),
        ];
        for (text, expected) in cases {
            assert_eq!(open_quote(text, text.len()), expected, "{text}");
        }
    }
}
