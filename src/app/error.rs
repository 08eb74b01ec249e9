//! What a use case gives that did not do its work: the kind of its end, what happened, and what to do about it.

use crate::report::ExitKind;

/// Why a use case did not do its work.
#[derive(Debug)]
#[must_use]
pub(crate) struct AppError {
    /// How the program ends with it.
    pub(crate) kind: ExitKind,
    /// Everything that is wrong, in order. Empty where it was told already: mistakes in files are told where they are found, as
    /// diagnostics with their places.
    pub(crate) problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What happened, and to what.
    pub(crate) message: String,
    /// What to do about it; empty where nothing is known.
    pub(crate) hint: String,
}

impl AppError {
    /// One problem, without a hint.
    pub(crate) fn new(kind: ExitKind, message: impl Into<String>) -> Self {
        Self { kind, problems: vec![Problem { message: message.into(), hint: String::new() }] }
    }

    /// The same with what to do about its last problem.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(last) = self.problems.last_mut() {
            last.hint = hint.into();
        }
        self
    }

    /// Several problems; nothing where there are none.
    pub(crate) fn all<M: Into<String>, H: Into<String>>(
        kind: ExitKind,
        problems: impl IntoIterator<Item = (M, H)>,
    ) -> Result<(), Self> {
        let problem = |(message, hint): (M, H)| Problem { message: message.into(), hint: hint.into() };
        let problems: Vec<Problem> = problems.into_iter().map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(Self { kind, problems }) }
    }

    /// What is wrong was told already.
    pub(crate) fn told(kind: ExitKind) -> Self {
        Self { kind, problems: Vec::new() }
    }

    /// A file or a selection is invalid, and its diagnostics were told.
    pub(crate) fn invalid() -> Self {
        Self::told(ExitKind::Invalid)
    }
}

/// The controller's own trouble.
impl From<anyhow::Error> for AppError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(ExitKind::Io, format!("{error:#}"))
    }
}
