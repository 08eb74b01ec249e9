//! Hosts whose node this run itself takes out of the cluster or lets in, as its ops say. What such a node is afterwards is
//! the run's own work, and no drift. Told by the events alone, so that a resumed run knows the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Stamped};
use crate::op::{MovedNode, Op};
use crate::plan::{HostId, Plan, StepRef};

/// Hosts by the number of ops that began, or may have, and change whether their node is of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership(BTreeMap<HostId, u32>);

impl Membership {
    /// What these events came to.
    pub fn of(plan: &Plan, events: &[Stamped]) -> Self {
        let mut membership = Self::default();
        for stamped in events {
            membership.note(plan, &stamped.event);
        }
        membership
    }

    /// One more event.
    pub fn note(&mut self, plan: &Plan, event: &Event) {
        let (task, op, began) = match *event {
            Event::OpStarted { task, op, .. } => (task, op, true),
            // It was about to be sent and never began.
            Event::OpNotStarted { task, op, .. } => (task, op, false),
            _ => return,
        };
        let moves = match (plan.lowered(task), plan.task(task).step) {
            (Some(lowered), _) => lowered.ops.get(usize::from(op)).map(|op| op.moves.clone()),
            (None, StepRef::Deferred(id)) => plan.deferred.get(id.0 as usize).map(|step| step.moves.clone()),
            (None, StepRef::Action(_)) => None,
        };
        for host in hosts_moved(plan, task.host, &moves.unwrap_or_default()) {
            let count = self.0.entry(host).or_default();
            *count = if began { *count + 1 } else { count.saturating_sub(1) };
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// Whether the host's node is this run's own work.
    pub fn is_own(&self, host: HostId) -> bool {
        self.0.contains_key(&host)
    }

    /// All such hosts.
    pub fn hosts(&self) -> BTreeSet<HostId> {
        self.0.keys().copied().collect()
    }
}

/// Hosts whose node is moved on behalf of `host`.
fn hosts_moved(plan: &Plan, host: HostId, moves: &[MovedNode]) -> BTreeSet<HostId> {
    let hosts = moves.iter().flat_map(|node| match node {
        MovedNode::Own => vec![host],
        MovedNode::Named(name) | MovedNode::Deleted(name) => named(plan, host, name).into_iter().collect(),
        MovedNode::Any => (0..).zip(&plan.hosts).map(|(number, _)| HostId(number)).collect(),
    });
    hosts.collect()
}

/// The hosts whose Node is gone when an op has succeeded.
pub(super) fn nodes_deleted(plan: &Plan, host: HostId, op: &Op) -> Vec<HostId> {
    let gone = op.moves.iter().filter_map(|node| match node {
        MovedNode::Deleted(name) => named(plan, host, name),
        MovedNode::Own | MovedNode::Named(_) | MovedNode::Any => None,
    });
    gone.collect()
}

fn named(plan: &Plan, host: HostId, name: &str) -> Option<HostId> {
    plan.host_of_node(&plan.spelled(name, host))
}
