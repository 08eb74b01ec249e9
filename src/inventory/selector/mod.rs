//! The selector language: `(workers | gpu*) & !label(zone=a)`, `control_plane[0]`, `control_plane[1:]`. Pure: text to
//! tree to hosts.

mod select;
mod syntax;

use super::{Group, HostName, Inventory};
use syntax::Expr;

/// A parsed selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The text as written.
    pub source: String,
    expr: Expr,
}

/// What is wrong with a selector, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    /// What is wrong.
    pub message: String,
    /// Byte offset into the selector's text.
    pub offset: usize,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SelectorError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Selector {
    /// Reads a selector. Ansible's `a:b` is recognised and answered.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Ok(Self { source: text.to_owned(), expr: syntax::parse(text)? })
    }

    /// Everything that is wrong with it for this inventory, from left to right; nothing where [`Self::select`] works.
    pub fn mistakes(&self, inventory: &Inventory) -> Vec<SelectorError> {
        let mut found = Vec::new();
        select::mistakes(&self.expr, inventory, &mut found);
        if found.is_empty() {
            found.extend(self.select(inventory).err());
        }
        found
    }

    /// The hosts it selects, in the inventory's order. A name, glob or label that matches nothing is an error, and so
    /// is an empty result, unless it comes from a slice, because one control plane has no "others", or from a group that
    /// is written as empty.
    pub fn select(&self, inventory: &Inventory) -> Result<Vec<HostName>, SelectorError> {
        let mask = select::evaluate(&self.expr, inventory)?;
        let chosen: Vec<HostName> = inventory
            .hosts
            .keys()
            .zip(&mask)
            .filter(|(_, chosen)| **chosen)
            .map(|(name, _)| name.clone())
            .collect();
        if chosen.is_empty() && !self.expr.may_be_empty(&inventory.groups) {
            return Err(SelectorError::new(0, format!("`{}` matches no host", self.source))
                .hint("every name in it exists, but no host satisfies all of it"));
        }
        Ok(chosen)
    }
}

impl Selector {
    /// The group that it names and nothing else, if so.
    pub fn only_group<'i>(&self, inventory: &'i Inventory) -> Option<&'i Group> {
        match &self.expr {
            Expr::Name { text, .. } => inventory.groups.get(text),
            _ => None,
        }
    }

    /// The groups that it names, in its order.
    pub fn groups<'i>(&self, inventory: &'i Inventory) -> Vec<&'i Group> {
        let mut named = Vec::new();
        self.expr.names(&mut named);
        named.into_iter().filter_map(|name| inventory.groups.get(name)).collect()
    }
}

#[cfg(test)]
mod tests;
