//! What runs leave of records on hosts goes when they end. What could not be removed is written down beside the run's record, and
//! removed at the next chance.

use std::fs;

use camino::Utf8Path;

use super::connections::Connections;
use crate::engine::History;
use crate::executor::{Swept, Unswept, hush, places, sweep};
use crate::journal::{RunDir, runs};
use crate::kubernetes::some_of;
use crate::plan::Plan;

/// Places where a run's records lie that is over.
const FILE: &str = "unswept";

/// How many of the newest runs are looked at for whether they are over.
const LOOKED_AT: usize = 20;

/// Sweeps behind a run that is over, or empties what must not stay on hosts while it can go on. Gives a line for people
/// where something stays.
pub(crate) async fn behind(
    plan: &Plan,
    history: &History,
    run_dir: &RunDir,
    connections: &Connections,
) -> Option<String> {
    let pools = (&connections.pool, &connections.controller);
    if history.state.can_resume() {
        let left = hush(plan, history, pools).await;
        return told("what commands said that were given a secret", &left, "`rollbook resume` tries again");
    }
    let mine = places(plan, history);
    // Before anything: a controller that is killed meanwhile has left them.
    note(run_dir, &mine.iter().cloned().collect::<Vec<_>>());
    let over = others(run_dir).iter().filter_map(id).chain(history.run().map(str::to_owned)).collect();
    let left = sweep(mine, over, pools).await;
    note(run_dir, &left.iter().map(|left| left.place.clone()).collect::<Vec<_>>());
    told("records of this run", &left, "the next run from here that reaches them tries again")
}

/// Sweeps behind earlier runs of a state directory, on hosts of the plan that keep records of theirs.
pub(crate) async fn before(plan: &Plan, state_dir: &Utf8Path, connections: &Connections) {
    let pools = (&connections.pool, &connections.controller);
    for record in runs(state_dir).unwrap_or_default() {
        let Some(noted) = noted(&record) else { continue };
        let (Some(id), Ok(recorded)) = (id(&record), record.read()) else { continue };
        let is_here = |place: &Swept| match &place.host {
            Some(host) => [plan, &recorded.plan]
                .map(|plan| plan.find_host(host).map(|host| plan.host(host).address.as_str()))
                .windows(2)
                .all(|found| found[0].is_some() && found[0] == found[1]),
            None => true,
        };
        let (here, mut elsewhere): (Vec<Swept>, Vec<Swept>) = noted.into_iter().partition(is_here);
        if !here.is_empty() {
            let left = sweep(here, vec![id], pools).await;
            elsewhere.extend(left.into_iter().map(|left| left.place));
            note(&record, &elsewhere);
        }
    }
}

/// Runs beside this one.
fn others(run_dir: &RunDir) -> Vec<RunDir> {
    let beside = run_dir.path().parent().filter(|runs| runs.file_name() == Some("runs"));
    let all =
        beside.and_then(Utf8Path::parent).and_then(|state_dir| runs(state_dir).ok()).unwrap_or_default();
    all.into_iter().filter(|other| other.id() != run_dir.id()).rev().take(LOOKED_AT).collect()
}

/// The id of a run that can never go on: nobody needs its records on hosts any more.
fn id(record: &RunDir) -> Option<String> {
    let history = record.read().ok()?.history;
    let is_over = !history.state.can_resume() || record.superseded().is_some();
    history.run().filter(|_| is_over && !record.is_rehearsal()).map(str::to_owned)
}

fn noted(record: &RunDir) -> Option<Vec<Swept>> {
    serde_json::from_slice(&fs::read(record.path().join(FILE)).ok()?).ok()
}

/// What cannot be written down is told all the same.
fn note(record: &RunDir, places: &[Swept]) {
    let path = record.path().join(FILE);
    let _ = match serde_json::to_vec(places) {
        Ok(json) if !places.is_empty() => fs::write(path, json),
        _ => fs::remove_file(path),
    };
}

fn told(what: &str, left: &[Unswept], then: &str) -> Option<String> {
    let name = |left: &Unswept| {
        left.place.host.as_ref().map_or_else(|| "this machine".to_owned(), ToString::to_string)
    };
    let mut names: Vec<String> = left.iter().map(name).collect();
    names.dedup();
    let first = left.first()?;
    let (count, names) = (names.len(), some_of(&names));
    Some(format!(
        "warning: {what} could not be removed from {count} of the hosts ({names}): {}; {then}",
        first.why
    ))
}
