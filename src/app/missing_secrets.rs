//! Secrets that a run would not find. A plan needs none of them, so that nobody else would notice before the run.

use std::fmt;

use super::Tell;
use crate::executor::{SecretError, Secrets};
use crate::op::secret_symbol;
use crate::plan::Plan;

/// A secret that cannot be read now.
pub(crate) struct MissingSecret {
    why: SecretError,
    /// The title of the first step that sends it; nothing where none does.
    step: Option<String>,
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{}, and `{step}` needs it", self.why),
            None => write!(f, "{}", self.why),
        }
    }
}

/// All secrets of a plan that a run would not find if it began now.
pub(crate) fn missing_secrets(plan: &Plan) -> Vec<MissingSecret> {
    let unread = Secrets::unreadable(&plan.secrets, |name| std::env::var(name).ok());
    unread.into_iter().map(|(name, why)| MissingSecret { step: sender(plan, &name), why }).collect()
}

/// Warns of them.
pub(crate) fn warn(plan: &Plan, tell: &dyn Tell) {
    for secret in missing_secrets(plan) {
        tell.say(&format!("warning: {secret}"));
        tell.hint("a run ends before it sends anything where a secret cannot be read");
    }
}

/// The first step that sends a secret.
fn sender(plan: &Plan, name: &str) -> Option<String> {
    let symbol = secret_symbol(name);
    let written = format!("secrets.{name}");
    let known = plan.actions.iter().find(|action| {
        action
            .lowered
            .ops
            .iter()
            .any(|op| op.stdin.contains(&symbol) || op.env.values().any(|value| value.contains(&symbol)))
    });
    let later = || {
        let holds = |value: &serde_json::Value| value.to_string().contains(&written);
        plan.deferred.iter().find(|step| step.args.values().any(holds)).map(|step| step.title.clone())
    };
    known.map(|action| action.title.clone()).or_else(later)
}
