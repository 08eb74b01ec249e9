//! How values compare in expressions. Versions compare as versions, durations as durations; what has no sensible
//! order is an error instead of a quiet `false`. Messages name types, never values.

use std::cmp::Ordering;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::machine::{Scalar, holds_symbol, scalar_of, type_word};
use crate::value::{Duration, Percent, Size, Version};

/// Why two values cannot be compared, to follow the names of both.
pub(super) type CompareError = String;

/// Whether two values are equal. Nothing equals only nothing.
pub(super) fn equal(left: &Value, right: &Value) -> Result<bool, CompareError> {
    if left.is_none() || right.is_none() {
        return Ok(left.is_none() && right.is_none());
    }
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        refuse_symbols(left)?;
        refuse_symbols(right)?;
        return Ok(left == right);
    }
    if let Some(order) = typed(left, right)? {
        return Ok(order == Ordering::Equal);
    }
    let same_kind = left.kind() == right.kind();
    match left.kind() {
        ValueKind::Bool | ValueKind::Number | ValueKind::Map if same_kind => Ok(left == right),
        ValueKind::Seq | ValueKind::Iterable if same_kind => equal_lists(left, right),
        _ => Err(mismatch(left, right)),
    }
}

/// Item by item, so that versions in lists compare as versions too.
fn equal_lists(left: &Value, right: &Value) -> Result<bool, CompareError> {
    let items = |list: &Value| list.try_iter().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let (lefts, rights) = (items(left), items(right));
    if lefts.len() != rights.len() {
        return Ok(false);
    }
    for (left, right) in lefts.iter().zip(&rights) {
        if !equal(left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values.
pub(super) fn order(left: &Value, right: &Value) -> Result<Ordering, CompareError> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return order_texts(left, right);
    }
    if let Some(order) = typed(left, right)? {
        return Ok(order);
    }
    match (left.kind(), right.kind()) {
        (ValueKind::Number, ValueKind::Number) => Ok(left.cmp(right)),
        _ => Err(mismatch(left, right)),
    }
}

/// Whether `needle` is an item of a list, a key of a mapping or a part of a text.
pub(super) fn contains(needle: &Value, haystack: &Value) -> Result<bool, CompareError> {
    match haystack.kind() {
        ValueKind::String => {
            let (Some(part), Some(text)) = (needle.as_str(), haystack.as_str()) else {
                return Err(mismatch(needle, haystack));
            };
            refuse_symbols(part)?;
            refuse_symbols(text)?;
            Ok(text.contains(part))
        }
        ValueKind::Map => Ok(haystack.as_object().is_some_and(|map| map.get_value(needle).is_some())),
        ValueKind::Seq | ValueKind::Iterable => {
            for item in haystack.try_iter().map_err(|_| mismatch(needle, haystack))? {
                if equal(needle, &item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(format!("cannot be used with `in`: {} has no items", type_word(haystack))),
    }
}

/// Compares where one side at least is a version, a duration, a size or a percentage: plain text on the other side is
/// read as that.
fn typed(left: &Value, right: &Value) -> Result<Option<Ordering>, CompareError> {
    match (scalar_of(left), scalar_of(right)) {
        (None, None) => Ok(None),
        (Some(a), Some(b)) => order_scalars(a, b).map(Some).ok_or_else(|| mismatch(left, right)),
        (Some(a), None) => {
            let b = read_like(a, right).ok_or_else(|| unreadable(a, right))?;
            Ok(order_scalars(a, &b))
        }
        (None, Some(b)) => {
            let a = read_like(b, left).ok_or_else(|| unreadable(b, left))?;
            Ok(order_scalars(&a, b))
        }
    }
}

fn order_scalars(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    match (left, right) {
        (Scalar::Version(a), Scalar::Version(b)) => Some(a.cmp_precedence(b)),
        (Scalar::Duration(a), Scalar::Duration(b)) => Some(a.cmp(b)),
        (Scalar::Size(a), Scalar::Size(b)) => Some(a.cmp(b)),
        (Scalar::Percent(a), Scalar::Percent(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Plain text as the type of its opposite.
fn read_like(example: &Scalar, value: &Value) -> Option<Scalar> {
    let text = value.as_str()?;
    match example {
        Scalar::Version(_) => Version::parse(text).ok().map(Scalar::Version),
        Scalar::Duration(_) => Duration::parse(text).map(Scalar::Duration),
        Scalar::Size(_) => Size::parse(text).map(Scalar::Size),
        Scalar::Percent(_) => Percent::parse(text).map(Scalar::Percent),
    }
}

fn unreadable(wanted: &Scalar, value: &Value) -> CompareError {
    if value.kind() == ValueKind::String {
        return format!("cannot be compared: the text on the other side is not {}", wanted.type_word());
    }
    let hint = match (wanted, value.kind()) {
        (Scalar::Version(_), ValueKind::Number) => "; write the version in quotes, such as \"1.30\"",
        _ => "",
    };
    format!("cannot be compared: one is {}, the other {}{hint}", wanted.type_word(), type_word(value))
}

fn order_texts(left: &str, right: &str) -> Result<Ordering, CompareError> {
    refuse_symbols(left)?;
    refuse_symbols(right)?;
    if Version::parse(left).is_ok() && Version::parse(right).is_ok() {
        return Err(
            "are both text, which orders 1.9 after 1.31; write `| version` behind one of them".to_owned()
        );
    }
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if number(left) && number(right) {
        return Err("are both text, which orders 9 after 10; write `| int` behind both of them".to_owned());
    }
    Ok(left.cmp(right))
}

fn refuse_symbols(text: &str) -> Result<(), CompareError> {
    if holds_symbol(text) {
        return Err(
            "cannot be compared: a secret or a property of the run is known only while it runs".to_owned()
        );
    }
    Ok(())
}

fn mismatch(left: &Value, right: &Value) -> CompareError {
    format!("cannot be compared: one is {}, the other {}", type_word(left), type_word(right))
}
