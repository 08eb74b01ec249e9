//! Text of a selector to its tree. `!` binds tighter than `&`, and `&` tighter than `|`.

use indexmap::IndexMap;

use super::SelectorError;
use crate::inventory::{Group, range};

/// Deeper nesting is a mistake, and would cost the stack.
const DEEPEST: usize = 64;

/// More names than anybody writes; bounds the depth of the tree, which leans to the left.
const MOST_TERMS: usize = 1000;

/// A selector as a tree. Offsets are bytes of its text, for messages when it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// A host, group or glob, with whatever brackets stand in it: only the inventory can tell `workers[1:3]`, a slice,
    /// from `w[1:3]`, a range of hosts.
    Name { text: String, offset: usize },
    /// `label(key)` or `label(key=value)`.
    Label { key: String, value: Option<String>, offset: usize },
    /// `!a`
    Not(Box<Expr>),
    /// `a & b`
    And(Box<Expr>, Box<Expr>),
    /// `a | b`
    Or(Box<Expr>, Box<Expr>),
    /// `( … )[1:]`
    Slice { of: Box<Expr>, slice: Slice, offset: usize },
}

/// What stands in brackets after a group or a closing parenthesis; zero-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// `[n]`
    Index(usize),
    /// `[a:b]`, half-open; either may be left out.
    Span(Option<usize>, Option<usize>),
}

impl Expr {
    /// The names in it, from left to right, without brackets behind them.
    pub(super) fn names<'e>(&'e self, found: &mut Vec<&'e str>) {
        match self {
            Self::Name { text, .. } => found.push(text.split('[').next().unwrap_or(text)),
            Self::Label { .. } => {}
            Self::Not(inner) | Self::Slice { of: inner, .. } => inner.names(found),
            Self::And(left, right) | Self::Or(left, right) => {
                left.names(found);
                right.names(found);
            }
        }
    }

    /// Whether an empty result may come from a slice, or from a group that is written as empty.
    pub(super) fn may_be_empty(&self, groups: &IndexMap<String, Group>) -> bool {
        match self {
            // A range of host names never gives an empty result, so counting it as a slice does no harm.
            Self::Name { text, .. } => {
                text.ends_with(']') || groups.get(text).is_some_and(|group| group.hosts.is_empty())
            }
            Self::Label { .. } => false,
            Self::Not(inner) => inner.may_be_empty(groups),
            Self::And(left, right) | Self::Or(left, right) => {
                left.may_be_empty(groups) || right.may_be_empty(groups)
            }
            Self::Slice { .. } => true,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Expr, SelectorError> {
    if text.trim().is_empty() {
        return Err(SelectorError::new(0, "a selector is not empty").hint("write `all` for every host"));
    }
    let mut parser = Parser { text, at: 0, depth: 0, terms: 0 };
    let expr = parser.either()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected()),
    }
}

/// Reads the text of a slice, without its brackets; `offset` is that of the opening one.
pub(super) fn slice(text: &str, offset: usize) -> Result<Slice, SelectorError> {
    let number = |bound: &str| -> Result<Option<usize>, SelectorError> {
        let bound = bound.trim();
        if bound.is_empty() {
            return Ok(None);
        }
        if bound.starts_with('-') {
            return Err(SelectorError::new(
                offset,
                format!("negative indices such as `{bound}` are not supported"),
            )
            .hint("count from the start: `[0]` is the first, `[1:]` all but the first"));
        }
        let digits = bound.bytes().all(|byte| byte.is_ascii_digit());
        bound.parse().ok().filter(|_| digits).map(Some).ok_or_else(|| {
            SelectorError::new(offset, format!("`{bound}` is no index"))
                .hint("write a number counted from zero, such as `[0]` or `[1:]`")
        })
    };
    match text.split_once(':') {
        Some((_, end)) if end.contains(':') => Err(SelectorError::new(offset, "a slice has no step")
            .hint("write `[first:end]`, the end not included")),
        Some((start, end)) => match (number(start)?, number(end)?) {
            (Some(start), Some(end)) if start > end => {
                Err(SelectorError::new(offset, format!("the slice `[{text}]` runs backwards")))
            }
            (start, end) => Ok(Slice::Span(start, end)),
        },
        None => number(text)?.map(Slice::Index).ok_or_else(|| {
            SelectorError::new(offset, "an empty slice selects nothing").hint("write `[0]` or `[1:]`")
        }),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<Expr, SelectorError> {
        let mut left = self.both()?;
        while self.eat('|') {
            self.refuse_doubled('|')?;
            left = Expr::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expr, SelectorError> {
        let mut left = self.unary()?;
        while self.eat('&') {
            self.refuse_doubled('&')?;
            left = Expr::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, SelectorError> {
        if !self.eat('!') {
            return self.primary();
        }
        self.enter()?;
        let inner = self.unary()?;
        self.depth -= 1;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn primary(&mut self) -> Result<Expr, SelectorError> {
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(SelectorError::new(self.at, format!("more than {MOST_TERMS} names in one selector"))
                .hint("make a group of them in the inventory"));
        }
        if self.peek().is_none() {
            return Err(SelectorError::new(
                self.at,
                "the selector ends where a group, a host or `(` is expected",
            ));
        }
        let open = self.at;
        if self.eat('(') {
            self.enter()?;
            let inner = self.either()?;
            self.depth -= 1;
            if !self.eat(')') {
                return Err(match self.peek() {
                    None => SelectorError::new(open, "`(` is not closed"),
                    Some(_) => self.unexpected(),
                });
            }
            return self.sliced(inner);
        }
        let offset = self.at;
        let word = self.word()?;
        if word.eq_ignore_ascii_case("not")
            && self.peek().is_some_and(|next| next == '(' || next == '!' || next.is_alphanumeric())
        {
            let rest = self.text[self.at..].trim();
            return Err(SelectorError::new(offset, format!("`{word}` is no operator"))
                .hint(format!("write `!{rest}`")));
        }
        if word == "label" && self.text[self.at..].starts_with('(') {
            return self.label(offset);
        }
        Ok(Expr::Name { text: word, offset })
    }

    /// A slice right after a closing parenthesis, if there is one.
    fn sliced(&mut self, of: Expr) -> Result<Expr, SelectorError> {
        let offset = self.at;
        let Some(inside) = self.text[self.at..].strip_prefix('[') else { return Ok(of) };
        let end = inside.find(']').ok_or_else(|| SelectorError::new(offset, "`[` is not closed"))?;
        let slice = slice(&inside[..end], offset)?;
        self.at += end + 2;
        Ok(Expr::Slice { of: Box::new(of), slice, offset })
    }

    /// A name with its globs and brackets; inside brackets `:` belongs to it.
    fn word(&mut self) -> Result<String, SelectorError> {
        let rest = &self.text[self.at..];
        let mut end = 0;
        while let Some(next) = rest[end..].chars().next() {
            if next == '[' && end > 0 {
                let close = rest[end..].find(']');
                let close = close.ok_or_else(|| SelectorError::new(self.at + end, "`[` is not closed"))?;
                let inside = &rest[end + 1..end + close];
                // What is neither a range nor a slice means nothing in any inventory.
                if let Err(no_range) = range::check(inside) {
                    let offset = self.at + end;
                    let has_two_bounds = inside.matches(':').count() == 1 && !inside.contains('-');
                    // Whether it would be a range or a slice, only an inventory can tell.
                    slice(inside, offset).map_err(|no_slice| {
                        if has_two_bounds {
                            SelectorError::new(offset, no_range.replace("the range ", ""))
                        } else {
                            no_slice
                        }
                    })?;
                }
                end += close + 1;
            } else if next.is_ascii_alphanumeric() || matches!(next, '.' | '-' | '_' | '*' | '?') {
                end += 1;
            } else {
                break;
            }
        }
        if end == 0 {
            return Err(self.unexpected());
        }
        let word = rest[..end].to_owned();
        self.at += end;
        Ok(word)
    }

    /// `label(key)` or `label(key=value)`, from its opening parenthesis on.
    fn label(&mut self, offset: usize) -> Result<Expr, SelectorError> {
        let inside = &self.text[self.at + 1..];
        let close = inside.find(')').ok_or_else(|| SelectorError::new(self.at, "`(` is not closed"))?;
        let (key, value) = match inside[..close].split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim_start_matches('=').trim())),
            None => (inside[..close].trim(), None),
        };
        if let Some(key) = key.strip_suffix('!') {
            let value = value.unwrap_or_default();
            return Err(SelectorError::new(offset, "`!=` is not part of the language")
                .hint(format!("write `!label({}={value})`", key.trim())));
        }
        let fits = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
            !text.is_empty() && text.chars().all(allowed)
        };
        if !fits(key) || !value.is_none_or(fits) {
            return Err(SelectorError::new(
                offset,
                format!("`label({})` has no key or no clean value", &inside[..close]),
            )
            .hint("write `label(zone=a)`, or `label(zone)` for any value"));
        }
        self.at += close + 2;
        if self.text[self.at..].starts_with('[') {
            let written = &self.text[offset..self.at];
            return Err(SelectorError::new(
                self.at,
                "a slice stands only after a group or a closing parenthesis",
            )
            .hint(format!("put it in parentheses: `({written})[0]`")));
        }
        Ok(Expr::Label { key: key.to_owned(), value: value.map(str::to_owned), offset })
    }

    /// The next character that is no space; stands on it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn enter(&mut self) -> Result<(), SelectorError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SelectorError::new(self.at, format!("more than {DEEPEST} levels of nesting")));
        }
        Ok(())
    }

    fn refuse_doubled(&self, operator: char) -> Result<(), SelectorError> {
        if self.text[self.at..].starts_with(operator) {
            return Err(SelectorError::new(self.at - 1, format!("`{operator}{operator}` is no operator"))
                .hint(format!("write a single `{operator}`")));
        }
        Ok(())
    }

    /// What to say of the character that fits nothing; knows the habits of Ansible and of shells.
    fn unexpected(&mut self) -> SelectorError {
        let Some(found) = self.peek() else {
            return SelectorError::new(self.at, "the selector ends too early");
        };
        let error = SelectorError::new(self.at, format!("unexpected `{}`", found.escape_debug()));
        match found {
            ':' | ',' => {
                error.hint(format!("write `{}`; `|` unites, `&` intersects, `!` excludes", self.translated()))
            }
            '~' => error
                .hint("regular expressions are not supported: use a glob such as `w*` or `label(key=value)`"),
            '@' => error.hint(
                "a list of hosts is a group of the inventory: `groups: { retry: { hosts: [w1, w2] } }`",
            ),
            '[' => {
                error.hint("a slice stands only after a group or a closing parenthesis: `control_plane[0]`")
            }
            c if c.is_ascii_alphanumeric() => {
                let rest = &self.text[self.at..];
                let word = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
                let is_not = self.text[self.at..].split_whitespace().nth(1) == Some("not");
                match word.to_ascii_lowercase().as_str() {
                    "and" if is_not => error.hint("write `& !`"),
                    "and" => error.hint("write `&`"),
                    "or" if is_not => error.hint("write `| !`"),
                    "or" => error.hint("write `|`"),
                    "not" => error.hint("write `& !`"),
                    _ => error.hint("join names with `|` (either) or `&` (both)"),
                }
            }
            '-' | '+' | '^' => error.hint("write `a & !b` for the hosts of `a` without those of `b`"),
            _ => error,
        }
    }

    /// The whole text with Ansible's separators in our words.
    fn translated(&self) -> String {
        let mut out = String::new();
        let mut in_brackets = false;
        let mut rest = self.text;
        while let Some(next) = rest.chars().next() {
            in_brackets = (in_brackets || next == '[') && next != ']';
            let after = &rest[next.len_utf8()..];
            if in_brackets || !matches!(next, ':' | ',') {
                out.push(next);
                rest = after;
                continue;
            }
            let after = after.trim_start();
            let (word, after) = match after.chars().next() {
                Some('&') => (" & ", &after[1..]),
                Some('!') => (" & !", &after[1..]),
                _ => (" | ", after),
            };
            out.truncate(out.trim_end().len());
            out.push_str(word);
            rest = after;
        }
        out
    }
}
