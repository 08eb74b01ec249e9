//! What a scenario says is on hosts from the beginning.

use super::setup::chosen;
use crate::inventory::{HostName, Inventory};
use crate::scenario::{Given, GivenWhat, Scenario};
use crate::simulation::Simulated;
use crate::source::Diagnostics;

/// All of it, with its hosts: all hosts where the scenario names none.
pub(super) fn on_hosts(
    scenario: Option<&Scenario>,
    inventory: &Inventory,
    diagnostics: &mut Diagnostics,
) -> Vec<(Vec<HostName>, GivenWhat)> {
    let given = scenario.map(|scenario| scenario.given.as_slice()).unwrap_or_default();
    let placed = |Given { hosts, what }: &Given| {
        let on = match hosts {
            Some(selector) => chosen(selector, inventory, diagnostics),
            None => inventory.hosts.keys().cloned().collect(),
        };
        (on, what.clone())
    };
    given.iter().map(placed).collect()
}

/// Puts one of it on a simulated host.
pub(super) fn put(simulated: &Simulated, host: &str, what: &GivenWhat) {
    match what {
        GivenWhat::Package { name, versions, repository, installed } => {
            for version in versions {
                simulated.offers(host, name, version, repository);
            }
            if let Some(version) = installed {
                simulated.has_package(host, name, version);
            }
        }
        GivenWhat::File { path, content } => simulated.put_file(host, path, content),
        GivenWhat::Port(port) => simulated.opens_port(host, *port),
    }
}
