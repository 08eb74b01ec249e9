//! Which names a template uses, and where; and the parts of the language that we do not have.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Reference;
use super::lexer::{Mistake, TemplatePart, Token, TokenKind};
use super::slips;
use super::words::{FILTERS, LanguageWord, TESTS, has};
use crate::source::nearest;

/// A name and where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) reference: Reference,
    /// Bytes of the template's source.
    pub(super) range: Range<usize>,
    /// Whether it is all of what stands between its braces.
    pub(super) alone: bool,
}

/// Every name of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TemplateNames {
    pub(super) uses: Vec<Use>,
    /// Variables of loops, with the place of each.
    pub(super) locals: Vec<(String, Range<usize>)>,
}

const KEYWORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];
const BLOCKS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// The names of a whole template.
pub(super) fn in_parts(source: &str, parts: &[TemplatePart]) -> Result<TemplateNames, Mistake> {
    let mut found = TemplateNames::default();
    for part in parts {
        match part {
            TemplatePart::Text(_) => {}
            TemplatePart::Expression(tokens) => {
                slips::check(source, tokens)?;
                in_tokens(source, tokens, &mut found.uses)?;
            }
            TemplatePart::Block(tokens) => in_block(source, tokens, &mut found)?,
        }
    }
    slips::check_blocks(source, parts)?;
    let locals: BTreeSet<_> = found.locals.iter().map(|(name, _)| name.as_str()).chain(["loop"]).collect();
    if !found.locals.is_empty() {
        found.uses.retain(|name| !locals.contains(name.reference.root.as_str()));
    }
    Ok(found)
}

/// The names of one expression.
pub(super) fn in_expression(source: &str, tokens: &[Token]) -> Result<TemplateNames, Mistake> {
    slips::check(source, tokens)?;
    let mut found = TemplateNames::default();
    in_tokens(source, tokens, &mut found.uses)?;
    Ok(found)
}

fn in_block(source: &str, tokens: &[Token], found: &mut TemplateNames) -> Result<(), Mistake> {
    let Some(keyword) = tokens.first() else { return Ok(()) };
    let word = keyword.text(source);
    if !BLOCKS.contains(&word) {
        let message = format!("`{{% {word} %}}` does not exist here");
        return Err(Mistake::at(keyword.range.start, message).hint("only `if` and `for` are known"));
    }
    let before = found.uses.len();
    if word == "for" {
        in_loop(source, tokens, found)?;
    } else {
        slips::check(source, &tokens[1..])?;
        in_tokens(source, &tokens[1..], &mut found.uses)?;
    }
    // What decides or is gone through does not become text.
    found.uses[before..].iter_mut().for_each(|name| name.alone = false);
    Ok(())
}

fn in_loop(source: &str, tokens: &[Token], found: &mut TemplateNames) -> Result<(), Mistake> {
    if let Some(recursive) = tokens.last().filter(|token| token.is(source, "recursive")) {
        return Err(Mistake::at(recursive.range.start, "a loop cannot be recursive"));
    }
    let names = tokens[1..].iter().take_while(|token| !token.is(source, "in"));
    for name in names.filter(|token| token.kind == TokenKind::Word) {
        found.locals.push((name.text(source).to_owned(), name.range.clone()));
    }
    in_tokens(source, rest_of_for(source, tokens), &mut found.uses)
}

/// What follows `for NAMES in`.
pub(super) fn rest_of_for<'t>(source: &str, tokens: &'t [Token]) -> &'t [Token] {
    let header = tokens.iter().position(|token| token.is(source, "in")).map_or(tokens.len(), |at| at + 1);
    &tokens[header..]
}

fn in_tokens(source: &str, tokens: &[Token], uses: &mut Vec<Use>) -> Result<(), Mistake> {
    let is = |at: Option<usize>, text: &str| {
        at.and_then(|at| tokens.get(at)).is_some_and(|token| token.is(source, text))
    };
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let before = at.checked_sub(1);
        at += 1;
        if token.kind != TokenKind::Word {
            continue;
        }
        let word = token.text(source);
        let after_not = is(before, "not") && is(at.checked_sub(3), "is");
        if is(before, "|") {
            known(word, &FILTERS, "filter", token)?;
        } else if (is(before, "is") && word != "not") || after_not {
            known(word, &TESTS, "test", token)?;
        } else if KEYWORDS.contains(&word) || is(before, ".") || is(Some(at), "=") {
            // A keyword, a member whose start is not a name, or the name of an argument.
        } else if is(Some(at), "(") {
            return Err(call(word, token));
        } else {
            let (path, end) = path(source, tokens, at);
            if is(Some(end), "(") {
                let method = &tokens[end - 1];
                // A function has nothing in front of it; a method has the value that it is about.
                let value = (end > at + 1).then(|| &source[token.range.start..tokens[end - 2].range.start]);
                let argument = tokens.get(end + 1).filter(|argument| argument.kind == TokenKind::Text);
                let argument = argument.map(|argument| argument.text(source));
                return Err(match value.map(str::trim_end) {
                    Some(value) => method_call(value, argument, method.text(source), method),
                    None => call(method.text(source), method),
                });
            }
            let range = token.range.start..tokens[end - 1].range.end;
            let alone = end - at + 1 == tokens.len();
            uses.push(Use { reference: Reference { root: word.to_owned(), path }, range, alone });
            at = end;
        }
    }
    Ok(())
}

/// The members after a name as far as they are written out, and the token after them.
fn path(source: &str, tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    loop {
        match tokens.get(at..) {
            Some([dot, name, ..]) if dot.is(source, ".") && name.kind == TokenKind::Word => {
                path.push(name.text(source).to_owned());
                at += 2;
            }
            Some([open, key, close, ..])
                if open.is(source, "[") && key.kind == TokenKind::Text && close.is(source, "]") =>
            {
                let quoted = key.text(source);
                if quoted.contains('\\') {
                    return (path, at);
                }
                path.push(quoted[1..quoted.len() - 1].to_owned());
                at += 3;
            }
            _ => return (path, at),
        }
    }
}

fn known(word: &str, table: &[LanguageWord], what: &str, token: &Token) -> Result<(), Mistake> {
    if has(table, word) {
        return Ok(());
    }
    let other = OTHER_TESTS.iter().find(|(other, _)| what == "test" && *other == word);
    let hint = match nearest(word, table.iter().map(|known| known.name)) {
        _ if other.is_some() => other.map_or_else(String::new, |(_, instead)| format!("write `{instead}`")),
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => {
            format!(
                "known: {}",
                table.iter().map(|known| format!("`{}`", known.name)).collect::<Vec<_>>().join(", ")
            )
        }
    };
    Err(Mistake::at(token.range.start, format!("unknown {what} `{word}`")).hint(hint))
}

/// Tests of other tools, and what to write instead.
const OTHER_TESTS: [(&str, &str); 16] = [
    ("changed", "steps.ID.changed"),
    ("empty", "(VALUE | length) == 0"),
    ("eq", "VALUE == OTHER"),
    ("equalto", "VALUE == OTHER"),
    ("failed", "steps.ID.rc != 0"),
    ("false", "not VALUE"),
    ("in", "VALUE in LIST"),
    ("match", "VALUE is matching('w*')"),
    ("none", "VALUE == none"),
    ("regex", "VALUE is matching('w*')"),
    ("search", "VALUE is matching('*text*')"),
    ("skipped", "not steps.ID.changed"),
    ("succeeded", "steps.ID.rc == 0"),
    ("success", "steps.ID.rc == 0"),
    ("true", "VALUE"),
    ("undefined", "VALUE is not defined"),
];

/// A method of other languages, with what does the same here.
fn method_call(value: &str, argument: Option<&str>, name: &str, token: &Token) -> Mistake {
    let shown = argument.unwrap_or("'text'");
    let inside = shown.get(1..shown.len().saturating_sub(1)).unwrap_or_default();
    let hint = match name {
        "contains" | "includes" | "find" | "index" => format!("{value} is matching('*{inside}*')"),
        "startswith" | "startsWith" | "starts_with" => format!("{value} is matching('{inside}*')"),
        "endswith" | "endsWith" | "ends_with" => format!("{value} is matching('*{inside}')"),
        "match" | "matches" | "search" => format!("{value} is matching('*{inside}*')"),
        "strip" => format!("{value} | trim"),
        "toLowerCase" => format!("{value} | lower"),
        "toUpperCase" => format!("{value} | upper"),
        "get" => format!("{value}[{shown}]"),
        "count" | "len" | "size" => format!("{value} | length"),
        _ if has(&FILTERS, name) => match argument {
            Some(argument) => format!("{value} | {name}({argument})"),
            None => format!("{value} | {name}"),
        },
        _ => return call(name, token),
    };
    Mistake::at(token.range.start, format!("`{name}(…)`: there are no functions to call"))
        .hint(format!("write `{hint}`"))
}

fn call(name: &str, token: &Token) -> Mistake {
    let mistake = Mistake::at(token.range.start, format!("`{name}(…)`: there are no functions to call"));
    if has(&FILTERS, name) {
        return mistake.hint(format!("`{name}` is a filter: write `value | {name}`"));
    }
    mistake.hint("a value is changed by filters, such as `value | lower`, and looked at by operators, such as `'a' in value`")
}

#[cfg(test)]
mod tests {
    use super::super::lexer;
    use super::*;

    fn names(source: &str) -> Vec<String> {
        let parts = lexer::parts(source).expect(source);
        let found = in_parts(source, &parts).expect(source);
        found.uses.iter().map(|name| name.reference.to_string()).collect()
    }

    #[test]
    fn names_are_found_with_their_static_members() {
        let cases = [
            ("{{ params.target | minor }}", vec!["params.target"]),
            (
                "{{ host.labels['a-b'] ~ steps.x.json.items[0].name }}",
                vec!["host.labels.a-b", "steps.x.json.items"],
            ),
            ("{{ a.b if c is defined and d is not matching e else 'f.g' }}", vec!["a.b", "c", "d", "e"]),
            ("{{ x | default(y, z=w) }}", vec!["x", "y", "w"]),
            (
                "{% for h in groups.all %}{{ h.name }}{{ loop.index }}{{ a }}{% endfor %}",
                vec!["groups.all", "a"],
            ),
            ("{{ a[b.c].d }}", vec!["a", "b.c"]),
            ("{{ {'k': v.w} }}", vec!["v.w"]),
        ];
        for (source, expected) in cases {
            assert_eq!(names(source), expected, "{source}");
        }
    }

    #[test]
    fn what_decides_or_is_gone_through_is_no_text() {
        let source =
            "{% if a.flag %}{% for x in a.list %}{{ x }}{{ a.text }}{% endfor %}{% elif b %}{% endif %}";
        let found = in_parts(source, &lexer::parts(source).expect(source)).expect(source);
        let alone = |name: &&Use| name.alone;
        let texts: Vec<_> = found.uses.iter().filter(alone).map(|name| name.reference.to_string()).collect();
        assert_eq!(texts, ["a.text"]);
    }

    #[test]
    fn what_we_do_not_have_is_refused_where_it_stands() {
        let cases = [
            ("{{ range(3) }}", 3, "no functions"),
            ("{{ a.items() }}", 5, "no functions"),
            ("{{ a | uper }}", 7, "unknown filter `uper`"),
            ("{{ a is odd }}", 8, "unknown test `odd`"),
            ("{{ a is not dfined }}", 12, "unknown test `dfined`"),
            ("{% include 'x' %}", 3, "does not exist"),
            ("{% set a = 1 %}", 3, "does not exist"),
            ("{% macro m() %}", 3, "does not exist"),
            ("{% for a in b recursive %}{% endfor %}", 14, "recursive"),
        ];
        for (source, at, part) in cases {
            let parts = lexer::parts(source).expect(source);
            let mistake = in_parts(source, &parts).expect_err(source);
            assert_eq!(mistake.at, Some(at), "{source}");
            assert!(mistake.message.contains(part), "{source}: {}", mistake.message);
        }
    }
}
