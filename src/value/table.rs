//! What may be written in a mapping, as data: the parser reads by it, and reference pages and schemas are made from it. A
//! reader that was opened with a table takes every key of it and no other, or it is a bug that any test finds.

use std::sync::LazyLock;

use super::{Field, Type};

/// A mapping that people write.
#[derive(Debug)]
pub struct Table {
    /// Where it stands, as a dotted path: "phases[].rollout".
    pub path: &'static str,
    /// How messages call it: "`rollout`".
    pub what: &'static str,
    /// What it is for, in Markdown.
    pub doc: &'static str,
    /// Its keys, in the order in which people would write them.
    pub fields: LazyLock<Vec<Field>>,
}

impl Table {
    /// The keys' names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.fields.iter().map(|field| field.name)
    }

    /// How messages call it where no example is needed: "`include`" of "an `include`, such as …".
    pub fn name(&self) -> &'static str {
        let name = self.what.split(", such as").next().unwrap_or(self.what);
        name.strip_prefix("an ").filter(|name| name.starts_with('`')).unwrap_or(name)
    }

    /// A key of this table.
    ///
    /// # Panics
    /// Where there is none: the parser and its table have parted.
    pub fn field(&self, name: &str) -> &Field {
        let found = self.fields.iter().find(|field| field.name == name);
        found.unwrap_or_else(|| panic!("invariant: `{name}` is in the table of {}", self.what))
    }

    /// What a key's value must be; completes "expected …".
    ///
    /// # Panics
    /// As [`Self::field`].
    pub fn expects(&self, name: &str) -> String {
        self.field(name).ty.expected()
    }

    /// As the type of a value.
    pub fn ty(&'static self) -> Type {
        Type::Table(self)
    }

    /// The keys that have a value where they are left out, as YAML.
    pub fn defaults(&self) -> String {
        let default = |field: &Field| Some(format!("{}: {}", field.name, field.default.as_ref()?));
        format!("{{ {} }}", self.fields.iter().filter_map(default).collect::<Vec<_>>().join(", "))
    }
}

/// There is one table of each mapping.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
