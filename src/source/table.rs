//! What may be written in a mapping, as data: the parser reads by it and the reference pages are made from it. A reader
//! that was opened with a table takes every key of it and no other, or it is a bug that any test finds.

/// A mapping that people write.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Where it stands, as a dotted path: "phases[].rollout".
    pub path: &'static str,
    /// How messages call it: "`rollout`".
    pub what: &'static str,
    /// What it is for, in Markdown.
    pub doc: &'static str,
    /// Its keys, in the order in which people would write them.
    pub keys: &'static [KeyInfo],
}

/// One key of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct KeyInfo {
    /// As written.
    pub name: &'static str,
    /// What its value must be; completes "expected …".
    pub expects: &'static str,
    /// What it means where it is not written.
    pub need: Need,
    /// A sentence or two.
    pub doc: &'static str,
}

/// Whether a key must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Leaving it out is an error.
    Required,
    /// It may be left out, and then says nothing.
    Optional,
    /// It may be left out, and then is as if this were written.
    Default(&'static str),
}

impl KeyInfo {
    /// A key that must be written.
    pub const fn required(name: &'static str, expects: &'static str, doc: &'static str) -> Self {
        Self { name, expects, need: Need::Required, doc }
    }

    /// A key that may be left out.
    pub const fn optional(name: &'static str, expects: &'static str, doc: &'static str) -> Self {
        Self { name, expects, need: Need::Optional, doc }
    }

    /// A key with a value where it is left out.
    pub const fn with_default(
        name: &'static str,
        expects: &'static str,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, expects, need: Need::Default(default), doc }
    }
}

impl Table {
    /// A key of this table.
    ///
    /// # Panics
    /// Where there is none: the parser and its table have parted.
    pub fn key(&self, name: &str) -> &'static KeyInfo {
        let found = self.keys.iter().find(|key| key.name == name);
        found.unwrap_or_else(|| panic!("invariant: `{name}` is in the table of {}", self.what))
    }

    /// What a key's value must be.
    ///
    /// # Panics
    /// As [`Self::key`].
    pub fn expects(&self, name: &str) -> &'static str {
        self.key(name).expects
    }

    /// The keys that have a value where they are left out, as YAML.
    pub fn defaults(&self) -> String {
        let default = |key: &KeyInfo| match key.need {
            Need::Default(value) => Some(format!("{}: {value}", key.name)),
            _ => None,
        };
        format!("{{ {} }}", self.keys.iter().filter_map(default).collect::<Vec<_>>().join(", "))
    }
}
