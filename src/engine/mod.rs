//! Decides what happens next. Pure: the same plan, state and time give the same events. Nothing here reads a clock,
//! does I/O or knows a step kind.
//!
//! The contract is one enum: [`Event`]. [`decide`] gives events; the executor makes them durable, applies them to the
//! [`State`], tells the reporters, and only then starts the work that a `…Started` event stands for. The results of
//! work are events again.

mod apply;
mod counts;
mod decide;
mod event;
mod history;
mod host;
mod illegal;
mod membership;
#[cfg(test)]
mod model;
mod outstanding;
mod phase;
mod slots;
mod state;
#[cfg(test)]
mod stories;

pub use counts::Counts;
pub use decide::{Decision, decide};
pub use event::{
    BracketFinding, Cause, EtcdSeen, Event, Failure, HaltCause, HostStatus, NOT_AWAITED, SkipReason, Stamped,
    StopLevel, TaskEnd,
};
pub use history::{History, REHEARSAL};
pub use host::{AttemptRun, HostFailure, OpRun, OpenCordon, TaskResult};
pub use illegal::{IllegalEvent, IllegalReason};
pub use membership::Membership;
pub use outstanding::{Outstanding, OutstandingChange, SentOp, sent_ops};
pub use state::{Awaited, State, Work};
