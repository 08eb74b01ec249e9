//! Typed reading of a step's arguments, which are a [`Value::Map`] already converted to the kind's field types.
//! A field that was left out may be absent or null; both read as nothing. Pure; knows no kind.

use crate::value::{Duration, Value, Version};

/// The arguments of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a>(pub(crate) &'a Value);

impl<'a> Args<'a> {
    /// The value of a field that was written or has a default.
    pub(crate) fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| **value != Value::Null)
    }

    /// Whether the field has a value.
    pub(crate) fn has(self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A string.
    pub(crate) fn text(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// Whether a boolean is there and true.
    pub(crate) fn flag(self, key: &str) -> bool {
        self.boolean(key) == Some(true)
    }

    /// A boolean that may be left out with a meaning of its own.
    pub(crate) fn boolean(self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// A length of time.
    pub(crate) fn duration(self, key: &str) -> Option<Duration> {
        match self.get(key)? {
            Value::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    /// A version.
    pub(crate) fn version(self, key: &str) -> Option<&'a Version> {
        match self.get(key)? {
            Value::Version(version) => Some(version),
            _ => None,
        }
    }

    /// The items of a list of strings, or the one string that stands for such a list; empty when left out.
    pub(crate) fn texts(self, key: &str) -> Vec<&'a str> {
        match self.get(key) {
            Some(Value::List(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::Str(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    /// As [`Self::texts`], owned: an argument vector, say.
    pub(crate) fn owned_texts(self, key: &str) -> Vec<String> {
        self.texts(key).into_iter().map(ToOwned::to_owned).collect()
    }

    /// The items of a list of whole numbers; empty when left out.
    pub(crate) fn numbers(self, key: &str) -> Vec<i64> {
        let items = self.get(key).and_then(Value::as_list).unwrap_or_default();
        let number = |item: &Value| if let Value::Int(number) = item { Some(*number) } else { None };
        items.iter().filter_map(number).collect()
    }

    /// The entries of a mapping from text to scalars, as text.
    pub(crate) fn entries(self, key: &str) -> Vec<(&'a str, String)> {
        match self.get(key) {
            Some(Value::Map(map)) => {
                map.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(
            entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<IndexMap<_, _>>(),
        )
    }

    #[test]
    fn a_null_reads_as_left_out() {
        let value = map(&[("a", Value::Null), ("b", Value::Bool(false))]);
        assert!(!Args(&value).has("a") && !Args(&value).has("c"));
        assert!(Args(&value).has("b"));
        assert_eq!(Args(&value).boolean("b"), Some(false));
        assert_eq!(Args(&value).boolean("a"), None);
    }

    #[test]
    fn one_string_reads_as_a_list_of_it() {
        let list = Value::List(vec![Value::Str("x".into()), Value::Str("y".into())]);
        let value = map(&[("one", Value::Str("x".into())), ("two", list)]);
        assert_eq!(Args(&value).texts("one"), ["x"]);
        assert_eq!(Args(&value).texts("two"), ["x", "y"]);
        assert!(Args(&value).texts("none").is_empty());
    }

    #[test]
    fn entries_keep_their_order_and_show_versions_as_text() {
        let version = Version::parse("1.31.4").expect("a version");
        let inner = map(&[("kubelet", Value::Version(version)), ("a", Value::Str("1.*".into()))]);
        let value = map(&[("install", inner)]);
        let expected = vec![("kubelet", "1.31.4".to_owned()), ("a", "1.*".to_owned())];
        assert_eq!(Args(&value).entries("install"), expected);
    }
}
