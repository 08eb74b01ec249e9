//! The grammar of expressions: from tokens to a tree in which every part knows where it stands. It takes what the
//! template engine takes, so that a mistake is told at its place and in our words; a test holds both against each other.

use std::ops::Range;

use super::Reference;
use super::lexer::{Mistake, TemplatePart, Token, TokenKind};
use super::machine::is_readable;
use super::references::rest_of_for;

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    /// Bytes of the source.
    pub(super) range: Range<usize>,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    /// A text in quotes, a number or a word such as `true`.
    Literal,
    /// A name.
    Name(String),
    /// `a.b`, or `a['b']`.
    Member(Box<Expr>, String),
    /// `a[1]`, `a[b]`: what cannot be followed when the file is loaded.
    Item(Box<Expr>, Box<Expr>),
    /// `a[1:2]`, with its bounds.
    Slice(Box<Expr>, Vec<Expr>),
    /// `a | f(x)`.
    Filter(Box<Expr>, Call),
    /// `a is t(x)`, negated or not.
    Test(Box<Expr>, Call),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    /// `and`, `or`, a comparison, arithmetic.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `a if c else b`.
    Choice(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

/// A filter or a test with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// Where the name stands.
    pub(super) at: usize,
    pub(super) args: Vec<Expr>,
}

impl Expr {
    /// The dotted name that it is, if it is nothing else.
    pub(super) fn reference(&self) -> Option<Reference> {
        match &self.kind {
            ExprKind::Name(root) => Some(Reference { root: root.clone(), path: Vec::new() }),
            ExprKind::Member(parent, member) => {
                let mut reference = parent.reference()?;
                reference.path.push(member.clone());
                Some(reference)
            }
            _ => None,
        }
    }

    /// The parts of which it is made.
    pub(super) fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Literal | ExprKind::Name(_) => Vec::new(),
            ExprKind::Member(only, _) | ExprKind::Not(only) | ExprKind::Negative(only) => vec![only],
            ExprKind::Item(left, right) | ExprKind::Binary(_, left, right) => vec![left, right],
            ExprKind::Slice(value, bounds) => [value.as_ref()].into_iter().chain(bounds).collect(),
            ExprKind::Filter(value, call) | ExprKind::Test(value, call) => {
                [value.as_ref()].into_iter().chain(&call.args).collect()
            }
            ExprKind::Choice(value, condition, other) => {
                [value.as_ref(), condition].into_iter().chain(other.as_deref()).collect()
            }
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        }
    }
}

/// Operators between two values and how tightly each binds.
const OPERATORS: [(&str, u8); 17] = [
    ("or", 1),
    ("and", 2),
    ("==", COMPARISON),
    ("!=", COMPARISON),
    ("<=", COMPARISON),
    (">=", COMPARISON),
    ("<", COMPARISON),
    (">", COMPARISON),
    ("in", COMPARISON),
    ("+", 5),
    ("-", 5),
    ("~", 6),
    ("//", 7),
    ("*", 7),
    ("/", 7),
    ("%", 7),
    ("**", 8),
];
/// Levels of brackets, of `not`, `-` and `else`.
const MOST_DEEP: usize = 50;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
const CONSTANTS: [&str; 6] = ["true", "True", "false", "False", "none", "None"];

/// Reads one expression. An empty one has no tree: `None`.
pub(super) fn parse(source: &str, tokens: &[Token]) -> Result<Option<Expr>, Mistake> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { source, tokens, at: 0, depth: 0 };
    let expr = parser.choice()?;
    match parser.tokens.get(parser.at) {
        None => Ok(Some(expr)),
        Some(rest) => Err(parser.left_over(rest)),
    }
}

/// Reads the expression of a part of a template, as far as it has one.
pub(super) fn of_part(source: &str, part: &TemplatePart) -> Result<Option<Expr>, Mistake> {
    match part {
        TemplatePart::Text(_) => Ok(None),
        TemplatePart::Expression(tokens) => parse(source, tokens),
        TemplatePart::Block(tokens) => match tokens.first() {
            Some(word) if word.is(source, "for") => parse(source, rest_of_for(source, tokens)),
            Some(_) => parse(source, &tokens[1..]),
            None => Ok(None),
        },
    }
}

struct Parser<'t> {
    source: &'t str,
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Goes one level down; the stack has an end.
    fn down<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth == MOST_DEEP {
            let message = format!("the expression is nested deeper than {MOST_DEEP} levels");
            return Err(Mistake::at(self.here(), message).hint("take it apart into `vars`"));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn peek(&self, text: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is(self.source, text))
    }

    fn skip(&mut self, text: &str) -> bool {
        let found = self.peek(text);
        self.at += usize::from(found);
        found
    }

    fn text(&self, at: usize) -> &'t str {
        self.tokens.get(at).map_or("", |token| token.text(self.source))
    }

    fn choice(&mut self) -> Result<Expr, Mistake> {
        let mut value = self.binary(0)?;
        while self.skip("if") {
            let condition = self.binary(0)?;
            let other = if self.skip("else") { Some(Box::new(self.down(Self::choice)?)) } else { None };
            let end = other.as_ref().map_or(condition.range.end, |other| other.range.end);
            let range = value.range.start..end;
            value = Expr { kind: ExprKind::Choice(Box::new(value), Box::new(condition), other), range };
        }
        Ok(value)
    }

    fn binary(&mut self, least: u8) -> Result<Expr, Mistake> {
        let mut left = match self.tokens.get(self.at) {
            Some(not) if least <= NOT && not.is(self.source, "not") => {
                self.at += 1;
                let inner = self.down(|parser| parser.binary(NOT))?;
                Expr { range: not.range.start..inner.range.end, kind: ExprKind::Not(Box::new(inner)) }
            }
            _ => self.unary()?,
        };
        loop {
            let negated = self.peek("not") && self.text(self.at + 1) == "in";
            let at = self.at + usize::from(negated);
            let Some(token) = self.tokens.get(at) else { return Ok(left) };
            let found = OPERATORS.iter().find(|(mark, _)| token.is(self.source, mark));
            let Some((mark, strength)) = found.filter(|(_, strength)| *strength >= least) else {
                return Ok(left);
            };
            self.at = at + 1;
            let right = self.binary(strength + 1)?;
            let range = left.range.start..right.range.end;
            let mark = if negated { "not in" } else { mark };
            left = Expr { kind: ExprKind::Binary(mark, Box::new(left), Box::new(right)), range };
        }
    }

    fn unary(&mut self) -> Result<Expr, Mistake> {
        let value = self.signed()?;
        self.filters(value)
    }

    /// A value, perhaps with `-` before it, which takes in its members, but no filter.
    fn signed(&mut self) -> Result<Expr, Mistake> {
        let Some(minus) = self.tokens.get(self.at).filter(|token| token.is(self.source, "-")) else {
            let value = self.value()?;
            return self.members(value);
        };
        self.at += 1;
        let inner = self.down(Self::signed)?;
        let range = minus.range.start..inner.range.end;
        Ok(Expr { kind: ExprKind::Negative(Box::new(inner)), range })
    }

    fn value(&mut self) -> Result<Expr, Mistake> {
        let Some(token) = self.tokens.get(self.at) else { return Err(self.no_value()) };
        let text = token.text(self.source);
        let range = token.range.clone();
        let kind = match token.kind {
            TokenKind::Text => {
                escapes(token, text)?;
                ExprKind::Literal
            }
            TokenKind::Number => {
                number(token, text)?;
                ExprKind::Literal
            }
            TokenKind::Word if CONSTANTS.contains(&text) => ExprKind::Literal,
            TokenKind::Word if !KEYWORDS.contains(&text) => ExprKind::Name(text.to_owned()),
            TokenKind::Mark if ["(", "[", "{"].contains(&text) => {
                return self.down(|parser| parser.bracket(text));
            }
            _ => return Err(self.no_value()),
        };
        self.at += 1;
        let mut expr = Expr { kind, range };
        // Texts that follow each other are one text.
        while token.kind == TokenKind::Text
            && let Some(more) = self.tokens.get(self.at).filter(|token| token.kind == TokenKind::Text)
        {
            escapes(more, more.text(self.source))?;
            expr.range.end = more.range.end;
            self.at += 1;
        }
        Ok(expr)
    }

    fn bracket(&mut self, open: &str) -> Result<Expr, Mistake> {
        let start = self.tokens[self.at].range.start;
        self.at += 1;
        let closing = match open {
            "(" => ")",
            "[" => "]",
            _ => "}",
        };
        let (mut items, mut entries, mut commas) = (Vec::new(), Vec::new(), 0);
        while !self.peek(closing) {
            if commas < items.len() + entries.len() {
                return Err(self.left_over(&self.tokens[self.at]));
            }
            let item = self.choice()?;
            if open == "{" {
                if !self.skip(":") {
                    return Err(Mistake::at(item.range.end, "a mapping needs `:` behind each of its keys")
                        .hint("write `{'key': value}`"));
                }
                entries.push((item, self.choice()?));
            } else {
                items.push(item);
            }
            commas += usize::from(self.skip(","));
        }
        let range = start..self.tokens[self.at].range.end;
        self.at += 1;
        Ok(match (open, items.len()) {
            // Parentheses around one value are that value.
            ("(", 1) if commas == 0 => Expr { range, ..items.swap_remove(0) },
            ("{", _) => Expr { kind: ExprKind::Map(entries), range },
            _ => Expr { kind: ExprKind::List(items), range },
        })
    }

    fn members(&mut self, mut value: Expr) -> Result<Expr, Mistake> {
        loop {
            let start = value.range.start;
            if self.skip(".") {
                let Some(name) = self.tokens.get(self.at).filter(|token| {
                    token.kind == TokenKind::Word
                        || token.kind == TokenKind::Number && token.text(self.source).parse::<u64>().is_ok()
                }) else {
                    return Err(self.no_member());
                };
                self.at += 1;
                let range = start..name.range.end;
                value = match name.kind {
                    TokenKind::Word => Expr {
                        kind: ExprKind::Member(Box::new(value), name.text(self.source).to_owned()),
                        range,
                    },
                    _ => {
                        if let Some(mistake) = version_without_quotes(self.source, &value, name) {
                            return Err(mistake);
                        }
                        let index = Expr { kind: ExprKind::Literal, range: name.range.clone() };
                        Expr { kind: ExprKind::Item(Box::new(value), Box::new(index)), range }
                    }
                };
            } else if self.peek("[") {
                value = self.down(|parser| parser.subscript(value))?;
            } else {
                return Ok(value);
            }
        }
    }

    fn subscript(&mut self, value: Expr) -> Result<Expr, Mistake> {
        self.at += 1;
        let (mut bounds, mut colons) = (Vec::new(), 0);
        while !self.peek("]") {
            if colons < 2 && self.skip(":") {
                colons += 1;
            } else if bounds.len() <= colons {
                bounds.push(self.choice()?);
                if !self.peek(":") && !self.peek("]") {
                    return Err(self.left_over(&self.tokens[self.at]));
                }
            } else {
                return Err(self.left_over(&self.tokens[self.at]));
            }
        }
        let close = self.tokens[self.at].range.clone();
        self.at += 1;
        let range = value.range.start..close.end;
        let literal = bounds.first().and_then(|only| quoted(&self.source[only.range.clone()]));
        let kind = match (colons, bounds.len(), literal) {
            (0, 0, _) => {
                return Err(Mistake::at(close.start, "`[]` names no item").hint("write `[0]` or `['key']`"));
            }
            (0, _, Some(key)) => ExprKind::Member(Box::new(value), key.to_owned()),
            (0, ..) => ExprKind::Item(Box::new(value), Box::new(bounds.swap_remove(0))),
            _ => ExprKind::Slice(Box::new(value), bounds),
        };
        Ok(Expr { kind, range })
    }

    fn filters(&mut self, mut value: Expr) -> Result<Expr, Mistake> {
        loop {
            let is_filter = self.peek("|");
            if !is_filter && !self.peek("is") {
                return Ok(value);
            }
            self.at += 1;
            if !is_filter {
                self.skip("not");
            }
            let Some(name) = self.tokens.get(self.at).filter(|token| token.kind == TokenKind::Word) else {
                let what =
                    if is_filter { "`|` needs a filter behind it" } else { "`is` needs a test behind it" };
                let example = if is_filter { "value | lower" } else { "value is defined" };
                return Err(Mistake::at(self.here(), what).hint(format!("such as `{example}`")));
            };
            self.at += 1;
            let args = if self.skip("(") {
                self.down(Self::arguments)?
            } else if !is_filter && self.begins_argument() {
                vec![self.signed()?]
            } else {
                Vec::new()
            };
            let range = value.range.start..self.tokens[self.at - 1].range.end;
            let call = Call { name: name.text(self.source).to_owned(), at: name.range.start, args };
            let kind = if is_filter { ExprKind::Filter } else { ExprKind::Test };
            value = Expr { kind: kind(Box::new(value), call), range };
        }
    }

    /// Whether the argument of a test follows without parentheses.
    fn begins_argument(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|token| {
            let text = token.text(self.source);
            match token.kind {
                TokenKind::Text | TokenKind::Number => true,
                TokenKind::Word => !KEYWORDS.contains(&text),
                TokenKind::Mark => ["[", "{"].contains(&text),
            }
        })
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, Mistake> {
        let (mut args, mut commas) = (Vec::new(), 0);
        while !self.skip(")") {
            if commas < args.len() {
                return Err(self.left_over(&self.tokens[self.at]));
            }
            if self.text(self.at + 1) == "=" {
                let name = self.text(self.at);
                return Err(Mistake::at(self.here(), format!("`{name}=`: arguments have no names here"))
                    .hint("write the value alone"));
            }
            args.push(self.choice()?);
            commas += usize::from(self.skip(","));
        }
        Ok(args)
    }

    /// Where the parser stands; behind the last token where that is all.
    fn here(&self) -> usize {
        match self.tokens.get(self.at) {
            Some(token) => token.range.start,
            None => self.tokens.last().map_or(0, |last| last.range.start),
        }
    }

    /// An operator, or the end, where a value is needed.
    fn no_value(&self) -> Mistake {
        let before = self.at.checked_sub(1).map(|before| &self.tokens[before]);
        let text = self.text(self.at);
        if let Some(mistake) = self.tokens.get(self.at).and_then(|token| foreign(self.source, token)) {
            return mistake;
        }
        if text == "not"
            && let Some(before) = before
        {
            let before = before.text(self.source);
            return Mistake::at(self.here(), format!("`not` cannot stand behind `{before}`"))
                .hint("put parentheses around it: `(not …)`");
        }
        if let Some([number, percent]) = self.at.checked_sub(2).map(|at| &self.tokens[at..self.at])
            && percent.is(self.source, "%")
            && number.kind == TokenKind::Number
        {
            let number = number.text(self.source);
            return Mistake::at(self.tokens[self.at - 2].range.start, format!("`{number}%` is no number"))
                .hint(format!("a percentage is a text in quotes: `'{number}%'`"));
        }
        match before {
            Some(operator) if operator.kind == TokenKind::Mark || text.is_empty() || text == ")" => {
                let operator = operator.text(self.source);
                let at = self.tokens[self.at - 1].range.start;
                Mistake::at(at, format!("`{operator}` needs a value behind it"))
                    .hint(format!("write what follows `{operator}`, or remove it"))
            }
            _ => Mistake::at(self.here(), format!("`{text}` needs a value in front of it"))
                .hint(format!("write what `{text}` is about, or remove it")),
        }
    }

    fn no_member(&self) -> Mistake {
        let at = self.tokens[self.at - 1].range.start;
        Mistake::at(at, "`.` needs the name of a member behind it").hint(
            "write it, such as `facts.os`, or `facts['os']` where it holds other characters than letters",
        )
    }

    /// Something behind a value that is complete.
    fn left_over(&self, rest: &Token) -> Mistake {
        if let Some(mistake) = foreign(self.source, rest) {
            return mistake;
        }
        let text = rest.text(self.source);
        let at = rest.range.start;
        match text {
            "else" => Mistake::at(at, "`else` has no `if` before it").hint("write `a if condition else b`"),
            "(" => Mistake::at(at, "there are no functions to call").hint("write an operator before `(`"),
            "not" => Mistake::at(at, "`not` stands behind a value").hint("write `not (…)`, or `a not in b`"),
            _ => Mistake::at(at, format!("`{text}` cannot stand here"))
                .hint("join values with an operator such as `==`, `and` or `~`"),
        }
    }
}

/// A character that no expression has.
fn foreign(source: &str, token: &Token) -> Option<Mistake> {
    let text = token.text(source);
    let hint = match text.chars().next()? {
        '‘' | '’' | '“' | '”' | '„' | '«' | '»' => "write plain quotes: `'…'`".to_owned(),
        ';' => "an expression is one condition: join two with `and`".to_owned(),
        '#' => "put the comment on a line of its own, or behind the closing quote".to_owned(),
        '%' if source[..token.range.start].ends_with('{') => {
            "`{% … %}` belongs into a text: write the condition alone, such as `facts.systemd`".to_owned()
        }
        '@' | '\\' | '^' | '`' | '&' => {
            "remove it, or put the text that it belongs to into quotes".to_owned()
        }
        other if !other.is_ascii() => "put the text that it belongs to into quotes".to_owned(),
        _ => return None,
    };
    let is_block = text == "%";
    let at = token.range.start - usize::from(is_block);
    let shown = if is_block { "{%" } else { text };
    Some(Mistake::at(at, format!("`{shown}` means nothing in an expression")).hint(hint))
}

/// `1.31.4` without quotes, or `v1.31.4`, which read as members of a number or of a name.
fn version_without_quotes(source: &str, value: &Expr, last: &Token) -> Option<Mistake> {
    let before = &source[value.range.clone()];
    let digits = before.strip_prefix('v').unwrap_or(before);
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let rest = source[last.range.end..]
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-.+".contains(c))
        .map_or(source.len(), |length| last.range.end + length);
    let text = source[value.range.start..rest].trim_end_matches(['.', '-', '+']);
    Some(
        Mistake::at(value.range.start, format!("`{text}` is no number"))
            .hint(format!("a version is a text in quotes: `'{text}'`")),
    )
}

/// The inside of a text in quotes that holds no escapes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let inside = text[1..].strip_suffix(quote)?;
    (!inside.contains(['\\', quote])).then_some(inside)
}

fn escapes(token: &Token, text: &str) -> Result<(), Mistake> {
    if !text.contains('\\') || is_readable(text) {
        return Ok(());
    }
    Err(Mistake::at(token.range.start, format!("{text} holds an escape that does not exist"))
        .hint("write `\\\\` for a backslash"))
}

fn number(token: &Token, text: &str) -> Result<(), Mistake> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 18 {
        return Ok(());
    }
    if is_readable(text) {
        return Ok(());
    }
    Err(Mistake::at(token.range.start, format!("`{text}` is no number"))
        .hint("write a whole number, or a text in quotes"))
}

#[cfg(test)]
mod tests {
    use super::super::lexer;
    use super::*;

    fn mistake(source: &str) -> Mistake {
        parse(source, &lexer::expression(source).expect(source)).expect_err(source)
    }

    #[test]
    fn a_mistake_is_told_where_it_stands() {
        let cases = [
            ("a and", 2, "`and` needs a value behind it"),
            ("and a", 0, "`and` needs a value in front of it"),
            ("a.b == ", 4, "`==` needs a value behind it"),
            ("a > 20%", 4, "`20%` is no number"),
            ("params..n", 6, "`.` needs the name"),
            ("a else b", 2, "`else` has no `if`"),
            ("facts.os == ‘debian’", 12, "`‘` means nothing"),
            ("a; true", 1, "`;` means nothing"),
            ("a # c", 2, "`#` means nothing"),
            ("{% if x %}", 0, "`{%` means nothing"),
            ("a == 1.31.4", 5, "`1.31.4` is no number"),
            ("a >= v1.31.4-rc.1 and b", 5, "`v1.31.4-rc.1` is no number"),
            ("a | ", 2, "`|` needs a filter"),
            ("a is not", 5, "`is` needs a test"),
            ("a[]", 2, "`[]` names no item"),
            ("{'a'}", 4, "needs `:`"),
            ("a == not b", 5, "`not` cannot stand behind `==`"),
            ("[a; b]", 2, "`;` means nothing"),
            (r"'\u1' == a", 0, "an escape that does not exist"),
            ("(a and ) or b", 3, "`and` needs a value behind it"),
            ("a | f(x=1)", 6, "no names"),
        ];
        for (source, at, part) in cases {
            let found = mistake(source);
            assert!(found.message.contains(part), "{source}: {found:?}");
            assert_eq!(found.at, Some(at), "{source}: {found:?}");
            assert!(!found.hint.is_empty(), "{source}");
        }
    }

    /// Sequences of words and marks: what we take the engine takes too, and what the engine takes we refuse only for
    /// one of the reasons that are listed.
    #[test]
    fn the_grammar_is_the_engines() {
        let words = [
            "a",
            "'t'",
            "1",
            "true",
            ".b",
            "[0]",
            "[1:]",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ":",
            ",",
            "==",
            "<",
            "in",
            "not",
            "and",
            "or",
            "if",
            "else",
            "+",
            "-",
            "~",
            "//",
            "**",
            "|lower",
            "is defined",
            "is matching('x')",
            "| default(1)",
        ];
        let mut state = 7_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let mut taken = 0;
        for _ in 0..60_000 {
            let length = 1 + next(6);
            let source = (0..length).map(|_| words[next(words.len())]).collect::<Vec<_>>().join(" ");
            let Ok(tokens) = lexer::expression(&source) else { continue };
            let ours = parse(&source, &tokens);
            let is_theirs = is_readable(&source);
            taken += usize::from(ours.is_ok());
            match (&ours, is_theirs) {
                (Ok(_), false) => panic!("{source}: the engine refuses it"),
                // A keyword is a name to the engine where it stands for a value.
                (Err(mistake), true) => {
                    let spoken = ["in", "not", "and", "or", "if", "else", "is"];
                    assert!(
                        tokens.iter().any(|token| spoken.contains(&token.text(&source)))
                            || mistake.message.contains("no functions")
                            || source.contains("|lower .b")
                            || source.contains("is matching")
                            || source.contains("is defined"),
                        "{source}: {mistake:?}"
                    );
                }
                _ => {}
            }
        }
        assert!(taken > 1000, "{taken}");
    }
}
