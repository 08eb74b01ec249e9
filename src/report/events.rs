//! Events as JSON lines, the same objects as in the journal.

use std::io::Write;

use super::Reporter;
use crate::engine::{Stamped, State};
use crate::plan::Plan;

/// Writes every event as one line.
pub struct Events<W: Write, P: Write> {
    out: W,
    people: P,
    /// Lines are missing, and people were told.
    is_torn: bool,
}

impl<W: Write, P: Write> Events<W, P> {
    /// Lines go to `out`; `people` are told once where one cannot be written.
    pub fn new(out: W, people: P) -> Self {
        Self { out, people, is_torn: false }
    }
}

impl<W: Write, P: Write> Reporter for Events<W, P> {
    fn event(&mut self, _: &Plan, _: &State, event: &Stamped) {
        let line = serde_json::to_string(event).expect("invariant: events serialise");
        // The journal is the record; a copy that cannot be written stops nothing.
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        if let Err(error) = written
            && !std::mem::replace(&mut self.is_torn, true)
        {
            let _ = writeln!(self.people, "warning: events are missing from the copy: {error}");
        }
    }
}
