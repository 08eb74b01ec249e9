//! `systemctl`: units that run, are enabled or masked, and processes that are newer than what they were started from.
//! What a step asks for is in [`spec`], what a look at units says in [`units`], what processes were started from in
//! [`sources`].

mod arguments;
mod sources;
mod spec;
mod units;

use self::arguments::SystemctlArgs;
use self::spec::{Goal, UnitSpec, UnitVerb, VERBS};
use super::build::{probe, satisfied, would_change, wrong};
use super::kind::Kind;
use super::{
    AssessError, Assessment, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::op::{Effect, ProbeOutput};
use crate::value::Duration;

/// The kind `systemctl`.
pub(crate) struct Systemctl;

impl Kind for Systemctl {
    type Args = SystemctlArgs;

    const NAME: &'static str = "systemctl";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Starts, stops, restarts, enables and masks units of systemd",
            body: "\
Every field is a goal of its own, and only what does not hold is a reason to run. Operations go in the order
`daemon_reload`, `unmask`, `mask`, `enable`, `disable`, `stop`, `start`, `restart`.

**`restart` is a goal too:** *the running process is newer than what it was started from.* It holds when the unit is
active, its main process does not run a binary that was replaced meanwhile (`/proc/PID/exe` is marked deleted, which is
what a package upgrade leaves behind), and it started after the last change of its unit files, its drop-ins and its known
configuration (kubelet, containerd, cri-o and Docker have theirs built in; `newer_than` adds more). Changes are taken
from the inode's change time, because packages carry the modification times of their build. So a second run after a good
upgrade restarts nothing, and a kubelet that was installed but not restarted is restarted. Start times with microseconds
need systemd 247 (Debian 11, Ubuntu 22.04, RHEL 9); older ones are restarted every time, and the plan says so.
`always: true` restarts without looking.

`daemon_reload` without units looks at all services, sockets and timers.

Afterwards the units must be where they should be within `for`; started ones must stay active for `stable_for`, which
catches a daemon that dies right after its start. A unit that systemd restarts again and again never counts as active.

Names without a suffix are services, as for systemctl itself. Patterns are refused: systemctl would apply them to
whatever happens to be loaded.",
            example: "- systemctl: { daemon_reload: true, restart: kubelet }\n",
            shorthand: None,
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let mut messages = Vec::new();
        let does = |field: &&str| *field == "daemon_reload" || VERBS.iter().any(|verb| verb.word() == *field);
        if !written.iter().any(does) {
            messages.push("nothing to do: write `restart`, `start`, `stop`, `enable`, `disable`, `mask`, `unmask` or `daemon_reload`".to_owned());
        }
        for field in ["always", "newer_than"] {
            if written.contains(&field) && !written.contains(&"restart") {
                messages.push(format!("`{field}` is about `restart`, which is not written"));
            }
        }
        messages
    }

    fn touches(&self, args: Option<&SystemctlArgs>) -> Touches {
        let sources = args.and_then(|args| UnitSpec::read(args).ok());
        let sources = sources.map_or(vec![Matter::Anything], |spec| spec.started_from());
        let reads = [Matter::Units, Matter::Packages].into_iter().chain(sources).collect();
        Touches { changes: vec![Matter::Units], reads }
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn lower(&self, args: &SystemctlArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let spec = UnitSpec::read(args)?;
        let ops = spec.ops(cx);
        let Some(effect) = ops.iter().map(|op| op.effect).max() else {
            if let Some(verb) = VERBS.iter().find(|verb| verb.units(args).is_some()) {
                return Err(wrong(
                    format!("`{}` is empty", verb.word()),
                    "name a unit, or leave the step out with `when`",
                ));
            }
            return Err(wrong(
                "nothing to do",
                "write `restart`, `start`, `stop`, `enable`, `mask` or `daemon_reload: true`",
            ));
        };
        let title = ops.iter().map(|op| op.title.as_str()).collect::<Vec<_>>().join(", ");
        let watched = spec.units_of(&[UnitVerb::Start, UnitVerb::Restart]).next().is_some();
        let stable_for = if watched { spec.stable_for } else { Duration::ZERO };
        let poll = Poll { interval: Duration::from_secs(1), stable_for, within: spec.within };
        Ok(Lowered {
            title,
            role: Role::Goal,
            effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: (!spec.always).then(|| probe(cx, spec.queries(Goal::Reached))),
            poll: None,
            ops,
            verify: Some(Verify { probe: probe(cx, spec.queries(Goal::Settled)), poll }),
            repeatable: true,
        })
    }

    fn assess(
        &self,
        args: &SystemctlArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let spec = UnitSpec::from_lowered(args)?;
        let look = match spec.look(Goal::Reached, answers) {
            Ok(look) => look,
            Err(blind) => return blind.means(&spec),
        };
        let changes = spec.differences(&look);
        Ok(if changes.is_empty() {
            satisfied(spec.state(&look))
        } else {
            would_change(changes, Fidelity::Exact)
        })
    }

    fn assess_verify(
        &self,
        args: &SystemctlArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let spec = UnitSpec::from_lowered(args)?;
        let look = match spec.look(Goal::Settled, answers) {
            Ok(look) => look,
            Err(blind) => return blind.means(&spec),
        };
        let waiting = spec.unsettled(&look);
        Ok(if waiting.is_empty() {
            satisfied(spec.state(&look))
        } else {
            Assessment::NotYet { reason: waiting.join("; ") }
        })
    }
}

#[cfg(test)]
mod tests;
