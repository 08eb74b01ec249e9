//! The commands that take back what a run did to a host, or may have done.

use crate::engine::{Outstanding, OutstandingChange, State};
use crate::op::RUN_ID_WORDS;
use crate::plan::{HostId, Plan};

/// The commands for a host, the last thing done first.
pub(super) fn ways_back(plan: &Plan, state: &State, host: HostId, run: &str) -> Vec<String> {
    let has_way = |made: &&Outstanding| made.host() == host && !made.undo.is_empty();
    let mut ways: Vec<&Outstanding> = state.outstanding().iter().filter(has_way).collect();
    // A command that moved several packages takes back all of them.
    ways.dedup_by_key(|made| made.sending);
    let is_known = |made: &&Outstanding| !made.in_doubt && made.change == OutstandingChange::Cordon;
    let is_cordoned = ways.iter().any(is_known);
    let command = |made: &Outstanding| match made.in_doubt {
        false => Some(plan.spelled(&made.undo, host).replace(RUN_ID_WORDS, run)),
        true if is_cordoned => None,
        true => Some(format!(
            "rollbook runs undo {run}  # whether the run cordoned {} is not known: this looks first",
            plan.host(host).subject.node.as_deref().unwrap_or_default()
        )),
    };
    let mut commands: Vec<String> = ways.into_iter().rev().filter_map(command).collect();
    commands.dedup();
    commands
}
