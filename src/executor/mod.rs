//! The rim that acts: connects, looks, starts work and turns results into events. What to do next is the engine's to
//! decide; this only carries it out, in one order: append to the journal, apply to the state, tell the reporters, and
//! only then start the work.

mod approval;
mod attempt;
mod bracket;
mod clearance;
mod clock;
mod context;
mod drift;
mod forbidden;
mod gate;
mod gather_facts;
mod lock;
mod look;
mod observe;
mod op_site;
mod ops;
mod orphaned_ops;
mod output;
mod pause;
mod poll;
mod pool;
mod reconnect;
mod redact;
mod redact_event;
mod roll;
mod runtime_values;
mod said;
mod same_cluster;
mod secrets;
mod sent;
mod single_flight;
mod sweep;
mod undo;
mod verify;
mod whole_lines;

pub use approval::{ApprovalAnswer, Approver, Nobody, Question};
pub use clock::Clock;
pub use context::InDoubt;
pub use gather_facts::{
    Depth, Survey, SurveyProgress, ask_through, changed_since, forecast_plan, gather_facts, missing_rights,
    record,
};
pub use lock::{
    Claim, HolderLookup, HolderState, LeaseApi, LeaseError, Leave, Lock, LockError, LockRefusal, LockRequest,
};
pub use look::controller_name;
pub use pool::{Pool, PoolError, target_of};
pub use redact::Redactor;
pub use roll::{RollError, Setup, StopRequest, roll};
pub use same_cluster::{ClusterSince, cluster_since};
pub use secrets::{SecretError, Secrets};
pub use sweep::{Swept, Unswept, hush, places, sweep};
pub use undo::{Undoing, undoing};
