//! Waiting, for people: what is waited for is said once when it begins, again when its reason changes, and when it is
//! over. A fold of the events.

use std::collections::{HashMap, HashSet};

use super::plain::{about, host_name, wait_words};
use crate::engine::{Event, Failure, HostStatus, Stamped, State, TaskEnd};
use crate::plan::{Plan, TaskId};
use crate::value::Timestamp;

/// What the lines of a run have told of waits.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Tasks that looked, and look again now that their host has a slot: nothing went wrong with them.
    for_slot: HashSet<TaskId>,
    /// Tasks that wait for something else, with the beginning of that.
    tasks: HashMap<TaskId, Timestamp>,
    /// Since when hosts wait for the budget.
    budget: Option<Timestamp>,
    /// What was red in the open batch.
    failed_check: Option<String>,
}

/// How an event is told.
pub(super) enum ReportLine {
    /// Not at all.
    No,
    /// With this line.
    As(String),
    /// As it would be without any wait.
    Usual,
}

impl Waits {
    pub(super) fn take(&mut self, plan: &Plan, state: &State, stamped: &Stamped) -> ReportLine {
        let at = stamped.at;
        match &stamped.event {
            Event::TaskEnded { task, end: TaskEnd::NeedsSlot, .. } => {
                self.for_slot.insert(*task);
                ReportLine::Usual
            }
            Event::TaskStarted { task, .. } if self.for_slot.remove(task) => ReportLine::No,
            Event::BudgetWaiting { phase, host, out, blocked, domains } => {
                let since = *self.budget.get_or_insert(at);
                let so_far =
                    if since == at { String::new() } else { format!(" since {}", at.since(since).rounded()) };
                let (what, why) = wait_words(plan, *phase, out, blocked.as_deref(), domains.as_ref());
                ReportLine::As(format!("{}  waits for {what}{so_far}: {why}", host_name(plan, *host)))
            }
            Event::SlotTaken { host, .. } => match self.budget.take().map(|since| at.since(since)) {
                Some(waited) => ReportLine::As(format!(
                    "{}  after {} of waiting goes out of service",
                    host_name(plan, *host),
                    waited.rounded()
                )),
                None => ReportLine::Usual,
            },
            Event::Halted { .. } | Event::PhaseEnded { .. } => {
                self.budget = None;
                ReportLine::Usual
            }
            Event::TaskWaiting { task, reason, within, .. } => {
                self.tasks.entry(*task).or_insert(at);
                ReportLine::As(format!("{}  waits, {within} at most: {reason}", about(plan, *task)))
            }
            Event::TaskEnded { task, end, attempt } => self.task_ended(plan, state, at, *task, *attempt, end),
            Event::BracketProbed { host, .. } => {
                self.tasks.retain(|task, _| task.host != *host);
                ReportLine::Usual
            }
            Event::HostEnded { host, status: HostStatus::Stopped | HostStatus::Failed, .. } => {
                self.tasks.retain(|task, _| task.host != *host);
                ReportLine::Usual
            }
            Event::ClusterSilent { reason, within, starting: true } => {
                ReportLine::As(format!("the cluster starts, and is asked again for {within}: {reason}"))
            }
            Event::ClusterSilent { reason, within, starting: false } => ReportLine::As(format!(
                "the cluster does not answer, and is asked again for {within}: {reason}"
            )),
            Event::ClusterAnswers => ReportLine::As("the cluster answers again".to_owned()),
            Event::HostSilent { host, reason, attempts } => ReportLine::As(format!(
                "{}  cannot be reached, and is tried again, {attempts} times at most: {reason}",
                host_name(plan, *host)
            )),
            Event::HostAnswers { host } => {
                ReportLine::As(format!("{}  answers again", host_name(plan, *host)))
            }
            Event::SoakStarted { phase, batch, until } => {
                self.failed_check = None;
                soaks(plan, *phase, *batch, until.since(at))
            }
            Event::Verified { failed_check, .. } => self.verified(failed_check.as_ref()),
            _ => ReportLine::Usual,
        }
    }

    fn task_ended(
        &mut self,
        plan: &Plan,
        state: &State,
        at: Timestamp,
        task: TaskId,
        attempt: u32,
        end: &TaskEnd,
    ) -> ReportLine {
        let waited = self.tasks.remove(&task).map(|since| at.since(since));
        match (end, state.next_attempt(plan, task)) {
            (TaskEnd::Failed { failure: Failure { message, .. } }, Some(due)) => {
                let attempts = plan.retry(task).map_or(attempt, |retry| retry.attempts);
                let wait = due.since(at);
                ReportLine::As(format!(
                    "{}  FAILED (one of {attempts} attempts; the next in {}): {message}",
                    about(plan, task),
                    wait.rounded()
                ))
            }
            // Somebody was told that it waits: the end of that is news.
            (TaskEnd::Satisfied { state }, _) => match waited {
                Some(waited) => {
                    ReportLine::As(format!("{}  = {state}, after {}", about(plan, task), waited.rounded()))
                }
                None => ReportLine::Usual,
            },
            _ => ReportLine::Usual,
        }
    }

    /// Checks run every few seconds: only what is new is told.
    fn verified(&mut self, failed_check: Option<&String>) -> ReportLine {
        let before = std::mem::replace(&mut self.failed_check, failed_check.cloned());
        match (before, failed_check) {
            (before, Some(failed_check)) if before.as_ref() != Some(failed_check) => {
                ReportLine::As(format!("verify: {failed_check}"))
            }
            (Some(_), None) => ReportLine::As("verify: every check holds again".to_owned()),
            _ => ReportLine::No,
        }
    }
}

fn soaks(plan: &Plan, phase: u16, batch: u16, time: crate::value::Duration) -> ReportLine {
    let planned = plan.phase(phase);
    let checks: Vec<&str> = planned.verify.iter().map(|check| plan.action(*check).title.as_str()).collect();
    let checks = checks.join(", ");
    let batch = batch + 1;
    ReportLine::As(match (time == crate::value::Duration::ZERO, checks.is_empty()) {
        (true, _) => format!("batch {batch}: checks {checks}"),
        (false, true) => format!("batch {batch}: soaks for {}", time.rounded()),
        (false, false) => format!("batch {batch}: soaks for {}, and checks {checks}", time.rounded()),
    })
}
