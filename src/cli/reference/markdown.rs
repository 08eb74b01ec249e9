//! Words, tables and lists of the reference pages.

use std::fmt::Write;

use crate::source::{KeyInfo, Need, Table};

/// The keys of a mapping as a table, below a heading with its path.
pub(super) fn section(table: &Table) -> String {
    let title = if table.path.is_empty() {
        format!("The top of {}", table.what)
    } else {
        format!("`{}`", table.path)
    };
    format!("\n## {title}\n\n{}\n\n{}", table.doc, keys(table.keys.iter()))
}

/// Keys as a table.
pub(super) fn keys<'k>(keys: impl Iterator<Item = &'k KeyInfo>) -> String {
    let mut out = String::from("| key | value | if left out | |\n|---|---|---|---|\n");
    for key in keys {
        let need = match key.need {
            Need::Required => "an error".to_owned(),
            Need::Optional => String::new(),
            Need::Default(value) => format!("`{value}`"),
        };
        row(&mut out, &[&format!("`{}`", key.name), key.expects, &need, key.doc]);
    }
    out
}

/// A row of a table.
pub(super) fn row(out: &mut String, cells: &[&str]) {
    writeln!(out, "| {} |", cells.join(" | ")).expect("invariant: writing to a string works");
}

/// An example, which a test validates.
pub(super) fn yaml(text: &str) -> String {
    format!("\n```yaml\n{}\n```\n", text.trim())
}
