//! A step with the values of its arguments, and what its kind makes of them.

use std::collections::BTreeMap;

use crate::plan::PlannedKube;
use crate::runbook::Step;
use crate::step::{self, LowerCx, LowerError, Lowered, Subject};
use crate::template::{RenderError, Scope};
use crate::value::{Duration, Value};

/// A step's arguments and common keys with their values.
pub(crate) struct Rendered {
    pub(crate) args: Value,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
}

/// The time limit of a step that names none, nor its runbook's `defaults:`.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

impl Rendered {
    pub(super) fn of(step: &Step, scope: &Scope) -> Result<Self, RenderError> {
        let args = step.args.iter().map(|(name, arg)| Ok((name.clone(), arg.render(scope)?)));
        let args = Value::Map(args.collect::<Result<_, RenderError>>()?);
        let env = step.env.iter().map(|(name, arg)| Ok((name.clone(), arg.render(scope)?.to_string())));
        let env = env.collect::<Result<_, RenderError>>()?;
        let timeout = match step.timeout.as_ref().map(|arg| arg.render(scope)).transpose()? {
            Some(Value::Duration(timeout)) => timeout,
            _ => DEFAULT_TIMEOUT,
        };
        Ok(Self { args, env, timeout })
    }

    pub(super) fn key(&self) -> String {
        format!(
            "{}\u{0}{:?}\u{0}{}",
            serde_json::to_string(&self.args).expect("invariant: values serialise"),
            self.env,
            self.timeout
        )
    }
}

pub(super) fn lower(
    step: &Step,
    rendered: Rendered,
    subject: &Subject,
    kube: Option<&PlannedKube>,
) -> Result<(Value, Lowered), LowerError> {
    let cx = LowerCx {
        subject: &subject.symbolic(),
        kube: kube.map(|kube| &kube.cx),
        r#become: step.r#become,
        timeout: rendered.timeout,
        env: &rendered.env,
        effect: step.effect,
        run_on: step.run_on,
    };
    let lowered = step::lower(step.kind, &rendered.args, &cx)?;
    Ok((rendered.args, lowered))
}
