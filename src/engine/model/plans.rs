//! Random plans: few hosts, few tasks, every combination of what a rollout can ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::inventory::{Become, Connection, HostName};
use crate::op::{Effect, Op, Temporary};
use crate::plan::{
    Action, ActionId, Bracket, Forecast, Gate, GateOpens, HostId, HostTasks, LeftOut, Plan, PlannedHost,
    PlannedPhase, Rollout, Sections, StepRef, Task, Ties, Topology,
};
use crate::runbook::{GateAfter, Mode, OnFailure, Policy, Retry, Then};
use crate::step::{BracketKey, Lowered, Role, Subject};
use crate::value::{Amount, Duration, Value};

use super::random::Random;

const RETRIES: [Option<Retry>; 4] = [
    None,
    Some(Retry { attempts: 2, delay: Duration::ZERO, backoff_percent: 100 }),
    Some(Retry { attempts: 3, delay: Duration::from_secs(7), backoff_percent: 200 }),
    Some(Retry { attempts: 1, delay: Duration::from_secs(7), backoff_percent: 100 }),
];

/// A plan of 1 to 6 hosts and 1 to 3 phases.
pub(super) fn plan(random: &mut Random) -> Plan {
    let count = 1 + u32::try_from(random.below(6)).expect("invariant: small");
    let phases = (0..=random.below(3)).map(|number| phase(random, number, count)).collect();
    Plan {
        format: Plan::FORMAT,
        runbook: "model".to_owned(),
        inventory: "model".to_owned(),
        undoes: None,
        rehearsal: false,
        choice: None,
        params: indexmap::IndexMap::new(),
        policy: Policy::default(),
        kube: None,
        etcd: None,
        secrets: indexmap::IndexMap::new(),
        hosts: (0..count).map(host).collect(),
        actions: actions(),
        deferred: Vec::new(),
        frozen: Vec::new(),
        scope: None,
        phases,
        warnings: Vec::new(),
    }
}

pub(in crate::engine) fn host(number: u32) -> PlannedHost {
    let name = format!("h{number}");
    PlannedHost {
        name: HostName::parse(&name).expect("a good name"),
        address: name.clone(),
        connection: Connection::default(),
        r#become: Become::None,
        subject: Subject { host: name, node: None, control_plane: false },
        machine_id: String::new(),
        node_uid: String::new(),
        scope: None,
    }
}

/// Index of the action that sets a cordon, behind those that do anything.
pub(in crate::engine) const SETS_CORDON: u32 = 8;
/// Index of the action that takes it away.
pub(in crate::engine) const TAKES_CORDON_AWAY: u32 = 9;
/// Index of a check.
pub(in crate::engine) const CHECKS: u32 = 10;

/// Every retry, each without and with `allow_failure`; then those of a cordon.
pub(in crate::engine) fn actions() -> Vec<Arc<Action>> {
    let mut actions: Vec<_> = RETRIES
        .into_iter()
        .flat_map(|retry| [(retry, None), (retry, Some("known"))])
        .map(|(retry, allowed)| action(retry, allowed))
        .collect();
    actions.extend([sets_cordon(), takes_cordon_away(), check()]);
    actions
}

fn action(retry: Option<Retry>, allow_failure: Option<&str>) -> Arc<Action> {
    let lowered = Lowered {
        title: "do".to_owned(),
        role: Role::Goal,
        effect: Effect::Changes,
        opens: Vec::new(),
        closes: Vec::new(),
        probe: None,
        poll: None,
        ops: (0..3).map(|_| op()).collect(),
        verify: None,
        repeatable: false,
    };
    Arc::new(Action {
        kind: "command".to_owned(),
        id: None,
        title: "do".to_owned(),
        args: Value::Null,
        lowered,
        retry,
        allow_failure: allow_failure.map(str::to_owned),
        leave_cordoned: None,
        changed_when: None,
        fail_when: None,
        place: String::new(),
    })
}

/// Its first op sets the cordon.
fn sets_cordon() -> Arc<Action> {
    let mut action = Arc::unwrap_or_clone(action(None, None));
    action.lowered.opens = vec![BracketKey::Cordon];
    action.lowered.ops[0].undo = "kubectl uncordon".to_owned();
    action.lowered.ops[0].makes = vec![Temporary::Cordon];
    Arc::new(action)
}

fn takes_cordon_away() -> Arc<Action> {
    let mut action = Arc::unwrap_or_clone(action(None, None));
    action.lowered.closes = vec![BracketKey::Cordon];
    Arc::new(action)
}

fn check() -> Arc<Action> {
    let mut action = Arc::unwrap_or_clone(action(None, None));
    action.lowered.role = Role::Check;
    Arc::new(action)
}

fn op() -> Op {
    Op::exec("do", ["true"])
}

fn phase(random: &mut Random, number: u64, count: u32) -> PlannedPhase {
    let population: Vec<_> = (0..count).map(HostId).filter(|_| random.percent(85)).collect();
    let work: Vec<_> = population.iter().copied().filter(|_| random.percent(85)).collect();
    let disruption = random.pick(&[0, 30, 60]);
    let shape = random.percent(70).then(|| tasks(random, HostId(0), disruption));
    let hosts = work.iter().map(|host| match &shape {
        // Most phases do the same on every host.
        Some(shape) => HostTasks { host: *host, ..shape.clone() },
        None => tasks(random, *host, disruption),
    });
    let hosts = hosts.collect();
    let verify = if random.percent(30) { vec![ActionId(0)] } else { Vec::new() };
    PlannedPhase {
        name: format!("phase {number}"),
        mode: Mode::ReadWrite,
        rollout: rollout(random),
        batches: batches(random, &work),
        topology: topology(random, &population),
        population,
        hosts,
        verify,
        gate: gate(random),
        left_out: false,
    }
}

fn gate(random: &mut Random) -> Option<Gate> {
    if random.percent(70) {
        return None;
    }
    let opens = random.pick(&[
        GateOpens::Approve { text: "look".to_owned(), within: None },
        GateOpens::Approve { text: "look".to_owned(), within: Some(Duration::from_secs(30)) },
        GateOpens::Time(Duration::from_secs(30)),
        GateOpens::Check { action: ActionId(0), within: Duration::from_secs(30) },
    ]);
    Some(Gate { after: random.pick(&[GateAfter::Each, GateAfter::First]), opens })
}

/// Two or three zones, in any order.
fn topology(random: &mut Random, population: &[HostId]) -> Option<Topology> {
    if random.percent(60) {
        return None;
    }
    let zones = random.pick(&[&["a", "b"][..], &["a", "b", "c"]]);
    let mut domains: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
    for host in population {
        domains.entry(random.pick(zones).to_owned()).or_default().push(*host);
    }
    Some(Topology { key: "zone".to_owned(), max_domains: random.pick(&[1, 1, 1, 2]), domains })
}

fn rollout(random: &mut Random) -> Rollout {
    Rollout {
        declared: Amount::Count(1),
        max_unavailable: random.pick(&[1, 1, 2, 2, 3, 5]),
        max_failures: random.pick(&[0, 0, 1, 2, 9]),
        parallel: random.pick(&[0, 1, 2, 3, 20]),
        on_failure: random.pick(&[OnFailure::Halt, OnFailure::Halt, OnFailure::Freeze]),
        soak: random.pick(&[Duration::ZERO, Duration::ZERO, Duration::from_secs(3), Duration::from_secs(60)]),
        wait_for_budget: random.pick(&[Duration::ZERO, Duration::from_secs(25), Duration::from_secs(120)]),
        control_planes: random.percent(20),
    }
}

/// Batches of random sizes; rarely out of the plan's order.
fn batches(random: &mut Random, work: &[HostId]) -> Vec<Vec<HostId>> {
    let mut work = work.to_vec();
    if random.percent(20) {
        work.reverse();
    }
    let mut batches = Vec::new();
    let mut rest = work.as_slice();
    while !rest.is_empty() {
        let (batch, tail) = rest.split_at(1 + random.index(rest.len()));
        batches.push(batch.to_vec());
        rest = tail;
    }
    batches
}

fn tasks(random: &mut Random, host: HostId, disruption: u64) -> HostTasks {
    let (steps, rescue, always) = (random.below(6), random.pick(&[0, 0, 1, 2]), random.pick(&[0, 0, 1, 2]));
    let mut tasks = list(random, steps, disruption);
    tasks.extend(list(random, rescue, disruption).into_iter().map(|task| match task.forecast {
        Forecast::Excluded | Forecast::LeftOut { .. } => task,
        _ => Task { forecast: Forecast::IfFailed, ..task },
    }));
    tasks.extend(list(random, always, disruption));
    let index = |count: u64| u16::try_from(count).expect("invariant: small");
    let parts = [0, steps, steps + rescue, steps + rescue + always].map(index);
    let sections = (rescue + always > 0).then(|| Sections {
        rescue: parts[1],
        always: parts[2],
        then: random.pick(&[Then::Failed, Then::Ok]),
    });
    let brackets: Vec<Bracket> =
        parts.windows(2).flat_map(|part| brackets(random, part[0], part[1])).collect();
    tie(random, &mut tasks, parts, &brackets);
    for bracket in &brackets {
        if random.percent(12) {
            let inside = &mut tasks[usize::from(bracket.first)..=usize::from(bracket.last)];
            let foreseen = inside
                .iter_mut()
                .filter(|task| matches!(task.forecast, Forecast::NotProbed | Forecast::Holds { .. }));
            foreseen.for_each(|task| task.forecast = Forecast::BracketHolds);
        }
        cordon(random, bracket, &mut tasks);
    }
    HostTasks { host, tasks, sections, brackets }
}

/// Conditions that are known only in the run, and pairs of tasks of which one closes what the other opens.
fn tie(random: &mut Random, tasks: &mut [Task], parts: [u16; 4], brackets: &[Bracket]) {
    let condition = |random: &mut Random| u16::try_from(random.below(3)).expect("invariant: small");
    for task in tasks.iter_mut() {
        if random.percent(20) {
            task.ties.conditions.push(condition(random));
        }
    }
    let around =
        |index: u16| brackets.iter().position(|bracket| (bracket.first..=bracket.last).contains(&index));
    for opener in 0..parts[1] {
        // A path through the phase: its own steps, and those of `always`.
        let closer = random.pick(&[opener + 1, opener + 2, parts[2]]);
        let on_path = closer < parts[1] || (closer == parts[2] && closer < parts[3]);
        let is_left_out = |at: u16| tasks[usize::from(at)].forecast.is_left_out();
        if !on_path || random.percent(60) || is_left_out(opener) || is_left_out(closer) {
            continue;
        }
        let between = (opener + 1)..closer.min(parts[1]);
        if around(opener) == around(closer) {
            tasks[usize::from(closer)].ties.closes.push(opener);
            tasks[usize::from(closer)].ties.conditions = vec![condition(random)];
        }
        for at in between.filter(|at| around(*at) == around(opener)) {
            tasks[usize::from(at)].ties.apart_from.push(opener);
        }
    }
}

fn list(random: &mut Random, count: u64, disruption: u64) -> Vec<Task> {
    let actions = RETRIES.len() as u64 * 2;
    (0..count)
        .map(|_| {
            let gentle = random.pick(&[Effect::Reads, Effect::Changes]);
            let effect = if random.percent(disruption) { Effect::Disrupts } else { gentle };
            let why = random.pick(&[LeftOut::NoItems, LeftOut::NotNamed, LeftOut::Skipped("x".to_owned())]);
            let left_out = Forecast::LeftOut { why };
            let forecast = random.pick(&[Forecast::Excluded, left_out]);
            let forecast = match random.below(100) {
                0..10 => forecast,
                10..18 => Forecast::Holds { state: "done".to_owned() },
                _ => Forecast::NotProbed,
            };
            // What cordons a node and what uncordons it stand behind the others.
            let sets = (u64::from(SETS_CORDON), effect == Effect::Disrupts && random.percent(15));
            let marks = [sets, (u64::from(TAKES_CORDON_AWAY), random.percent(10))];
            let marked = marks.into_iter().find_map(|(action, is_it)| is_it.then_some(action));
            let number = marked.unwrap_or_else(|| random.below(actions));
            let action = ActionId(u32::try_from(number).expect("invariant: small"));
            Task {
                step: StepRef::Action(action),
                effect,
                looks_first: random.percent(50),
                forecast,
                frozen: None,
                ties: Ties::default(),
            }
        })
        .collect()
}

/// Most brackets are what they say: a cordon, perhaps a check under it, and an uncordon unless it is left for later.
fn cordon(random: &mut Random, bracket: &Bracket, tasks: &mut [Task]) {
    if random.percent(30) {
        return;
    }
    let mut change = |index: u16, action: u32, effect: Effect| {
        let task = &mut tasks[usize::from(index)];
        task.step = StepRef::Action(ActionId(action));
        task.effect = effect;
    };
    change(bracket.first, SETS_CORDON, Effect::Disrupts);
    if bracket.last > bracket.first && random.percent(80) {
        change(bracket.last, TAKES_CORDON_AWAY, Effect::Changes);
    }
    if bracket.last > bracket.first + 2 && random.percent(50) {
        change(bracket.first + 1, CHECKS, Effect::Reads);
    }
}

/// Brackets that follow each other.
fn brackets(random: &mut Random, mut first: u16, end: u16) -> Vec<Bracket> {
    let mut brackets = Vec::new();
    while first < end {
        let last = first + u16::try_from(random.below(u64::from(end - first))).expect("invariant: small");
        if random.percent(40) {
            brackets.push(Bracket { key: BracketKey::Cordon, first, last });
        }
        first = last + 1;
    }
    brackets
}
