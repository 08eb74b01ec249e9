//! Words, tables and lists of the reference pages.

use std::fmt::Write;

use crate::value::{Field, Table};

/// The keys of a mapping as a table, below a heading with its path.
pub(super) fn section(table: &Table) -> String {
    let title = if table.path.is_empty() {
        format!("The top of {}", table.what)
    } else {
        format!("`{}`", table.path)
    };
    format!("\n## {title}\n\n{}\n\n{}", table.doc, keys(&table.fields))
}

/// Keys as a table.
fn keys(fields: &[Field]) -> String {
    let mut out = String::from("| key | value | if left out | |\n|---|---|---|---|\n");
    for field in fields {
        let need = match &field.default {
            _ if field.required => "an error".to_owned(),
            Some(value) => format!("`{value}`"),
            None => String::new(),
        };
        row(&mut out, &[&format!("`{}`", field.name), &field.ty.expected(), &need, field.doc]);
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
