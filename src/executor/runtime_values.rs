//! What is known only while a run goes on: results of earlier steps, facts read just now, and the expressions over
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::attempt::Assignment;
use super::context::{EventSender, Shared};
use super::look::{look, unreadable};
use crate::engine::{Cause, Event, Failure, HostFailure, TaskResult};
use crate::facts::{HostFacts, host_probe, parse_host};
use crate::op::Effect;
use crate::plan::deferred::{Conditions, Resolved, RuntimeScope, host_scope, resolve};
use crate::plan::{Action, DeferredId, HostId, Plan, StepRef, TaskId};
use crate::template::{Expression, Scope};
use crate::transport::OpResult;
use crate::value::{Duration, Value};

/// The namespace `steps` of one host and phase, made by the loop when it starts a worker.
#[derive(Clone, Debug)]
pub(super) struct RuntimeValues {
    pub(super) steps: Value,
    /// What was decided of its host's conditions.
    pub(super) decided: BTreeMap<u16, bool>,
    /// It closes what is open, whatever its conditions say.
    pub(super) is_forced: bool,
    /// It must not disrupt: what cordons the node before it was skipped under another condition.
    pub(super) is_apart: bool,
    /// The namespace `failure`, for a step of `rescue`.
    pub(super) failure: Option<Value>,
}

/// The namespace `failure`: what went wrong on a host, for the steps that rescue it.
pub(super) fn failure_value(plan: &Plan, phase: u16, host: HostId, failed: &HostFailure) -> Value {
    let step = failed.task.map(|index| match plan.task(TaskId { phase, host, index }).step {
        StepRef::Action(action) => {
            let action = plan.action(action);
            action.id.clone().unwrap_or_else(|| action.kind.clone())
        }
        StepRef::Deferred(deferred) => {
            let step = &plan.deferred[deferred.0 as usize];
            step.id.clone().unwrap_or_else(|| step.kind.clone())
        }
    });
    let members = [
        ("step", step.unwrap_or_default()),
        ("cause", failed.failure.cause.word().to_owned()),
        ("message", failed.failure.message.clone()),
    ];
    Value::Map(members.into_iter().map(|(name, text)| (name.to_owned(), Value::Str(text))).collect())
}

/// The namespace `steps` from the results so far.
pub(super) fn steps_value<'r>(
    plan: &Plan,
    phase: u16,
    host: HostId,
    result: impl Fn(TaskId) -> Option<&'r TaskResult>,
) -> Value {
    let mut root = IndexMap::new();
    let Some(tasks) = plan.phase(phase).tasks_of(host) else { return Value::Map(root) };
    for index in 0..u16::try_from(tasks.tasks.len()).unwrap_or(u16::MAX) {
        let task = TaskId { phase, host, index };
        let id = match plan.task(task).step {
            StepRef::Action(action) => plan.action(action).id.as_deref(),
            StepRef::Deferred(deferred) => plan.deferred[deferred.0 as usize].id.as_deref(),
        };
        if let (Some(id), Some(result)) = (id, result(task)) {
            insert_rounds(&mut root, id, result);
        }
    }
    Value::Map(root)
}

/// Adds a result under its id. A part that is repeated has the number of its round behind it: `tools#2.install#1`. Steps
/// that stand in the same round see it by that name; for all others it is an item of `each`. A number of 0 is no item.
fn insert_rounds(root: &mut IndexMap<String, Value>, id: &str, result: &TaskResult) {
    let parts: Vec<&str> = id.split('.').collect();
    let repeated: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].contains('#')).collect();
    for &at in &repeated {
        let is_item = !parts[at..].iter().any(|part| part.ends_with("#0"));
        let plain = parts[at..].iter().map(|part| part.split('#').next().unwrap_or(part));
        let path: Vec<&str> = parts[..at].iter().copied().chain(plain).collect();
        let mut items = match found(root, &path).and_then(|known| known.get("each")) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        };
        items.extend(is_item.then(|| result_value(result)));
        insert(root, &path.join("."), of_loop(items));
    }
    if repeated.last() != parts.len().checked_sub(1).as_ref() {
        insert(root, id, result_value(result));
    }
}

fn found<'v>(root: &'v IndexMap<String, Value>, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(*first)?, |value, part| value.get(part))
}

/// What a step with `for_each` came to.
fn of_loop(items: Vec<Value>) -> Value {
    let is = |item: &Value, name: &str| item.get(name) == Some(&Value::Bool(true));
    let any = |name: &str| (name.to_owned(), Value::Bool(items.iter().any(|item| is(item, name))));
    let mut map: IndexMap<String, Value> = ["ran", "changed", "failed"].map(any).into_iter().collect();
    let satisfied = !items.is_empty() && items.iter().all(|item| is(item, "satisfied"));
    map.insert("satisfied".to_owned(), Value::Bool(satisfied));
    map.insert("each".to_owned(), Value::List(items));
    Value::Map(map)
}

/// `kubelet.drain` stands in the map `kubelet`: an include's steps are `steps.<include id>.<id>`.
fn insert(map: &mut IndexMap<String, Value>, id: &str, value: Value) {
    match id.split_once('.') {
        None => {
            map.insert(id.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first.to_owned()).or_insert_with(|| Value::Map(IndexMap::new()));
            if let Value::Map(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn result_value(result: &TaskResult) -> Value {
    let flags = [
        ("ran", result.ran),
        ("changed", result.changed),
        ("satisfied", result.satisfied),
        ("failed", result.failed),
    ];
    let mut map: IndexMap<String, Value> =
        flags.iter().map(|(name, yes)| ((*name).to_owned(), Value::Bool(*yes))).collect();
    if let Some(rc) = result.rc {
        map.insert("rc".to_owned(), Value::Int(i64::from(rc)));
    }
    if let Some(stdout) = &result.stdout {
        map.insert("stdout".to_owned(), Value::Str(stdout.clone()));
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(stdout) {
            map.insert("json".to_owned(), json_value(json));
        }
    }
    Value::Map(map)
}

fn json_value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(yes) => Value::Bool(yes),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Str(number.to_string()), Value::Int)
        }
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(json_value).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(key, value)| (key, json_value(value))).collect())
        }
    }
}

/// The action of a task, lowered now where it was deferred; `None` where its `when` is false. What is decided here is told.
pub(super) async fn action(
    shared: &Shared,
    event_sender: &EventSender,
    assignment: &Assignment,
) -> Result<Option<Arc<Action>>, Failure> {
    let task = assignment.task;
    let planned = shared.plan.task(task);
    let id = match planned.step {
        StepRef::Action(action) => return Ok(Some(Arc::clone(shared.plan.action(action)))),
        StepRef::Deferred(id) => id,
    };
    let facts = facts_for(shared, task, id).await?;
    let RuntimeValues { steps, decided, is_forced, failure, .. } = assignment.runtime.clone();
    let runtime = RuntimeScope { facts: facts.as_ref(), steps, failure };
    let ids = planned.ties.conditions.clone();
    let mut conditions = Conditions { ids, decided, is_forced, found: Vec::new() };
    let resolved = resolve(&shared.plan, id, task.host, &runtime, &mut conditions);
    for (condition, holds) in conditions.found {
        let attempt = assignment.attempt;
        event_sender.say(Event::ConditionDecided { task, attempt, condition, holds });
    }
    match resolved {
        Ok(Resolved::Action(action)) => Ok(Some(Arc::new(*action))),
        Ok(Resolved::Excluded) => Ok(None),
        Err(error) => Err(Failure { cause: Cause::Refused, message: error.to_string(), hint: String::new() }),
    }
}

/// A task of the host that ran before: what decided that it runs is decided.
pub(super) async fn action_of(
    shared: &Shared,
    task: TaskId,
    runtime: RuntimeValues,
) -> Result<Option<Arc<Action>>, Failure> {
    let id = match shared.plan.task(task).step {
        StepRef::Action(action) => return Ok(Some(Arc::clone(shared.plan.action(action)))),
        StepRef::Deferred(id) => id,
    };
    let facts = facts_for(shared, task, id).await?;
    let RuntimeValues { steps, failure, .. } = runtime;
    let runtime = RuntimeScope { facts: facts.as_ref(), steps, failure };
    let mut conditions =
        Conditions { ids: Vec::new(), decided: BTreeMap::new(), is_forced: true, found: Vec::new() };
    match resolve(&shared.plan, id, task.host, &runtime, &mut conditions) {
        Ok(Resolved::Action(action)) => Ok(Some(Arc::new(*action))),
        Ok(Resolved::Excluded) => Ok(None),
        Err(error) => Err(Failure { cause: Cause::Refused, message: error.to_string(), hint: String::new() }),
    }
}

/// The host's facts as they are now, where a deferred step waits for some.
async fn facts_for(shared: &Shared, task: TaskId, id: DeferredId) -> Result<Option<HostFacts>, Failure> {
    let mut names = shared.plan.deferred[id.0 as usize].waits_for.iter();
    if !names.any(|name| name.starts_with("facts.")) {
        return Ok(None);
    }
    let probe = host_probe(Duration::from_secs(60));
    let answers = look(shared, task.host, &[&probe]).await?.pop().unwrap_or_default();
    parse_host(&answers).map(Some).map_err(unreadable)
}

/// Whether the ops changed something, by `changed_when`; an error when `fail_when` holds or cannot be evaluated.
pub(super) fn verdict(
    shared: &Shared,
    assignment: &Assignment,
    action: &Action,
    result: Option<&OpResult>,
) -> Result<bool, String> {
    // Reading changes nothing, whatever is made of what was read.
    let acts = action.lowered.effect > Effect::Reads;
    if action.changed_when.is_none() && action.fail_when.is_none() {
        return Ok(acts);
    }
    let said = match result {
        Some(OpResult { exit: crate::op::Exit::Code(code), stdout, stderr }) => {
            CommandOutput { rc: i64::from(*code), stdout, stderr }
        }
        _ => CommandOutput { rc: 0, stdout: "", stderr: "" },
    };
    Ok(judge(shared, assignment.task.host, assignment.runtime.clone(), action, &said)? && acts)
}

/// What a command came to.
pub(super) struct CommandOutput<'a> {
    pub(super) rc: i64,
    pub(super) stdout: &'a str,
    pub(super) stderr: &'a str,
}

/// The same of a command that may stand outside of a host's tasks.
pub(super) fn judge(
    shared: &Shared,
    host: HostId,
    RuntimeValues { steps, failure, .. }: RuntimeValues,
    action: &Action,
    CommandOutput { rc, stdout, stderr }: &CommandOutput<'_>,
) -> Result<bool, String> {
    let runtime = RuntimeScope { facts: None, steps, failure };
    let mut scope = Scope::child(&host_scope(&shared.plan, host, &runtime));
    let mut own = IndexMap::new();
    own.insert("rc".to_owned(), Value::Int(*rc));
    own.insert("stdout".to_owned(), Value::Str((*stdout).to_owned()));
    own.insert("stderr".to_owned(), Value::Str((*stderr).to_owned()));
    scope.set("result", Value::Map(own));
    let holds = |source: &str| {
        let expression = Expression::compile(source).map_err(|error| error.to_string())?;
        expression.eval_bool(&scope).map_err(|error| error.to_string())
    };
    if let Some(source) = &action.fail_when
        && holds(source)?
    {
        return Err(format!("`fail_when: {source}` holds (exit code {rc})"));
    }
    action.changed_when.as_deref().map_or(Ok(true), holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Expression;

    #[test]
    fn results_of_a_loop_are_one_for_others_and_single_for_its_own_round() {
        let mut root = IndexMap::new();
        let result = |changed: bool, stdout: &str| TaskResult {
            ran: true,
            changed,
            satisfied: !changed,
            rc: Some(0),
            stdout: Some(stdout.to_owned()),
            ..TaskResult::default()
        };
        for (id, result) in [
            ("plain", result(true, "p")),
            ("conf#1", result(false, "a")),
            ("conf#2", result(true, "b")),
            ("none#0", TaskResult::default()),
            ("tools#1.look", result(false, "t1")),
            ("tools#1.put#1", result(false, "t1p1")),
            ("tools#1.put#2", result(true, "t1p2")),
            ("tools#2.look", result(false, "t2")),
        ] {
            insert_rounds(&mut root, id, &result);
        }
        let steps = Value::Map(root);
        let holds = |steps: &Value, text: &str| {
            let mut scope = Scope::new();
            scope.set("steps", steps.clone());
            let holds = Expression::compile(text).expect(text).eval_bool(&scope);
            assert_eq!(holds, Ok(true), "{text}");
        };
        for text in [
            "steps.plain.stdout == 'p'",
            "steps.conf.changed and not steps.conf.satisfied and steps.conf.each | length == 2",
            "steps.conf.each[1].stdout == 'b' and not steps.conf.each[0].changed",
            "not steps.none.ran and not steps.none.satisfied and steps.none.each | length == 0",
            "steps.tools.look.each[1].stdout == 't2' and steps.tools.look.satisfied",
            "steps.tools.put.changed and steps.tools.put.each | length == 2",
        ] {
            holds(&steps, text);
        }
        let round = steps.get("tools#1").expect("its round");
        holds(round, "steps.look.stdout == 't1' and steps.put.each[1].stdout == 't1p2'");
    }
}
