//! Lowers a deferred step at its place, once the names it waited for have values. Pure: the caller brings the values.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::compile::{facts_value, run_value, secrets_value};
use super::{Action, DeferredId, DeferredStep, HostId, Plan};
use crate::facts::HostFacts;
use crate::step::{LowerCx, Lowered, StepKind};
use crate::template::{Arg, Expression, RenderError, Scope};
use crate::value::{Type, Value};

/// What a deferred step waited for.
#[derive(Debug)]
pub struct RuntimeScope<'a> {
    /// The host's facts, read just now.
    pub facts: Option<&'a HostFacts>,
    /// The namespace `steps` of this host and phase.
    pub steps: Value,
    /// The namespace `failure`, for a step of `rescue`.
    pub failure: Option<Value>,
}

/// What became of a deferred step.
#[derive(Debug)]
pub enum Resolved {
    /// It runs.
    Action(Box<Action>),
    /// A `when` on or around it is false.
    Excluded,
}

/// What is known of the conditions of a deferred step.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Their numbers, outermost first; none in plans of the first version.
    pub ids: Vec<u16>,
    /// What was decided before: nobody asks again.
    pub decided: BTreeMap<u16, bool>,
    /// It closes a bracket that is open, whatever they say.
    pub is_forced: bool,
    /// What was decided now, in order.
    pub found: Vec<(u16, bool)>,
}

impl Conditions {
    fn hold(&mut self, at: usize, when: &str, scope: &Scope) -> Result<bool, RenderError> {
        if self.is_forced {
            return Ok(true);
        }
        let id = self.ids.get(at).copied();
        if let Some(decided) = id.and_then(|id| self.decided.get(&id)) {
            return Ok(*decided);
        }
        let holds = Expression::compile(when)?.eval_bool(scope)?;
        self.found.extend(id.map(|id| (id, holds)));
        Ok(holds)
    }
}

/// A deferred step that cannot be lowered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A template cannot be rendered.
    #[error("{place}: {error}")]
    Render {
        /// The step.
        place: String,
        /// How.
        #[source]
        error: RenderError,
    },
    /// The arguments make no step.
    #[error("{place}: {message}")]
    Lower {
        /// The step.
        place: String,
        /// Why.
        message: String,
    },
}

/// Lowers a deferred step for a host.
pub fn resolve(
    plan: &Plan,
    id: DeferredId,
    host: HostId,
    late: &RuntimeScope<'_>,
    conditions: &mut Conditions,
) -> Result<Resolved, ResolveError> {
    let step = &plan.deferred[id.0 as usize];
    let render = |error| ResolveError::Render { place: step.place.clone(), error };
    let refuse = |message| ResolveError::Lower { place: step.place.clone(), message };
    let kind =
        crate::step::find(&step.kind).ok_or_else(|| refuse(format!("unknown step kind `{}`", step.kind)))?;
    let evaluated = evaluate(plan, step, kind, host, late, conditions).map_err(render)?;
    let Some(Evaluated { args, env }) = evaluated else { return Ok(Resolved::Excluded) };
    let subject = &plan.host(host).subject;
    let cx = LowerCx {
        subject,
        kube: plan.kube.as_ref().map(|kube| &kube.cx),
        r#become: step.r#become,
        timeout: step.timeout,
        env: &env,
        effect: Some(step.effect).filter(|_| kind.effect() != step.effect),
        run_on: step.run_on,
    };
    let lowered = crate::step::lower(kind, &args, &cx).map_err(|error| refuse(error.message))?;
    Ok(Resolved::Action(Box::new(Action {
        kind: step.kind.clone(),
        id: step.id.clone(),
        title: match step.title.strip_suffix(&step.item) {
            Some(title) if title == step.kind => format!("{}{}", lowered.title, step.item),
            _ => step.title.clone(),
        },
        args,
        lowered,
        retry: step.retry,
        allow_failure: step.allow_failure.clone(),
        leave_cordoned: step.leave_cordoned.clone(),
        changed_when: step.changed_when.clone(),
        fail_when: step.fail_when.clone(),
        place: step.place.clone(),
    })))
}

/// What a step will be that is lowered only when its turn comes, as far as it can be told before: what it opens and closes,
/// and its ops in their places. `None` where nothing can.
pub fn outline(plan: &Plan, id: DeferredId, host: HostId) -> Option<Lowered> {
    let nothing = Value::Map(IndexMap::new());
    let late = RuntimeScope { facts: None, steps: nothing, failure: None };
    let mut conditions = Conditions { is_forced: true, ..Conditions::default() };
    if let Ok(Resolved::Action(action)) = resolve(plan, id, host, &late, &mut conditions) {
        return Some(action.lowered);
    }
    let step = &plan.deferred[id.0 as usize];
    if !matches!(step.kind.as_str(), "cordon" | "drain" | "uncordon") {
        return None;
    }
    // Whatever its arguments come to, it is about the host's node.
    let kind = crate::step::find(&step.kind)?;
    let known = step.args.iter().filter_map(|(name, source)| {
        let arg = Arg::from_source(source, &field_type(kind, name)).ok()?;
        Some((name.clone(), arg.as_const()?.clone()))
    });
    let (args, env) = (Value::Map(known.collect()), BTreeMap::new());
    let cx = LowerCx {
        subject: &plan.host(host).subject,
        kube: plan.kube.as_ref().map(|kube| &kube.cx),
        r#become: step.r#become,
        timeout: step.timeout,
        env: &env,
        effect: None,
        run_on: step.run_on,
    };
    crate::step::lower(kind, &args, &cx).ok()
}

/// What a step's expressions come to.
pub(super) struct Evaluated {
    /// Its arguments.
    pub(super) args: Value,
    /// `env:`.
    pub(super) env: BTreeMap<String, String>,
}

/// Evaluates a step as it was written; `None` where a `when` on or around it is false.
pub(super) fn evaluate(
    plan: &Plan,
    step: &DeferredStep,
    kind: &dyn StepKind,
    host: HostId,
    late: &RuntimeScope<'_>,
    conditions: &mut Conditions,
) -> Result<Option<Evaluated>, RenderError> {
    let mut scope = host_scope(plan, host, late);
    let mut asked = 0..;
    let mut holds = |when: Option<&String>, scope: &Scope| {
        let Some(when) = when else { return Ok(true) };
        conditions.hold(asked.next().unwrap_or_default(), when, scope)
    };
    for frame in &step.frames {
        scope = with_each(scope, frame.each.as_ref());
        if !holds(frame.when.as_ref(), &scope)? {
            return Ok(None);
        }
        let args = render_all(&frame.args, |_| Type::Any, &scope)?;
        // Each fragment sees its own `args` and its own steps only: its scope starts from the host's again.
        let steps = below(&late.steps, &frame.prefix);
        let inside = RuntimeScope { facts: late.facts, steps, failure: None };
        let mut inner = Scope::child(&host_scope(plan, host, &inside));
        inner.set("args", Value::Map(args));
        scope = Arc::new(inner);
    }
    let scope = with_each(scope, step.each.as_ref());
    if !holds(step.when.as_ref(), &scope)? {
        return Ok(None);
    }
    let args = Value::Map(render_all(&step.args, |name| field_type(kind, name), &scope)?);
    let env = render_all(&step.env, |_| Type::Str, &scope)?;
    let env = env.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    Ok(Some(Evaluated { args, env }))
}

/// The scope of a host's expressions while the plan runs; also for `changed_when` and `fail_when`.
pub fn host_scope(plan: &Plan, host: HostId, late: &RuntimeScope<'_>) -> Arc<Scope> {
    let mut scope = Scope::new();
    scope.set("params", Value::Map(plan.params.clone()));
    scope.set("run", run_value());
    scope.set("secrets", secrets_value(plan.secrets.keys()));
    if let Some(Value::Map(shared)) = &plan.scope {
        for (name, value) in shared {
            scope.set(name, value.clone());
        }
    }
    if let Some(own) = &plan.host(host).scope {
        scope.set("host", own.clone());
    }
    if let Some(facts) = late.facts {
        scope.set("facts", facts_value(facts));
    }
    scope.set("steps", late.steps.clone());
    if let Some(failure) = &late.failure {
        scope.set("failure", failure.clone());
    }
    Arc::new(scope)
}

fn with_each(scope: Arc<Scope>, each: Option<&Value>) -> Arc<Scope> {
    let Some(each) = each else { return scope };
    let mut inner = Scope::child(&scope);
    inner.set("each", each.clone());
    Arc::new(inner)
}

/// The results of a fragment's own steps; none yet where nothing of it ran.
fn below(steps: &Value, prefix: &str) -> Value {
    let found = prefix.split('.').filter(|id| !id.is_empty()).try_fold(steps, |steps, id| steps.get(id));
    found.cloned().unwrap_or_else(|| Value::Map(IndexMap::new()))
}

fn field_type(kind: &dyn StepKind, name: &str) -> Type {
    kind.fields().iter().find(|field| field.name == name).map_or(Type::Any, |field| field.ty.clone())
}

fn render_all(
    sources: &IndexMap<String, serde_json::Value>,
    ty: impl Fn(&str) -> Type,
    scope: &Scope,
) -> Result<IndexMap<String, Value>, RenderError> {
    let render = |(name, source): (&String, &serde_json::Value)| {
        Ok((name.clone(), Arg::from_source(source, &ty(name))?.render(scope)?))
    };
    sources.iter().map(render).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_sees_its_own_steps_only() {
        let map = |key: &str, value| Value::Map([(key.to_owned(), value)].into_iter().collect());
        let ran = map("ran", Value::Bool(true));
        let steps = map("kubelet", map("inner", map("drain", ran.clone())));
        assert_eq!(below(&steps, "kubelet.inner"), map("drain", ran));
        assert_eq!(below(&steps, "kubelet.other"), Value::Map(IndexMap::new()));
        assert_eq!(below(&steps, ""), steps);
    }
}
