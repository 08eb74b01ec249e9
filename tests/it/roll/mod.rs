//! Whole runs of the binary over real sshds. What happened is told by what the hosts wrote down themselves.

pub(crate) mod fleet;

mod batches;
mod choice;
mod disk;
mod doctor;
mod drift;
mod exec;
mod failures;
mod fire;
mod gates;
mod goals;
mod left;
mod links;
mod loops;
mod nodes;
mod output;
mod records;
mod rescue;
pub(crate) mod resume;
pub(crate) mod secrets;
mod sent;
mod signals;
mod swept;
mod templates;
mod terminal;
mod undo;
mod verify;
mod watch;
