//! PodDisruptionBudgets of the simulated cluster: how many pods of a workload may be missing at once.

use serde::{Deserialize, Serialize};

use super::cluster::Cluster;

/// How a budget is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// `minAvailable: N`.
    MinAvailable(u32),
    /// `maxUnavailable: N`.
    MaxUnavailable(u32),
    /// `maxUnavailable: N%`, rounded up as the disruption controller does.
    MaxUnavailablePercent(u32),
}

/// A PodDisruptionBudget over the pods of one workload.
#[derive(Clone, Debug)]
pub(super) struct SimulatedBudget {
    /// `metadata.namespace`.
    pub(super) namespace: String,
    /// `metadata.name`.
    pub(super) name: String,
    /// Index of the workload that its selector matches.
    pub(super) workload: usize,
    /// What it allows.
    pub(super) allowance: Allowance,
}

/// The numbers of a budget's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// `expectedPods`.
    pub(super) expected: u32,
    /// `desiredHealthy`.
    pub(super) desired: u32,
    /// `currentHealthy`.
    pub(super) healthy: u32,
}

impl Status {
    /// `disruptionsAllowed`.
    pub(super) fn allowed(self) -> u32 {
        self.healthy.saturating_sub(self.desired)
    }
}

impl Allowance {
    /// The status over so many expected and healthy pods.
    pub(super) fn status(self, expected: u32, healthy: u32) -> Status {
        let desired = match self {
            Self::MinAvailable(least) => least,
            Self::MaxUnavailable(most) => expected.saturating_sub(most),
            Self::MaxUnavailablePercent(percent) => {
                expected.saturating_sub((expected * percent).div_ceil(100))
            }
        };
        Status { expected, desired, healthy }
    }
}

impl Cluster {
    /// A budget's status now.
    pub(super) fn status_of(&self, budget: &SimulatedBudget) -> Status {
        let workload = &self.workloads[budget.workload];
        budget.allowance.status(workload.replicas, workload.healthy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_count_as_the_disruption_controller_does() {
        let cases = [
            (Allowance::MinAvailable(6), 6, 6, 0),
            (Allowance::MinAvailable(5), 6, 6, 1),
            (Allowance::MinAvailable(5), 6, 4, 0),
            (Allowance::MaxUnavailable(1), 6, 6, 1),
            (Allowance::MaxUnavailable(1), 6, 5, 0),
            (Allowance::MaxUnavailablePercent(10), 6, 6, 1),
            (Allowance::MaxUnavailablePercent(50), 7, 7, 4),
        ];
        for (allowance, expected, healthy, allowed) in cases {
            assert_eq!(
                allowance.status(expected, healthy).allowed(),
                allowed,
                "{allowance:?} {expected} {healthy}"
            );
        }
    }
}
