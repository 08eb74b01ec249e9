//! The namespaces that templates see while a plan is made and, for deferred steps, while it runs.

use std::sync::Arc;

use indexmap::IndexMap;

use super::CompileInput;
use super::rounds::LoopRound;
use crate::facts::HostFacts;
use crate::inventory::Host;
use crate::op::{run_symbol, secret_symbol};
use crate::runbook::{FrameId, Runbook, Step};
use crate::template::{RenderError, Scope};
use crate::value::Value;

/// Scopes of one compilation.
pub(super) struct Scopes<'a> {
    runbook: &'a Runbook,
    base: Arc<Scope>,
    /// Arguments of the includes that depend on no host, rendered once.
    frames: Vec<Option<Value>>,
    pub(super) vars: Value,
    pub(super) groups: Value,
}

impl<'a> Scopes<'a> {
    /// The error names a constant that cannot be rendered.
    pub(super) fn new(input: &CompileInput<'a>) -> Result<Self, RenderError> {
        let groups = groups_value(input);
        let mut scope = Scope::new();
        scope.set("params", Value::Map(input.params.clone()));
        scope.set("groups", groups.clone());
        scope.set("run", run_value());
        scope.set("secrets", secrets_value(input.runbook.secrets.keys()));
        let mut vars = IndexMap::new();
        let without_vars = Arc::new(scope);
        for (name, arg) in &input.runbook.vars {
            vars.insert(name.clone(), arg.render(&without_vars)?);
        }
        let mut base = Scope::child(&without_vars);
        let vars = Value::Map(vars);
        base.set("vars", vars.clone());
        let frames = vec![None; input.runbook.frames.len()];
        Ok(Self { runbook: input.runbook, base: Arc::new(base), frames, vars, groups })
    }

    /// Sees everything but a host.
    pub(super) fn base(&self) -> &Arc<Scope> {
        &self.base
    }

    /// Sees everything of one host.
    pub(super) fn host(&self, host: &Host, facts: Option<&HostFacts>) -> Arc<Scope> {
        let mut scope = Scope::child(&self.base);
        scope.set("host", host_value(host));
        if let Some(facts) = facts {
            scope.set("facts", facts_value(facts));
        }
        Arc::new(scope)
    }

    /// `outer` with the arguments of the fragment that the step stands in, in this round of the loops around it. `cached`
    /// says that they depend on no host.
    pub(super) fn with_args(
        &mut self,
        outer: &Arc<Scope>,
        frame: Option<FrameId>,
        round: &LoopRound,
        cached: bool,
    ) -> Result<Arc<Scope>, RenderError> {
        let Some(id) = frame else { return Ok(Arc::clone(outer)) };
        let cached = cached && round.is_without_frames();
        let args = match &self.frames[id.0] {
            Some(args) if cached => args.clone(),
            _ => self.render_frame(outer, id, round, cached)?,
        };
        let mut scope = Scope::child(outer);
        scope.set("args", args);
        Ok(Arc::new(scope))
    }

    fn render_frame(
        &mut self,
        outer: &Arc<Scope>,
        id: FrameId,
        round: &LoopRound,
        cached: bool,
    ) -> Result<Value, RenderError> {
        let runbook = self.runbook;
        let frame = &runbook.frames[id.0];
        let scope = self.with_args(outer, frame.parent, round, cached)?;
        let scope = with_each(scope, round.of_frame(id));
        let args = frame.args.iter().map(|(name, arg)| Ok((name.clone(), arg.render(&scope)?)));
        let args = Value::Map(args.collect::<Result<_, RenderError>>()?);
        if cached {
            self.frames[id.0] = Some(args.clone());
        }
        Ok(args)
    }

    /// What the expressions of a step see.
    pub(super) fn of_step(
        &mut self,
        outer: &Arc<Scope>,
        step: &Step,
        round: &LoopRound,
        cached: bool,
    ) -> Result<Arc<Scope>, RenderError> {
        let scope = self.with_args(outer, step.frame, round, cached)?;
        Ok(with_each(scope, round.of_step()))
    }

    /// Whether every `when` around and on a step holds.
    pub(super) fn runs(
        &mut self,
        outer: &Arc<Scope>,
        step: &Step,
        round: &LoopRound,
        cached: bool,
    ) -> Result<bool, RenderError> {
        if !self.frames_run(outer, step.frame, round, cached)? {
            return Ok(false);
        }
        match &step.when {
            Some(when) => when.eval_bool(&*self.of_step(outer, step, round, cached)?),
            None => Ok(true),
        }
    }

    /// Whether every `when` around the steps of a fragment holds.
    pub(super) fn frames_run(
        &mut self,
        outer: &Arc<Scope>,
        mut frame: Option<FrameId>,
        round: &LoopRound,
        cached: bool,
    ) -> Result<bool, RenderError> {
        let runbook = self.runbook;
        while let Some(id) = frame {
            let this = &runbook.frames[id.0];
            if let Some(when) = &this.when {
                let scope = self.with_args(outer, this.parent, round, cached)?;
                if !when.eval_bool(&with_each(scope, round.of_frame(id)))? {
                    return Ok(false);
                }
            }
            frame = this.parent;
        }
        Ok(true)
    }
}

fn with_each(scope: Arc<Scope>, each: Option<&Value>) -> Arc<Scope> {
    let Some(each) = each else { return scope };
    let mut inner = Scope::child(&scope);
    inner.set("each", each.clone());
    Arc::new(inner)
}

/// The namespace `host`.
pub(super) fn host_value(host: &Host) -> Value {
    let text = |text: &str| Value::Str(text.to_owned());
    let labels = host.labels.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let mut map = IndexMap::new();
    map.insert("name".to_owned(), text(host.name.as_str()));
    map.insert("address".to_owned(), text(&host.address));
    map.insert("labels".to_owned(), Value::Map(labels));
    map.insert("groups".to_owned(), Value::List(host.groups.iter().map(|group| text(group)).collect()));
    map.insert("vars".to_owned(), Value::Map(host.vars.clone()));
    Value::Map(map)
}

/// The namespace `facts`.
pub(crate) fn facts_value(facts: &HostFacts) -> Value {
    facts.to_value()
}

/// The namespace `run`: symbols, because a frozen plan belongs to no run.
pub(crate) fn run_value() -> Value {
    let properties = ["id", "started"];
    Value::Map(properties.iter().map(|name| ((*name).to_owned(), Value::Str(run_symbol(name)))).collect())
}

/// The namespace `secrets`: symbols, because a value is read only where it is sent.
pub(crate) fn secrets_value<'s>(names: impl Iterator<Item = &'s String>) -> Value {
    Value::Map(names.map(|name| (name.clone(), Value::Str(secret_symbol(name)))).collect())
}

fn groups_value(input: &CompileInput<'_>) -> Value {
    let names = |group: &crate::inventory::Group| {
        Value::List(group.hosts.iter().map(|host| Value::Str(host.as_str().to_owned())).collect())
    };
    Value::Map(input.inventory.groups.iter().map(|(name, group)| (name.clone(), names(group))).collect())
}
