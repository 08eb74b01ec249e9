//! `apt_mark`: holds on packages. `hold` is a goal; `unhold` is a means that opens a bracket which `hold` closes.

use super::apt::{checked_package_name, hold_op, holds, lock_holder, no_apt};
use super::arguments::arguments;
use super::build::{change, exactly, probe, query, satisfied, would_change, wrong};
use super::kind::Kind;
use super::{
    AssessError, Assessment, BracketKey, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role,
    Subject, Touches, Verify,
};
use crate::op::{Effect, ProbeOutput, RunWhen};
use crate::value::{Duration, Type};

/// The kind `apt_mark`.
pub(crate) struct AptMark;

arguments! {
    /// Which packages are held, or let go.
    pub(crate) struct AptMarkArgs {
        /// Packages that must be on hold.
        hold: Option<Vec<String>> as (Type::Str.one_or_many()),
        /// Packages to take off hold, until a later `hold` of the same phase.
        unhold: Option<Vec<String>> as (Type::Str.one_or_many()),
    }
}

impl AptMarkArgs {
    /// Whether to hold, and which packages.
    fn spec(&self) -> (bool, Vec<&str>) {
        let names = self.hold.as_ref().or(self.unhold.as_ref());
        (self.hold.is_some(), names.into_iter().flatten().map(String::as_str).collect())
    }
}

impl Kind for AptMark {
    type Args = AptMarkArgs;

    const NAME: &'static str = "apt_mark";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Puts packages on hold, and takes them off",
            body: "\
`hold` is a goal: it holds when `apt-mark showhold` names every package. `unhold` has no state of its own to reach. It
opens a bracket that `hold` closes: when everything between them is as it should be, neither runs. An `unhold` without a
later `hold` in the phase is an error, because the next unattended upgrade would move the package.

`apt: { install: …, hold: true }` does both in one step, and puts the hold back also when installing fails.",
            example: "- apt_mark: { hold: [kubelet, kubeadm, kubectl] }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        match (written.contains(&"hold"), written.contains(&"unhold")) {
            (true, true) => {
                vec!["`hold` and `unhold` exclude each other: write one step for each".to_owned()]
            }
            (false, false) => vec!["nothing to do: write `hold` or `unhold`".to_owned()],
            _ => Vec::new(),
        }
    }

    fn touches(&self, _: Option<&AptMarkArgs>) -> Touches {
        Touches::both(vec![Matter::Holds])
    }

    fn transient(&self, stderr: &str) -> Option<String> {
        lock_holder(stderr).map(|holder| format!("the lock of apt or dpkg is held by {holder}"))
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn lower(&self, args: &AptMarkArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let (hold, names) = args.spec();
        if names.is_empty() {
            return Err(wrong(
                format!("`{}` is empty", if hold { "hold" } else { "unhold" }),
                "name a package, or leave the step out with `when`",
            ));
        }
        for name in &names {
            checked_package_name(name)?;
        }
        let mut op = hold_op(cx, hold, &names);
        op.when = RunWhen::InOrder;
        let brackets: Vec<_> = names.iter().map(|name| BracketKey::Hold((*name).to_owned())).collect();
        let look = probe(cx, vec![query(&["apt-mark", "showhold"])]);
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        Ok(Lowered {
            title: op.title.clone(),
            role: if hold { Role::Goal } else { Role::Means },
            effect: op.effect,
            opens: if hold { Vec::new() } else { brackets.clone() },
            closes: if hold { brackets } else { Vec::new() },
            probe: hold.then(|| look.clone()),
            poll: None,
            ops: vec![op],
            verify: Some(Verify { probe: look, poll }),
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &AptMarkArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        if let Some(refusal) = no_apt(answers) {
            return Ok(refusal);
        }
        let (hold, names) = args.spec();
        let [showhold] = exactly(answers)?;
        let on_hold = holds(showhold)?;
        let wrong = names.iter().filter(|name| on_hold.contains(**name) != hold);
        let (before, after) = if hold { ("not held", "held") } else { ("held", "not held") };
        let changes: Vec<_> = wrong.map(|name| change(*name, before, after)).collect();
        Ok(if changes.is_empty() {
            satisfied(format!("{} {after}", names.join(", ")))
        } else {
            would_change(changes, Fidelity::Exact)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::cases;

    #[test]
    fn cases_hold() {
        cases::run("apt_mark");
    }

    #[test]
    fn exactly_one_of_the_fields_is_written() {
        assert_eq!(AptMark.check(&["hold", "unhold"]).len(), 1);
        assert_eq!(AptMark.check(&[]).len(), 1);
        assert!(AptMark.check(&["unhold"]).is_empty());
    }

    #[test]
    fn names_that_are_options_are_refused() {
        for name in ["--auto", "-h", "", "a b", "kubelet-"] {
            assert!(cases::lower(&AptMark, &json!({ "hold": [name] }), &json!({})).is_err(), "{name}");
        }
    }
}
