//! The step `uncordon`.

use std::sync::LazyLock;

use super::args::Args;
use super::build::{change, exactly, satisfied, would_change};
use super::node_state::{CordonOwner, checked_run, kubectl_probe, no_such_node, on_node, read_cordon};
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Role, StepKind,
    Subject, Touches,
};
use crate::op::{Effect, ProbeOutput, run_symbol};
use crate::value::{Field, Type, Value};

/// Lets new pods onto the host's node again.
pub(crate) struct Uncordon;

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![Field::optional(
        "set_by",
        Type::Str,
        "Release the cordon that this earlier run left, instead of this run's own. A goal then: where that run's cordon \
         is gone, there is nothing to do.",
    )]
});

impl StepKind for Uncordon {
    fn name(&self) -> &'static str {
        "uncordon"
    }

    fn doc(&self) -> Doc {
        Doc {
            summary: "Lets new pods onto the host's node again, where this run cordoned it",
            body: "One patch that tests that the node's cordon is this run's and releases it with its annotations. A node that \
                   somebody else cordoned, or another run, stays cordoned and says so; it keeps counting as unavailable.\n\n\
                   `rollbook runs undo` is made of `set_by` and `apt_mark`: it puts back what a run left that will not go on.",
            example: "- drain: {}\n- uncordon: {}\n",
            shorthand: None,
        }
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touches(&self, _: &Value) -> Touches {
        Touches::both(vec![Matter::Cordon])
    }

    fn uncordons(&self) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn lower(&self, args: &Value, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, self.name())?;
        let owner = set_by(args).map_or_else(|| Ok(run_symbol("id")), checked_run)?;
        let title = match set_by(args) {
            Some(run) => format!("uncordon {} (cordoned by run {run})", on.node),
            None => format!("uncordon {}", on.node),
        };
        Ok(Lowered {
            title,
            role: if set_by(args).is_some() { Role::Goal } else { Role::Means },
            effect: Effect::Changes,
            opens: Vec::new(),
            closes: vec![BracketKey::Cordon],
            probe: Some(kubectl_probe(on.kube, vec![on.node_query(), on.run_query(&owner)])),
            poll: None,
            ops: vec![on.uncordon(cx, &owner)],
            verify: None,
            // Sent twice, the second fails its test; the probe then sees that the node is not cordoned.
            repeatable: false,
        })
    }

    fn assess(
        &self,
        args: &Value,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [nodes, run] = exactly::<2>(answers)?;
        let Some((_, owner)) = read_cordon(nodes, run)? else {
            // Whoever took the node away took the cordon with it.
            let gone = || satisfied("the node is gone from the cluster");
            return Ok(set_by(args).map_or_else(|| no_such_node(subject), |_| gone()));
        };
        let whose = set_by(args).map_or_else(|| "this run".to_owned(), |run| format!("run {run}"));
        Ok(match owner {
            CordonOwner::Nobody => satisfied("not cordoned"),
            CordonOwner::Us => would_change(
                vec![change("node", format!("cordoned by {whose}"), "schedulable")],
                Fidelity::Exact,
            ),
            // The annotation must go too: a cordon that a person sets later would look like ours.
            CordonOwner::Lifted => would_change(
                vec![change(
                    "annotation",
                    format!("names {whose}, though the node is not cordoned"),
                    "removed",
                )],
                Fidelity::Exact,
            ),
            CordonOwner::Run(_) | CordonOwner::Somebody => {
                satisfied(format!("stays cordoned: set by {owner}"))
            }
        })
    }
}

fn set_by(args: &Value) -> Option<&str> {
    Args(args).text("set_by")
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("uncordon");
    }
}
