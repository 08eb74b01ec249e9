//! A run as its directory tells it: the plan that was rolled, and what happened.

use camino::Utf8PathBuf;

use super::{JournalError, RunDir, read};
use crate::engine::{Event, History, IllegalEvent, REHEARSAL, Stamped};
use crate::plan::Plan;
use crate::plan::show::{digest, parse};

/// A run, read back.
#[derive(Debug)]
pub struct Recorded {
    /// What was rolled.
    pub plan: Plan,
    /// Its digest.
    pub digest: String,
    /// What happened, and where the run stands.
    pub history: History,
}

/// A run that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// The plan cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The plan is none that this version knows.
    #[error("{path} is no plan that this version of rollbook can read: {reason}")]
    Plan {
        /// The file.
        path: Utf8PathBuf,
        /// Why not.
        reason: String,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal belongs to another plan.
    #[error("{path} is not the plan of the journal beside it: its digest is {found}, not {expected}")]
    OtherPlan {
        /// The plan.
        path: Utf8PathBuf,
        /// Its digest.
        found: String,
        /// The journal's.
        expected: String,
    },
    /// The events do not fit the plan.
    #[error("{path}:{line}: the journal does not fit its plan: {source}")]
    Illegal {
        /// The journal.
        path: Utf8PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// Which event, and why not.
        source: IllegalEvent,
    },
}

impl RunDir {
    /// What stands beside the plan and the journal of a rehearsal: the simulated cluster that it began with.
    pub const REHEARSAL: &str = "rehearsal.json";

    /// Whether it is the record of a rehearsal, which no host may ever hear of. Any sign is enough: a record may have been
    /// moved or renamed, may be damaged, and may have lost what stood beside it.
    pub fn is_rehearsal(&self) -> bool {
        let journal = super::read::first(&self.journal());
        let run = journal.and_then(|first| match first.event {
            Event::RunStarted { run, .. } => Some(run),
            _ => None,
        });
        let plan = || parse(&std::fs::read(self.plan()).ok()?).ok();
        self.path().join(Self::REHEARSAL).exists()
            || run.as_deref().unwrap_or(self.id()).starts_with(REHEARSAL)
            || plan().is_some_and(|plan| plan.rehearsal)
    }

    /// Reads the run back. A run that was killed before its first event has no events.
    pub fn read(&self) -> Result<Recorded, RecordedError> {
        let path = self.plan();
        let bytes =
            std::fs::read(&path).map_err(|source| RecordedError::Read { path: path.clone(), source })?;
        let plan = parse(&bytes).map_err(|reason| RecordedError::Plan { path: path.clone(), reason })?;
        let found = digest(&bytes);
        let journal = self.journal();
        let events = if journal.exists() { read(&journal)? } else { Vec::new() };
        // Before its events are folded: to those of another plan no message would do justice.
        if let Some(Stamped { event: Event::RunStarted { digest: expected, .. }, .. }) = events.first()
            && *expected != found
        {
            return Err(RecordedError::OtherPlan { path, found, expected: expected.clone() });
        }
        let history = History::of(&plan, events).map_err(|source| RecordedError::Illegal {
            path: journal,
            line: super::read::line_of(source.seq),
            source,
        })?;
        Ok(Recorded { plan, digest: found, history })
    }
}
