//! Properties of slots: who may go out of service, given what was seen.

use std::collections::BTreeSet;

use crate::engine::model::ledger::{Ledger, Page};
use crate::engine::{Event, HostStatus, Stamped, StopLevel};
use crate::plan::HostId;

use super::hosts::{has_looked, inside_bracket};
use super::{Violation, must};

pub(super) fn judge(ledger: &Ledger<'_>, stamped: &Stamped) -> Result<(), Violation> {
    match &stamped.event {
        Event::ObservationStarted { .. } => {
            let waits = ledger.hosts.values().any(|page| page.ended.is_none() && !page.slot && !page.busy);
            must(ledger.look_began.is_none(), "order", "one look at a time")?;
            must(waits, "fresh look", "nobody looks unless a host may need a slot")
        }
        Event::SlotTaken { host, .. } => slot_taken(ledger, *host),
        Event::BudgetWaiting { host, .. } => {
            let waits = ledger.hosts.get(host).is_some_and(|page| page.ended.is_none() && !page.slot);
            must(waits, "order", "only a host without a slot waits for one")?;
            must(ledger.lost_here().len() < ledger.slots(), "halts", "nobody waits for failures")
        }
        _ => Ok(()),
    }
}

fn slot_taken(ledger: &Ledger<'_>, host: HostId) -> Result<(), Violation> {
    let page = &ledger.hosts[&host];
    must(page.ended.is_none() && !page.slot, "order", "a host takes one slot, while it is worked on")?;
    let looked = has_looked(ledger, host, page);
    must(looked, "look first", "a slot is taken only for something that is known to need it")?;
    let may = match ledger.stop() {
        None => true,
        Some(StopLevel::Graceful) => inside_bracket(ledger, host, page),
        Some(StopLevel::Now) => false,
    };
    must(may, "stop", "after a stop a slot only closes a bracket")?;

    let sight =
        ledger.sight.as_ref().filter(|sight| sight.began > ledger.last_slot && ledger.look_began.is_none());
    let Some(sight) = sight else {
        return Err(Violation::new("fresh look", "the cluster was looked at since the last slot"));
    };
    let in_work =
        |page: &Page| page.slot && !matches!(page.ended, Some(HostStatus::Ok | HostStatus::Changed));
    let working = ledger.hosts.iter().filter(|(_, page)| in_work(page)).map(|(host, _)| *host);
    let alone = working.clone().next().is_none();
    if ledger.planned().rollout.control_planes {
        must(alone, "one control plane", "control planes go one at a time")?;
    }

    // Whoever came back after the look began may have been seen too early.
    let unseen = ledger.hosts.iter().filter(|(_, page)| page.slot && page.ended_seq > sight.began);
    let mut out: BTreeSet<HostId> = ledger.lost_here();
    out.extend(working);
    out.extend(unseen.map(|(host, _)| *host));
    let population = &ledger.planned().population;
    out.extend(sight.out.iter().map(|out| out.host).filter(|host| population.contains(host)));
    out.insert(host);
    let what = format!("{} hosts are out where {} may be: {out:?}", out.len(), ledger.slots());
    must(out.len() <= ledger.slots(), "budget", &what)?;
    must(!sight.blocked, "blocked", "no slot is given while the cluster does not answer or is not healthy")
}
