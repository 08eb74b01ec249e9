//! Properties of slots: who may go out of service, given what was seen.

use std::collections::BTreeSet;

use crate::engine::model::ledger::{Ledger, Page, Sight};
use crate::engine::{Event, HostStatus, Stamped, StopLevel};
use crate::plan::{DomainsTaken, HostId, Section};

use super::hosts::{has_looked, inside_bracket, needs_slot, waits_for_rescue};
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
            must(ledger.lost_here().len() < ledger.slots(), "halts", "nobody waits for failures")?;
            let cordoned = ledger.cordoned_here();
            let waits = |(host, page): (&HostId, &Page)| {
                page.ended.is_none() && !page.slot && cordoned.contains(host)
            };
            let is_out = ledger.hosts.iter().any(waits);
            let for_good = held_for_good(ledger).len();
            must(
                is_out || for_good < ledger.slots(),
                "halts",
                "nobody waits for what this run left cordoned",
            )?;
            waiting(ledger)
        }
        _ => Ok(()),
    }
}

/// Hosts that failed in this run, and those whose nodes it left cordoned.
pub(super) fn held_for_good(ledger: &Ledger<'_>) -> BTreeSet<HostId> {
    let mut held = ledger.lost_here();
    held.extend(ledger.left_cordoned());
    held
}

/// Who waits has to: no host that waits could go, and none of them waits for what this run's failures hold for good.
fn waiting(ledger: &Ledger<'_>) -> Result<(), Violation> {
    let held_back = waits_for_rescue(ledger);
    let wants = |(host, page): &(&HostId, &Page)| {
        page.ended.is_none()
            && !page.slot
            && !page.busy
            && !page.is_over(ledger.tasks_of(**host))
            && (page.part != Section::Steps || !held_back)
            && needs_slot(ledger, **host, page)
    };
    let sight = ledger.sight.as_ref().filter(|sight| sight.began > ledger.last_slot && !sight.blocked);
    for (host, _) in ledger.hosts.iter().filter(wants) {
        let with = |mut out: BTreeSet<HostId>| {
            out.insert(*host);
            out
        };
        let lost = with(ledger.lost_here());
        let is_out = ledger.cordoned_here().contains(host);
        must(is_out || zones_fit(ledger, &lost), "halts", "nobody waits for zones that failures hold")?;
        if let Some(sight) = sight {
            let out = with(out_for(ledger, sight, *host));
            let goes = out.len() <= ledger.slots()
                && (is_out || zones_fit(ledger, &out))
                && etcd_allows(ledger, sight, *host).is_ok();
            must(!goes, "first that fits", "nobody waits while a host that waits could go")?;
        }
    }
    Ok(())
}

/// Whether this run's failures alone keep a host that waits from ever going.
pub(super) fn is_barred(ledger: &Ledger<'_>, host: HostId, told: &DomainsTaken) -> bool {
    let lost = held_for_good(ledger);
    let waits = ledger.hosts.get(&host).is_some_and(|page| page.ended.is_none() && !page.slot);
    let is_told = zones(ledger, &lost)
        .iter()
        .all(|zone| told.domain == *zone || told.taken.iter().any(|taken| taken == zone));
    let with_host = lost.into_iter().chain([host]).collect();
    waits && is_told && !zones_fit(ledger, &with_host)
}

/// Hosts that the run has taken out and not brought back.
fn in_work(ledger: &Ledger<'_>) -> impl Iterator<Item = HostId> {
    let in_work =
        |page: &Page| page.slot && !matches!(page.ended, Some(HostStatus::Ok | HostStatus::Changed));
    ledger.hosts.iter().filter(move |(_, page)| in_work(page)).map(|(host, _)| *host)
}

/// Everybody who is out, as far as this look tells, or the run knows better.
fn out_of_service(ledger: &Ledger<'_>, sight: &Sight) -> BTreeSet<HostId> {
    // Whoever came back after the look began may have been seen too early.
    let unseen = ledger.hosts.iter().filter(|(_, page)| page.slot && page.ended_seq > sight.began);
    let mut out: BTreeSet<HostId> = ledger.lost_here();
    out.extend(in_work(ledger));
    out.extend(unseen.map(|(host, _)| *host));
    let population = &ledger.planned().population;
    out.extend(sight.out.iter().map(|out| out.host).filter(|host| population.contains(host)));
    out.extend(ledger.cordoned_here());
    out
}

/// Hosts that are out for no other reason than that this run left their nodes cordoned.
fn only_cordoned(ledger: &Ledger<'_>, sight: &Sight) -> BTreeSet<HostId> {
    let is_known = |host: &HostId| {
        let unseen = |page: &Page| page.slot && page.ended_seq > sight.began;
        ledger.lost_here().contains(host)
            || in_work(ledger).any(|other| other == *host)
            || ledger.hosts.get(host).is_some_and(unseen)
    };
    ledger.cordoned_here().into_iter().filter(|host| !is_known(host)).collect()
}

/// The same as it counts for a host: one that failed counts while something is done on it, though it never went out; but
/// not for another one that is being rescued.
fn out_for(ledger: &Ledger<'_>, sight: &Sight, host: HostId) -> BTreeSet<HostId> {
    let mut out = out_of_service(ledger, sight);
    // A host that was left cordoned itself takes nobody else out.
    let left = only_cordoned(ledger, sight);
    if left.contains(&host) {
        out.retain(|other| !left.contains(other));
    }
    let population = &ledger.planned().population;
    let (certain, open) = ledger.in_trouble();
    if !certain.contains(&host) && !open.contains(&host) {
        out.extend(certain.union(&open).filter(|host| population.contains(host)));
    }
    out
}

/// The zones in which these hosts stand.
fn zones<'a>(ledger: &Ledger<'a>, hosts: &BTreeSet<HostId>) -> Vec<&'a str> {
    let Some(topology) = &ledger.planned().topology else { return Vec::new() };
    let taken = topology.domains.iter().filter(|(_, here)| here.iter().any(|host| hosts.contains(host)));
    taken.map(|(zone, _)| zone.as_str()).collect()
}

fn zones_fit(ledger: &Ledger<'_>, hosts: &BTreeSet<HostId>) -> bool {
    let most = ledger.planned().topology.as_ref().map_or(0, |topology| topology.max_domains as usize);
    zones(ledger, hosts).len() <= most
}

/// Whether no other member of the host's etcd cluster is out or has failed, in whatever phase, and etcd says that all is
/// well.
fn etcd_allows(ledger: &Ledger<'_>, sight: &Sight, host: HostId) -> Result<(), Violation> {
    let seen = sight.etcd.iter().find(|seen| seen.host == host);
    let well = seen.is_none_or(|seen| seen.blocked.is_none());
    must(well, "etcd", "a member stays up while its cluster is not well, or cannot be asked")?;
    let Some(cluster) = ledger.etcd.get(&host).filter(|cluster| !cluster.is_empty()) else { return Ok(()) };
    let mut out = out_of_service(ledger, sight);
    out.extend(&ledger.lost);
    let fellow = out.iter().find(|other| **other != host && ledger.etcd.get(other) == Some(cluster));
    must(
        fellow.is_none(),
        "etcd",
        &format!("members {host:?} and {fellow:?} of one cluster are out together"),
    )
}

fn slot_taken(ledger: &Ledger<'_>, host: HostId) -> Result<(), Violation> {
    let page = &ledger.hosts[&host];
    must(page.ended.is_none() && !page.slot, "order", "a host takes one slot, while it is worked on")?;
    let looked = has_looked(ledger, host, page);
    must(looked, "look first", "a slot is taken only for something that is known to need it")?;
    let may = match ledger.stop() {
        None => true,
        Some(StopLevel::Graceful) => page.part != Section::Steps || inside_bracket(ledger, host, page),
        Some(StopLevel::Now) => false,
    };
    must(may, "stop", "after a stop a slot only closes a bracket")?;

    let is_held_back = page.part == Section::Steps && waits_for_rescue(ledger);
    must(!is_held_back, "limits", "nobody goes out while a rescue decides whether too many have failed")?;

    let sight =
        ledger.sight.as_ref().filter(|sight| sight.began > ledger.last_slot && ledger.look_began.is_none());
    let Some(sight) = sight else {
        return Err(Violation::new("fresh look", "the cluster was looked at since the last slot"));
    };
    if ledger.planned().rollout.control_planes {
        must(in_work(ledger).next().is_none(), "one control plane", "control planes go one at a time")?;
    }

    let mut out = out_for(ledger, sight, host);
    out.insert(host);
    let what = format!("{} hosts are out where {} may be: {out:?}", out.len(), ledger.slots());
    must(out.len() <= ledger.slots(), "budget", &what)?;
    let what = format!("hosts of these are out: {:?}", zones(ledger, &out));
    // Where a host is out already its zone is, too.
    let is_out = ledger.cordoned_here().contains(&host);
    must(is_out || zones_fit(ledger, &out), "topology", &what)?;
    etcd_allows(ledger, sight, host)?;
    must(!sight.blocked, "blocked", "no slot is given while the cluster does not answer or is not healthy")
}
