//! What an argument holds as far as it is known: constants when a file is validated, everything but what the hosts say
//! when a plan is made. What is not known keeps its name, so that two uses of one name are seen to be the same.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::inventory::Inventory;
use crate::op::{SYMBOL_CLOSE, SYMBOL_OPEN};
use crate::runbook::{FrameId, Runbook, Step, each_of};
use crate::template::{Arg, ArgKind, Expression, Reference, Scope};
use crate::value::Value;

/// An argument as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KnownValue {
    /// All of it.
    Known(Value),
    /// Text in which names stand for what is not known, between symbol marks.
    Open(String),
    /// Nothing.
    Unknown,
}

impl KnownValue {
    /// As text, names of the unknown included.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Known(Value::Null | Value::List(_) | Value::Map(_)) | Self::Unknown => None,
            Self::Known(value) => Some(value.to_string()),
            Self::Open(text) => Some(text.clone()),
        }
    }

    /// As a value for scopes further in.
    fn value(self) -> Option<Value> {
        match self {
            Self::Known(value) => Some(value),
            Self::Open(text) => Some(Value::Str(text)),
            Self::Unknown => None,
        }
    }
}

/// The values of a runbook.
pub(super) struct Values<'a> {
    runbook: &'a Runbook,
    base: Arc<Scope>,
    frames: RefCell<HashMap<usize, Arc<Scope>>>,
    /// What `each` is at the step that is looked at, and at the includes around it.
    round: RefCell<RoundValues>,
}

/// What `each` is at an include, or at the step itself.
pub(super) type RoundValues = Vec<(Option<FrameId>, Value)>;

/// More rounds than this of one step say nothing new to the rules.
const MOST_ROUNDS: usize = 100;

impl<'a> Values<'a> {
    /// `params` and `inventory` are given when a plan is made.
    pub(super) fn new(
        runbook: &'a Runbook,
        params: Option<&IndexMap<String, Value>>,
        inventory: Option<&Inventory>,
    ) -> Self {
        let mut scope = Scope::new();
        if let Some(params) = params {
            scope.set("params", Value::Map(params.clone()));
        }
        if let Some(inventory) = inventory {
            let names = |group: &crate::inventory::Group| {
                Value::List(group.hosts.iter().map(|host| Value::Str(host.as_str().to_owned())).collect())
            };
            let groups = inventory.groups.iter().map(|(name, group)| (name.clone(), names(group))).collect();
            scope.set("groups", Value::Map(groups));
        }
        let outer = Arc::new(scope);
        let vars = runbook
            .vars
            .iter()
            .filter_map(|(name, arg)| see_in(arg, &outer).value().map(|value| (name.clone(), value)));
        let vars = Value::Map(vars.collect());
        let mut base = Scope::child(&outer);
        base.set("vars", vars);
        Self { runbook, base: Arc::new(base), frames: RefCell::default(), round: RefCell::default() }
    }

    /// An argument of a step.
    pub(super) fn see(&self, step: &Step, arg: &Arg) -> KnownValue {
        match arg.as_const() {
            Some(value) => KnownValue::Known(value.clone()),
            None => see_in(arg, &self.with_each(&self.scope(step.frame), None)),
        }
    }

    /// Steps in the order in which they run, each with the round that it runs in: an include that is repeated goes through
    /// all of its steps before it begins again. Where the items are not known, `each` is one of the names that are not.
    pub(super) fn turns<'s>(&self, steps: &[&'s Step]) -> Vec<(&'s Step, RoundValues)> {
        let mut turns = Vec::new();
        self.turn(steps, 0, &RoundValues::new(), MOST_ROUNDS, &mut turns);
        turns
    }

    /// The same of steps that share the includes around them down to a depth.
    fn turn<'s>(
        &self,
        steps: &[&'s Step],
        depth: usize,
        round: &RoundValues,
        most: usize,
        turns: &mut Vec<(&'s Step, RoundValues)>,
    ) {
        let mut rest = steps;
        while let Some(step) = rest.first() {
            let around = self.around(step);
            let repeated =
                (depth..around.len()).find(|at| self.runbook.frames[around[*at].0].for_each.is_some());
            let Some(at) = repeated else {
                turns.push((step, round.clone()));
                rest = &rest[1..];
                continue;
            };
            let id = around[at];
            let length = rest.iter().take_while(|step| self.around(step).get(at) == Some(&id)).count();
            let (group, behind) = rest.split_at(length);
            let frame = &self.runbook.frames[id.0];
            let rounds = self.repeated(frame.for_each.as_ref(), Some(id), frame.parent, round, most);
            let most = (most / rounds.len().max(1)).max(1);
            for round in rounds {
                self.turn(group, at + 1, &round, most, turns);
            }
            rest = behind;
        }
    }

    /// The rounds of a step itself, within a round of the includes around it.
    pub(super) fn rounds(&self, step: &Step, round: &RoundValues) -> Vec<RoundValues> {
        self.repeated(step.for_each.as_ref(), None, step.frame, round, MOST_ROUNDS)
    }

    fn repeated(
        &self,
        items: Option<&Arg>,
        at: Option<FrameId>,
        frame: Option<FrameId>,
        round: &RoundValues,
        most: usize,
    ) -> Vec<RoundValues> {
        let Some(items) = items else { return vec![round.clone()] };
        self.enter(round);
        let seen = see_in(items, &self.scope(frame));
        self.enter(&RoundValues::new());
        match seen {
            KnownValue::Known(items @ (Value::List(_) | Value::Map(_))) => {
                let each = each_of(&items).into_iter().take(most);
                each.map(|(_, each)| round.iter().cloned().chain([(at, each)]).collect()).collect()
            }
            _ => vec![round.clone()],
        }
    }

    /// The includes around a step, the outermost first.
    fn around(&self, step: &Step) -> Vec<FrameId> {
        let mut around: Vec<FrameId> =
            std::iter::successors(step.frame, |id| self.runbook.frames[id.0].parent).collect();
        around.reverse();
        around
    }

    /// From here on, arguments are those of this round.
    pub(super) fn enter(&self, round: &RoundValues) {
        self.round.replace(round.clone());
    }

    fn with_each(&self, scope: &Arc<Scope>, at: Option<FrameId>) -> Arc<Scope> {
        let round = self.round.borrow();
        let Some((_, each)) = round.iter().find(|(place, _)| *place == at) else { return Arc::clone(scope) };
        let mut inner = Scope::child(scope);
        inner.set("each", each.clone());
        Arc::new(inner)
    }

    /// A field of a step as text; `None` where it is not written or nothing is known of it.
    pub(super) fn text(&self, step: &Step, field: &str) -> Option<String> {
        self.see(step, step.args.get(field)?).text()
    }

    /// Whether it is certain that a step will not run.
    pub(super) fn is_left_out(&self, step: &Step) -> bool {
        let mut conditions: Vec<(&Expression, Option<FrameId>)> =
            step.when.iter().map(|when| (when, step.frame)).collect();
        let mut frame = step.frame;
        while let Some(id) = frame {
            let this = &self.runbook.frames[id.0];
            conditions.extend(this.when.iter().map(|when| (when, this.parent)));
            frame = this.parent;
        }
        conditions.into_iter().any(|(when, frame)| {
            let scope = self.scope(frame);
            when.references.iter().all(|name| is_known(name, &scope)) && when.eval_bool(&scope) == Ok(false)
        })
    }

    /// What the steps of a fragment see.
    fn scope(&self, frame: Option<FrameId>) -> Arc<Scope> {
        let Some(id) = frame else { return Arc::clone(&self.base) };
        let is_plain = self.round.borrow().iter().all(|(at, _)| at.is_none());
        if let Some(scope) = self.frames.borrow().get(&id.0).filter(|_| is_plain) {
            return Arc::clone(scope);
        }
        let frame = &self.runbook.frames[id.0];
        let outer = self.with_each(&self.scope(frame.parent), Some(id));
        let args = frame
            .args
            .iter()
            .filter_map(|(name, arg)| see_in(arg, &outer).value().map(|value| (name.clone(), value)));
        let args = Value::Map(args.collect());
        let mut scope = Scope::child(&self.base);
        scope.set("args", args);
        let scope = Arc::new(scope);
        if is_plain {
            self.frames.borrow_mut().insert(id.0, Arc::clone(&scope));
        }
        scope
    }
}

fn see_in(arg: &Arg, scope: &Arc<Scope>) -> KnownValue {
    let references = arg.references();
    if references.iter().all(|name| is_known(name, scope)) {
        return arg.render(scope).map_or(KnownValue::Unknown, KnownValue::Known);
    }
    // Of a filter, a comparison or a choice over something unknown nothing can be said.
    let text = match &arg.kind {
        ArgKind::Expr(expression) if is_plain_name(expression) => {
            expression.eval(&named(&references, scope)).map(|value| value.to_string())
        }
        ArgKind::Text(template) if !template.source.contains("{%") && !template.source.contains(" if ") => {
            template.render(&named(&references, scope))
        }
        _ => return KnownValue::Unknown,
    };
    text.map_or(KnownValue::Unknown, KnownValue::Open)
}

fn is_plain_name(expression: &Expression) -> bool {
    matches!(expression.references.as_slice(), [name] if name.to_string() == expression.source.trim())
}

/// Whether all of a value is known.
fn is_known(name: &Reference, scope: &Scope) -> bool {
    scope.lookup(&name.root, &name.path).is_some_and(|value| !has_name(value))
}

/// Whether a name stands in a value for something unknown.
fn has_name(value: &Value) -> bool {
    match value {
        Value::Str(text) => is_open(text),
        Value::List(items) => items.iter().any(has_name),
        Value::Map(map) => map.values().any(has_name),
        _ => false,
    }
}

/// Whether a name stands in a text for something unknown.
pub(super) fn is_open(text: &str) -> bool {
    text.contains(SYMBOL_OPEN)
}

/// A text in place of something unknown.
pub(super) fn name_for(what: &str) -> String {
    format!("{SYMBOL_OPEN}{what}{SYMBOL_CLOSE}")
}

/// The scope with a name in the place of everything that it does not know.
fn named(references: &[&Reference], scope: &Arc<Scope>) -> Scope {
    let mut filled: IndexMap<String, Value> = IndexMap::new();
    for name in references.iter().filter(|name| scope.lookup(&name.root, &name.path).is_none()) {
        let root = filled
            .entry(name.root.clone())
            .or_insert_with(|| scope.get(&name.root).cloned().unwrap_or(Value::Null));
        fill(root, &name.path, &name_for(&name.to_string()));
    }
    let mut child = Scope::child(scope);
    for (root, value) in filled {
        child.set(&root, value);
    }
    child
}

fn fill(at: &mut Value, path: &[String], name: &str) {
    let Some((member, rest)) = path.split_first() else {
        *at = Value::Str(name.to_owned());
        return;
    };
    if !matches!(at, Value::Map(_)) {
        *at = Value::Map(IndexMap::new());
    }
    if let Value::Map(map) = at {
        fill(map.entry(member.clone()).or_insert(Value::Null), rest, name);
    }
}
