//! What could not be rendered or evaluated, and where.

use super::lexer::Mistake;
use crate::source::Span;

/// A template that could not be rendered. Never holds a value, only names and types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RenderError {
    /// What went wrong: "host.vars.slow_disk is not defined".
    pub message: String,
    /// Where the argument or the expression is written, where that is known.
    pub span: Option<Span>,
}

impl RenderError {
    /// One without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None }
    }

    /// The same, at a place unless it has one.
    #[must_use]
    pub fn at(self, span: Option<Span>) -> Self {
        Self { span: self.span.or(span), ..self }
    }
}

impl From<Mistake> for RenderError {
    fn from(mistake: Mistake) -> Self {
        let Mistake { message, hint, .. } = mistake;
        Self { span: None, message: if hint.is_empty() { message } else { format!("{message}; {hint}") } }
    }
}
