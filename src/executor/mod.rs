//! The rim that acts: connects, looks, starts work and turns results into events. What to do next is the engine's to
//! decide; this only carries it out, in one order: append to the journal, apply to the state, tell the reporters, and
//! only then start the work.

mod approval;
mod attempt;
mod bracket;
mod clean;
mod clearance;
mod clock;
mod common;
mod control;
mod drift;
mod forbidden;
mod gate;
mod late;
mod leftover;
mod lock;
mod look;
mod observe;
mod ops;
mod output;
mod pause;
mod poll;
mod pool;
mod reach;
mod redact;
mod roll;
mod said;
mod same_cluster;
mod secrets;
mod survey;
mod sweep;
mod touched;
mod undo;
mod verify;

pub use approval::{Answer, Approver, Nobody, Question};
pub use clock::Clock;
pub use control::InDoubt;
pub use lock::{Claim, Known, Knows, LeaseApi, LeaseError, Leave, Lock, LockError, Refusal, Wish};
pub use look::controller_name;
pub use pool::{Pool, PoolError, target_of};
pub use redact::Redactor;
pub use roll::{RollError, Setup, StopRequest, roll};
pub use same_cluster::{ClusterSince, cluster_since};
pub use secrets::{SecretError, Secrets};
pub use survey::{
    Depth, Survey, SurveyProgress, ask_through, changed_since, foresee, missing_rights, record, survey,
};
pub use sweep::{Swept, Unswept, hush, places, sweep};
pub use undo::{Undoing, undoing};
