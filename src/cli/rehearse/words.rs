//! What a rehearsal says at its end of the simulated cluster, and of what was expected.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::terminal::Terminal;
use super::staged::Staged;
use crate::inventory::HostName;
use crate::scenario::NodeNow;
use crate::transport::simulated::{HostState, Simulated, SimulatedHost};

/// Nodes as an expectation sees them.
pub(super) fn nodes(simulated: &Simulated, hosts: &[SimulatedHost]) -> BTreeMap<HostName, NodeNow> {
    let nodes = hosts.iter().filter(|host| host.node_name.is_some()).filter_map(|host| {
        let HostState { cordoned, ready, kubelet, held, .. } = simulated.host(host.name.as_str())?;
        Some((host.name.clone(), NodeNow { cordoned, ready: ready == "True", kubelet, held }))
    });
    nodes.collect()
}

/// The state that is left: versions, and every host with which something is the matter.
pub(super) fn left(simulated: &Simulated, hosts: &[SimulatedHost]) -> String {
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    let mut odd = String::new();
    for host in hosts {
        let Some(state) = simulated.host(host.name.as_str()) else { continue };
        if host.node_name.is_some() {
            *versions.entry(state.kubelet.clone()).or_default() += 1;
        }
        let matters = matters(host, &state);
        if !matters.is_empty() {
            writeln!(odd, "  {}: {}", host.name, matters.join(", "))
                .expect("invariant: writing to a string works");
        }
    }
    let versions: Vec<String> =
        versions.iter().map(|(version, count)| format!("{count} at {version}")).collect();
    let versions = if versions.is_empty() { "no nodes".to_owned() } else { versions.join(", ") };
    format!("\nThe simulated cluster: {versions}\n{odd}").trim_end().to_owned()
}

fn matters(host: &SimulatedHost, state: &HostState) -> Vec<String> {
    let is_node = host.node_name.is_some();
    let mut matters = Vec::new();
    if is_node && state.ready != "True" {
        matters.push(format!("Ready is {}", state.ready));
    }
    if is_node && state.cordoned {
        let by = state.annotations.get("rollbook.dev/cordoned-by");
        matters.push(by.map_or_else(
            || "cordoned by somebody else".to_owned(),
            |run| format!("cordoned by this run ({run})"),
        ));
    }
    if state.dpkg_broken {
        matters.push("packages half-installed: `dpkg --configure -a` mends them".to_owned());
    }
    matters
}

/// Says whether everything came as the scenario expects.
pub(super) fn expected(staged: &Staged, differences: &[String], terminal: &Terminal) {
    let Some(scenario) = &staged.scenario else { return };
    for difference in differences {
        terminal.say(&format!("not as expected: {difference}"));
    }
    if differences.is_empty() && scenario.expect.is_some() {
        terminal.say("Everything came as the scenario expects.");
    }
}
