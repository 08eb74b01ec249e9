//! What a journal tells of the patch that sets or releases a node's cordon. kubectl exits 1 for every failure, so only
//! its last line says whether the API server refused the patch, or took it and was not heard. Pure.

use super::Lowered;
use crate::kubernetes::kubectl_errors::{KubectlError, causes};
use crate::op::{Exit, Temporary};

/// What came of the patch of a cordon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patched {
    /// It was applied.
    Applied,
    /// A test in it failed, or there is no such node: the cordon is not what it was about. Nothing was changed.
    NotMeant,
    /// It was refused, or never sent. Nothing was changed.
    Refused,
    /// Nobody knows: a time limit, a lost answer, words that nobody has seen yet. Only the node can tell.
    InDoubt,
}

/// Reads how the patch ended.
pub fn patched(exit: Exit, last_line: &str) -> Patched {
    match exit {
        Exit::Code(0) => Patched::Applied,
        // The shell's word for a program that is not there.
        Exit::Code(127) => Patched::Refused,
        Exit::Code(1) => match causes(last_line).first() {
            Some(KubectlError::TestFailed) => Patched::NotMeant,
            Some(KubectlError::NotFound) if names_a_missing_node(last_line) => Patched::NotMeant,
            Some(KubectlError::Forbidden | KubectlError::Kubeconfig | KubectlError::Usage) => {
                Patched::Refused
            }
            _ => Patched::InDoubt,
        },
        _ => Patched::InDoubt,
    }
}

/// Whether kubectl says that there is no such node. A proxy, or an API server that is half up, finds no such resource: that
/// says nothing of the node.
fn names_a_missing_node(line: &str) -> bool {
    let Some((_, name)) = line.split_once("nodes \"") else { return false };
    name.split_once('"').is_some_and(|(name, rest)| !name.is_empty() && rest.trim() == "not found")
}

impl Lowered {
    /// Whether this op is the one that sets a cordon, or takes one over. What comes after it in a step, such as a drain,
    /// may work under the cordon of another hand.
    pub fn sets_cordon(&self, op: u16) -> bool {
        self.ops.get(usize::from(op)).is_some_and(|op| op.makes.contains(&Temporary::Cordon))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_say_so_prove_that_nothing_was_changed() {
        let cases = [
            (Exit::Code(0), "", Patched::Applied),
            (Exit::Code(1), "The request is invalid", Patched::NotMeant),
            (Exit::Code(1), "Error from server (NotFound): nodes \"w1\" not found", Patched::NotMeant),
            // A proxy, or an API server that is half up: it says nothing of the node.
            (
                Exit::Code(1),
                "Error from server (NotFound): the server could not find the requested resource",
                Patched::InDoubt,
            ),
            (Exit::Code(1), "Error from server (NotFound): pods \"w1\" not found", Patched::InDoubt),
            (Exit::Code(1), "Error from server (Forbidden): nodes \"w1\" is forbidden", Patched::Refused),
            (Exit::Code(127), "", Patched::Refused),
            (Exit::Code(1), "Unable to connect to the server: EOF", Patched::InDoubt),
            // Journals from before the last line was recorded.
            (Exit::Code(1), "", Patched::InDoubt),
            (Exit::Code(1), "words that nobody has seen yet", Patched::InDoubt),
            (Exit::TimedOut, "", Patched::InDoubt),
            (Exit::Signal(9), "", Patched::InDoubt),
            (Exit::Interrupted, "", Patched::InDoubt),
        ];
        for (exit, line, expected) in cases {
            assert_eq!(patched(exit, line), expected, "{exit:?} {line:?}");
        }
    }
}
