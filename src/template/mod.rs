//! Templates and expressions: compiled when a file is loaded, rendered strictly. The only place that names minijinja.

mod arg;
mod compare;
mod convert;
mod engine;
mod error;
mod filters;
mod glob;
mod lexer;
mod machine;
mod names;
mod places;
mod printed;
mod references;
mod rewrite;
mod scalar;
mod scope;
mod slips;
mod tree;
mod types;
mod words;

pub use arg::{Arg, ArgKind, as_written, compile_arg, compile_file};
pub use convert::convert;
pub use engine::{Expression, Template};
pub use error::RenderError;
pub use glob::glob_matches;
pub use names::{NameError, NameType, Names, Reference, overlaps};
pub use printed::{Gives, Printed};
pub use scope::Scope;
pub use words::{FILTERS, LanguageWord, OPERATORS, TESTS};
