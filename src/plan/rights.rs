//! Rights that a plan needs of the cluster beyond a look at it: those for what its ops change through kubectl.

use super::Plan;
use crate::kubernetes::KubeCx;
use crate::kubernetes::rights::{Right, needed_by};
use crate::op::{Op, OpKind, Site, show_symbols};

/// Kinds of steps that are known later, with the call that stands for them.
const LATER: [(&str, &str); 3] = [("cordon", "cordon"), ("drain", "drain"), ("uncordon", "uncordon")];

impl Plan {
    /// Each right once, in the order in which the plan comes to them.
    pub fn needed_rights(&self) -> Vec<Right> {
        let Some(kube) = &self.kube else { return Vec::new() };
        let ops = self.actions.iter().flat_map(|action| &action.lowered.ops);
        let ops = ops.flat_map(|op| of_op(op, &kube.cx));
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

/// Of a call of kubectl as `kube:` says, and of no other: another program, or another account, needs others.
fn of_op(op: &Op, kube: &KubeCx) -> Vec<Right> {
    let OpKind::Exec { argv } = &op.kind else { return Vec::new() };
    let has_its_own = kube.kubeconfig.is_empty() && op.env.contains_key("KUBECONFIG");
    let Some(words) = argv.strip_prefix(kube.argv().as_slice()) else { return Vec::new() };
    if op.site != Site::Kube || has_its_own {
        return Vec::new();
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    needed_by(&words).into_iter().map(unnamed).collect()
}

/// A name that only the host knows is any.
fn unnamed(right: Right) -> Right {
    let name = right.name.filter(|name| show_symbols(name) == *name);
    Right { name, ..right }
}
