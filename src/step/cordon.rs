//! The step `cordon`.

use super::arguments::{Arguments, arguments, word_arguments};
use super::build::{change, exactly, satisfied, would_change};
use super::cordoned::{self, CordonNow, CordonSet, Cordons, IfUncordoned};
use super::kind::Kind;
use super::node_state::{CordonOwner, checked_run, kubectl_probe, no_such_node, on_node, read_cordon};
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Role, Subject,
    Touches,
};
use crate::op::{Effect, Probe, ProbeOutput, run_symbol};
use crate::value::Value;

/// Keeps new pods off the host's node.
pub(crate) struct Cordon;

arguments! {
    /// Whose cordon it is, and what happens where it is taken away.
    pub(crate) struct CordonArgs {
        /// Take over the cordon that this earlier run left, instead of setting one; a node without it is left alone.
        adopt: Option<String>,
        /// What to do where somebody took the cordon away before a step disrupts under it: `cordon_again`, three times
        /// at most, or `fail` the host.
        if_uncordoned: IfCordonGone = IfCordonGone::Again,
    }
}

/// What is written for a cordon that is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IfCordonGone {
    Again,
    Fail,
}

word_arguments!(IfCordonGone { "cordon_again" => Again, "fail" => Fail });

impl Kind for Cordon {
    type Args = CordonArgs;

    const NAME: &'static str = "cordon";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Keeps new pods off the host's node until the next `uncordon`",
            body: "The node is marked unschedulable and annotated with the run (`rollbook.dev/cordoned-by`) in one patch, which the \
                   API server applies only where nobody has cordoned the node before. A node that somebody else cordoned \
                   stays theirs: the step goes on, the matching `uncordon` leaves the node cordoned, and it keeps counting \
                   as unavailable.\n\n\
                   Known limit: a person who cordons a node that this run has cordoned leaves no trace, and `uncordon` undoes \
                   both. `drain` cordons by itself.\n\n\
                   Up to the `uncordon`, the cordon is looked at again before every op that disrupts (`if_uncordoned`). Pods \
                   that are on the node are not asked about: `cordon` moves none.\n\n\
                   With `adopt` the cordon of an earlier run becomes this run's, and the next `uncordon` releases it. That is a \
                   goal: while it stands, what lies between it and the `uncordon` is not skipped, even where all else holds. \
                   `rollbook run --adopt-cordons RUN` adds such a step for every node that RUN left cordoned.",
            example: "- cordon: {}\n- uncordon: {}\n",
            shorthand: None,
        }
    }

    fn touches(&self, _: Option<&CordonArgs>) -> Touches {
        Touches::both(vec![Matter::Cordon])
    }

    fn cordons(&self) -> Option<&'static dyn Cordons> {
        Some(&Cordon)
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn lower(&self, args: &CordonArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let on = on_node(cx, Self::NAME)?;
        let (title, role, ops) = match args.adopt.as_deref().map(checked_run).transpose()? {
            Some(run) => (
                format!("take over the cordon of {} from run {run}", on.node),
                Role::Goal,
                vec![on.adopt(cx, &run)],
            ),
            None => (format!("cordon {}", on.node), Role::Means, on.cordon(cx).into()),
        };
        Ok(Lowered {
            title,
            role,
            effect: Effect::Disrupts,
            opens: vec![BracketKey::Cordon],
            closes: Vec::new(),
            probe: Some(kubectl_probe(on.kube, vec![on.node_query(), on.run_query(&run_symbol("id"))])),
            poll: None,
            ops,
            verify: None,
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &CordonArgs,
        subject: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [nodes, run] = exactly::<2>(answers)?;
        let Some((_, owner)) = read_cordon(nodes, run)? else { return Ok(no_such_node(subject)) };
        if let Some(run) = &args.adopt {
            return Ok(match owner {
                CordonOwner::Run(other) if other == *run => would_change(
                    vec![change("node", format!("cordoned by run {run}"), "cordoned by this run")],
                    Fidelity::Exact,
                ),
                _ => satisfied(format!("no cordon of run {run}")),
            });
        }
        Ok(match owner {
            CordonOwner::Us => satisfied("cordoned by this run"),
            CordonOwner::Run(_) | CordonOwner::Somebody => {
                satisfied(format!("cordoned by {owner}; stays theirs"))
            }
            CordonOwner::Nobody | CordonOwner::Lifted => {
                would_change(vec![change("node", "schedulable", "cordoned")], Fidelity::Exact)
            }
        })
    }
}

impl Cordons for Cordon {
    fn look(&self, _: &Value, cx: &LowerCx<'_>) -> Result<Probe, LowerError> {
        Ok(kubectl_probe(on_node(cx, Self::NAME)?.kube, cordoned::queries(cx, Self::NAME)?))
    }

    fn read(&self, args: &Value, set: CordonSet, answers: &[ProbeOutput]) -> Result<CordonNow, AssessError> {
        // A cordon that was to be taken over and was not there is none to look after.
        let adopts = CordonArgs::read(args).is_ok_and(|args| args.adopt.is_some());
        if adopts && !set.changed {
            return Ok(CordonNow::Stands);
        }
        let [nodes, run] = exactly::<2>(answers)?;
        Ok(cordoned::read(nodes, run, set)?.1)
    }

    fn if_uncordoned(&self, args: &Value) -> IfUncordoned {
        match CordonArgs::read(args).map(|args| args.if_uncordoned) {
            Ok(IfCordonGone::Fail) => IfUncordoned::Fail,
            Ok(IfCordonGone::Again) | Err(_) => IfUncordoned::Again,
        }
    }

    fn done_again(&self) -> &'static str {
        "cordoned"
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("cordon");
    }
}
