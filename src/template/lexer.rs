//! Cuts a text into what is literal and what is not, and the inside of braces into tokens. Only what is needed to know
//! where names and comparisons stand; the grammar itself is the template engine's.

use std::ops::Range;

/// What is wrong with the text of a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Byte offset in the source; `None` where only the whole can be shown.
    pub(super) at: Option<usize>,
    /// Where it is at the latest, if only the whole can be shown: enough to find it in a file of many lines.
    pub(super) near: usize,
    /// What is wrong.
    pub(super) message: String,
    /// What to do; may be empty.
    pub(super) hint: String,
}

impl Mistake {
    pub(super) fn at(at: usize, message: impl Into<String>) -> Self {
        Self { at: Some(at), near: at, message: message.into(), hint: String::new() }
    }

    /// One whose exact place the engine does not tell.
    pub(super) fn near(near: usize, message: impl Into<String>) -> Self {
        Self { at: None, near, message: message.into(), hint: String::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// A piece of a template; ranges are bytes of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TemplatePart {
    /// Text as it is, whitespace control already applied.
    Text(String),
    /// `{{ … }}`: the inside.
    Expression(Vec<Token>),
    /// `{% … %}`: the inside.
    Block(Vec<Token>),
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

impl Token {
    /// Its text.
    pub(super) fn text<'s>(&self, source: &'s str) -> &'s str {
        &source[self.range.clone()]
    }

    /// Whether it is this word or mark; a text in quotes never is.
    pub(super) fn is(&self, source: &str, text: &str) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Mark) && self.text(source) == text
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word: a name or a keyword.
    Word,
    /// Text in quotes.
    Text,
    /// A number.
    Number,
    /// An operator or a bracket.
    Mark,
}

/// Longest first, so that `<=` is not read as `<`.
const LONG_MARKS: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];

/// Tokens of one expression, and tags of one text. The engine's parser nests as deep as its input does, and the stack
/// has an end.
const MOST: usize = 500;

/// Whether a text holds anything but literal text.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

/// The tokens of an expression that stands alone, without braces.
pub(super) fn expression(source: &str) -> Result<Vec<Token>, Mistake> {
    Ok(tokens(source, 0, None)?.0)
}

/// The parts of a template.
pub(super) fn parts(source: &str) -> Result<Vec<TemplatePart>, Mistake> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut trim_next = false;
    let mut blocks = 0;
    loop {
        let opening = source[at..].find('{').and_then(|first| next_opening(source, at + first));
        let end = opening.map_or(source.len(), |(start, _)| start);
        let trim_end = opening.is_some_and(|(start, _)| source[start + 2..].starts_with('-'));
        let mut text = &source[at..end];
        if trim_next {
            text = text.trim_start();
        }
        if trim_end {
            text = text.trim_end();
        }
        if !text.is_empty() {
            parts.push(TemplatePart::Text(text.to_owned()));
        }
        let Some((start, closing)) = opening else { return Ok(parts) };
        let inside = start + 2 + usize::from(source[start + 2..].starts_with(['-', '+']));
        let close = if closing == "#}" {
            let close = source[inside..].find(closing).map(|offset| inside + offset);
            close.ok_or_else(|| unclosed(source, start, closing))?
        } else {
            let (tokens, close) = tokens(source, inside, Some(closing))?;
            let close = close.ok_or_else(|| unclosed(source, start, closing))?;
            blocks += usize::from(closing == "%}");
            if blocks > MOST {
                return Err(Mistake::at(start, format!("the text has more than {MOST} tags")));
            }
            parts.push(if closing == "}}" {
                TemplatePart::Expression(tokens)
            } else {
                TemplatePart::Block(tokens)
            });
            close
        };
        trim_next = source[..close].ends_with('-');
        at = close + closing.len();
    }
}

/// The next opening brace pair at or after `from`, and what closes it.
fn next_opening(source: &str, from: usize) -> Option<(usize, &'static str)> {
    source[from..].char_indices().filter(|(_, character)| *character == '{').find_map(|(at, _)| {
        let closing = match source.as_bytes().get(from + at + 1)? {
            b'{' => "}}",
            b'%' => "%}",
            b'#' => "#}",
            _ => return None,
        };
        Some((from + at, closing))
    })
}

fn unclosed(source: &str, start: usize, closing: &str) -> Mistake {
    let opening = &source[start..start + 2];
    Mistake::at(start, format!("`{opening}` is never closed by `{closing}`"))
}

/// The tokens from `at` to the closing mark outside of all brackets, and where that stands.
fn tokens(
    source: &str,
    mut at: usize,
    closing: Option<&str>,
) -> Result<(Vec<Token>, Option<usize>), Mistake> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut open: Vec<(char, usize)> = Vec::new();
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if let Some(closing) = closing.filter(|_| open.is_empty()) {
            let sign = usize::from(rest.starts_with(['-', '+']));
            if rest[sign..].starts_with(closing) {
                return Ok((tokens, Some(at + sign)));
            }
        }
        let (kind, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => (TokenKind::Word, word_length(rest)),
            '0'..='9' => {
                let after_dot = at > 0 && source.as_bytes()[at - 1] == b'.';
                (TokenKind::Number, number_length(rest, after_dot))
            }
            '"' | '\'' => {
                let length = text_length(rest, first);
                let length =
                    length.ok_or_else(|| Mistake::at(at, format!("the quote {first} is never closed")))?;
                (TokenKind::Text, length)
            }
            _ => match LONG_MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => (TokenKind::Mark, mark.len()),
                None => (TokenKind::Mark, first.len_utf8()),
            },
        };
        if kind == TokenKind::Mark {
            balance(&mut open, first, at)?;
        }
        if tokens.len() == MOST {
            return Err(Mistake::at(at, format!("the expression has more than {MOST} words and marks")));
        }
        tokens.push(Token { kind, range: at..at + length });
        at += length;
    }
    match open.pop() {
        Some((bracket, place)) => Err(Mistake::at(place, format!("`{bracket}` is never closed"))),
        None => Ok((tokens, None)),
    }
}

fn balance(open: &mut Vec<(char, usize)>, mark: char, at: usize) -> Result<(), Mistake> {
    let opening = match mark {
        '(' | '[' | '{' => {
            open.push((mark, at));
            return Ok(());
        }
        ')' => '(',
        ']' => '[',
        '}' => '{',
        _ => return Ok(()),
    };
    match open.pop() {
        Some((bracket, _)) if bracket == opening => Ok(()),
        Some((bracket, place)) => Err(Mistake::at(place, format!("`{bracket}` is never closed"))),
        None => Err(Mistake::at(at, format!("`{mark}` closes nothing"))),
    }
}

fn word_length(rest: &str) -> usize {
    rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// An item index after a dot has no fraction: `a.1.0` is two indices.
fn number_length(rest: &str, after_dot: bool) -> usize {
    let whole = word_length(rest);
    let fraction = rest.as_bytes().get(whole) == Some(&b'.')
        && rest.as_bytes().get(whole + 1).is_some_and(u8::is_ascii_digit);
    if fraction && !after_dot { whole + 1 + word_length(&rest[whole + 1..]) } else { whole }
}

fn text_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_where_the_engine_cuts_them() {
        let cases = [
            ("a.b >= \"1.9\"", vec!["a", ".", "b", ">=", "\"1.9\""]),
            ("x[1:2]|join(', ')", vec!["x", "[", "1", ":", "2", "]", "|", "join", "(", "', '", ")"]),
            ("1.5+a.1.0", vec!["1.5", "+", "a", ".", "1", ".", "0"]),
            (r#""a\"b" ~ '\\'"#, vec![r#""a\"b""#, "~", r"'\\'"]),
        ];
        for (source, expected) in cases {
            let tokens = expression(source).expect(source);
            let shown: Vec<_> = tokens.iter().map(|token| &source[token.range.clone()]).collect();
            assert_eq!(shown, expected, "{source}");
        }
    }

    #[test]
    fn templates_are_cut_into_parts() {
        let cases = [
            ("plain", "T(plain)"),
            ("a{{ b }}c", "T(a)E(b)T(c)"),
            ("{{ '}}' }}{# {{ no }} #}x", "E('}}')T(x)"),
            ("a \n{{- b -}} \n c", "T(a)E(b)T(c)"),
            ("{{ {'a': {'b': 1}} }}", "E({ 'a' : { 'b' : 1 } })"),
            ("{% if a %}b{% endif %}", "B(if a)T(b)B(endif)"),
            ("a { b } {c", "T(a { b } {c)"),
        ];
        for (source, expected) in cases {
            let inside = |tokens: &[Token]| {
                tokens.iter().map(|token| &source[token.range.clone()]).collect::<Vec<_>>().join(" ")
            };
            let parts = parts(source).expect(source);
            let shown = parts.iter().fold(String::new(), |shown, part| match part {
                TemplatePart::Text(text) => format!("{shown}T({text})"),
                TemplatePart::Expression(tokens) => format!("{shown}E({})", inside(tokens)),
                TemplatePart::Block(tokens) => format!("{shown}B({})", inside(tokens)),
            });
            assert_eq!(shown, expected, "{source}");
        }
    }

    #[test]
    fn what_is_never_closed_is_named() {
        for (source, part) in [
            ("{{ a", "`{{` is never closed"),
            ("{% if a }}", "`}` closes nothing"),
            ("{% if a", "`{%` is never closed"),
            ("{# a", "`{#` is never closed"),
            ("{{ 'a }}", "the quote ' is never closed"),
            ("{{ (a }}", "`(` is never closed"),
            ("{{ a) }}", "`)` closes nothing"),
        ] {
            let error = parts(source).expect_err(source);
            assert!(error.message.contains(part), "{source}: {error:?}");
        }
    }
}
