//! Rollbook rolls an upgrade over a fleet: a runbook and an inventory become a plan that people review, and the
//! plan rolls over SSH in ordered batches, never with more hosts out of service than `max_unavailable`.
//!
//! The modules stand in reading order: files people write, what they mean, the plan, the decisions, the record,
//! the rim. `docs/architecture.md` is the map, and a test holds who may import whom.

#![warn(missing_docs)]

mod app;
pub mod cli;
pub mod edits;
pub mod engine;
pub mod executor;
pub mod facts;
pub mod inventory;
pub mod journal;
pub mod kubernetes;
pub mod lint;
pub mod op;
pub mod plan;
pub mod report;
pub mod runbook;
pub mod scenario;
pub mod simulation;
pub mod source;
pub mod step;
pub mod template;
pub mod transport;
pub mod value;
