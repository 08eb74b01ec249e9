//! The step `pause`.

use super::arguments::{Arguments, arguments};
use super::build::wrong;
use super::kind::Kind;
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject};
use crate::op::{Effect, ProbeOutput};
use crate::value::{Duration, Value, escape};

/// Waits for a person, or for a time.
pub(crate) struct Pause;

arguments! {
    /// What a pause waits for.
    pub(crate) struct PauseArgs {
        /// What a person has to do, and then confirms.
        manual: Option<String>,
        /// How long to wait.
        time ("for"): Option<Duration>,
    }
}

/// What a pause waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseFor {
    /// A person who has done this.
    Person(String),
    /// So long.
    Time(Duration),
}

/// What a step waits for, if it is a pause.
pub fn pause_of(kind: &str, args: &Value) -> Option<PauseFor> {
    if kind == Pause::NAME { PauseArgs::read(args).ok().map(|args| args.waits_for()) } else { None }
}

impl PauseArgs {
    fn waits_for(&self) -> PauseFor {
        let person = || PauseFor::Person(escape(self.manual.as_deref().unwrap_or_default().trim()));
        self.time.map_or_else(person, PauseFor::Time)
    }
}

impl Kind for Pause {
    type Args = PauseArgs;

    const NAME: &'static str = "pause";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Waits until a person has done something and says so, or for a time",
            body: "On a terminal the run asks, for each host that comes to the step; only `yes` goes on. Where nobody is there to \
                   ask, or somebody says `no`, the run pauses: no new host starts, hosts that are out come back where \
                   they can, and the exit code is 15, or 11 where a host stays out of service or half-changed because its pause \
                   stands in the middle of its steps. `rollbook resume RUN` asks again, and `rollbook resume RUN --approve` \
                   takes it as done, which is how a run without a terminal goes on. What was confirmed once is recorded \
                   with the name of who did, and not asked again.\n\n\
                   `for` waits; a run that is resumed meanwhile waits anew. Nothing is sent to the host. A rehearsal confirms by \
                   itself, unless its scenario says `approval_refused`. To stop between batches instead of on each host, \
                   write a `gate` in the phase's `rollout`.",
            example: "- pause: { manual: Upgrade the CNI plugin now if its notes say so }\n",
            shorthand: Some("manual"),
        }
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let both = ["manual", "for"].iter().filter(|field| written.contains(field)).count();
        if both == 1 { Vec::new() } else { vec!["write exactly one of `manual`, `for`".to_owned()] }
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &PauseArgs, _: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let title = match args.waits_for() {
            PauseFor::Person(text) if text.trim().is_empty() => {
                return Err(wrong("`manual` says nothing", "write what the person has to do"));
            }
            PauseFor::Person(text) => {
                if let Some(time) = Duration::meant_by(&text) {
                    return Err(wrong(
                        format!("`manual` is `{text}`, which tells a person nothing to do"),
                        format!("to wait for a time, write `pause: {{ for: {time} }}`"),
                    ));
                }
                format!("pause for a person: {text}")
            }
            PauseFor::Time(Duration::ZERO) => {
                return Err(wrong(
                    "`for` is 0s, which is no pause",
                    "write a time such as `1m`, or leave the step out",
                ));
            }
            PauseFor::Time(time) => format!("pause for {time}"),
        };
        Ok(Lowered::idle(title, Role::Means))
    }

    /// It has no probe.
    fn assess(&self, _: &PauseArgs, _: &Subject, _: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        Ok(super::build::satisfied(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_hold() {
        crate::step::cases::run("pause");
    }

    #[test]
    fn it_waits_for_one_thing() {
        for (written, messages) in [(&["manual"][..], 0), (&["for"], 0), (&["manual", "for"], 1), (&[], 1)] {
            assert_eq!(Pause.check(written).len(), messages, "{written:?}");
        }
    }
}
