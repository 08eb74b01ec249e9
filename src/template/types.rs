//! What can never work, whatever the values are: told when a file is loaded, at the part that is wrong.

use std::ops::Range;

use indexmap::IndexMap;
use minijinja::Value as Engine;
use minijinja::value::ValueKind;

use super::machine::{self, Scalar, from_scalar, scalar_of, type_word};
use super::tree::{Call, Expr, ExprKind, quoted};
use super::words::arguments;
use super::{Names, compare};
use crate::value::{Duration, Percent, Size, Type, Value, Version};

/// Bytes of an expression that is checked.
const MOST_CHECKED: usize = 1000;

/// A part that fails, and why.
pub(super) struct Impossible {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    /// What to write instead, or nothing.
    pub(super) hint: String,
}

/// Everything in an expression that fails with any values; with `decides`, also that it is no boolean.
pub(super) fn impossible(source: &str, expr: &Expr, names: &Names, decides: bool) -> Vec<Impossible> {
    // A longer one is checked when it is evaluated: the stack has an end.
    if expr.range.len() > MOST_CHECKED {
        return Vec::new();
    }
    let mut checker = Checker { source, names, found: Vec::new() };
    let known = checker.of(expr);
    if decides {
        checker.boolean(expr, known.as_ref());
    }
    checker.found
}

/// What is known of a value.
#[derive(Clone)]
struct Known {
    /// A value that it could have.
    value: Engine,
    /// Whether it is a text that is not known, and may hold a version or a duration too.
    is_open: bool,
    /// Whether it is written out.
    is_literal: bool,
    /// Of a list: what is known of its items.
    item: Option<Box<Known>>,
}

impl Known {
    fn value(value: Engine) -> Self {
        Self { value, is_open: false, is_literal: false, item: None }
    }

    fn text() -> Self {
        Self { is_open: true, ..Self::value(Engine::from("x")) }
    }

    fn scalar(scalar: Scalar) -> Self {
        Self::value(from_scalar(scalar))
    }

    fn list(item: Option<Self>) -> Self {
        Self { item: item.map(Box::new), ..Self::value(Engine::from(Vec::<Engine>::new())) }
    }

    fn number() -> Self {
        Self::value(Engine::from(1))
    }

    fn version() -> Self {
        Self::scalar(Scalar::Version(Version::parse("1.31.4").expect("invariant: this is a version")))
    }

    fn kind(&self) -> ValueKind {
        self.value.kind()
    }

    fn is_scalar(&self) -> bool {
        scalar_of(&self.value).is_some()
    }

    fn word(&self) -> &'static str {
        type_word(&self.value)
    }

    fn is_collection(&self) -> bool {
        !self.is_scalar() && matches!(self.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
    }

    fn is_list(&self) -> bool {
        !self.is_scalar() && matches!(self.kind(), ValueKind::Seq | ValueKind::Iterable)
    }

    /// Whether both are of one type.
    fn is_like(&self, other: &Self) -> bool {
        self.word() == other.word()
    }
}

struct Checker<'c> {
    source: &'c str,
    names: &'c Names,
    found: Vec<Impossible>,
}

impl Checker<'_> {
    fn text(&self, expr: &Expr) -> &str {
        &self.source[expr.range.clone()]
    }

    fn wrong(&mut self, mut range: Range<usize>, message: String, hint: impl Into<String>) {
        while in_parentheses(&self.source[range.clone()]) {
            range = range.start + 1..range.end - 1;
        }
        self.found.push(Impossible { range, message, hint: hint.into() });
    }

    fn of(&mut self, expr: &Expr) -> Option<Known> {
        if let Some(reference) = expr.reference() {
            return of_type(&self.names.check(&reference).ok().flatten()?);
        }
        match &expr.kind {
            ExprKind::Literal => self.literal(expr),
            ExprKind::Name(_) => None,
            ExprKind::Not(inner) => {
                self.logical(inner);
                Some(Known::value(Engine::from(true)))
            }
            ExprKind::Binary("and" | "or", left, right) => {
                self.logical(left);
                self.logical(right);
                Some(Known::value(Engine::from(true)))
            }
            ExprKind::Binary(mark @ ("in" | "not in"), left, right) => {
                self.contained(expr, mark, left, right)
            }
            ExprKind::Binary(mark @ ("==" | "!=" | "<" | "<=" | ">" | ">="), left, right) => {
                self.compared(expr, mark, left, right)
            }
            ExprKind::Binary("~", left, right) => {
                self.of(left);
                self.of(right);
                Some(Known::text())
            }
            ExprKind::Binary(mark, left, right) => self.calculated(expr, mark, left, right),
            ExprKind::Negative(inner) => self.negative(expr, inner),
            ExprKind::Choice(value, condition, other) => {
                self.logical(condition);
                let value = self.of(value);
                let other = other.as_ref().and_then(|other| self.of(other));
                value.filter(|value| other.is_some_and(|other| other.is_like(value))).map(unwritten)
            }
            ExprKind::Filter(value, call) => self.filtered(value, call),
            ExprKind::Test(value, call) => {
                self.tested(value, call);
                Some(Known::value(Engine::from(true)))
            }
            ExprKind::Slice(value, bounds) => {
                for bound in bounds {
                    self.of(bound);
                }
                self.of(value).map(unwritten)
            }
            ExprKind::Item(value, index) => {
                self.of(index);
                self.of(value)?.item.map(|item| *item)
            }
            ExprKind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.of(item)).collect();
                let first = items.first().cloned().flatten().map(unwritten);
                Some(Known::list(first.filter(|_| items.len() == 1)))
            }
            ExprKind::Member(..) | ExprKind::Map(_) => {
                for part in expr.parts() {
                    self.of(part);
                }
                None
            }
        }
    }

    fn literal(&self, expr: &Expr) -> Option<Known> {
        let text = self.text(expr);
        let value = match text {
            "true" | "True" | "false" | "False" => Engine::from(true),
            "none" | "None" => return None,
            _ => match (quoted(text), text.parse::<i64>()) {
                (Some(text), _) => Engine::from(text),
                (None, Ok(number)) => Engine::from(number),
                (None, Err(_)) if text.parse::<f64>().is_ok() => Engine::from(1.5),
                (None, Err(_)) => return None,
            },
        };
        Some(Known { is_literal: true, ..Known::value(value) })
    }

    fn logical(&mut self, expr: &Expr) {
        let known = self.of(expr);
        self.boolean(expr, known.as_ref());
    }

    fn boolean(&mut self, expr: &Expr, known: Option<&Known>) {
        let Some(known) = known.filter(|known| known.kind() != ValueKind::Bool) else { return };
        let text = self.text(expr);
        let hint = match known.word() {
            _ if known.is_literal => "compare something, as in `facts.swap_total == 0`".to_owned(),
            "a number" => format!("compare it, such as `{text} == 0`"),
            "a string" => format!("compare it, such as `{text} == 'text'`"),
            "a list" | "a mapping" => format!("compare it, such as `'text' in {text}`"),
            "a version" => format!("compare it, such as `{text} >= '1.31.4'`"),
            "a duration" => format!("compare it, such as `{text} >= '5m'`"),
            _ => "compare it with another value".to_owned(),
        };
        let message = format!("`{text}` is {}, where true or false is needed", known.word());
        self.wrong(expr.range.clone(), message, hint);
    }

    fn compared(&mut self, expr: &Expr, mark: &str, left: &Expr, right: &Expr) -> Option<Known> {
        let (a, b) = (self.of(left), self.of(right));
        let boolean = Some(Known::value(Engine::from(true)));
        if self.holds_braces(left) || self.holds_braces(right) {
            return boolean;
        }
        let (a, b) = (a?, b?);
        // A text that is known later may hold anything, a version or a duration too.
        if a.is_open && b.is_scalar() || b.is_open && a.is_scalar() {
            return boolean;
        }
        let refusal = match mark {
            "==" | "!=" => compare::equal(&a.value, &b.value).err(),
            _ => compare::order(&a.value, &b.value).err(),
        };
        if let Some(why) = refusal {
            let (left, right) = (self.text(left), self.text(right));
            let hint = [(left, &b), (right, &a)].into_iter().find_map(|(text, other)| hint(text, other));
            let hint = hint
                .or_else(|| in_hint(left, &a, right, &b))
                .or_else(|| in_hint(right, &b, left, &a))
                .or_else(|| member_hint(self.names, left, &a))
                .or_else(|| member_hint(self.names, right, &b));
            let message = format!("`{left}` and `{right}` {why}");
            self.wrong(expr.range.clone(), message, hint.unwrap_or_default());
        }
        boolean
    }

    /// A template inside a text of an expression, which nobody renders.
    fn holds_braces(&mut self, expr: &Expr) -> bool {
        let inside = quoted(self.text(expr)).and_then(|text| text.split_once("{{"));
        let Some((_, inside)) = inside.and_then(|(before, rest)| Some((before, rest.split_once("}}")?.0)))
        else {
            return false;
        };
        let name = inside.trim().to_owned();
        self.wrong(
            expr.range.clone(),
            "this is an expression already: `{{ }}` inside a text of it stays as it is".to_owned(),
            format!("write the name alone: `{name}`"),
        );
        true
    }

    fn contained(&mut self, expr: &Expr, mark: &str, left: &Expr, right: &Expr) -> Option<Known> {
        let (needle, haystack) = (self.of(left), self.of(right));
        let boolean = Some(Known::value(Engine::from(true)));
        let haystack = haystack?;
        let (left_text, right_text) = (self.text(left), self.text(right));
        let refusal = match (&needle, &haystack.item) {
            (Some(needle), Some(item)) if haystack.is_list() => {
                let is_open = needle.is_open && item.is_scalar() || item.is_open && needle.is_scalar();
                if is_open { None } else { compare::equal(&needle.value, &item.value).err() }
            }
            (Some(needle), _) if haystack.kind() == ValueKind::String && needle.is_scalar() => {
                compare::contains(&needle.value, &haystack.value).err()
            }
            (needle, _) => {
                let needle = needle.as_ref().map_or_else(|| Engine::from("x"), |needle| needle.value.clone());
                compare::contains(&needle, &haystack.value).err()
            }
        };
        if let Some(why) = refusal {
            let hint = match haystack.item.as_ref().and_then(|item| hint(left_text, item)) {
                Some(hint) => hint,
                None if haystack.is_list() || haystack.kind() == ValueKind::String => String::new(),
                None => format!("`{mark}` looks into a list, a mapping or a text"),
            };
            let message = format!("`{left_text}` and `{right_text}` {why}");
            self.wrong(expr.range.clone(), message, hint);
        }
        boolean
    }

    fn calculated(&mut self, expr: &Expr, mark: &str, left: &Expr, right: &Expr) -> Option<Known> {
        let (a, b) = (self.of(left), self.of(right));
        if ["/", "//", "%"].contains(&mark) && self.text(right) == "0" {
            self.wrong(right.range.clone(), "nothing is divided by 0".to_owned(), "write another number");
            return None;
        }
        let (a, b) = (a?, b?);
        let operands = vec![("a".to_owned(), a.value.clone()), ("b".to_owned(), b.value.clone())];
        let outcome = machine::environment()
            .compile_expression(&format!("a {mark} b"))
            .and_then(|program| program.eval(machine::context(operands)));
        match outcome {
            Ok(value) => {
                let is_open = value.kind() == ValueKind::String;
                Some(Known { is_open, ..Known::value(value) })
            }
            Err(_) => {
                let (left, right) = (self.text(left), self.text(right));
                let is_text = |known: &Known| known.kind() == ValueKind::String;
                let number = [(left, &a), (right, &b)].into_iter().find_map(|(text, known)| {
                    quoted(text).filter(|text| is_text(known) && text.parse::<i64>().is_ok())
                });
                let hint = match number {
                    Some(number) => format!("write `{number}` without quotes; `~` joins texts"),
                    None if mark == "+" && !a.is_collection() && !b.is_collection() => {
                        format!("`+` adds numbers; to join texts, write `{left} ~ {right}`")
                    }
                    None => format!("`{mark}` calculates with whole numbers"),
                };
                let message = format!("`{mark}` cannot be applied to {} and {}", a.word(), b.word());
                self.wrong(expr.range.clone(), message, hint);
                None
            }
        }
    }

    fn negative(&mut self, expr: &Expr, inner: &Expr) -> Option<Known> {
        let known = self.of(inner)?;
        if known.kind() == ValueKind::Number {
            return Some(Known::number());
        }
        let text = self.text(inner);
        let (message, hint) = (
            format!("`-` cannot be applied to `{text}`: it is {}", known.word()),
            if known.kind() == ValueKind::Bool {
                format!("write `not {text}`")
            } else {
                format!("write `{text}` without `-`")
            },
        );
        self.wrong(expr.range.clone(), message, hint);
        None
    }

    /// Whether a filter or a test has as many arguments as it takes.
    fn takes(&mut self, value: &Expr, call: &Call, what: &str) -> bool {
        let takes = arguments(&call.name);
        if takes.contains(&call.args.len()) {
            return true;
        }
        let name = &call.name;
        let count = match (takes.start(), takes.end()) {
            (0, 0) => "no argument".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (0, 1) => "at most one argument".to_owned(),
            (_, most) => format!("{most} arguments"),
        };
        let hint = match (name.as_str(), call.args.as_slice()) {
            ("version", [version, operator @ ..]) if what == "test" => {
                self.version_test(value, version, operator)
            }
            (_, []) => format!("write `{name}(…)`"),
            _ if *takes.end() == 0 => format!("write `{name}` without parentheses"),
            _ => format!("leave out what is more than {}", takes.end()),
        };
        let message = format!("the {what} `{name}` takes {count}, and {} given", given(call.args.len()));
        self.wrong(call.at..call.at + name.len(), message, hint);
        false
    }

    /// What the test `version` of other tools stands for.
    fn version_test(&mut self, value: &Expr, version: &Expr, operator: &[Expr]) -> String {
        let known = self.of(value);
        let (value, written) = (self.text(value), quoted(self.text(version)).unwrap_or("1.31.4"));
        let number = written.trim_start_matches(['<', '>', '=', '!', ' ']);
        let inside = written[..written.len() - number.len()].trim();
        let given = operator.first().and_then(|operator| quoted(self.text(operator)));
        let mark = match given.unwrap_or(inside) {
            "ge" | ">=" => ">=",
            "gt" | ">" => ">",
            "le" | "<=" => "<=",
            "lt" | "<" => "<",
            "ne" | "!=" | "<>" => "!=",
            _ => "==",
        };
        let number = if number.contains('.') { number.to_owned() } else { format!("{number}.0") };
        if known.is_some_and(|known| known.is_scalar()) {
            format!("compare with an operator: `{value} {mark} '{number}'`")
        } else {
            format!("compare with an operator: `{value} | version {mark} '{number}'`")
        }
    }

    fn filtered(&mut self, value: &Expr, call: &Call) -> Option<Known> {
        let known = self.of(value);
        for arg in &call.args {
            self.of(arg);
        }
        if !self.takes(value, call, "filter") {
            return None;
        }
        if let Some(known) = &known {
            self.takes_value(value, known, call);
        }
        let list = |item: Option<Known>| Some(Known::list(item));
        match call.name.as_str() {
            "version" | "minor" => Some(Known::version()),
            "major" | "patch" | "length" | "int" => Some(Known::number()),
            "duration" => Some(Known::scalar(Scalar::Duration(Duration::from_secs(1)))),
            "lower" | "upper" | "trim" | "quote" | "replace" | "join" | "string" => Some(Known::text()),
            "split" | "glob" => list(Some(Known::text())),
            "sort" | "unique" => known.filter(Known::is_list),
            "first" | "last" => known?.item.map(|item| *item),
            "default" => {
                let other = self.of(call.args.first()?)?;
                known.filter(|known| known.is_like(&other)).map(unwritten)
            }
            _ => None,
        }
    }

    /// Whether a filter or a test can do anything with a value of this type.
    fn takes_value(&mut self, value: &Expr, known: &Known, call: &Call) {
        let is_bool = known.kind() == ValueKind::Bool;
        let is_number = known.kind() == ValueKind::Number;
        let wanted = match call.name.as_str() {
            "first" | "glob" | "join" | "last" | "sort" | "unique" if !known.is_list() => "a list",
            "lower" | "matching" | "replace" | "split" | "trim" | "upper"
                if is_bool || known.is_collection() =>
            {
                "a text"
            }
            "version" | "major" | "minor" | "patch" if is_bool || is_number || known.is_collection() => {
                "a version, or a text that is one"
            }
            "int" if is_bool || known.is_collection() => "a text",
            "length" if is_bool || is_number || known.is_scalar() => "a text, a list or a mapping",
            _ => return,
        };
        let (name, text) = (&call.name, self.text(value));
        let message = format!("`{name}` needs {wanted}, and `{text}` is {}", known.word());
        self.wrong(value.range.clone(), message, format!("leave `{name}` out, or give it {wanted}"));
    }

    fn tested(&mut self, value: &Expr, call: &Call) {
        let known = self.of(value);
        for arg in &call.args {
            self.of(arg);
        }
        if self.takes(value, call, "test")
            && let Some(known) = known
        {
            self.takes_value(value, &known, call);
        }
    }
}

fn unwritten(known: Known) -> Known {
    let is_open = known.is_open || known.is_literal && known.kind() == ValueKind::String;
    Known { is_literal: false, is_open, ..known }
}

/// Whether the first parenthesis of a text is closed by the last.
fn in_parentheses(text: &str) -> bool {
    let mut depth = 0;
    let closed = text.char_indices().find(|(_, character)| {
        depth += i32::from(*character == '(') - i32::from(*character == ')');
        depth == 0
    });
    text.starts_with('(') && closed.is_some_and(|(at, _)| at + 1 == text.len())
}

fn given(count: usize) -> String {
    match count {
        0 => "none is".to_owned(),
        1 => "one is".to_owned(),
        more => format!("{more} are"),
    }
}

/// What to write in place of a literal that is compared with `other`.
fn hint(literal: &str, other: &Known) -> Option<String> {
    if other.is_literal {
        return None;
    }
    let is_version = matches!(scalar_of(&other.value), Some(Scalar::Version(_)));
    if is_version && literal.parse::<f64>().is_ok() {
        let quoted = if literal.contains('.') { literal.to_owned() } else { format!("{literal}.0") };
        return Some(format!("a version is a text in quotes: `'{quoted}'`"));
    }
    if other.is_open && literal.parse::<f64>().is_ok() {
        return Some(format!("write it as a text: `'{literal}'`"));
    }
    let text = quoted(literal)?;
    match scalar_of(&other.value) {
        Some(Scalar::Version(_)) => {
            return Some(match text.trim_start_matches(['<', '>', '=', '!', ' ']) {
                digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("write a version, such as `'{digits}.0'`")
                }
                bare if bare != text => format!("write the operator outside of the quotes, and `'{bare}'`"),
                _ => "write a version, such as `'1.31.4'`".to_owned(),
            });
        }
        Some(Scalar::Duration(_)) => return Some("write a duration, such as `'5m'`".to_owned()),
        Some(Scalar::Size(_)) => return Some("write a size, such as `'2GiB'`".to_owned()),
        Some(Scalar::Percent(_)) => return Some("write a percentage, such as `'20%'`".to_owned()),
        None => {}
    }
    if other.kind() == ValueKind::Number && text.parse::<i64>().is_ok() {
        return Some(format!("write `{text}` without quotes"));
    }
    if other.kind() == ValueKind::Number
        && let Some(Size(bytes)) = Size::parse(text)
    {
        return Some(format!(
            "the other side is a plain number; `{text}` is {bytes} bytes: write the number itself"
        ));
    }
    let is_boolean = other.kind() == ValueKind::Bool;
    (is_boolean && matches!(text, "true" | "false")).then(|| format!("write `{text}` without quotes"))
}

/// An item that is compared with a list as a whole.
fn in_hint(text: &str, known: &Known, list_text: &str, list: &Known) -> Option<String> {
    let is_item = list.is_list() && !known.is_collection();
    is_item.then(|| format!("to look for an item, write `{text} in {list_text}`"))
}

/// The member of a mapping that was meant by its whole.
fn member_hint(names: &Names, text: &str, known: &Known) -> Option<String> {
    if known.kind() != ValueKind::Map || known.is_scalar() {
        return None;
    }
    let mut members = text.split('.').map(str::to_owned);
    let reference = super::Reference { root: members.next()?, path: members.collect() };
    let members = names.members(&reference);
    let Some(first) = members.first() else {
        return Some("it is a mapping: compare one of its members".to_owned());
    };
    Some(format!("it is a mapping: compare one of its members, such as `{text}.{first}`"))
}

/// What is known of any value of a type.
fn of_type(ty: &Type) -> Option<Known> {
    Some(match ty {
        Type::Str | Type::Host => Known::text(),
        Type::Enum(words) => Known::value(Engine::from(words.first()?.as_str())),
        Type::Bool => Known::value(Engine::from(true)),
        Type::Int => Known::number(),
        Type::Version => Known::version(),
        Type::Duration => Known::scalar(Scalar::Duration(Duration::from_secs(1))),
        Type::Size => Known::scalar(Scalar::Size(Size(1))),
        Type::Percent => Known::scalar(Scalar::Percent(Percent::new(1)?)),
        Type::List(item) | Type::OneOrMany(item) => Known::list(of_type(item)),
        Type::Map(_) | Type::Record(_) => Known::value(machine::to_engine(&Value::Map(IndexMap::new()))),
        _ => return None,
    })
}
