//! Which operating system a host has, by what was recorded of it or else by its labels: what cannot be simulated is not
//! rehearsed as if it were something else.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::AppError;
use crate::app::load::Loaded;
use crate::inventory::{Host, HostName};
use crate::report::ExitKind;
use crate::simulation::{Simulated, SimulatedHost, SimulatedRecord, System, label_of_system};
use crate::value::escape;

/// Stops where a host that a phase works on has a system that cannot be simulated.
pub(super) fn refuse(loaded: &Loaded, record: Option<&SimulatedRecord>) -> Result<(), AppError> {
    let inventory = &loaded.inventory;
    let chosen = loaded.runbook.phases.iter().filter_map(|phase| phase.hosts.value.select(inventory).ok());
    let worked_on: BTreeSet<HostName> = chosen.flatten().collect();
    let limit = loaded.limit.as_ref().and_then(|limit| limit.select(inventory).ok());
    let is_wanted = |host: &&Host| {
        worked_on.contains(&host.name) && limit.as_ref().is_none_or(|limit| limit.contains(&host.name))
    };
    let wanted = inventory.hosts.values().filter(is_wanted);
    let named =
        wanted.filter_map(|host| Some((&host.name, named(host.name.as_str(), &host.labels, record)?)));
    let others: Vec<_> = named.filter(|(_, named)| System::of(named.word) == System::Other).collect();
    let Some(((host, NamedSystem { source, word }), rest)) = others.split_first() else { return Ok(()) };
    let more = match rest.len() {
        0 => String::new(),
        1 => " and 1 other host".to_owned(),
        more => format!(" and {more} other hosts"),
    };
    Err(AppError::new(ExitKind::Invalid, format!("cannot simulate {host}{more}: {source} is `{word}`")).hint("only Linux with apt can be rehearsed: leave these hosts out with --limit, and try the runbook on one of them"))
}

/// Notes the hosts whose system has a name that nobody knows.
pub(super) fn assume(simulated: &Simulated, hosts: &[SimulatedHost], record: Option<&SimulatedRecord>) {
    for host in hosts {
        let named = named(host.name.as_str(), &host.labels, record);
        if let Some(NamedSystem { source, word }) =
            named.filter(|named| System::of(named.word) == System::Unknown)
        {
            let what = format!("{source} is `{}`, which is Linux with apt", escape(word));
            simulated.note_assumed(host.name.as_str(), &what);
        }
    }
}

/// What names a host's system.
struct NamedSystem<'a> {
    /// Where it stands.
    source: String,
    word: &'a str,
}

/// What was recorded is so; a label is what somebody wrote once.
fn named<'a>(
    host: &str,
    labels: &'a BTreeMap<String, String>,
    record: Option<&'a SimulatedRecord>,
) -> Option<NamedSystem<'a>> {
    let recorded = record.and_then(|record| record.hosts.get(host)).map(|host| host.os.as_str());
    match recorded.filter(|os| !os.is_empty()) {
        Some(word) => Some(NamedSystem { source: "its recorded system".to_owned(), word }),
        None => {
            let (label, word) = label_of_system(labels)?;
            Some(NamedSystem { source: format!("its label `{label}`"), word })
        }
    }
}
