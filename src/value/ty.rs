//! Types: of every key that people write, of runbook parameters and of fragment arguments, all from this one list.

use std::borrow::Cow;

use super::{Table, Value};

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
    /// A whole number within bounds.
    Whole {
        /// The smallest.
        least: i64,
        /// The largest, where there is one.
        most: Option<i64>,
    },
    /// A number, perhaps with a fraction, within bounds.
    Decimal {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// A text that holds something.
    NotEmpty,
    /// A text without spaces that holds something.
    Word,
    /// A text that holds something, and that no program takes for a flag.
    NoFlag,
    /// A name that expressions or the environment could use.
    Identifier,
    /// One of these words; each comes with what it means.
    Explained(Vec<(&'static str, &'static str)>),
    /// Rules of the linter, each with the reason why it is broken on purpose.
    LintRules,
    /// A list of this type with at least one item.
    OneOrMore(Box<Type>),
    /// A mapping with keys of its own.
    Table(&'static Table),
    /// A step of a runbook.
    Step,
    /// This type, or a template that gives it once a host is known.
    Rendered(Box<Type>),
    /// This type, by other words in messages and on reference pages. They say the same, and mean nothing to a schema.
    Called(Box<Type>, Cow<'static, str>),
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
            Self::Record(_) | Self::Map(_) | Self::Table(_) => "a mapping",
            Self::NotEmpty => "a text that is not empty",
            Self::Word => "a text without spaces",
            Self::NoFlag => "a text that does not begin with `-`",
            Self::Identifier => "a name of letters, digits and `_`",
            Self::LintRules => "a mapping from rules to reasons",
            Self::Step => "a step",
            Self::Called(_, words) => return words.clone().into_owned(),
            Self::Whole { least, most: Some(most) } => {
                return format!("a whole number from {least} to {most}");
            }
            Self::Whole { least, most: None } => return format!("a whole number of at least {least}"),
            Self::Decimal { least, most } => return format!("a number from {least} to {most}"),
            Self::Explained(words) => {
                return one_of(words.iter().map(|(word, _)| format!("`{word}`")));
            }
            Self::Rendered(inner) => return inner.expected(),
            Self::OneOrMore(inner) => {
                return format!("a list of at least one item, each {}", inner.expected());
            }
            Self::List(inner) => return format!("a list, each item {}", inner.expected()),
            Self::OneOrMany(inner) => return format!("{}, or a list of them", inner.expected()),
            Self::Enum(words) => return one_of(words.iter().map(|word| format!("`{word}`"))),
            Self::OneOf(types) => {
                return types.iter().map(Self::expected).collect::<Vec<_>>().join(", or ");
            }
        };
        fixed.to_owned()
    }

    /// What it is, by whatever words it is called.
    pub fn plain(&self) -> &Self {
        match self {
            Self::Called(inner, _) => inner.plain(),
            other => other,
        }
    }

    /// The same, by these words.
    #[must_use]
    pub fn called(self, words: &'static str) -> Self {
        Self::Called(Box::new(self), Cow::Borrowed(words))
    }

    /// One of these words; told as "`a` or `b`".
    pub fn either(words: &[&str]) -> Self {
        let told = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        Self::Called(Box::new(Self::words(words)), Cow::Owned(told))
    }

    /// One of these words.
    pub fn words(words: &[&str]) -> Self {
        Self::Enum(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// A list of this type.
    #[must_use]
    pub fn listed(self) -> Self {
        Self::List(Box::new(self))
    }

    /// A mapping from names to this type.
    #[must_use]
    pub fn mapped(self) -> Self {
        Self::Map(Box::new(self))
    }

    /// One of this type, or a list of it.
    #[must_use]
    pub fn one_or_many(self) -> Self {
        Self::OneOrMany(Box::new(self))
    }

    /// Steps of a runbook.
    pub fn steps() -> Self {
        Self::OneOrMore(Box::new(Self::Step)).called("a list of steps")
    }
}

fn one_of(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    if let [word] = words.as_slice() { word.clone() } else { format!("one of {}", words.join(", ")) }
}

/// One key of a mapping that people write: of a table, of a record, of a step kind.
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
