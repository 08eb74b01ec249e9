//! Which lines came and went between two texts. One place, for one kind of input: the library's algorithms are generic,
//! and each further kind would be compiled again, a twentieth of the whole program.

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// The edits that make `new` of `old`, with what stays between them, in order.
pub fn edits(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut edits = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut edits, old, 0..old.len(), new, 0..new.len());
    edits.into_inner().into_inner().into_ops()
}
