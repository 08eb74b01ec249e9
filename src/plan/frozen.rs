//! Whether the facts of a host still make of its steps what they made of them when the plan was made. Pure: the caller read
//! the facts again.
//!
//! What is compared is what the expressions come to, not the facts: a disk that fills up within its bounds is no drift.

use indexmap::IndexMap;

use super::deferred::{Conditions, Evaluated, RuntimeScope, evaluate};
use super::{DeferredStep, Forecast, HostId, Plan, StepRef, Task};
use crate::facts::HostFacts;
use crate::template::RenderError;
use crate::value::Value;

/// Whether facts decided anything for a host in the phases from this one on.
pub fn reads_facts(plan: &Plan, host: HostId, from: u16) -> bool {
    frozen(plan, host, from).next().is_some()
}

/// What the facts of now make another thing of, as a sentence. Only the phases from this one on count: what was decided
/// for earlier ones is done.
pub fn drift(plan: &Plan, host: HostId, from: u16, facts: &HostFacts) -> Option<String> {
    // A step that also waits for results of others is deferred as a whole, and never frozen.
    let steps = Value::Map(IndexMap::new());
    let late = RuntimeScope { facts: Some(facts), steps, failure: None };
    frozen(plan, host, from).find_map(|(task, step)| {
        let kind = crate::step::find(&step.kind).expect("invariant: a plan names registered kinds");
        let now = evaluate(plan, step, kind, host, &late, &mut Conditions::default());
        differs(plan, task, step, now)
    })
}

fn frozen(plan: &Plan, host: HostId, from: u16) -> impl Iterator<Item = (&Task, &DeferredStep)> {
    let phases = plan.phases.iter().skip(usize::from(from));
    let tasks = phases.filter_map(move |phase| phase.tasks_of(host)).flat_map(|tasks| &tasks.tasks);
    tasks.filter_map(|task| Some((task, &plan.frozen[task.frozen?.0 as usize])))
}

fn differs(
    plan: &Plan,
    task: &Task,
    step: &DeferredStep,
    now: Result<Option<Evaluated>, RenderError>,
) -> Option<String> {
    let place = &step.place;
    let now = match now {
        Ok(now) => now,
        Err(error) => return Some(format!("{place}: with the facts of now it cannot be evaluated: {error}")),
    };
    match (task.forecast == Forecast::Excluded, now) {
        (true, None) => None,
        (true, Some(_)) => {
            Some(format!("{place}: its `when` was false when the plan was made, and is true now"))
        }
        (false, None) => {
            Some(format!("{place}: its `when` was true when the plan was made, and is false now"))
        }
        (false, Some(now)) => other_values(plan, task, &now).map(|what| format!("{place}: {what}")),
    }
}

fn other_values(plan: &Plan, task: &Task, now: &Evaluated) -> Option<String> {
    let StepRef::Action(id) = task.step else { return None };
    let action = plan.action(id);
    let (Value::Map(before), Value::Map(after)) = (&action.args, &now.args) else { return None };
    let changed = before.iter().find(|(name, value)| after.get(*name) != Some(*value));
    if let Some((name, value)) = changed {
        return Some(other_value(name, value, after.get(name).unwrap_or(&Value::Null)));
    }
    // Every op of a step has its whole environment.
    let op = action.lowered.ops.first()?;
    let (name, value) = now.env.iter().find(|(name, value)| op.env.get(*name) != Some(*value))?;
    let before = op.env.get(name).map_or("nothing", String::as_str);
    Some(format!("`env: {name}` was {before} when the plan was made, and is {value} now"))
}

fn other_value(name: &str, before: &Value, now: &Value) -> String {
    if let Some((text, before, now)) = condition(before, now) {
        return format!("`{text}` was {before} when the plan was made, and is {now} now");
    }
    format!("`{name}` was {} when the plan was made, and is {} now", json(before), json(now))
}

/// The first of some conditions that has another value now, with both.
fn condition<'v>(before: &'v Value, now: &Value) -> Option<(&'v str, bool, bool)> {
    if let (Value::List(before), Value::List(now)) = (before, now) {
        return before.iter().zip(now).find_map(|(before, now)| condition(before, now));
    }
    let value = |of: &Value| of.get("value").and_then(Value::as_bool);
    let (was, is) = (value(before)?, value(now)?);
    let text = before.get("text").and_then(Value::as_str)?;
    (was != is).then_some((text, was, is))
}

fn json(value: &Value) -> String {
    serde_json::to_string(value).expect("invariant: values serialise")
}
