//! What ops change for a while, as their step kinds say it.

use serde::{Deserialize, Serialize};

use super::{MovedNode, Op, OpKind, calls_kubectl};

/// A change that is made to be put back later.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temporary {
    /// The host's node is cordoned.
    Cordon,
    /// A package is off hold.
    Unhold(String),
    /// Anything else, which the op's `undo` puts back.
    Undo,
}

impl Op {
    /// Reads from a command that people wrote what it does to holds and to the nodes of the cluster, and whether it calls
    /// kubectl. Of commands that a step kind made, the kind says it.
    pub fn read_command(&mut self) {
        let OpKind::Exec { argv } = &self.kind else { return };
        self.asks_api = calls_kubectl(argv, &self.stdin);
        self.moves = MovedNode::of_command(self);
        let [program, verb, dashes, packages @ ..] = argv.as_slice() else { return };
        if program != "apt-mark" || dashes != "--" {
            return;
        }
        let packages = packages.iter().cloned().map(Temporary::Unhold).collect();
        match verb.as_str() {
            "hold" => self.restores = packages,
            "unhold" => self.makes = packages,
            _ => {}
        }
    }
}
