//! `metadata:` of files that people write.

use super::written;
use crate::value::Type;

written! {
    /// What people call it.
    pub struct Metadata at "metadata", called "`metadata`" {
        /// Stands in plans and records.
        name: String as (Type::Str.called("a name")),
        /// For readers.
        description: Option<String>,
    }
}
