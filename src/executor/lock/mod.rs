//! The lock of a cluster: a Lease that one controller holds and renews, and on it the record of the run that was begun
//! and has not ended. The rules are pure (`rules.rs`); everything else here reads and writes through kubectl.

mod api;
mod awake;
mod hold;
mod keeper;
mod rules;

pub use api::{LeaseApi, LeaseError};
pub(super) use hold::Barred;
pub use hold::{Claim, HolderLookup, Leave, Lock, LockError};
pub(super) use keeper::keep;
pub use rules::{HolderState, LockRefusal, LockRequest};
