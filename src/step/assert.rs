//! The step `assert`.

use super::arguments::{FromValue, arguments};
use super::build::{refused, satisfied};
use super::kind::Kind;
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, Subject};
use crate::op::{Effect, Probe, ProbeOutput, Site};
use crate::value::{Duration, Type, Value, escape};

/// Fails the host where a condition does not hold.
pub(crate) struct Assert;

arguments! {
    /// What must be true.
    pub(crate) struct AssertArgs {
        /// What must be true: an expression, or a list of them.
        that: Vec<Condition> as (Type::Expr.one_or_many()),
        /// What to tell people where it is not.
        message: Option<String>,
    }
}

/// An expression and whether it is true. One whose value is no boolean does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    text: String,
    holds: bool,
}

impl FromValue for Condition {
    fn ty() -> Type {
        Type::Expr
    }

    fn from_value(value: &Value) -> Option<Self> {
        let text = value.get("text").and_then(Value::as_str).unwrap_or("an expression").to_owned();
        Some(Self { text, holds: value.get("value").and_then(Value::as_bool).unwrap_or(false) })
    }
}

impl Kind for Assert {
    type Args = AssertArgs;

    const NAME: &'static str = "assert";

    fn doc(&self) -> Doc {
        Doc {
            summary: "Fails the host where a condition does not hold",
            body: "Each expression is evaluated when its facts are known: when the plan is made where no earlier step may change \
                   them, else at its place. Nothing is sent to the host.",
            example: "- assert: { that: \"facts.swap_total == 0\", message: swap is on }\n",
            shorthand: Some("that"),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &AssertArgs, _cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let texts: Vec<_> = args.that.iter().map(|condition| condition.text.as_str()).collect();
        // It judges what is known, and asks nothing.
        let probe =
            Probe { site: Site::Subject, queries: Vec::new(), r#become: false, timeout: Duration::ZERO };
        let title = format!("assert {}", texts.join(" and "));
        Ok(Lowered { probe: Some(probe), ..Lowered::idle(title, Role::Check) })
    }

    fn assess(&self, args: &AssertArgs, _: &Subject, _: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        let failed = args.that.iter().filter(|condition| !condition.holds);
        let failed: Vec<_> = failed.map(|condition| format!("`{}`", condition.text)).collect();
        if failed.is_empty() {
            return Ok(satisfied("holds"));
        }
        let not_true = format!("{} is not true", failed.join(" and "));
        Ok(match &args.message {
            Some(message) => refused(escape(message.trim()), not_true),
            None => refused(not_true, "look at the host's facts with `rollbook facts`"),
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("assert");
    }
}
