//! Rights that a plan needs of the cluster beyond a look at it: those for what its ops change through kubectl.

use super::Plan;
use crate::kubernetes::rights::{Right, needed_by};
use crate::op::{Op, OpKind, Site};

/// Kinds of steps that are known later, with the call that stands for them.
const LATER: [(&str, &str); 3] = [("cordon", "cordon"), ("drain", "drain"), ("uncordon", "uncordon")];

impl Plan {
    /// Each right once, in the order in which the plan comes to them.
    pub fn needed_rights(&self) -> Vec<Right> {
        let ops = self.actions.iter().flat_map(|action| &action.lowered.ops).flat_map(of_op);
        let later = self.deferred.iter().filter_map(|step| LATER.iter().find(|(kind, _)| *kind == step.kind));
        let later = later.flat_map(|(_, verb)| needed_by(&[verb]));
        let mut rights = Vec::new();
        for right in ops.chain(later) {
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
        rights
    }
}

fn of_op(op: &Op) -> Vec<Right> {
    match &op.kind {
        OpKind::Exec { argv } if op.site == Site::Kube => {
            let words: Vec<&str> = argv.iter().skip(1).map(String::as_str).collect();
            needed_by(&words)
        }
        _ => Vec::new(),
    }
}
