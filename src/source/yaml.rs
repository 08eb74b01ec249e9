//! Reads YAML into the tree of spans. The only file that names the YAML crate; what YAML allows and we refuse (tags,
//! several documents, directives, keys that are no text) is refused here, so that nobody above has to think of it.

mod build;
mod slips;
mod syntax;

use granit_parser::{Event, Parser};

pub(super) use slips::{is_odd_space, missing_space};

use super::codes::{EMPTY_FILE, TOO_LARGE};
use super::{Diagnostics, FileId, Node, SourceMap, Span, characters, foreign};
use build::{Builder, Unreadable};

/// Bounds that keep a hostile or mistaken file from costing more than a moment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes: usize,
    /// Depth of nesting.
    pub depth: usize,
    /// Nodes after aliases are expanded.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 64, nodes: 2_000_000 }
    }
}

/// Parses the one document of a file. `None` when nothing usable came out; the diagnostics say why.
///
/// A syntax error ends the file; mistakes that leave the structure clear, such as a key written twice, are all
/// collected and the tree comes back all the same.
pub fn parse(
    sources: &SourceMap,
    file: FileId,
    limits: Limits,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let text: &str = &sources.file(file).text;
    let at = |start: usize, end: usize| Span::new(file, start, end);
    if text.len() > limits.bytes {
        let message = format!("the file has {} bytes, more than the limit of {}", text.len(), limits.bytes);
        diagnostics.error(TOO_LARGE, at(0, 0), message);
        return None;
    }
    if characters::refuse_in_yaml(text, file, diagnostics) {
        return None;
    }
    if let Some(other) = foreign::recognise(text) {
        diagnostics.error(other.code, at(0, 0), other.message).hint(other.hint);
        return None;
    }

    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
    };
    let mut builder = Builder::new(text, file, limits, diagnostics);
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                builder.syntax_error(&error);
                Err(Unreadable)
            }
        };
        if step.is_err() {
            return None;
        }
    }
    let (root, usable) = builder.finish();
    match root {
        Some(root) if usable => Some(root),
        Some(_) => None,
        None => {
            diagnostics.error(EMPTY_FILE, at(0, 0), "the file holds nothing");
            None
        }
    }
}

#[cfg(test)]
mod tests;
