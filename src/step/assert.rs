//! The step `assert`.

use std::sync::LazyLock;

use super::args::Args;
use super::build::{refused, satisfied};
use super::{AssessError, Assessment, Doc, LowerCx, LowerError, Lowered, Role, StepKind, Subject};
use crate::op::{Effect, Probe, ProbeOutput, Site};
use crate::value::{Duration, Field, Type, Value, escape};

/// Fails the host where a condition does not hold.
pub(crate) struct Assert;

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    vec![
        Field::required(
            "that",
            Type::OneOrMany(Box::new(Type::Expr)),
            "What must be true: an expression, or a list of them.",
        ),
        Field::optional("message", Type::Str, "What to tell people where it is not."),
    ]
});

impl StepKind for Assert {
    fn name(&self) -> &'static str {
        "assert"
    }

    fn doc(&self) -> Doc {
        Doc {
            summary: "Fails the host where a condition does not hold",
            body: "Each expression is evaluated when its facts are known: when the plan is made where no earlier step may change \
                   them, else at its place. Nothing is sent to the host.",
            example: "- assert: { that: \"facts.swap_total == 0\", message: swap is on }\n",
            shorthand: Some("that"),
        }
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn lower(&self, args: &Value, _cx: &LowerCx<'_>) -> Result<Lowered, LowerError> {
        let texts: Vec<_> = conditions(args).map(|(text, _)| text).collect();
        // It judges what is known, and asks nothing.
        let probe =
            Probe { site: Site::Subject, queries: Vec::new(), r#become: false, timeout: Duration::ZERO };
        let title = format!("assert {}", texts.join(" and "));
        Ok(Lowered { probe: Some(probe), ..Lowered::idle(title, Role::Check) })
    }

    fn assess(&self, args: &Value, _: &Subject, _: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        let failed: Vec<_> =
            conditions(args).filter(|(_, holds)| !holds).map(|(text, _)| format!("`{text}`")).collect();
        if failed.is_empty() {
            return Ok(satisfied("holds"));
        }
        let not_true = format!("{} is not true", failed.join(" and "));
        Ok(match Args(args).text("message") {
            Some(message) => refused(escape(message.trim()), not_true),
            None => refused(not_true, "look at the host's facts with `rollbook facts`"),
        })
    }
}

/// The text and the value of each expression. One whose value is no boolean does not hold.
fn conditions(args: &Value) -> impl Iterator<Item = (&str, bool)> {
    let one = args.get("that");
    let items = match one {
        Some(Value::List(items)) => items.as_slice(),
        Some(item) => std::slice::from_ref(item),
        None => &[],
    };
    items.iter().map(|item| {
        let text = item.get("text").and_then(Value::as_str).unwrap_or("an expression");
        (text, item.get("value").and_then(Value::as_bool).unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases_hold() {
        crate::step::cases::run("assert");
    }
}
