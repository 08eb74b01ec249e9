//! Where the names and the expressions of an argument stand in its file, for what is found wrong only with values.

use std::sync::Arc;

use super::RenderError;
use super::references::TemplateNames;
use crate::source::{Node, Span};

/// The places of one scalar.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The names, as people write them.
    names: Arc<[(String, Span)]>,
    /// What stands between braces, by its first byte in the text.
    pieces: Arc<[(usize, Span)]>,
}

impl Places {
    /// Those of a text of which the expressions begin `base` bytes later than the names say.
    pub(super) fn of(node: &Node, base: usize, found: &TemplateNames) -> Self {
        let place = |range: &std::ops::Range<usize>| node.within(base + range.start, range.len());
        let names = found.uses.iter().map(|name| (name.reference.to_string(), place(&name.range)));
        Self { names: names.collect(), pieces: Arc::default() }
    }

    /// The same, with the expressions of a text.
    pub(super) fn with_pieces(self, pieces: impl Iterator<Item = (usize, Span)>) -> Self {
        Self { pieces: pieces.collect(), ..self }
    }

    /// An error at the name that it is about, or else at the expression that begins at a byte.
    pub(super) fn locate(&self, error: RenderError, piece: Option<usize>) -> RenderError {
        let name = error.message.strip_suffix("` is not defined").and_then(|name| name.strip_prefix('`'));
        let of_name = self.names.iter().find(|(written, _)| Some(written.as_str()) == name);
        let of_piece = || self.pieces.iter().find(|(at, _)| Some(*at) == piece);
        let span = of_name.map(|(_, span)| *span).or_else(|| of_piece().map(|(_, span)| *span));
        error.at(span)
    }
}
