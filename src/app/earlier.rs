//! What earlier runs on the inventory of a plan took, as far as this machine has their records. An estimate is never worth
//! a failure: what cannot be read is left out, and only so much is read.

use std::io::Read;

use camino::Utf8PathBuf;

use super::connections::state_dir;
use crate::journal::{Recorded, RunDir, runs};
use crate::plan::{Expected, Plan, StepTimes};
use crate::report::took;
use crate::value::Duration;

/// The newest runs that are asked whether they were on the same inventory.
const LOOKED_AT: usize = 1000;
/// Of these, so many are read.
const READ: usize = 10;
/// The bytes of plans and journals that are read for it.
const MOST_BYTES: u64 = 32 << 20;

/// How long a plan is expected to take. `deadline` takes the place of its own.
pub(crate) fn expected(
    plan: &Plan,
    given_state_dir: Option<&Utf8PathBuf>,
    deadline: Option<Duration>,
) -> Expected {
    Expected::of(plan, &times(plan, given_state_dir), deadline)
}

fn times(plan: &Plan, given: Option<&Utf8PathBuf>) -> StepTimes {
    let mut times = StepTimes::default();
    let all = state_dir(given).ok().and_then(|state| runs(&state).ok()).unwrap_or_default();
    let newest = all.iter().rev().take(LOOKED_AT).filter(|run| may_be_on(run, &plan.inventory));
    let mut room = MOST_BYTES;
    let fits = |run: &&RunDir| {
        let left = room.checked_sub(size(run));
        left.inspect(|left| room = *left).is_some()
    };
    let read =
        newest.filter(fits).take(READ).filter(|run| !run.is_rehearsal()).filter_map(|run| run.read().ok());
    for Recorded { plan: of_run, history, .. } in read.filter(|run| run.plan.inventory == plan.inventory) {
        took(&mut times, &of_run, &history.events);
    }
    times
}

/// Whether a run may have been on this inventory, by the beginning of its plan: most others are seen without reading them.
fn may_be_on(run: &RunDir, inventory: &str) -> bool {
    const BEGINNING: u64 = 8 << 10;
    let wanted = format!("\"inventory\":{}", serde_json::Value::from(inventory));
    let mut beginning = Vec::new();
    let read =
        std::fs::File::open(run.plan()).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && String::from_utf8_lossy(&beginning).contains(&wanted)
}

fn size(run: &RunDir) -> u64 {
    let of = |path: Utf8PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
    of(run.plan()).saturating_add(of(run.journal()))
}
