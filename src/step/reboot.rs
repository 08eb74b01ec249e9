//! `reboot`: restarts the machine, always or where an upgrade asked for it.

use super::arguments::arguments;
use super::build::{change, exactly, op, probe, query, satisfied, unreadable, would_change};
use super::kind::Kind;
use super::{
    AssessError, Assessment, Doc, Fidelity, LowerCx, LowerError, Lowered, Matter, Poll, Role, Subject,
    Touches, Verify,
};
use crate::op::{Effect, OpKind, ProbeOutput};
use crate::value::Duration;

/// The kind `reboot`.
pub(crate) struct Reboot;

/// How long a lock or an inhibitor is waited for where the step says nothing.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

/// Debian's and Ubuntu's packages leave this where a reboot is wanted, and the names of those that want it beside it.
const REQUIRED: &str = "/var/run/reboot-required";
const REQUIRED_BY: &str = "/var/run/reboot-required.pkgs";

arguments! {
    /// When it reboots, and how long what is around it may take.
    pub(crate) struct RebootArgs {
        /// Only where /var/run/reboot-required is there. The step is then a goal.
        when_required: bool = false,
        /// How long the units of the boot may take to end once the host answers again.
        boot ("for"): Duration = Duration::from_secs(300),
        /// How long locks of apt and dpkg, and what blocks a shutdown, are waited for.
        lock_timeout: Duration = LOCK_TIMEOUT,
    }
}

impl Kind for Reboot {
    type Args = RebootArgs;

    const NAME: &'static str = "reboot";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Restarts the machine and waits until it is back",
            body: "\
The step is done when the host answers with another boot id (uptime can lie, a boot id cannot) within the step's `timeout`,
and its boot has ended within `for`: `systemctl is-system-running` no longer says `initializing` or `starting`. A host
whose boot ended *degraded* is back all the same; what must run on it is a matter for `wait` and `systemctl`.

**It looks first.** While somebody holds a lock of apt or dpkg, such as unattended-upgrades at work, or an inhibitor of
logind blocks a shutdown (`systemd-inhibit --list`), it waits up to `lock_timeout`, says who it waits for, and fails if that
is not over by then. Inside a cordon bracket it looks before the bracket is opened, too: nothing is drained for a reboot
that cannot be. Inhibitors that only delay a shutdown are shown; a host without logind has none. The same holds for commands
and scripts that restart or stop the machine, with five minutes.

**The machine that runs Rollbook** is not rebooted, be it reached over SSH or locally: the plan is refused (RB0619), unless
that host comes last, alone in its batch, and `policy: { accept_controller_reboot: true }` or
`--accept-controller-reboot` accepts that the run is cut off there; `rollbook resume` then continues it. In a pod, name the
pod's node in the environment variable `ROLLBOOK_NODE_NAME` (`fieldRef: spec.nodeName`).

Without `when_required` it reboots whenever its turn comes. With it, the step is a goal: no /var/run/reboot-required, no
reboot.",
            example: "- reboot: { when_required: true }\n  timeout: 15m\n",
            shorthand: None,
        }
    }

    fn touches(&self, _: Option<&RebootArgs>) -> Touches {
        // Both directories are emptied.
        let mut changes = ["/run", "/tmp"].map(Matter::file).to_vec();
        changes.extend([Matter::Boot, Matter::RebootRequired, Matter::Units, Matter::Disks]);
        Touches { changes, reads: vec![Matter::RebootRequired] }
    }

    fn effect(&self) -> Effect {
        Effect::Disrupts
    }

    fn usual(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn lower(&self, args: &RebootArgs, cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let when_required = args.when_required;
        let title = if when_required { "reboot if required" } else { "reboot" };
        let op = op(cx, "reboot", OpKind::Reboot, Effect::Disrupts);
        let poll = Poll { interval: Duration::from_secs(2), stable_for: Duration::ZERO, within: args.boot };
        let required = vec![query(&["test", "-e", REQUIRED]), query(&["cat", REQUIRED_BY])];
        Ok(Lowered {
            title: title.to_owned(),
            role: if when_required { Role::Goal } else { Role::Means },
            effect: op.effect,
            opens: Vec::new(),
            closes: Vec::new(),
            probe: when_required.then(|| probe(cx, required)),
            poll: None,
            ops: vec![op],
            verify: Some(Verify { probe: probe(cx, vec![query(&["systemctl", "is-system-running"])]), poll }),
            // The boot id settles whether it happened; a second one would be another outage.
            repeatable: false,
        })
    }

    fn assess(
        &self,
        _: &RebootArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [required, by] = exactly(answers)?;
        match required.rc {
            0 => {
                let mut packages: Vec<_> =
                    by.stdout.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                packages.sort_unstable();
                packages.dedup();
                let before = match packages.as_slice() {
                    [] => "required".to_owned(),
                    _ => format!("required by {}", packages.join(", ")),
                };
                Ok(would_change(vec![change("reboot", before, "not required")], Fidelity::Exact))
            }
            1 => Ok(satisfied("no reboot is required")),
            _ => Err(unreadable(&format!("test -e {REQUIRED}"), "exit code 0 or 1", required)),
        }
    }

    fn assess_verify(
        &self,
        _: &RebootArgs,
        _: &Subject,
        answers: &[ProbeOutput],
    ) -> Result<Assessment, AssessError> {
        let [state] = exactly(answers)?;
        // Its exit code is 0 for `running` only; the word is the answer.
        match state.stdout.trim() {
            word @ ("initializing" | "starting") => {
                Ok(Assessment::NotYet { reason: format!("the host is still booting ({word})") })
            }
            "stopping" => Ok(Assessment::NotYet { reason: "the host is shutting down".to_owned() }),
            // No systemd: that it answers is all there is to know.
            "" | "offline" | "unknown" => Ok(satisfied("up")),
            word => Ok(satisfied(format!("up, {word}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::step::cases;

    #[test]
    fn cases_hold() {
        cases::run("reboot");
    }
}
