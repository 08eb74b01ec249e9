//! The step `uncordon`.

use super::build::{change, exactly, satisfied, would_change};
use super::node_state::{Owner, kubectl_probe, no_such_node, on_node, read_cordon};
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Role, StepKind, Subject,
};
use crate::op::{Answer, Effect};
use crate::value::{Field, Value};

/// Lets new pods onto the host's node again.
pub(crate) struct Uncordon;

impl StepKind for Uncordon {
    fn name(&self) -> &'static str {
        "uncordon"
    }

    fn doc(&self) -> Doc {
        Doc {
            summary: "Lets new pods onto the host's node again, where this run cordoned it",
            body: "One patch that tests that the node's cordon is this run's and releases it with its annotations. A node that \
                   somebody else cordoned, or another run, stays cordoned and says so; it keeps counting as unavailable.",
            example: "- drain: {}\n- uncordon: {}\n",
            shorthand: None,
        }
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn lower(&self, _args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, self.name())?;
        Ok(Lowered {
            title: format!("uncordon {}", on.node),
            role: Role::Means,
            effect: Effect::Changes,
            opens: Vec::new(),
            closes: vec![BracketKey::Cordon],
            probe: Some(kubectl_probe(on.kube, vec![on.node_query(), on.run_query()])),
            poll: None,
            ops: vec![on.uncordon(cx)],
            verify: None,
            // Sent twice, the second fails its test; the probe then sees that the node is not cordoned.
            repeatable: false,
        })
    }

    fn assess(&self, _: &Value, subject: &Subject, answers: &[Answer]) -> Result<Assessment, AssessError> {
        let [nodes, run] = exactly::<2>(answers)?;
        let Some((_, owner)) = read_cordon(nodes, run)? else { return Ok(no_such_node(subject)) };
        Ok(match owner {
            Owner::Nobody => satisfied("not cordoned"),
            Owner::Us => {
                would_change(vec![change("node", "cordoned by this run", "schedulable")], Fidelity::Exact)
            }
            // The annotation must go too: a cordon that a person sets later would look like ours.
            Owner::Lifted => would_change(
                vec![change("annotation", "names this run, though the node is not cordoned", "removed")],
                Fidelity::Exact,
            ),
            Owner::Other(who) => satisfied(format!("stays cordoned: set by {who}")),
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("uncordon");
    }
}
