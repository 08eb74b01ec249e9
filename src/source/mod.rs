//! Text with positions: files, spans, the YAML tree and the diagnostics that point into it. Knows nothing of runbooks.

mod characters;
pub mod codes;
mod decode;
mod diagnostic;
pub mod examples;
mod file;
mod foreign;
mod metadata;
mod places;
mod render;
mod slip;
mod suggest;
mod tree;
mod written;
mod yaml;

pub use characters::refuse_characters;
pub use decode::answers;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity, shorten};
pub use file::{FileId, NotUtf8, SourceFile, SourceMap, Span, Spanned, read_utf8};
pub use metadata::Metadata;
pub use slip::{in_duration, meant_key, odd_character, slip, slip_in_key};
pub use suggest::nearest;
pub use tree::{Entry, MapReader, Node, NodeKind, ScalarStyle};
pub use written::{AsDefault, FromNode, Keyed};
pub(crate) use written::{words, written};
pub use yaml::{Limits, parse};
