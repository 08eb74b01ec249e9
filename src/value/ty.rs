//! Types: of runbook parameters, of fragment arguments and of step fields, all from this one list.

use super::Value;

/// What a value must be. Reference pages, JSON Schema and error messages all come from it.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Anything; nothing is converted beyond plain YAML booleans and whole numbers.
    Any,
    /// Text. A plain scalar is taken as text: `1.30` is "1.30", `no` is "no".
    Str,
    /// `true` or `false` (YAML's other spellings are an error with a hint).
    Bool,
    /// A whole number.
    Int,
    /// `1.31`, `1.31.4`, `v1.31.4-rc.1`.
    Version,
    /// `90s`, `10m`, `1h30m`.
    Duration,
    /// `64KiB`, `2GiB`.
    Size,
    /// `25%`.
    Percent,
    /// A count or a percentage.
    Amount,
    /// A boolean expression without braces, compiled when the file is loaded and evaluated like `when`.
    Expr,
    /// A host of the inventory, by name.
    Host,
    /// One of these words.
    Enum(Vec<String>),
    /// A list of this type.
    List(Box<Type>),
    /// One of this type or a list of it; always a list once read.
    OneOrMany(Box<Type>),
    /// A mapping from text to this type.
    Map(Box<Type>),
    /// A mapping with these fields and no others.
    Record(Vec<Field>),
    /// The first of these that fits, tried in order.
    OneOf(Vec<Type>),
}

impl Type {
    /// What a value must be, to complete the sentence "expected …": "a duration such as 10m", "one of `a`, `b`".
    pub fn expected(&self) -> String {
        let fixed = match self {
            Self::Any => "a value",
            Self::Str => "a text",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Version => "a version such as 1.31.4",
            Self::Duration => "a duration such as 10m",
            Self::Size => "a size such as 2GiB",
            Self::Percent => "a percentage such as 25%",
            Self::Amount => "a count or a percentage, such as 2 or 25%",
            Self::Expr => "an expression without braces",
            Self::Host => "the name of a host",
            Self::Record(_) | Self::Map(_) => "a mapping",
            Self::List(inner) => return format!("a list, each item {}", inner.expected()),
            Self::OneOrMany(inner) => return format!("{}, or a list of them", inner.expected()),
            Self::Enum(words) => return one_of(words.iter().map(|word| format!("`{word}`"))),
            Self::OneOf(types) => {
                return types.iter().map(Self::expected).collect::<Vec<_>>().join(", or ");
            }
        };
        fixed.to_owned()
    }
}

fn one_of(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    if let [word] = words.as_slice() { word.clone() } else { format!("one of {}", words.join(", ")) }
}

/// One field of a record or of a step kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key as written.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether leaving it out is an error.
    pub required: bool,
    /// The value when it is left out, if there is one.
    pub default: Option<Value>,
    /// One or two sentences for the reference page.
    pub doc: &'static str,
}

impl Field {
    /// A field that may be left out and then has no value.
    pub fn optional(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self { name, ty, required: false, default: None, doc }
    }

    /// A field that must be written.
    pub fn required(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self { name, ty, required: true, default: None, doc }
    }

    /// A field with a value when it is left out.
    pub fn with_default(name: &'static str, ty: Type, default: Value, doc: &'static str) -> Self {
        Self { name, ty, required: false, default: Some(default), doc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_say_what_they_expect() {
        let words = |words: &[&str]| Type::Enum(words.iter().map(ToString::to_string).collect());
        let cases = [
            (Type::Duration, "a duration such as 10m"),
            (words(&["a", "b"]), "one of `a`, `b`"),
            (words(&["a"]), "`a`"),
            (Type::OneOrMany(Box::new(Type::Str)), "a text, or a list of them"),
            (Type::OneOf(vec![Type::Int, words(&["all"])]), "a whole number, or `all`"),
        ];
        for (ty, expected) in cases {
            assert_eq!(ty.expected(), expected);
        }
    }
}
