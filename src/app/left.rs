//! What a run left that still stands, as far as the records of this machine tell: later runs put it back, or went to their
//! end on its hosts. Records are read one by one, newest first, and only what later ones ended is kept of them.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::AppError;
use super::connections::state_dir;
use crate::engine::{Event, HostStatus, Outstanding, OutstandingChange, TaskEnd};
use crate::inventory::HostName;
use crate::journal::{Recorded, RunDir, runs};
use crate::plan::{HostId, Plan, PlannedHost};
use crate::report::Summary;
use crate::step::BracketKey;
use crate::value::Timestamp;

/// What later runs ended, over all of them.
#[derive(Default)]
pub(crate) struct LaterRuns {
    /// The last run that went to its end on a host, by its runbook, its inventory and the host.
    through: BTreeMap<(String, String, HostName), RunThrough>,
    /// Hosts on which a run that undoes another one went to its end, by the run undone.
    undone: BTreeSet<(String, HostName)>,
}

/// A run that went to its end on a host.
struct RunThrough {
    run: String,
    began: Timestamp,
    machine_id: String,
    /// Brackets that it closed there.
    closed: BTreeSet<BracketKey>,
}

impl LaterRuns {
    /// What the runs of a state directory ended that began after this one.
    pub(crate) fn after(recorded: &Recorded, state: &Utf8Path) -> Result<Self, AppError> {
        let mut later = Self::default();
        for run in runs(state).map_err(anyhow::Error::from)?.iter().rev() {
            if let Ok(other) = run.read()
                && other.history.began() > recorded.history.began()
            {
                later.take(&other);
            }
        }
        Ok(later)
    }

    /// One more run.
    pub(crate) fn take(&mut self, recorded: &Recorded) {
        let Recorded { plan, history, .. } = recorded;
        let state = &history.state;
        let (Some(run), Some(began)) = (history.run(), history.began()) else { return };
        if !state.is_whole() || plan.choice.is_some() || history.is_rehearsal(plan) {
            return;
        }
        let ended_well = (0..).map(HostId).zip(&plan.hosts).filter(|(host, _)| {
            matches!(state.overall_status(plan, *host), Some(HostStatus::Ok | HostStatus::Changed))
        });
        let mut closed = closed(recorded);
        for (id, host) in ended_well {
            if let Some(undone) = &plan.undoes {
                self.undone.insert((undone.clone(), host.name.clone()));
                continue;
            }
            let key = (plan.runbook.clone(), plan.inventory.clone(), host.name.clone());
            if self.through.get(&key).is_none_or(|other| other.began < began) {
                let closed = closed.remove(&id).unwrap_or_default();
                let (run, machine_id) = (run.to_owned(), host.machine_id.clone());
                self.through.insert(key, RunThrough { run, began, machine_id, closed });
            }
        }
    }

    /// Takes out of a run's summary what does not stand any more. `dir` is its record.
    pub(crate) fn settle(&self, summary: &mut Summary, recorded: &Recorded, dir: &RunDir) -> Vec<EndedLater> {
        let is_looked_at = dir.is_put_back();
        self.settle_with(summary, recorded, |host| is_looked_at || self.is_undone(recorded, host))
    }

    /// The same, where it is known on which hosts no cordon and no hold of the run stands.
    pub(crate) fn settle_with(
        &self,
        summary: &mut Summary,
        recorded: &Recorded,
        is_put_back: impl Fn(HostId) -> bool,
    ) -> Vec<EndedLater> {
        let Recorded { plan, history, .. } = recorded;
        let mut ended = Vec::new();
        summary.left.retain(|left| {
            let through = self.through(recorded, left.host).filter(|through| {
                is_put_back(left.host)
                    || history
                        .state
                        .outstanding()
                        .iter()
                        .all(|made| made.host() != left.host || through.has_taken_back(made))
            });
            if let Some(through) = through {
                ended.push(EndedLater { host: left.host, what: left.what, run: through.run.clone() });
            }
            through.is_none()
        });
        summary.put_back(plan, &history.state, is_put_back);
        ended
    }

    /// The last run of the same runbook and inventory that went to its end on a host, which is the same machine.
    fn through(&self, recorded: &Recorded, host: HostId) -> Option<&RunThrough> {
        let Recorded { plan, history, .. } = recorded;
        let PlannedHost { name, machine_id, .. } = plan.host(host);
        let key = (plan.runbook.clone(), plan.inventory.clone(), name.clone());
        let is_same = |through: &&RunThrough| {
            Some(through.began) > history.began()
                && (machine_id.is_empty()
                    || through.machine_id.is_empty()
                    || *machine_id == through.machine_id)
        };
        self.through.get(&key).filter(is_same)
    }

    fn is_undone(&self, recorded: &Recorded, host: HostId) -> bool {
        let Some(run) = recorded.history.run() else { return false };
        self.undone.contains(&(run.to_owned(), recorded.plan.host(host).name.clone()))
    }
}

impl RunThrough {
    /// Whether something that an earlier run left was taken back by this one.
    fn has_taken_back(&self, made: &Outstanding) -> bool {
        match &made.change {
            OutstandingChange::Cordon => self.closed.contains(&BracketKey::Cordon),
            OutstandingChange::Unhold(package) => self.closed.contains(&BracketKey::Hold(package.clone())),
            // A step of the same runbook, which ended well.
            OutstandingChange::Other(_) => true,
        }
    }
}

/// A host that a run left, and the later one that went to its end there.
pub(crate) struct EndedLater {
    host: HostId,
    what: &'static str,
    run: String,
}

impl EndedLater {
    /// For people.
    pub(crate) fn line(&self, plan: &Plan) -> String {
        let Self { host, what, run } = self;
        format!("{}  was left {what}; run {run} went to its end there", plan.host(*host).name)
    }
}

/// Brackets that a run closed, by host. A cordon counts where it was this run that took it away: one that was gone, or
/// another hand's, it found to be so.
fn closed(recorded: &Recorded) -> BTreeMap<HostId, BTreeSet<BracketKey>> {
    let Recorded { plan, history, .. } = recorded;
    let mut closed: BTreeMap<HostId, BTreeSet<BracketKey>> = BTreeMap::new();
    for stamped in &history.events {
        let Event::TaskEnded { task, end, .. } = &stamped.event else { continue };
        let is_well = |key: &BracketKey| match end {
            TaskEnd::Changed { .. } => true,
            TaskEnd::Satisfied { .. } => *key != BracketKey::Cordon,
            _ => false,
        };
        if let Some(lowered) = plan.lowered(*task) {
            closed
                .entry(task.host)
                .or_default()
                .extend(lowered.closes.iter().filter(|key| is_well(key)).cloned());
        }
    }
    closed
}

/// What a run came to and left that still stands, with the hosts that later ones brought to their end.
pub(crate) fn as_it_stands(
    recorded: &Recorded,
    dir: &RunDir,
    given_state_dir: Option<&Utf8PathBuf>,
) -> Result<(Summary, Vec<EndedLater>), AppError> {
    let mut summary = Summary::of(&recorded.plan, &recorded.history);
    if dir.goes_on() {
        summary.without_those_at_work(&recorded.plan, &recorded.history.state);
        return Ok((summary, Vec::new()));
    }
    if summary.left.is_empty() || dir.is_rehearsal() {
        return Ok((summary, Vec::new()));
    }
    let later = LaterRuns::after(recorded, &state_dir(given_state_dir)?)?;
    let ended = later.settle(&mut summary, recorded, dir);
    Ok((summary, ended))
}
