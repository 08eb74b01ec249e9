//! The plan: everything that was decided before the first change, as data with no meaningful choices left. People
//! review it, the engine follows it, `resume` reads nothing else.
//!
//! `compile` makes one, `forecast` adds what probes say of it, `lookahead` what they will say once package
//! repositories are switched, `show` shows it, `deferred` lowers what had to wait, `drift` and `frozen` say whether a host
//! is still what the plan saw, `nodes` whether the cluster is.

mod budget;
pub mod compile;
pub mod deferred;
pub mod drift;
mod expected;
pub mod forecast;
pub mod frozen;
mod gate;
mod implied;
pub mod lookahead;
mod model;
pub mod nodes;
mod older;
mod rights;
pub mod show;
mod sound;
mod topology;
pub mod undo;
mod worst_case;

pub use budget::{Budget, OutCause, OutOfService, Spent, SpentBy, cut_batches};
pub use expected::{Expected, Span, StepTimes};
pub use gate::{Gate, GateOpens};
pub use model::{
    Action, ActionId, Bracket, Cordoning, DeferredFrame, DeferredId, DeferredStep, Forecast, FrozenId,
    HostId, HostTasks, LeftOut, Plan, PlannedEtcd, PlannedHost, PlannedKube, PlannedPhase, Rollout, Section,
    Sections, StepRef, Task, TaskId, Ties, Warning, id_as_written,
};
pub use topology::{DomainsTaken, Topology};
