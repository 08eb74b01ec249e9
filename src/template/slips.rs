//! What people write out of habit from other languages, told where it stands and with what to write here.

use super::lexer::{Mistake, TemplatePart, Token, TokenKind};

/// Marks of other languages, and ours.
const MARKS: [(&[&str], &str); 8] = [
    (&["=", "==", "="], "=="),
    (&["==", "="], "=="),
    (&["&", "&"], "and"),
    (&["|", "|"], "or"),
    (&["<", ">"], "!="),
    (&["=", ">"], ">="),
    (&["=", "<"], "<="),
    (&["=", "~"], "is matching(\"…\")"),
];

/// Words of other languages, and ours.
const WORDS: [(&str, &str); 6] =
    [("AND", "and"), ("OR", "or"), ("NOT", "not"), ("null", "none"), ("nil", "none"), ("eq", "==")];

/// The first such thing in an expression.
pub(super) fn check(source: &str, tokens: &[Token]) -> Result<(), Mistake> {
    let mut open: Vec<bool> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let text = token.text(source);
        if token.kind == TokenKind::Number && is_no_number(text) {
            return Err(Mistake::at(token.range.start, format!("`{text}` is no number"))
                .hint(format!("a size, a time or a version is a text in quotes: `'{text}'`")));
        }
        if token.kind == TokenKind::Word {
            let is_name = before.is_some_and(|before| before.is(source, ".") || before.is(source, "|"))
                || tokens.get(at + 1).is_some_and(|next| next.is(source, ".") || next.is(source, "="));
            let other = WORDS.iter().find(|(word, _)| *word == text && !is_name);
            if let Some((word, ours)) =
                other.filter(|(word, _)| *word != "eq" || before.is_some_and(ends_operand))
            {
                return Err(instead(token, word, ours));
            }
        }
        if token.kind == TokenKind::Mark {
            match text {
                "(" | "[" | "{" => {
                    open.push(text == "(" && before.is_some_and(|before| before.kind == TokenKind::Word));
                }
                ")" | "]" | "}" => drop(open.pop()),
                _ => {}
            }
            marks(source, tokens, at, open.last() == Some(&true))?;
        }
        let is = |back: usize, word: &str| at.checked_sub(back).is_some_and(|at| tokens[at].is(source, word));
        // `x is matching y`: a test may take its argument without parentheses.
        let is_argument = is(2, "is") || is(2, "not") && is(3, "is");
        if let Some(before) =
            before.filter(|_| !is_argument).filter(|before| ends_operand(before) && begins_operand(token))
            && !is_keyword(before.text(source), before)
            && !is_keyword(text, token)
        {
            let message =
                format!("`{text}` stands behind `{}` with nothing between them", before.text(source));
            return Err(Mistake::at(token.range.start, message)
                .hint("join them with an operator such as `==`, `and` or `~`; a text needs quotes"));
        }
    }
    Ok(())
}

fn marks(source: &str, tokens: &[Token], at: usize, in_call: bool) -> Result<(), Mistake> {
    let token = &tokens[at];
    for (marks, ours) in MARKS {
        let run = tokens.get(at..at + marks.len()).unwrap_or_default();
        let is_run = run.len() == marks.len()
            && run.iter().zip(marks).all(|(token, mark)| token.is(source, mark))
            && run.windows(2).all(|pair| pair[0].range.end == pair[1].range.start);
        if is_run {
            return Err(instead(token, &marks.concat(), ours));
        }
    }
    match token.text(source) {
        "=" if !in_call => Err(Mistake::at(token.range.start, "`=` compares nothing").hint("write `==`")),
        "!" => Err(instead(token, "!", "not")),
        "?" => {
            Err(Mistake::at(token.range.start, "`?` is no operator").hint("write `a if condition else b`"))
        }
        "$" => Err(Mistake::at(token.range.start, "`$` belongs to a shell")
            .hint("write the name alone, such as `params.target`")),
        "{" if tokens.get(at + 1).is_some_and(|next| next.is(source, "{")) => {
            Err(Mistake::at(token.range.start, "this is an expression already")
                .hint("write it without `{{ }}`"))
        }
        _ => Ok(()),
    }
}

fn instead(token: &Token, written: &str, ours: &str) -> Mistake {
    Mistake::at(token.range.start, format!("`{written}` is no operator here")).hint(format!("write `{ours}`"))
}

/// `1GiB`, `5m`: digits with a unit. Numbers of other bases and exponents are numbers.
fn is_no_number(text: &str) -> bool {
    let digits = text.replace('_', "");
    let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let is_based = ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|base| digits.starts_with(base));
    unit.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_based && digits.parse::<f64>().is_err()
}

fn ends_operand(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Text | TokenKind::Number)
}

fn begins_operand(token: &Token) -> bool {
    ends_operand(token)
}

fn is_keyword(text: &str, token: &Token) -> bool {
    token.kind == TokenKind::Word
        && ["and", "or", "not", "in", "is", "if", "else", "for", "recursive"].contains(&text)
}

/// Blocks that are opened and not closed, or the other way round.
pub(super) fn check_blocks(source: &str, parts: &[TemplatePart]) -> Result<(), Mistake> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    for part in parts {
        let TemplatePart::Block(tokens) = part else { continue };
        let Some(first) = tokens.first() else { continue };
        let (word, at) = (first.text(source), first.range.start);
        let closes = match word {
            "if" | "for" => {
                open.push((word, at));
                continue;
            }
            "endif" | "elif" => "if",
            "endfor" => "for",
            // Of a loop, too.
            "else" if !open.is_empty() => continue,
            "else" => "if",
            _ => continue,
        };
        match open.last() {
            Some((opened, _)) if *opened == closes => {
                if word != "elif" {
                    open.pop();
                }
            }
            Some((opened, place)) => {
                return Err(Mistake::at(*place, format!("`{{% {opened} %}}` is never closed"))
                    .hint(format!("write `{{% end{opened} %}}` before `{{% {word} %}}`")));
            }
            None => {
                return Err(Mistake::at(at, format!("`{{% {word} %}}` has no `{{% {closes} %}}` before it"))
                    .hint("remove it, or write what it belongs to"));
            }
        }
    }
    match open.last() {
        Some((opened, place)) => Err(Mistake::at(*place, format!("`{{% {opened} %}}` is never closed"))
            .hint(format!("write `{{% end{opened} %}}` behind what it is about"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer;
    use super::*;

    #[test]
    fn habits_are_told_where_they_stand() {
        let cases = [
            ("a > 1GiB", 4, "a size, a time or a version is a text in quotes: `'1GiB'`"),
            ("5m < a", 0, "a size, a time or a version is a text in quotes: `'5m'`"),
            ("a = 'b'", 2, "write `==`"),
            ("a and b = 1", 8, "write `==`"),
            ("(a = 'b')", 3, "write `==`"),
            ("a === b", 2, "write `==`"),
            ("a && b", 2, "write `and`"),
            ("a || b", 2, "write `or`"),
            ("!a", 0, "write `not`"),
            ("a <> b", 2, "write `!=`"),
            ("a => b", 2, "write `>=`"),
            ("a =~ 'w*'", 2, "is matching"),
            ("a ? b : c", 2, "if condition else"),
            ("a AND b", 2, "write `and`"),
            ("a eq b", 2, "write `==`"),
            ("$a", 0, "name alone"),
            ("a b", 2, "a text needs quotes"),
            ("a == 'x' 'y'", 9, "operator"),
        ];
        for (source, at, hint) in cases {
            let tokens = lexer::expression(source).expect(source);
            let mistake = check(source, &tokens).expect_err(source);
            assert_eq!(mistake.at, Some(at), "{source}: {mistake:?}");
            assert!(mistake.hint.contains(hint), "{source}: {mistake:?}");
        }
        let good = [
            "a == 'b' and not c",
            "x | f(y=1)",
            "x is not defined",
            "a if b else c",
            "x not in y",
            "{'a': 1}",
            "x | default(none)",
            "a.eq",
            "a[b]",
            "a | join(',') ~ b",
            "x is matching('w*')",
            "-1",
        ];
        for source in good {
            let tokens = lexer::expression(source).expect(source);
            assert_eq!(check(source, &tokens), Ok(()), "{source}");
        }
    }

    #[test]
    fn blocks_are_told_at_the_one_that_is_left_open() {
        let cases = [
            ("{% if a %}b", 3, "`{% if %}` is never closed"),
            ("{% if a %}{% for x in y %}{% endif %}", 13, "`{% for %}` is never closed"),
            ("a{% endif %}", 4, "has no `{% if %}`"),
            ("{% for x in y %}{{ x }}", 3, "`{% for %}` is never closed"),
        ];
        for (source, at, message) in cases {
            let parts = lexer::parts(source).expect(source);
            let mistake = check_blocks(source, &parts).expect_err(source);
            assert_eq!(mistake.at, Some(at), "{source}: {mistake:?}");
            assert!(mistake.message.contains(message), "{source}: {mistake:?}");
        }
        let good = "{% if a %}{% for x in y %}{% else %}{% endfor %}{% elif b %}{% else %}{% endif %}";
        assert_eq!(check_blocks(good, &lexer::parts(good).expect(good)), Ok(()));
    }
}
