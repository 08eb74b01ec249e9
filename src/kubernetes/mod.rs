//! What Rollbook knows of Kubernetes, as data and pure functions: what to ask of the API through narrow templates and
//! what the answers mean, disruption budgets, skew and hops, quorum, what kubectl's failures say. Nothing here runs
//! anything, and nothing here knows of steps, hosts or plans.

pub mod drain;
pub mod flags;
pub mod kubeadm;
mod kubectl;
pub mod kubectl_errors;
pub mod lease;
pub mod manifest;
pub mod node;
pub mod pdb;
pub mod pod;
pub mod quorum;
pub mod removed;
pub mod rights;
mod rows;
mod selector;
pub mod skew;
pub mod traps;

pub use kubectl::KubeCx;
pub use rows::RowError;

/// Annotation: the run that owns a node's cordon.
pub const CORDONED_BY: &str = "rollbook.dev/cordoned-by";
/// Annotation: when that run started, in RFC 3339.
pub const CORDONED_AT: &str = "rollbook.dev/cordoned-at";
/// Annotation: the version up to which `kubeadm upgrade node` has run on a worker, which leaves no other trace there.
pub const KUBEADM_NODE: &str = "rollbook.dev/kubeadm-node";

/// The first few of a list of names, and how many there are.
pub(crate) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_list_is_counted() {
        let names: Vec<String> = (0..5).map(|n| format!("p{n}")).collect();
        assert_eq!(some_of(&names), "p0, p1, p2 and 2 more");
        assert_eq!(some_of(&names[..3]), "p0, p1, p2");
    }
}
