//! The properties, each judged from the plan and the events alone. This file has those of the run, its phases and its
//! batches; `oracle/budget.rs` has those of slots, `oracle/hosts.rs` those of hosts and tasks.

mod budget;
mod hosts;

use std::fmt;

use crate::engine::{Event, HaltCause, HostStatus, Stamped};
use crate::plan::{Gate, GateOpens, HostId, Plan};
use crate::runbook::GateAfter;
use crate::value::Duration;

use super::ledger::Ledger;

/// A property that does not hold.
#[derive(Debug)]
pub(super) struct Violation {
    /// Its name.
    pub(super) property: &'static str,
    what: String,
}

impl Violation {
    pub(super) fn new(property: &'static str, what: impl Into<String>) -> Self {
        Self { property, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "property `{}`: {}", self.property, self.what)
    }
}

/// Says so unless it holds.
fn must(holds: bool, property: &'static str, what: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::new(property, what)) }
}

/// Judges a run that ended.
pub(super) fn check(plan: &Plan, events: &[Stamped], lifts: &[(u64, HostId)]) -> Result<(), Violation> {
    let mut ledger = Ledger::new(plan);
    for (count, stamped) in (1..).zip(events) {
        lifts.iter().filter(|(after, _)| after + 1 == count).for_each(|(_, host)| ledger.lift(*host));
        ledger.time = ledger.time.max(stamped.at.0);
        let located = |mut violation: Violation| {
            violation.what = format!("event {count} {:?}: {}", stamped.event, violation.what);
            violation
        };
        must(stamped.seq == count, "sequence", "numbers have no gap").map_err(located)?;
        let next = events.get(usize::try_from(count).expect("a short run")).map(|next| &next.event);
        judge(&ledger, stamped, next).map_err(located)?;
        ledger.read(stamped);
    }
    Ok(())
}

fn judge(ledger: &Ledger<'_>, stamped: &Stamped, next: Option<&Event>) -> Result<(), Violation> {
    let is_end = stamped.event == Event::RunEnded;
    must(is_end || next.is_some(), "ends", "the last event is the run's end")?;
    let goes_on = !matches!(next, None | Some(Event::RunResumed { .. }));
    must(!is_end || !goes_on, "ends", "after its end a run only resumes")?;
    match &stamped.event {
        Event::PhaseStarted { phase } => {
            let empty = ledger.plan.phase(*phase).batches.is_empty();
            must(ledger.halted.is_none(), "stop", "no phase starts after a halt")?;
            must(empty || ledger.stop().is_none(), "stop", "no phase with hosts starts after a stop")?;
            must(usize::from(*phase) == ledger.phases.len(), "gates", "phases go in order")?;
            must(ledger.phases.iter().all(|ok| *ok), "limits", "every earlier phase ended within its limits")
        }
        Event::BatchStarted { batch, .. } => {
            must(ledger.stop().is_none(), "stop", "no batch starts after a stop")?;
            must(ledger.batch.is_none() && *batch == ledger.batches, "gates", "batches go in order")?;
            must(!ledger.batch_failed, "gates", "no batch follows one that failed")
        }
        Event::GateReached { batch, .. } => {
            let gated = ledger.batch == Some(*batch) && gate(ledger).is_some();
            must(gated && ledger.gate_at.is_none(), "gates", "a gate is reached once, where there is one")?;
            must(ledger.stop().is_none(), "stop", "nobody is asked after a stop")?;
            all_well(ledger)
        }
        Event::BatchEnded { failed, .. } => batch_ended(ledger, failed.is_some()),
        Event::PhaseEnded { ok, .. } => {
            let planned = ledger.planned();
            let complete = usize::from(ledger.batches) == planned.batches.len();
            let within = ledger.failed <= planned.rollout.max_failures && !ledger.batch_failed;
            must(*ok == (complete && within), "gates", "a phase is ok when complete and within its limits")
        }
        Event::Halted { phase, cause } => halted(ledger, *phase, cause),
        Event::RunEnded => {
            let complete =
                ledger.phases.len() == ledger.plan.phases.len() && ledger.phases.iter().all(|ok| *ok);
            must(ledger.phase.is_none(), "ends", "no phase is open at the end")?;
            must(complete || ledger.halted.is_some(), "ends", "everything was done, or the run says why not")
        }
        Event::ObservationStarted { .. } | Event::SlotTaken { .. } | Event::BudgetWaiting { .. } => {
            budget::judge(ledger, stamped)
        }
        _ => hosts::judge(ledger, stamped),
    }
}

fn batch_ended(ledger: &Ledger<'_>, failed: bool) -> Result<(), Violation> {
    let planned = ledger.planned();
    let batch = ledger.batch.expect("a batch is open");
    let ended = |host: &HostId| ledger.hosts[host].ended;
    let mut all = ledger.batch_hosts.iter().chain(&ledger.guests);
    let all_ended = all.clone().all(|host| ended(host).is_some());
    must(all_ended, "gates", "every host of the batch has ended")?;
    let stopped = ledger.stop().is_some();
    let due = planned.batches[usize::from(batch)].iter().filter(|host| !ledger.untouchable.contains(host));
    must(stopped || due.count() == ledger.batch_hosts.len(), "gates", "every host of the batch has started")?;

    let good = |status| matches!(status, Some(HostStatus::Ok | HostStatus::Changed));
    let some = all.clone().next().is_some();
    // Where hosts go one by one, how many of them failed is all that counts.
    let one_by_one = planned.batches.iter().all(|batch| batch.len() < 2);
    let none_good = some && !one_by_one && !all.any(|host| good(ended(host)));
    let soaked_at = ledger.all_ended_at + millis(planned.rollout.soak);
    let failed_check = ledger.check.is_some_and(|(_, failed_check)| failed_check);
    if failed {
        return must(
            none_good || stopped || (failed_check && ledger.time >= soaked_at),
            "gates",
            "a failed batch says why",
        );
    }
    must(!none_good, "gates", "a batch without any success has failed")?;
    if !some {
        return Ok(());
    }
    all_well(ledger)?;
    let Some(gate) = gate(ledger) else { return Ok(()) };
    let opened = match gate.opens {
        GateOpens::Time(time) => ledger.gate_at.is_some_and(|at| ledger.time >= at + millis(time)),
        _ => false,
    };
    must(ledger.gate_passed || opened, "gates", "the gate is passed")
}

/// The gate behind the open batch.
fn gate<'a>(ledger: &Ledger<'a>) -> Option<&'a Gate> {
    let planned = ledger.planned();
    let batch = usize::from(ledger.batch?);
    let stands = batch + 1 < planned.batches.len();
    planned.gate.as_ref().filter(|gate| stands && (batch == 0 || gate.after == GateAfter::Each))
}

/// The batch has soaked, and its checks are green.
fn all_well(ledger: &Ledger<'_>) -> Result<(), Violation> {
    let planned = ledger.planned();
    let batch = ledger.batch.expect("a batch is open");
    let soaked_at = ledger.all_ended_at + millis(planned.rollout.soak);
    if !planned.verify.is_empty() {
        let green = ledger.check.is_some_and(|(at, failed_check)| !failed_check && at >= soaked_at);
        return must(green, "gates", "the checks are green when the soak has passed");
    }
    let last = usize::from(batch) + 1 == planned.batches.len();
    must(last || ledger.time >= soaked_at, "gates", "the soak has passed")
}

fn halted(ledger: &Ledger<'_>, phase: u16, cause: &HaltCause) -> Result<(), Violation> {
    must(ledger.halted.is_none(), "halts", "a run halts once")?;
    let rollout = &ledger.plan.phase(phase).rollout;
    let (holds, what) = match cause {
        HaltCause::Failures { failed, max } => {
            let (certain, _) = ledger.in_trouble();
            let counted = *failed as usize == ledger.failed as usize + certain.len();
            (counted && failed > max && *max == rollout.max_failures, "more hosts failed than may")
        }
        HaltCause::BatchFailed { .. } => (ledger.batch_failed, "a batch failed"),
        HaltCause::BudgetSpentByFailures => {
            (ledger.lost_here().len() >= ledger.slots(), "failures alone hold the budget")
        }
        HaltCause::BudgetSpentByCordons { hosts } => {
            let left: Vec<HostId> =
                ledger.left_cordoned().into_iter().filter(|host| !ledger.lost.contains(host)).collect();
            let for_good = budget::held_for_good(ledger).len();
            (*hosts == left && for_good >= ledger.slots(), "what this run left cordoned holds the budget")
        }
        HaltCause::BudgetSpentByOthers { waited, .. } => {
            let since = ledger.waiting_since.unwrap_or(i64::MAX);
            let passed = ledger.time.saturating_sub(since) >= millis(rollout.wait_for_budget);
            (passed && *waited >= rollout.wait_for_budget, "others were waited for")
        }
        HaltCause::Paused { .. } => (ledger.paused, "somebody who was asked did not say yes"),
        HaltCause::DomainsSpentByFailures { host, domains } => {
            (budget::is_barred(ledger, *host, domains), "failures alone hold the zones")
        }
        HaltCause::Stopped { .. } => (ledger.asked.is_some(), "somebody asked"),
    };
    must(holds, "halts", what)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a short time")
}
