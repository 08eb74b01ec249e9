//! The record of a run: a directory with the plan, the events and the output. An event is written before it is true,
//! and durable before the work that it stands for starts. Decides nothing.

mod dir;
mod follow;
mod read;
mod recorded;
mod write;

pub use dir::{OUTPUT_DIR, RunDir, StateDir, StateDirError, plan_was_used, runs};
pub use follow::Follow;
pub use read::{JournalError, read};
pub use recorded::{Recorded, RecordedError};
pub use write::{Journal, Record};
