//! Transports: one list of behaviours for all of them, and what only ssh has.

mod bench;
mod conformance;
mod signals;
mod ssh;
