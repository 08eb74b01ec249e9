//! Events as JSON lines, the same objects as in the journal.

use std::io::Write;

use super::Reporter;
use crate::engine::{Stamped, State};
use crate::plan::Plan;

/// Writes every event as one line.
pub struct Events<W: Write> {
    out: W,
}

impl<W: Write> Events<W> {
    /// Lines go to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Reporter for Events<W> {
    fn event(&mut self, _: &Plan, _: &State, event: &Stamped) {
        let line = serde_json::to_string(event).expect("invariant: events serialise");
        // The journal is the record; a copy that cannot be written stops nothing.
        let _ = writeln!(self.out, "{line}");
    }
}
