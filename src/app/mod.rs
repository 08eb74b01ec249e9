//! The use cases: they take requests, do the work and give outcomes or errors. They know no command line and no terminal.

mod error;

pub(crate) use error::{AppError, Problem};
