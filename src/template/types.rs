//! Comparisons that can never work, whatever the values are: told when a file is loaded.

use std::ops::Range;

use minijinja::Value as Engine;

use super::compare;
use super::lexer::{Token, TokenKind};
use super::machine::{Scalar, from_scalar};
use super::references;
use super::{Names, rewrite};
use crate::value::{Duration, Percent, Size, Type, Version};

/// A comparison that fails, and why.
pub(super) struct Impossible {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    /// What to write instead, or nothing.
    pub(super) hint: String,
}

/// Every comparison of an expression whose sides are of types that cannot be compared.
pub(super) fn impossible(source: &str, tokens: &[Token], names: &Names) -> Vec<Impossible> {
    let mut found = Vec::new();
    for (left, mark, right) in rewrite::compared(source, tokens) {
        let (Some(a), Some(b)) = (side(source, left, names), side(source, right, names)) else { continue };
        // A text that is known later may hold anything, a version or a duration too.
        if a.is_open && b.is_scalar || b.is_open && a.is_scalar {
            continue;
        }
        let refusal = match mark {
            "==" | "!=" => compare::equal(&a.value, &b.value).err(),
            _ => compare::order(&a.value, &b.value).err(),
        };
        if let Some(why) = refusal {
            let range = left[0].range.start..right[right.len() - 1].range.end;
            let text = |tokens: &[Token]| &source[tokens[0].range.start..tokens[tokens.len() - 1].range.end];
            let (left, right) = (text(left), text(right));
            let hint = [(left, &b), (right, &a)].into_iter().find_map(|(text, other)| hint(text, other));
            let message = format!("`{left}` and `{right}` {why}");
            found.push(Impossible { range, message, hint: hint.unwrap_or_default() });
        }
    }
    found
}

/// What to write in place of a literal that is compared with `other`.
fn hint(literal: &str, other: &OperandType) -> Option<String> {
    let text = literal.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']))?;
    let is_number = other.value.kind() == minijinja::value::ValueKind::Number && !other.is_scalar;
    if is_number && text.parse::<i64>().is_ok() {
        return Some(format!("write `{text}` without quotes"));
    }
    if is_number && let Some(Size(bytes)) = Size::parse(text) {
        return Some(format!(
            "the other side is a plain number; `{text}` is {bytes} bytes: write the number itself"
        ));
    }
    let is_boolean = other.value.kind() == minijinja::value::ValueKind::Bool;
    (is_boolean && matches!(text, "true" | "false")).then(|| format!("write `{text}` without quotes"))
}

/// A value that a side could have.
struct OperandType {
    value: Engine,
    /// Whether it is a text that is not known.
    is_open: bool,
    is_scalar: bool,
}

fn side(source: &str, tokens: &[Token], names: &Names) -> Option<OperandType> {
    let plain = |value: Engine| Some(OperandType { value, is_open: false, is_scalar: false });
    if let [only] = tokens {
        let text = only.text(source);
        match only.kind {
            TokenKind::Text if !text.contains('\\') => return plain(Engine::from(&text[1..text.len() - 1])),
            TokenKind::Number => {
                return plain(text.parse::<i64>().map_or_else(|_| Engine::from(1.5), Engine::from));
            }
            _ => {}
        }
    }
    let found = references::in_expression(source, tokens).ok()?;
    let [only] = found.uses.as_slice() else { return None };
    let ty = names.check(&only.reference).ok().flatten().filter(|_| only.alone)?;
    sample(&ty)
}

fn sample(ty: &Type) -> Option<OperandType> {
    let plain = |value: Engine| Some(OperandType { value, is_open: false, is_scalar: false });
    let scalar =
        |scalar: Scalar| Some(OperandType { value: from_scalar(scalar), is_open: false, is_scalar: true });
    match ty {
        Type::Str | Type::Host => {
            Some(OperandType { value: Engine::from("x"), is_open: true, is_scalar: false })
        }
        Type::Enum(words) => plain(Engine::from(words.first()?.as_str())),
        Type::Bool => plain(Engine::from(true)),
        Type::Int => plain(Engine::from(1)),
        Type::Version => scalar(Scalar::Version(Version::parse("1.31.4").ok()?)),
        Type::Duration => scalar(Scalar::Duration(Duration::from_secs(1))),
        Type::Size => scalar(Scalar::Size(Size(1))),
        Type::Percent => scalar(Scalar::Percent(Percent::new(1)?)),
        Type::List(_) | Type::OneOrMany(_) => plain(Engine::from(Vec::<Engine>::new())),
        _ => None,
    }
}
