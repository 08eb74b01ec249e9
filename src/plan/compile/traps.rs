//! What is known to break on the way to the version that a plan goes to, for its reader.

use super::{CompileInput, Knowledge, warning};
use crate::kubernetes::some_of;
use crate::kubernetes::traps::{Concern, Machine, Trap, on_the_way};
use crate::plan::{Action, Warning};
use crate::value::{Value, Version};

/// Warns of the traps of the hop, unless facts say that they concern nobody. Without a look at the cluster nothing is known
/// of the hop.
pub(super) fn warn<'p>(
    input: &CompileInput<'_>,
    actions: impl Iterator<Item = &'p Action>,
    warnings: &mut Vec<Warning>,
) {
    let Knowledge::Live { hosts, cluster: Some(cluster) } = input.knowledge else { return };
    let Ok(from) = Version::parse(&cluster.server_version) else { return };
    let Some(to) = actions.filter_map(target).max_by(|a, b| a.cmp_precedence(b)) else { return };
    // What a node says and what its host says are two views of one machine; each trap asks for one of them.
    let nodes = cluster.nodes.iter().map(|(name, node)| Machine {
        name,
        runtime: &node.runtime,
        ..Machine::default()
    });
    let machines = hosts.iter().map(|(name, facts)| Machine {
        name: name.as_str(),
        cgroup: &facts.cgroup,
        ..Machine::default()
    });
    let machines: Vec<Machine<'_>> = nodes.chain(machines).collect();
    for trap in on_the_way(&from, to) {
        warnings.extend(about(trap, &machines));
    }
}

/// The version that an action brings the control plane to.
fn target(action: &Action) -> Option<&Version> {
    let field = match action.kind.as_str() {
        "kubeadm" => "version",
        "node_support" | "version_skew" => "target",
        _ => return None,
    };
    match action.args.get(field) {
        Some(Value::Version(version)) => Some(version),
        _ => None,
    }
}

fn about(trap: &Trap, machines: &[Machine<'_>]) -> Option<Warning> {
    let whom = match trap.concern(machines) {
        Concern::Nobody => return None,
        Concern::Anybody => String::new(),
        Concern::These(names) => format!(" (here: {})", some_of(&names)),
    };
    Some(warning(format!("since {}, {}{whom}", trap.since, trap.what), trap.source))
}
