//! What a scalar without templates means, once its type is known. `no` is not false by accident, and 1.30 is not 1.3.

use super::convert::{decimal, from_text};
use crate::source::{Diagnostics, Node, NodeKind, ScalarStyle, in_duration, nearest};
use crate::value::{Type, Value, Version};

/// YAML 1.1's other spellings of booleans, and the one to write.
const OTHER_BOOLEANS: [(&str, &str); 8] = [
    ("yes", "true"),
    ("on", "true"),
    ("y", "true"),
    ("1", "true"),
    ("no", "false"),
    ("off", "false"),
    ("n", "false"),
    ("0", "false"),
];

/// The value of a constant scalar, or a report of why it has none.
pub(super) fn constant(node: &Node, ty: &Type, diagnostics: &mut Diagnostics) -> Option<Value> {
    let (text, plain) = match &node.kind {
        NodeKind::Scalar { text, style } => (text.as_str(), *style == ScalarStyle::Plain),
        NodeKind::Null if *ty == Type::Any => return Some(Value::Null),
        _ => {
            diagnostics.wrong_type(node, &ty.expected());
            return None;
        }
    };
    let value = read(text, plain, ty);
    if value.is_none() {
        let diagnostic = diagnostics.wrong_type(node, &ty.expected());
        if let Some(hint) = hint(text, plain, ty) {
            diagnostic.hint(hint);
        }
    }
    value
}

fn read(text: &str, plain: bool, ty: &Type) -> Option<Value> {
    match ty {
        Type::Any if plain => Some(match (text, decimal(text)) {
            ("true", _) => Value::Bool(true),
            ("false", _) => Value::Bool(false),
            (_, Some(number)) => Value::Int(number),
            _ => Value::Str(text.to_owned()),
        }),
        Type::Any | Type::Str => Some(Value::Str(text.to_owned())),
        Type::Host => (!text.is_empty()).then(|| Value::Str(text.to_owned())),
        Type::Enum(words) => words.iter().any(|word| word == text).then(|| Value::Str(text.to_owned())),
        // Quotes say "text", so a number or a boolean in quotes is a contradiction that somebody should resolve.
        Type::Bool | Type::Int if !plain => None,
        _ => from_text(text, ty),
    }
}

fn hint(text: &str, plain: bool, ty: &Type) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    match ty {
        Type::Bool if matches!(lower.as_str(), "true" | "false") => {
            let why = if plain { "in lower case" } else { "without quotes" };
            Some(format!("write `{lower}` {why}"))
        }
        Type::Bool => {
            let other = OTHER_BOOLEANS.iter().find(|(spelling, _)| *spelling == lower);
            other.map(|(_, boolean)| format!("write `{boolean}`"))
        }
        Type::Int if !plain && decimal(text).is_some() => Some(format!("write `{text}` without quotes")),
        Type::Int | Type::Amount if text.contains('.') || text.contains('_') => {
            Some("write digits only".to_owned())
        }
        Type::Duration => in_duration(text),
        Type::Version if Version::package_revision(text).is_some() => {
            let bare = text.split_once('-').map_or(text, |(bare, _)| bare);
            Some(format!("`{text}` is the version of a package, with its revision: write `{bare}`"))
        }
        Type::Version if decimal(text).is_some() => {
            Some(format!("write at least two numbers, such as {text}.0"))
        }
        Type::Percent if decimal(text).is_some() => Some(format!("write `{text}%`")),
        Type::Enum(words) => {
            let nearest = nearest(text, words.iter().map(String::as_str))?;
            Some(format!("did you mean `{nearest}`?"))
        }
        _ => None,
    }
}
