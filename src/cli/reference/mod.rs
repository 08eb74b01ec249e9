//! The generated pages of `docs/reference`: what the code says of itself, as Markdown. A test keeps the files fresh.

use super::exit_codes;

/// Every page by its path below `docs/reference`.
pub fn pages() -> Vec<(String, String)> {
    vec![("exit-codes.md".to_owned(), exit_codes::page())]
}
