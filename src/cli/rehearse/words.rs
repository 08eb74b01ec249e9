//! What a rehearsal says at its end of the simulated cluster, and of what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::super::terminal::Terminal;
use super::controller::Simulation;
use super::injector::LONGEST;
use super::setup::Staged;
use crate::inventory::HostName;
use crate::scenario::NodeNow;
use crate::simulation::{HostState, Simulated, SimulatedHost};
use crate::value::escape;

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

/// What a rehearsal took for granted: what people would have been asked, and what nobody simulates.
pub(super) fn taken(simulation: &Simulation, hosts: &[SimulatedHost]) -> Vec<String> {
    let mut lines = asked(&simulation.stage.asked());
    lines.extend(assumed(&simulation.simulated, hosts));
    lines
}

/// What people would have been asked, a line each; equal questions once.
fn asked(questions: &[(String, bool)]) -> Vec<String> {
    if questions.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["A person would have been asked:".to_owned()];
    for (text, is_approved) in questions {
        let answer = if *is_approved { "approved by the rehearsal" } else { "refused by the scenario" };
        let line = format!("  {}: {answer}", escape(text));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Why a rehearsal was stopped whose run waits longer than anybody simulates.
pub(super) fn too_long() -> String {
    format!("the rehearsal was stopped: it simulates {LONGEST} at most, and the run is not over by then")
}

/// What was taken to hold without being simulated, a line each.
pub(super) fn assumed(simulated: &Simulated, hosts: &[SimulatedHost]) -> Vec<String> {
    /// Hosts that are named; more are counted.
    const NAMED: usize = 3;
    let all = simulated.assumed();
    if all.is_empty() {
        return Vec::new();
    }
    let mut grouped: BTreeMap<String, (Vec<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (what, on) in &all {
        let (texts, seen) = grouped.entry(without_hosts(what, hosts)).or_default();
        texts.push(what);
        seen.extend(on.iter().map(String::as_str));
    }
    let line = |(common, (texts, on)): (&String, &(Vec<&str>, BTreeSet<&str>))| {
        let what = if let [one] = texts.as_slice() { one } else { common.as_str() };
        let times = if texts.len() > 1 { format!("{} of them, ", texts.len()) } else { String::new() };
        if on.len() <= NAMED {
            let names: Vec<&str> = on.iter().copied().collect();
            format!("  {what} ({times}on {})", names.join(", "))
        } else {
            format!("  {what} ({times}on {} hosts)", on.len())
        }
    };
    std::iter::once("Assumed, not simulated:".to_owned()).chain(grouped.iter().map(line)).collect()
}

/// A text with a mark in the place of every name of a host, so that what differs in nothing else is one line.
fn without_hosts(text: &str, hosts: &[SimulatedHost]) -> String {
    let is_host = |word: &str| {
        hosts.iter().any(|host| host.name.as_str() == word || host.node_name.as_deref() == Some(word))
    };
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_of_name(c) != is_of_name(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        shown.push_str(if is_host(word) { "HOST" } else { word });
        rest = after;
    }
    shown
}

fn matters(host: &SimulatedHost, state: &HostState) -> Vec<String> {
    let is_node = host.node_name.is_some();
    let mut matters = Vec::new();
    if is_node && state.ready != "True" {
        let why = &state.held_back_by;
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        matters.push(format!("Ready is {}{why}", state.ready));
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
        terminal.say("All expectations of the scenario were met.");
    }
}
