//! Whole runs of the binary over real sshds. What happened is told by what the hosts wrote down themselves.

pub(crate) mod fleet;

mod batches;
mod disk;
mod drift;
mod failures;
mod fire;
mod goals;
mod links;
mod records;
mod resume;
mod secrets;
mod terminal;
mod undo;
mod watch;
