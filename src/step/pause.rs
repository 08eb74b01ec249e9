//! The step `pause`.

use std::sync::LazyLock;

use super::args::Args;
use super::build::wrong;
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, StepKind, Subject};
use crate::op::{Effect, ProbeOutput};
use crate::value::{Duration, Field, Type, Value, escape};

/// Waits for a person, or for a time.
pub(crate) struct Pause;

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::optional("manual", Type::Str, "What a person has to do, and then confirms."),
        Field::optional("for", Type::Duration, "How long to wait."),
    ]
});

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
    if kind != Pause.name() {
        return None;
    }
    let args = Args(args);
    let time = args.duration("for").map(PauseFor::Time);
    time.or_else(|| Some(PauseFor::Person(escape(args.text("manual").unwrap_or_default().trim()))))
}

impl StepKind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

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

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn check(&self, written: &[&str]) -> Vec<String> {
        let both = ["manual", "for"].iter().filter(|field| written.contains(field)).count();
        if both == 1 { Vec::new() } else { vec!["write exactly one of `manual`, `for`".to_owned()] }
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &Value, _: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let title = match pause_of(self.name(), args) {
            Some(PauseFor::Person(text)) if text.trim().is_empty() => {
                return Err(wrong("`manual` says nothing", "write what the person has to do"));
            }
            Some(PauseFor::Person(text)) => {
                if let Some(time) = Duration::meant_by(&text) {
                    return Err(wrong(
                        format!("`manual` is `{text}`, which tells a person nothing to do"),
                        format!("to wait for a time, write `pause: {{ for: {time} }}`"),
                    ));
                }
                format!("pause for a person: {text}")
            }
            Some(PauseFor::Time(Duration::ZERO)) => {
                return Err(wrong(
                    "`for` is 0s, which is no pause",
                    "write a time such as `1m`, or leave the step out",
                ));
            }
            Some(PauseFor::Time(time)) => format!("pause for {time}"),
            None => String::new(),
        };
        Ok(Lowered::idle(title, Role::Means))
    }

    /// It has no probe.
    fn assess(&self, _: &Value, _: &Subject, _: &[ProbeOutput]) -> Result<Assessment, AssessError> {
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
