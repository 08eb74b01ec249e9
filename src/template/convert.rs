//! From a value that was rendered to the type that its place wants. Errors name types, never values.

use indexmap::IndexMap;

use crate::value::{Duration, Field, Percent, Size, Type, Value, Version};

/// Converts a value to a type: text to a version, an integer to an amount, and so on. The error completes "expected …".
pub fn convert(value: Value, ty: &Type) -> Result<Value, String> {
    match (ty, value) {
        (Type::Any, value) => Ok(value),
        (Type::OneOf(types), value) => one_of(value, types).ok_or_else(|| ty.expected()),
        (Type::OneOrMany(inner) | Type::List(inner), Value::List(items)) => list(items, inner),
        (Type::OneOrMany(inner), value) => convert(value, inner).map(|value| Value::List(vec![value])),
        (Type::Map(inner), Value::Map(map)) => map
            .into_iter()
            .map(|(key, value)| match convert(value, inner) {
                Ok(value) => Ok((key, value)),
                Err(error) => Err(format!("{error} at `{key}`")),
            })
            .collect::<Result<_, _>>()
            .map(Value::Map),
        (Type::Record(fields), Value::Map(map)) => record(map, fields),
        (Type::Expr, value) => condition(value).ok_or_else(|| ty.expected()),
        (Type::Version, Value::Str(text)) if Version::package_revision(&text).is_some() => Err(format!(
            "{}, found the version of a package; leave out what follows the hyphen",
            ty.expected()
        )),
        (ty, value) => {
            scalar(&value, ty).ok_or_else(|| format!("{}, found {}", ty.expected(), value.type_word()))
        }
    }
}

fn list(items: Vec<Value>, inner: &Type) -> Result<Value, String> {
    items.into_iter().map(|item| convert(item, inner)).collect::<Result<_, _>>().map(Value::List)
}

/// A value that already is of one of the types stays what it is; only then is anything converted.
fn one_of(value: Value, types: &[Type]) -> Option<Value> {
    if types.iter().any(|ty| convert(value.clone(), ty).as_ref() == Ok(&value)) {
        return Some(value);
    }
    types.iter().find_map(|ty| convert(value.clone(), ty).ok())
}

fn record(mut map: IndexMap<String, Value>, fields: &[Field]) -> Result<Value, String> {
    let mut out = IndexMap::with_capacity(fields.len());
    for field in fields {
        let value = match map.shift_remove(field.name) {
            Some(value) => {
                convert(value, &field.ty).map_err(|error| format!("{error} at `{}`", field.name))?
            }
            None if field.required => {
                return Err(format!("a mapping with the key `{}`, which is missing", field.name));
            }
            None => match &field.default {
                Some(default) => default.clone(),
                None => continue,
            },
        };
        out.insert(field.name.to_owned(), value);
    }
    match map.keys().next() {
        Some(key) => Err(format!("a mapping without the unknown key `{key}`")),
        None => Ok(Value::Map(out)),
    }
}

/// A condition is kept with its text, so that a report can show both.
fn condition(value: Value) -> Option<Value> {
    match value {
        Value::Bool(yes) => Some(condition_value(&yes.to_string(), yes)),
        Value::Map(map) => {
            let (text, yes) = (map.get("text")?.as_str()?, map.get("value")?.as_bool()?);
            Some(condition_value(text, yes))
        }
        _ => None,
    }
}

/// What [`Type::Expr`] renders to.
pub(super) fn condition_value(text: &str, value: bool) -> Value {
    Value::Map(IndexMap::from([
        ("text".to_owned(), Value::Str(text.to_owned())),
        ("value".to_owned(), Value::Bool(value)),
    ]))
}

fn scalar(value: &Value, ty: &Type) -> Option<Value> {
    match (ty, value) {
        (
            Type::Str,
            Value::Version(_) | Value::Duration(_) | Value::Size(_) | Value::Percent(_) | Value::Int(_),
        ) => Some(Value::Str(value.to_string())),
        (Type::Str | Type::Host, Value::Str(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Version, Value::Version(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Size, Value::Size(_))
        | (Type::Percent | Type::Amount, Value::Percent(_)) => Some(value.clone()),
        (Type::Amount, Value::Int(count)) => u32::try_from(*count).ok().map(|_| value.clone()),
        (Type::Size, Value::Int(bytes)) => u64::try_from(*bytes).ok().map(|bytes| Value::Size(Size(bytes))),
        (Type::Enum(words), Value::Str(word)) => words.contains(word).then(|| value.clone()),
        (_, Value::Str(text)) => from_text(text, ty),
        _ => None,
    }
}

/// Text as a scalar of a type that is not text.
pub(super) fn from_text(text: &str, ty: &Type) -> Option<Value> {
    match ty {
        Type::Bool => text.parse().ok().map(Value::Bool),
        Type::Int => decimal(text).map(Value::Int),
        Type::Version if Version::package_revision(text).is_some() => None,
        Type::Version => Version::parse(text).ok().map(Value::Version),
        Type::Duration => Duration::parse(text).map(Value::Duration),
        Type::Size => Size::parse(text).map(Value::Size),
        Type::Percent => Percent::parse(text).map(Value::Percent),
        Type::Amount => match Percent::parse(text) {
            Some(percent) => Some(Value::Percent(percent)),
            None => decimal(text).filter(|count| u32::try_from(*count).is_ok()).map(Value::Int),
        },
        _ => None,
    }
}

/// A whole number as people write it: no leading zeros, no sign but a minus, no exponent, no underscores.
pub(super) fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if plain && !leading_zero && text != "-0" { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn version(text: &str) -> Value {
        Value::Version(Version::parse(text).expect(text))
    }

    fn percent(percent: u8) -> Value {
        Value::Percent(Percent::new(percent).expect("at most 100"))
    }

    #[test]
    fn values_become_what_their_place_wants() {
        let words = Type::Enum(vec!["a".to_owned(), "b".to_owned()]);
        let many = Type::OneOrMany(Box::new(Type::Str));
        let either = Type::OneOf(vec![Type::Int, Type::Str]);
        let cases = [
            (text("1.30"), Type::Version, Some(version("1.30"))),
            (version("1.30"), Type::Str, Some(text("1.30"))),
            (text("10m"), Type::Duration, Some(Value::Duration(Duration::from_secs(600)))),
            (text("25%"), Type::Amount, Some(percent(25))),
            (text("2"), Type::Amount, Some(Value::Int(2))),
            (Value::Int(-2), Type::Amount, None),
            (text("-2"), Type::Amount, None),
            (Value::Int(5), Type::Str, Some(text("5"))),
            (Value::Bool(true), Type::Str, None),
            (text("true"), Type::Bool, Some(Value::Bool(true))),
            (text("yes"), Type::Bool, None),
            (text("007"), Type::Int, None),
            (text("1e3"), Type::Int, None),
            (text("b"), words.clone(), Some(text("b"))),
            (text("c"), words, None),
            (text("x"), many.clone(), Some(Value::List(vec![text("x")]))),
            (Value::List(vec![text("x")]), many, Some(Value::List(vec![text("x")]))),
            (Value::Null, Type::Str, None),
            (Value::Null, Type::Any, Some(Value::Null)),
            (text("5"), either.clone(), Some(text("5"))),
            (Value::Int(5), either, Some(Value::Int(5))),
            (Value::Bool(true), Type::Expr, Some(condition_value("true", true))),
        ];
        for (value, ty, expected) in cases {
            assert_eq!(convert(value.clone(), &ty).ok(), expected, "{value:?} as {ty:?}");
        }
    }

    #[test]
    fn records_are_complete_or_refused() {
        let fields = vec![
            Field::required("name", Type::Str, "A name."),
            Field::with_default("for", Type::Duration, Value::Duration(Duration::from_secs(5)), "How long."),
            Field::optional("note", Type::Str, "A note."),
        ];
        let ty = Type::Record(fields);
        let map = |keys: &[&str]| Value::Map(keys.iter().map(|key| ((*key).to_owned(), text("x"))).collect());
        let read = convert(map(&["name"]), &ty).expect("complete");
        assert_eq!(read.to_string(), "{name: x, for: 5s}");
        assert!(convert(map(&["note"]), &ty).expect_err("incomplete").contains("`name`, which is missing"));
        assert!(convert(map(&["name", "nmae"]), &ty).expect_err("unknown").contains("`nmae`"));
        assert!(convert(map(&["name", "for"]), &ty).expect_err("no duration").ends_with("at `for`"));
    }

    #[test]
    fn errors_hold_no_values() {
        for ty in
            [Type::Version, Type::Duration, Type::Int, Type::Bool, Type::OneOf(vec![Type::Int, Type::Bool])]
        {
            let error = convert(text("hunter2"), &ty).expect_err("no such thing");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(millis in 0u64..10_000_000_000, bytes in any::<u64>(), whole in 0u8..=100, parts in any::<(u32, u32, u32)>()) {
            let version = format!("{}.{}.{}", parts.0, parts.1, parts.2);
            let values = [
                (Value::Duration(Duration::from_millis(millis)), Type::Duration),
                (Value::Size(Size(bytes)), Type::Size),
                (percent(whole), Type::Percent),
                (Value::Version(Version::parse(&version).expect("valid")), Type::Version),
                (Value::Int(i64::from(parts.0)), Type::Int),
            ];
            for (value, ty) in values {
                prop_assert_eq!(convert(text(&value.to_string()), &ty), Ok(value));
            }
        }
    }
}
