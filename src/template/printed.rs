//! What the expressions of a text can put into it, for a reader such as a shell that takes some characters for its own.

use std::ops::Range;

use super::lexer::{TemplatePart, Token, TokenKind};
use super::references::{self, Use};
use super::{Names, Reference};
use crate::value::Type;

/// A piece of a text: as it is written, or what an expression puts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// As it is written.
    Text(String),
    /// An expression.
    Expression {
        /// What it can put there.
        gives: Gives,
        /// Its bytes in the text, without the braces.
        range: Range<usize>,
    },
}

/// What an expression can put into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A number, a version, a name and the like: nothing in it means anything to a shell.
    Plain,
    /// A text that the filter `quote` put into quotes.
    Quoted,
    /// Any text.
    Text,
}

/// Filters whose result is plain, whatever they are given.
const PLAIN_FILTERS: [&str; 7] = ["duration", "int", "length", "major", "minor", "patch", "version"];

/// Filters that leave a plain value plain.
const HARMLESS_FILTERS: [&str; 5] = ["first", "last", "lower", "string", "upper"];

/// Names whose values are checked where they come from.
const PLAIN_NAMES: [(&str, &str); 4] =
    [("host", "name"), ("host", "address"), ("host", "node"), ("run", "id")];

/// The pieces of a template.
pub(super) fn pieces(source: &str, parts: &[TemplatePart], names: &Names) -> Vec<Printed> {
    let piece = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => Some(Printed::Text(text.clone())),
        TemplatePart::Expression(tokens) => {
            let (first, last) = (tokens.first()?, tokens.last()?);
            let range = first.range.start..last.range.end;
            Some(Printed::Expression { gives: gives(source, tokens, names), range })
        }
        TemplatePart::Block(_) => None,
    };
    parts.iter().filter_map(piece).collect()
}

/// What an expression gives: the worst of what it can be put together from.
pub(super) fn gives(source: &str, tokens: &[Token], names: &Names) -> Gives {
    let alternatives = results(source, tokens);
    let each: Vec<Gives> = alternatives
        .iter()
        .flat_map(|result| operands(source, result))
        .map(|operand| of_operand(source, operand, names))
        .collect();
    match each.as_slice() {
        [only] => *only,
        // A quoted text beside another is one word to a shell, too.
        _ if each.contains(&Gives::Text) || each.is_empty() => Gives::Text,
        _ if each.contains(&Gives::Quoted) => Gives::Quoted,
        _ => Gives::Plain,
    }
}

/// The values that `a if c else b` chooses from, outside of brackets.
fn results<'t>(source: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let Some(condition) = outside(source, tokens).find(|at| tokens[*at].is(source, "if")) else {
        return vec![tokens];
    };
    let mut found = vec![&tokens[..condition]];
    let rest = &tokens[condition + 1..];
    if let Some(other) = outside(source, rest).find(|at| rest[*at].is(source, "else")) {
        found.extend(results(source, &rest[other + 1..]));
    }
    found
}

/// What `~` and arithmetic put together.
fn operands<'t>(source: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let joins: Vec<usize> = outside(source, tokens)
        .filter(|at| ["~", "+", "-", "*", "//", "%"].iter().any(|mark| tokens[*at].is(source, mark)))
        .collect();
    let starts = std::iter::once(0).chain(joins.iter().map(|at| at + 1));
    let ends = joins.iter().copied().chain([tokens.len()]);
    starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| &tokens[start..end]).collect()
}

fn of_operand(source: &str, tokens: &[Token], names: &Names) -> Gives {
    let pipes: Vec<usize> = outside(source, tokens).filter(|at| tokens[*at].is(source, "|")).collect();
    let ends = pipes.iter().skip(1).copied().chain([tokens.len()]);
    let filters: Vec<&[Token]> = pipes.iter().zip(ends).map(|(start, end)| &tokens[start + 1..end]).collect();
    let base = &tokens[..pipes.first().copied().unwrap_or(tokens.len())];
    let before = of_base(source, base, names);
    filters.iter().fold(before, |before, filter| {
        let Some(name) = filter.first().map(|name| name.text(source)) else { return Gives::Text };
        match name {
            "quote" => Gives::Quoted,
            _ if PLAIN_FILTERS.contains(&name) => Gives::Plain,
            _ if HARMLESS_FILTERS.contains(&name) && before == Gives::Plain => Gives::Plain,
            "default" if before == Gives::Plain && filter.len() > 3 => {
                gives(source, &filter[2..filter.len() - 1], names)
            }
            _ => Gives::Text,
        }
    })
}

fn of_base(source: &str, tokens: &[Token], names: &Names) -> Gives {
    if let [open, inside @ .., close] = tokens
        && open.is(source, "(")
        && close.is(source, ")")
    {
        return gives(source, inside, names);
    }
    if let [literal] = tokens
        && matches!(literal.kind, TokenKind::Number | TokenKind::Text)
    {
        // Its author wrote it, and sees it.
        return Gives::Plain;
    }
    let found = references::in_expression(source, tokens).map(|found| found.uses).unwrap_or_default();
    match found.as_slice() {
        [Use { reference, alone: true, .. }] if is_plain(reference, names) => Gives::Plain,
        _ => Gives::Text,
    }
}

fn is_plain(name: &Reference, names: &Names) -> bool {
    if let [member] = name.path.as_slice()
        && PLAIN_NAMES.contains(&(name.root.as_str(), member.as_str()))
    {
        return true;
    }
    matches!(names.check(name), Ok(Some(ty)) if is_plain_type(&ty))
}

fn is_plain_type(ty: &Type) -> bool {
    match ty {
        Type::Bool
        | Type::Int
        | Type::Version
        | Type::Duration
        | Type::Size
        | Type::Percent
        | Type::Amount
        | Type::Host
        | Type::Enum(_) => true,
        Type::OneOf(types) => !types.is_empty() && types.iter().all(is_plain_type),
        _ => false,
    }
}

/// The positions of the tokens outside of all brackets.
fn outside<'t>(source: &'t str, tokens: &'t [Token]) -> impl Iterator<Item = usize> + 't {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        let is = |marks: [&str; 3]| marks.iter().any(|mark| token.is(source, mark));
        if is(["(", "[", "{"]) {
            depth += 1;
            return None;
        }
        if is([")", "]", "}"]) {
            depth = depth.saturating_sub(1);
            return None;
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{NameType, lexer};
    use super::*;

    #[test]
    fn an_expression_gives_the_worst_of_what_it_is_made_of() {
        let members = [
            ("text", Type::Str),
            ("count", Type::Int),
            ("target", Type::Version),
            ("word", Type::Enum(vec!["a".to_owned()])),
        ];
        let members = members.map(|(name, ty)| (name.to_owned(), NameType::Value(ty)));
        let roots = [
            ("p".to_owned(), NameType::Closed(members.into_iter().collect())),
            ("host".to_owned(), NameType::Open),
            ("run".to_owned(), NameType::Open),
        ];
        let names = Names { roots: roots.into_iter().collect(), ..Names::default() };
        let cases = [
            ("p.text", Gives::Text),
            ("p.text | quote", Gives::Quoted),
            ("p.text | upper | quote", Gives::Quoted),
            ("p.text | quote | replace('a', 'b')", Gives::Text),
            ("(p.text | quote)", Gives::Quoted),
            ("p.text ~ p.text | quote", Gives::Text),
            ("(p.text ~ p.text) | quote", Gives::Quoted),
            ("p.count", Gives::Plain),
            ("p.count + 1", Gives::Plain),
            ("p.target | minor", Gives::Plain),
            ("p.text | int", Gives::Plain),
            ("p.word | upper", Gives::Plain),
            ("p.word ~ '-' ~ p.target", Gives::Plain),
            ("p.word if p.text == 'x' else p.count", Gives::Plain),
            ("p.word if p.count == 1 else p.text", Gives::Text),
            ("p.target | default('1.31.4')", Gives::Plain),
            ("p.target | default(p.text)", Gives::Text),
            ("p.target | replace('.', p.text)", Gives::Text),
            ("host.name", Gives::Plain),
            ("host.node", Gives::Plain),
            ("host.address", Gives::Plain),
            ("host.vars.name", Gives::Text),
            ("run.id", Gives::Plain),
            ("[p.text] | join", Gives::Text),
        ];
        for (source, expected) in cases {
            let tokens = lexer::expression(source).expect(source);
            assert_eq!(gives(source, &tokens, &names), expected, "{source}");
        }
    }
}
