//! Nodes that were last seen not to be Ready: what no uncordon mends. A fold of the events.

use std::collections::BTreeMap;

use crate::engine::{Event, TaskEnd};
use crate::plan::{HostId, OutCause, OutOfService, Plan};
use crate::step::Assessment;

/// Hosts with such a node, and the words that told so.
#[derive(Default)]
pub(super) struct Nodes {
    sick: BTreeMap<HostId, String>,
}

impl Nodes {
    pub(super) fn take(&mut self, plan: &Plan, event: &Event) {
        let (host, words) = match event {
            Event::Observed { out, .. } => return self.observed(out),
            Event::TaskWaiting { task, reason, .. } => (task.host, reason),
            Event::TaskProbed { task, assessment: Assessment::NotYet { reason }, .. } => (task.host, reason),
            Event::TaskEnded { task, end: TaskEnd::Failed { failure }, .. } => (task.host, &failure.message),
            Event::TaskEnded { task, end: TaskEnd::Satisfied { state }, .. } => (task.host, state),
            _ => return,
        };
        let Some(node) = plan.host(host).subject.node.as_deref() else { return };
        match condition(words, node) {
            Some("Ready") => drop(self.sick.remove(&host)),
            Some(condition) => drop(self.sick.insert(host, format!("its node is {condition}"))),
            None => {}
        }
    }

    fn observed(&mut self, out: &[OutOfService]) {
        for OutOfService { host, cause } in out {
            if let OutCause::NotReady(_) = cause {
                self.sick.entry(*host).or_insert_with(|| "its node is not Ready".to_owned());
            }
        }
    }

    /// What is wrong with the node of a host, as far as the run saw it.
    pub(super) fn wrong(&self, host: HostId) -> Option<String> {
        self.sick.get(&host).cloned()
    }
}

/// What our own words say of a node: "node w01 is `NotReady`".
fn condition<'t>(words: &'t str, node: &str) -> Option<&'t str> {
    let (_, rest) = words.split_once(&format!("node {node} is "))?;
    let word = rest.split(|letter: char| !letter.is_ascii_alphabetic()).next()?;
    ["Ready", "NotReady", "Unknown"].contains(&word).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_from_our_own_words() {
        for (words, seen) in [
            ("not within 5m: node w1 is NotReady", Some("NotReady")),
            ("node w1 is Ready, and its kubelet reports v1.30.8, not 1.31.4", Some("Ready")),
            ("node w1 is Unknown", Some("Unknown")),
            ("node w10 is NotReady", None),
            ("node w1 is cordoned", None),
        ] {
            assert_eq!(condition(words, "w1"), seen, "{words}");
        }
    }
}
