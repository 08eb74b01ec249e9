//! What a rehearsal takes as true of what only the runbook knows: its commands do what their step says, and the units that
//! it names are there and run.

use crate::op::Op;
use crate::plan::{GateOpens, Plan, PlannedPhase, StepRef};
use crate::transport::simulated::{Assumption, Simulated};
use crate::value::Value;

/// Tells the simulation of every `command` and `script` of a plan, and of every unit.
pub(super) fn assume(simulated: &Simulated, plan: &Plan) {
    for (phase, planned) in (0_u32..).zip(&plan.phases) {
        for tasks in &planned.hosts {
            for (index, task) in (0_u32..).zip(&tasks.tasks) {
                if let StepRef::Action(action) = task.step {
                    let action = plan.action(action);
                    for unit in units(&action.kind, &action.args) {
                        simulated.has_unit(plan.host(tasks.host).name.as_str(), unit);
                    }
                }
                let assumption = match task.step {
                    StepRef::Action(action) => {
                        let action = plan.action(action);
                        let probe = action.lowered.probe.as_ref();
                        let queries = probe.map(|probe| probe.queries.iter().map(|query| query.argv.clone()));
                        known(&action.kind, &action.args, queries.map(Iterator::collect).unwrap_or_default())
                    }
                    StepRef::Deferred(step) => {
                        let step = &plan.deferred[step.0 as usize];
                        deferred(&step.kind, |name| step.args.get(name))
                    }
                };
                if let Some(assumption) = assumption {
                    simulated.assume([phase, tasks.host.0, index], assumption);
                }
            }
        }
        assume_checks(simulated, plan, planned);
    }
}

/// Commands that stand between batches succeed, unless a scenario says otherwise.
fn assume_checks(simulated: &Simulated, plan: &Plan, planned: &PlannedPhase) {
    let gate = planned.gate.as_ref().and_then(|gate| match gate.opens {
        GateOpens::Check { action, .. } => Some(action),
        _ => None,
    });
    for check in planned.verify.iter().copied().chain(gate) {
        let action = plan.action(check);
        let own = action.lowered.ops.iter().filter_map(Op::as_look);
        let own = own.flat_map(|look| look.queries).map(|query| query.argv);
        if is_opaque(&action.kind) {
            simulated.assume_check(own.collect());
        }
    }
}

/// Units that a step names. One that it stops or masks may be missing, as on a real host.
fn units<'v>(kind: &str, args: &'v Value) -> impl Iterator<Item = &'v str> {
    let fields: &[&str] = if kind == "systemctl" { &["restart", "reload", "start", "enable"] } else { &[] };
    fields.iter().filter_map(|field| args.get(field)?.as_list()).flatten().filter_map(Value::as_str)
}

/// Of a step whose arguments are known. `queries` are its probe's, in the order of the fields below.
fn known(kind: &str, args: &Value, queries: Vec<Vec<String>>) -> Option<Assumption> {
    if !is_opaque(kind) {
        return None;
    }
    let mut assumption = Assumption::default();
    let mut queries = queries.into_iter();
    for field in FIELDS {
        let written = args.get(field).filter(|value| **value != Value::Null);
        // The probe asks for each field that was written.
        let (Some(value), Some(query)) = (written, written.and_then(|_| queries.next())) else { continue };
        match field {
            "creates" => assumption.creates.extend(value.as_str().map(str::to_owned)),
            "only_if" => assumption.holds.push(query),
            _ => assumption.holds_after.push(query),
        }
    }
    Some(assumption)
}

/// Of a step that is lowered later: as far as its arguments are constants.
fn deferred<'j>(kind: &str, arg: impl Fn(&str) -> Option<&'j serde_json::Value>) -> Option<Assumption> {
    if !is_opaque(kind) {
        return None;
    }
    let mut assumption = Assumption::default();
    assumption.creates.extend(arg("creates").and_then(|path| path.as_str()).map(str::to_owned));
    for field in &FIELDS[1..] {
        let words = arg(field).and_then(|words| words.as_array());
        let words: Option<Vec<String>> =
            words.and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        match (words, *field) {
            (Some(words), "only_if") => assumption.holds.push(words),
            (Some(words), _) => assumption.holds_after.push(words),
            (None, _) => {}
        }
    }
    Some(assumption)
}

/// Fields that a probe is made of, in its order.
const FIELDS: [&str; 4] = ["creates", "check", "unless", "only_if"];

fn is_opaque(kind: &str) -> bool {
    matches!(kind, "command" | "script")
}
