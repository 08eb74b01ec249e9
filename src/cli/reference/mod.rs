//! The generated pages of `docs/reference`: what the code says of itself, as Markdown. A test keeps the files fresh, and
//! another loads every example.

mod commands;
mod expressions;
mod inventory;
mod markdown;
mod runbook;

use super::{exit_codes, explain};

/// Every page by its path below `docs/reference`.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("runbook.md", runbook::page()),
        ("inventory.md", inventory::page()),
        ("expressions.md", expressions::page()),
        ("cli.md", commands::page()),
        ("errors/README.md", explain::page()),
        ("exit-codes.md", exit_codes::page()),
    ]
}
