//! How many hosts ended how. Counts only: what follows from it is decided elsewhere.

use std::collections::BTreeMap;

use super::host::HostRun;
use super::state::is_success;
use super::{HostStatus, State};
use crate::plan::{HostId, Plan};

/// How many hosts ended how, each counted once with the gravest end that it had in any phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nothing had to change.
    pub ok: usize,
    /// Something changed, all is well.
    pub changed: usize,
    /// Stopped before the end.
    pub stopped: usize,
    /// Failed.
    pub failed: usize,
    /// Not known.
    pub unknown: usize,
    /// Started in a phase and not ended there.
    pub active: usize,
    /// Not started in any phase so far.
    pub not_started: usize,
    /// Ended well in some phases, and not started in others that work on it.
    pub partly: usize,
}

impl Counts {
    /// How many hosts were counted.
    pub fn all(&self) -> usize {
        let Self { ok, changed, stopped, failed, unknown, active, not_started, partly } = self;
        ok + changed + stopped + failed + unknown + active + not_started + partly
    }

    /// Counts a host that ended so, or has not.
    fn count(&mut self, status: Option<HostStatus>, is_active: bool) {
        let count = match status {
            _ if is_active => &mut self.active,
            None => &mut self.not_started,
            Some(HostStatus::Ok) => &mut self.ok,
            Some(HostStatus::Changed) => &mut self.changed,
            Some(HostStatus::Stopped) => &mut self.stopped,
            Some(HostStatus::Failed) => &mut self.failed,
            Some(HostStatus::Unknown) => &mut self.unknown,
        };
        *count += 1;
    }
}

/// How a host ended, where anything was sent to it: one that was stopped while it waited for its turn has not started.
fn end_of(host: &HostRun) -> Option<HostStatus> {
    host.status.filter(|status| *status != HostStatus::Stopped || host.was_begun())
}

impl State {
    /// Whether a host ended in a phase, stopped, before anything was sent to it.
    pub fn was_not_begun(&self, plan: &Plan, phase: u16, host: HostId) -> bool {
        let run = self.host_run(plan, phase, host);
        run.is_some_and(|run| run.status == Some(HostStatus::Stopped) && !run.was_begun())
    }

    /// How many of the hosts that phases work on ended how.
    pub fn counts(&self, plan: &Plan) -> Counts {
        // The gravest end, whether it is at work, and whether a phase that works on it has not begun with it.
        let mut ends: BTreeMap<HostId, (Option<HostStatus>, bool, bool)> = BTreeMap::new();
        for (index, planned) in plan.phases.iter().enumerate().filter(|(_, planned)| !planned.left_out) {
            let run = self.phases.get(index);
            for (position, tasks) in planned.hosts.iter().enumerate() {
                let host = run.and_then(|run| run.hosts.get(position));
                let (status, active) = host.map_or((None, false), |host| (end_of(host), host.is_active()));
                let end = ends.entry(tasks.host).or_default();
                end.0 = end.0.max(status);
                end.1 |= active;
                end.2 |= status.is_none() && !active;
            }
        }
        let mut counts = Counts::default();
        for (status, active, waits) in ends.into_values() {
            if is_success(status) && waits && !active {
                counts.partly += 1;
            } else {
                counts.count(status, active);
            }
        }
        counts
    }

    /// How many hosts of a phase ended how in it.
    pub fn counts_of_phase(&self, plan: &Plan, phase: u16) -> Counts {
        let run = self.phases.get(usize::from(phase));
        let mut counts = Counts::default();
        for position in 0..plan.phase(phase).hosts.len() {
            let host = run.and_then(|run| run.hosts.get(position));
            counts.count(host.and_then(end_of), host.is_some_and(HostRun::is_active));
        }
        counts
    }
}
