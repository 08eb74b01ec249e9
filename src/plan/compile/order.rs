//! How a phase's hosts follow each other. Pure.

use crate::inventory::{HostName, Inventory};
use crate::runbook::{HostOrder, Phase};

/// The hosts of a phase, which its selector gave in the inventory's order, in the order that it asks for.
pub(super) fn ordered(phase: &Phase, mut hosts: Vec<HostName>, inventory: &Inventory) -> Vec<HostName> {
    let selector = &phase.hosts.value;
    let groups = match phase.rollout.order {
        Some(HostOrder::Inventory) => return hosts,
        Some(HostOrder::Sorted) => {
            hosts.sort();
            return hosts;
        }
        Some(HostOrder::Group) => selector.groups(inventory),
        None | Some(HostOrder::Reverse) => selector.only_group(inventory).into_iter().collect(),
    };
    let listed: indexmap::IndexSet<&HostName> = groups.iter().flat_map(|group| &group.listed).collect();
    // Hosts that no group lists come last, as the inventory has them: sorting is stable.
    hosts.sort_by_key(|host| listed.get_index_of(host).unwrap_or(usize::MAX));
    if phase.rollout.order == Some(HostOrder::Reverse) {
        hosts.reverse();
    }
    hosts
}
