//! The step `uncordon`.

use super::arguments::arguments;
use super::build::{change, exactly, satisfied, would_change};
use super::kind::Kind;
use super::node_state::{CordonOwner, checked_run, kubectl_probe, no_such_node, on_node, read_cordon};
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Role, Subject,
    Touches,
};
use crate::op::{Effect, ProbeOutput, run_symbol};

/// Lets new pods onto the host's node again.
pub(crate) struct Uncordon;

arguments! {
    /// Whose cordon is released.
    pub(crate) struct UncordonArgs {
        /// Release the cordon that this earlier run left, instead of this run's own. A goal then: where that run's cordon
        /// is gone, there is nothing to do.
        set_by: Option<String>,
    }
}

impl Kind for Uncordon {
    type Args = UncordonArgs;

    const NAME: &'static str = "uncordon";

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

    fn touches(&self, _: Option<&UncordonArgs>) -> Touches {
        Touches::both(vec![Matter::Cordon])
    }

    fn uncordons(&self) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn lower(&self, args: &UncordonArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, Self::NAME)?;
        let owner = args.set_by.as_deref().map_or_else(|| Ok(run_symbol("id")), checked_run)?;
        let title = match args.set_by.as_deref() {
            Some(run) => format!("uncordon {} (cordoned by run {run})", on.node),
            None => format!("uncordon {}", on.node),
        };
        Ok(Lowered {
            title,
            role: if args.set_by.as_deref().is_some() { Role::Goal } else { Role::Means },
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
        args: &UncordonArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [nodes, run] = exactly::<2>(answers)?;
        let Some((_, owner)) = read_cordon(nodes, run)? else {
            // Whoever took the node away took the cordon with it.
            let gone = || satisfied("the node is gone from the cluster");
            return Ok(args.set_by.as_deref().map_or_else(|| no_such_node(subject), |_| gone()));
        };
        let whose = args.set_by.as_deref().map_or_else(|| "this run".to_owned(), |run| format!("run {run}"));
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

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("uncordon");
    }
}
