//! What a stop that somebody asked for did: which hosts came back after it, which stand where they stood, and what was
//! not begun. A fold of the events.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::plain::{counted, names};
use crate::engine::{Event, HaltCause, HostStatus};
use crate::plan::{HostId, Plan};

/// A stop and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StopReport {
    asked: bool,
    /// Hosts out of service now.
    out: BTreeSet<HostId>,
    /// Those that were out when the run was asked to stop, and came back.
    came_back: Vec<HostId>,
    /// Hosts that ended before the end of their tasks.
    cut_short: BTreeSet<HostId>,
    /// Hosts of the last phase that began.
    started: BTreeSet<HostId>,
    phase: Option<u16>,
}

impl StopReport {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::PhaseStarted { phase } => {
                self.phase = Some(*phase);
                self.started.clear();
            }
            // One that only waited for its turn has not started.
            Event::OpStarted { task, .. } => {
                self.started.insert(task.host);
            }
            Event::SlotTaken { host, .. } => {
                self.out.insert(*host);
            }
            Event::StopRequested { .. } | Event::Halted { cause: HaltCause::Paused { .. }, .. } => {
                self.asked = true;
            }
            Event::RunResumed { .. } => {
                self.asked = false;
                self.came_back.clear();
                self.cut_short.clear();
            }
            Event::HostEnded { host, status, .. } => {
                let was_out = self.out.remove(host);
                match status {
                    HostStatus::Ok | HostStatus::Changed if was_out && self.asked => {
                        self.came_back.push(*host);
                    }
                    HostStatus::Stopped if self.started.contains(host) => {
                        self.cut_short.insert(*host);
                    }
                    HostStatus::Stopped => {}
                    _ => {
                        self.started.insert(*host);
                    }
                }
            }
            _ => {}
        }
    }

    /// A line for each of: hosts that came back, hosts that stopped, hosts and phases that were not begun.
    pub(super) fn write(&self, plan: &Plan, out: &mut String) -> fmt::Result {
        if !self.asked {
            return Ok(());
        }
        let mut say = |words: &str, hosts: &[HostId]| {
            if hosts.is_empty() { Ok(()) } else { writeln!(out, "{words}: {}", names(plan, hosts)) }
        };
        say("came back after that", &self.came_back)?;
        say("stopped before the end of their steps", &self.cut_short.iter().copied().collect::<Vec<_>>())?;
        let begun = self.phase.map_or(0, |phase| usize::from(phase) + 1);
        if let Some(phase) = begun.checked_sub(1).and_then(|last| plan.phases.get(last)) {
            let left = phase.batches.iter().flatten().copied().filter(|host| !self.started.contains(host));
            say(&format!("not started in phase {}", phase.name), &left.collect::<Vec<_>>())?;
        }
        for phase in plan.phases.iter().skip(begun).filter(|phase| !phase.batches.is_empty()) {
            let hosts = phase.batches.iter().map(Vec::len).sum();
            writeln!(out, "not started: phase {} ({})", phase.name, counted(hosts, "host"))?;
        }
        Ok(())
    }
}
