//! What a rehearsal takes as true of what only the runbook knows: its commands do what their step says, and what it names
//! is there and works.

use crate::app::missing_secrets::missing_secrets;
use crate::op::Op;
use crate::plan::{Action, DeferredStep, GateOpens, HostTasks, Plan, PlannedPhase, StepRef, Task};
use crate::simulation::{Assumption, Simulated};
use crate::value::Value;

/// Tells the simulation of everything that a plan's steps name and nobody else may know.
pub(super) fn assume(simulated: &Simulated, plan: &Plan) {
    simulated.assume_unheard();
    if plan.runs_on_controller() {
        let what = "steps on the controller run on a simulated machine; a real run needs --allow-commands";
        simulated.note_assumed(CONTROLLER, what);
    }
    for secret in missing_secrets(plan) {
        simulated.note_assumed(CONTROLLER, &secret.to_string());
    }
    for (phase, planned) in (0_u32..).zip(&plan.phases) {
        for tasks in &planned.hosts {
            for (index, task) in (0_u32..).zip(&tasks.tasks) {
                assume_task(simulated, plan, tasks, task);
                if let Some(assumption) = of_task(plan, task) {
                    simulated.assume([phase, tasks.host.0, index], assumption);
                }
            }
        }
        assume_checks(simulated, plan, planned);
    }
}

fn of_task(plan: &Plan, task: &Task) -> Option<Assumption> {
    match task.step {
        StepRef::Action(action) => {
            let action = plan.action(action);
            known(&action.kind, &action.args, looks(action))
        }
        StepRef::Deferred(step) => {
            let step = &plan.deferred[step.0 as usize];
            deferred(&step.kind, |name| step.args.get(name))
        }
    }
}

/// Units that a step works on, and what a `wait` waits for.
fn assume_task(simulated: &Simulated, plan: &Plan, tasks: &HostTasks, task: &Task) {
    let host = plan.host(tasks.host).name.as_str();
    match task.step {
        StepRef::Action(action) => {
            let action = plan.action(action);
            for field in unit_fields(&action.kind) {
                let units = action.args.get(field).and_then(Value::as_list).into_iter().flatten();
                units.filter_map(Value::as_str).for_each(|unit| simulated.assume_unit(host, unit));
            }
            if action.args.get("accept_cgroup_v1") == Some(&Value::Bool(true)) {
                simulated.accept_cgroup_v1(host);
            }
            match action.args.get("port") {
                _ if action.kind != WAIT => {}
                Some(Value::Int(port)) => assume_port(simulated, host, *port),
                _ => simulated.assume_comes(looks(action)),
            }
        }
        StepRef::Deferred(step) => {
            let step = &plan.deferred[step.0 as usize];
            for units in unit_fields(&step.kind).iter().filter_map(|field| step.args.get(*field)) {
                let units = units.as_array().map_or(std::slice::from_ref(units), Vec::as_slice);
                let written =
                    units.iter().filter_map(|unit| unit.as_str()).filter(|unit| !unit.contains("{{"));
                written.for_each(|unit| simulated.assume_unit(host, unit));
            }
            if step.kind == WAIT {
                assume_deferred_wait(simulated, host, step);
            }
        }
    }
}

/// A `wait` that is lowered later: as far as its arguments are constants.
fn assume_deferred_wait(simulated: &Simulated, host: &str, step: &DeferredStep) {
    if let Some(port) = step.args.get("port").and_then(serde_json::Value::as_i64) {
        assume_port(simulated, host, port);
    }
    let file = step.args.get("file").and_then(|path| path.as_str());
    let file = file.map(|path| ["test", "-e", path].map(str::to_owned).to_vec());
    let command = step.args.get("command").and_then(constant_words);
    simulated.assume_comes(file.into_iter().chain(command).collect());
}

/// The words of a list that holds nothing else.
fn constant_words(list: &serde_json::Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

fn assume_port(simulated: &Simulated, host: &str, port: i64) {
    if let Ok(port) = u16::try_from(port) {
        simulated.assume_port(host, port);
    }
}

/// The command lines that look at a host for a step.
fn looks(action: &Action) -> Vec<Vec<String>> {
    let queries = action.lowered.probe.iter().flat_map(|probe| &probe.queries);
    queries.map(|query| query.argv.clone()).collect()
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
            simulated.assume_comes(own.collect());
        } else if action.kind == WAIT {
            simulated.assume_comes(looks(action));
        }
    }
}

/// The simulated host that stands for the machine that runs Rollbook.
const CONTROLLER: &str = "controller";
const WAIT: &str = "wait";

/// Fields that name units. One that a step stops or masks may be missing, as on a real host.
fn unit_fields(kind: &str) -> &'static [&'static str] {
    if kind == "systemctl" { &["restart", "reload", "start", "enable"] } else { &[] }
}

/// Of a step whose arguments are known. `queries` are its probe's, in the order of the fields below.
fn known(kind: &str, args: &Value, queries: Vec<Vec<String>>) -> Option<Assumption> {
    if !is_opaque(kind) {
        return None;
    }
    let mut assumption = Assumption { looks: queries.clone(), ..Assumption::default() };
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
        match (arg(field).and_then(constant_words), *field) {
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
    matches!(kind, "command" | "script" | "kubectl")
}
