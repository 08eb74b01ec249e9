//! The step `cordon`.

use super::build::{change, exactly, satisfied, would_change};
use super::node_state::{Owner, kubectl_probe, no_such_node, on_node, read_cordon};
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Role, StepKind, Subject,
};
use crate::op::{Answer, Effect};
use crate::value::{Field, Value};

/// Keeps new pods off the host's node.
pub(crate) struct Cordon;

impl StepKind for Cordon {
    fn name(&self) -> &'static str {
        "cordon"
    }

    fn doc(&self) -> Doc {
        Doc {
            summary: "Keeps new pods off the host's node until the next `uncordon`",
            body: "The node is marked unschedulable and annotated with the run (`rollbook.dev/cordoned-by`) in one patch, which the \
                   API server applies only where nobody has cordoned the node before. A node that somebody else cordoned \
                   stays theirs: the step goes on, the matching `uncordon` leaves the node cordoned, and it keeps counting \
                   as unavailable.\n\n\
                   Known limit: a person who cordons a node that this run has cordoned leaves no trace, and `uncordon` undoes \
                   both. `drain` cordons by itself.",
            example: "- cordon: {}\n- uncordon: {}\n",
            shorthand: None,
        }
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn lower(&self, _args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, self.name())?;
        Ok(Lowered {
            title: format!("cordon {}", on.node),
            role: Role::Means,
            effect: Effect::Disrupts,
            opens: vec![BracketKey::Cordon],
            closes: Vec::new(),
            probe: Some(kubectl_probe(on.kube, vec![on.node_query(), on.run_query()])),
            poll: None,
            ops: on.cordon(cx).into(),
            verify: None,
            repeatable: true,
        })
    }

    fn assess(&self, _: &Value, subject: &Subject, answers: &[Answer]) -> Result<Assessment, AssessError> {
        let [nodes, run] = exactly::<2>(answers)?;
        let Some((_, owner)) = read_cordon(nodes, run)? else { return Ok(no_such_node(subject)) };
        Ok(match owner {
            Owner::Us => satisfied("cordoned by this run"),
            Owner::Other(who) => satisfied(format!("cordoned by {who}; stays theirs")),
            Owner::Nobody | Owner::Lifted => {
                would_change(vec![change("node", "schedulable", "cordoned")], Fidelity::Exact)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("cordon");
    }
}
