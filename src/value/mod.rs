//! Typed values: what a scalar in a file means once its type is known. Pure data; imports nothing of ours.

mod amount;
mod duration;
mod escape;
mod table;
mod ty;
mod version;
mod yaml;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use amount::{Amount, Percent, Size};
pub use duration::{Duration, Timestamp};
pub use escape::{escape, escape_quoted, laid_out, push_shown, reveal, without_colours};
pub use table::Table;
pub use ty::{Field, Type};
pub use version::{KubeVersion, Minor, Version, VersionError};
pub use yaml::{from_yaml, to_yaml};

/// A typed value of the template language, of step arguments and of plans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text. May hold symbols (see [`crate::op`]) that only the executor resolves.
    Str(String),
    /// A Kubernetes-style version.
    Version(Version),
    /// A length of time.
    Duration(Duration),
    /// A number of bytes.
    Size(Size),
    /// A percentage.
    Percent(Percent),
    /// A list.
    List(Vec<Value>),
    /// A mapping in written order.
    Map(IndexMap<String, Value>),
}

impl Value {
    /// The member `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The word for the value's type, for messages: "a string", "a version".
    pub fn type_word(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a number",
            Self::Str(_) => "a string",
            Self::Version(_) => "a version",
            Self::Duration(_) => "a duration",
            Self::Size(_) => "a size",
            Self::Percent(_) => "a percentage",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Shows scalars the way people write them; lists and mappings as compact JSON-like text for messages.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Str(text) => f.write_str(text),
            Self::Version(version) => write!(f, "{version}"),
            Self::Duration(duration) => write!(f, "{duration}"),
            Self::Size(size) => write!(f, "{size}"),
            Self::Percent(percent) => write!(f, "{percent}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}
