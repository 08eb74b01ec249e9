//! Turns comparisons and logic into calls, so that versions compare as versions and nothing but a boolean decides.
//!
//! The engine orders values of different kinds by kind and takes every non-empty text for true; neither can be hooked.
//! `a >= b` therefore becomes `__ge(a, b, "a", "b")`, and each side of `and`, `or`, `not` and `if` becomes
//! `__bool(x, "x")`. The texts name the operands in errors. What the user wrote is compiled first, as it is, so a
//! mistake in it is never blamed on this.

use super::lexer::{Mistake, TemplatePart, Token, TokenKind};
use super::references::rest_of_for;

/// Functions that comparisons become; [`super::machine`] defines each of them.
pub(super) const COMPARISONS: [(&str, &str); 8] = [
    ("==", "__eq"),
    ("!=", "__ne"),
    ("<", "__lt"),
    ("<=", "__le"),
    (">", "__gt"),
    (">=", "__ge"),
    ("in", "__in"),
    ("not in", "__not_in"),
];

/// The function that a logical operand becomes.
pub(super) const BOOLEAN: &str = "__bool";

/// One expression, rewritten.
pub(super) fn expression(source: &str, tokens: &[Token]) -> Result<String, Mistake> {
    let mut writer = Writer { source, out: String::with_capacity(source.len() * 2) };
    writer.group(tokens, false)?;
    Ok(writer.out)
}

/// A whole template, rewritten.
pub(super) fn template(source: &str, parts: &[TemplatePart]) -> Result<String, Mistake> {
    let mut writer = Writer { source, out: String::with_capacity(source.len() * 2) };
    for part in parts {
        match part {
            // Whitespace control is already applied, and braces in literal text would have been parts.
            TemplatePart::Text(text) => writer.out.push_str(text),
            TemplatePart::Expression(tokens) => {
                writer.out.push_str("{{ ");
                writer.group(tokens, false)?;
                writer.out.push_str(" }}");
            }
            TemplatePart::Block(tokens) => writer.block(tokens)?,
        }
    }
    Ok(writer.out)
}

struct Writer<'s> {
    source: &'s str,
    out: String,
}

impl Writer<'_> {
    fn block(&mut self, tokens: &[Token]) -> Result<(), Mistake> {
        self.out.push_str("{% ");
        if let Some(keyword) = tokens.first() {
            let rest =
                if keyword.is(self.source, "for") { rest_of_for(self.source, tokens) } else { &tokens[1..] };
            self.verbatim(&tokens[..tokens.len() - rest.len()]);
            self.out.push(' ');
            let condition = keyword.is(self.source, "if") || keyword.is(self.source, "elif");
            self.group(rest, condition)?;
        }
        self.out.push_str(" %}");
        Ok(())
    }

    /// The inside of one pair of brackets; `condition` says that it stands after an `if`.
    fn group(&mut self, tokens: &[Token], condition: bool) -> Result<(), Mistake> {
        let mut from = 0;
        let mut must_be_boolean = condition;
        for at in separators(self.source, tokens) {
            let separator = &tokens[at];
            let logic = ["and", "or"].iter().any(|word| separator.is(self.source, word));
            self.operand(&tokens[from..at], must_be_boolean || logic)?;
            self.space(tokens, at);
            self.out.push_str(separator.text(self.source));
            self.out.push(' ');
            must_be_boolean = logic || ["not", "if"].iter().any(|word| separator.is(self.source, word));
            from = at + 1;
        }
        self.operand(&tokens[from..], must_be_boolean)
    }

    /// What stands between two separators: at most one comparison.
    fn operand(&mut self, tokens: &[Token], boolean: bool) -> Result<(), Mistake> {
        let Some(first) = tokens.first() else { return Ok(()) };
        let comparisons = comparisons(self.source, tokens);
        match comparisons.as_slice() {
            [] if boolean => {
                self.out.push_str(BOOLEAN);
                self.out.push('(');
                self.copy(tokens)?;
                self.quoted(tokens);
                self.out.push(')');
                Ok(())
            }
            [] => self.copy(tokens),
            [(at, width, function)] => {
                let (left, right) = (&tokens[..*at], &tokens[at + width..]);
                self.out.push_str(function);
                self.out.push('(');
                self.copy(left)?;
                self.out.push_str(", ");
                self.copy(right)?;
                self.quoted(left);
                self.quoted(right);
                self.out.push(')');
                Ok(())
            }
            _ => Err(Mistake::at(first.range.start, "comparisons cannot be chained")
                .hint("write `a < b and b < c`, or use parentheses")),
        }
    }

    /// Tokens as they are, with the inside of brackets rewritten.
    fn copy(&mut self, tokens: &[Token]) -> Result<(), Mistake> {
        let mut at = 0;
        while at < tokens.len() {
            self.space(tokens, at);
            self.out.push_str(tokens[at].text(self.source));
            let close = closing(self.source, tokens, at);
            if let Some(close) = close {
                self.group(&tokens[at + 1..close], false)?;
                self.out.push_str(tokens[close].text(self.source));
            }
            at = close.unwrap_or(at) + 1;
        }
        Ok(())
    }

    fn verbatim(&mut self, tokens: &[Token]) {
        for at in 0..tokens.len() {
            self.space(tokens, at);
            self.out.push_str(tokens[at].text(self.source));
        }
    }

    /// Keeps tokens apart exactly where they were.
    fn space(&mut self, tokens: &[Token], at: usize) {
        if at > 0 && tokens[at - 1].range.end < tokens[at].range.start {
            self.out.push(' ');
        }
    }

    /// `, "the source text"`
    fn quoted(&mut self, tokens: &[Token]) {
        let range = tokens.first().zip(tokens.last()).map(|(first, last)| first.range.start..last.range.end);
        self.out.push_str(", \"");
        for character in self.source[range.unwrap_or_default()].chars() {
            match character {
                '"' | '\\' => self.out.extend(['\\', character]),
                // A block inside of a quoted text would end where its braces do.
                '\n' | '\r' | '\t' | '{' | '}' | '%' => self.out.push(' '),
                _ => self.out.push(character),
            }
        }
        self.out.push('"');
    }
}

/// Where the brackets that open at `at` close.
fn closing(source: &str, tokens: &[Token], at: usize) -> Option<usize> {
    let step = |token: &Token| match token.text(source) {
        "(" | "[" | "{" if token.kind == TokenKind::Mark => 1,
        ")" | "]" | "}" if token.kind == TokenKind::Mark => -1,
        _ => 0,
    };
    if step(&tokens[at]) != 1 {
        return None;
    }
    let mut depth = 0;
    (at..tokens.len()).find(|index| {
        depth += step(&tokens[*index]);
        depth == 0
    })
}

/// Positions outside of brackets that bind less tightly than a comparison.
fn separators(source: &str, tokens: &[Token]) -> Vec<usize> {
    outside(source, tokens)
        .filter(|at| {
            let is = |at: Option<usize>, text| {
                at.and_then(|at| tokens.get(at)).is_some_and(|t| t.is(source, text))
            };
            let token = &tokens[*at];
            if token.is(source, "not") {
                return !is(Some(at + 1), "in") && !is(at.checked_sub(1), "is");
            }
            ["and", "or", "if", "else", ",", ":", "="].iter().any(|mark| token.is(source, mark))
                && !is(at.checked_sub(1), ".")
        })
        .collect()
}

/// Comparisons outside of brackets: position, how many tokens, function.
fn comparisons(source: &str, tokens: &[Token]) -> Vec<(usize, usize, &'static str)> {
    let mut found = Vec::new();
    for at in outside(source, tokens) {
        let token = &tokens[at];
        let negated = at > 0 && token.is(source, "in") && tokens[at - 1].is(source, "not");
        if negated {
            found.push((at - 1, 2, "__not_in"));
        } else if at == 0 || !tokens[at - 1].is(source, ".") {
            let function = COMPARISONS.iter().find(|(mark, _)| token.is(source, mark));
            found.extend(function.map(|(_, function)| (at, 1, *function)));
        }
    }
    found
}

/// The positions of all tokens outside of brackets.
fn outside<'t>(source: &'t str, tokens: &'t [Token]) -> impl Iterator<Item = usize> + 't {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < tokens.len() {
            let at = next;
            let close = closing(source, tokens, at);
            next = close.unwrap_or(at) + 1;
            if close.is_none() {
                return Some(at);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::super::lexer;
    use super::*;

    #[test]
    fn comparisons_and_logic_become_calls() {
        let cases = [
            ("a", "a"),
            ("a.b >= \"1.9\"", "__ge(a.b, \"1.9\", \"a.b\", \"\\\"1.9\\\"\")"),
            ("not a", "not __bool(a, \"a\")"),
            ("not a == b", "not __eq(a, b, \"a\", \"b\")"),
            ("a not in b", "__not_in(a, b, \"a\", \"b\")"),
            ("a is not defined and b", "__bool(a is not defined, \"a is not defined\") and __bool(b, \"b\")"),
            (
                "(a or b) and c | f(d < e)",
                "__bool((__bool(a, \"a\") or __bool(b, \"b\")), \"(a or b)\") and __bool(c | f(__lt(d, e, \"d\", \"e\")), \"c | f(d < e)\")",
            ),
            ("a if b else c", "a if __bool(b, \"b\") else c"),
            ("a if b > 1 else c", "a if __gt(b, 1, \"b\", \"1\") else c"),
            ("x[a == b]", "x[__eq(a, b, \"a\", \"b\")]"),
            ("x | f(y=a != b)", "x | f(y= __ne(a, b, \"a\", \"b\"))"),
            ("a.in", "a.in"),
        ];
        for (source, expected) in cases {
            let tokens = lexer::expression(source).expect(source);
            assert_eq!(expression(source, &tokens).expect(source), expected, "{source}");
        }
    }

    #[test]
    fn blocks_keep_their_headers() {
        let source = "{% for a in b if a > 1 %}{{ a }}{% endfor %}{% if x in y %}z{% endif %}";
        let parts = lexer::parts(source).expect("valid");
        assert_eq!(
            template(source, &parts).expect("valid"),
            "{% for a in b if __gt(a, 1, \"a\", \"1\") %}{{ a }}{% endfor %}{% if __in(x, y, \"x\", \"y\") %}z{% endif %}"
                .replace("endfor %}", "endfor  %}")
                .replace("endif %}", "endif  %}")
        );
    }

    #[test]
    fn chains_are_refused() {
        let source = "1 < a < 3";
        let tokens = lexer::expression(source).expect("valid");
        assert!(expression(source, &tokens).expect_err("chained").message.contains("chained"));
    }
}
