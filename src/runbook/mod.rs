//! The runbook as written: phases and steps with their templates compiled, fragments included, nothing evaluated.

mod blame;
mod brackets;
mod choice;
mod controller;
mod items;
mod model;
mod params;
mod parse;
mod reference;
mod selection;

pub(crate) use blame::place_of;
pub use brackets::{OwnCondition, StepTies, own_conditions, ties};
pub use choice::{Choice, Chosen, ChosenPhase, NotChosen, WrittenChoice};
pub use items::each_of;
pub use model::{
    Allow, Frame, FrameId, GateAfter, GateOpensBy, GateSpec, HostOrder, KubeSpec, KubeVia, MOST_ITEMS, Mode,
    NewNodes, OnFailure, ParamSpec, Phase, Policy, Rescue, Retry, RolloutSpec, Runbook, SecretSource, Step,
    StepOrigin, Then,
};
pub use params::{ParamSources, resolve_params};
pub use parse::{Defaults, FileReader, Include, TopologySpec, parse, parse_leniently, tables as written};
pub use reference::{NamespaceDoc, namespaces, param_types, tables};
pub use selection::{check_limit, limit_error};
