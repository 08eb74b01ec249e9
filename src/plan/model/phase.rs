//! A phase with everything counted: who, in which batches, within which budget.

use serde::{Deserialize, Serialize};

use super::{ActionId, HostId, HostTasks};
use crate::plan::{Gate, Topology};
use crate::runbook::{Mode, OnFailure};
use crate::value::{Amount, Duration};

/// A phase with its batches cut and its percentages counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedPhase {
    /// Its name.
    pub name: String,
    /// Whether it may change anything.
    pub mode: Mode,
    /// How it rolls.
    pub rollout: Rollout,
    /// Every host that its selector names: percentages and the unavailable are counted over these.
    pub population: Vec<HostId>,
    /// Hosts to work on, cut into batches.
    pub batches: Vec<Vec<HostId>>,
    /// Their tasks, sorted by host.
    pub hosts: Vec<HostTasks>,
    /// Where its hosts may be out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// Checks after every batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<ActionId>,
    /// What stands between batches beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// `--only` and `--skip` leave none of its steps: no host is worked on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
}

/// `rollout:` with its percentages counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// As written.
    pub declared: Amount,
    /// Slots: `declared` of the population.
    pub max_unavailable: u32,
    /// Hosts that may fail.
    pub max_failures: u32,
    /// Hosts worked on at the same time before their first disrupting task.
    pub parallel: u32,
    /// What more failures than that do.
    pub on_failure: OnFailure,
    /// Between batches.
    pub soak: Duration,
    /// How long a budget spent by others is waited for.
    pub wait_for_budget: Duration,
    /// The phase disrupts control planes: one at a time, and only while etcd's other members are healthy.
    pub control_planes: bool,
}

impl Rollout {
    /// Hosts that may be out of service at the same time: what is written, or one where control planes go one at a time,
    /// whatever is written.
    pub fn slots(&self) -> u32 {
        if self.control_planes { self.max_unavailable.min(1) } else { self.max_unavailable }
    }

    /// Why there are fewer slots than are written, where there are.
    pub fn fewer_because(&self) -> Option<&'static str> {
        (self.slots() < self.max_unavailable).then_some("control planes go one at a time")
    }
}

impl PlannedPhase {
    /// The tasks of a host that the phase works on.
    pub fn tasks_of(&self, host: HostId) -> Option<&HostTasks> {
        self.hosts.binary_search_by_key(&host, |tasks| tasks.host).ok().map(|index| &self.hosts[index])
    }
}
