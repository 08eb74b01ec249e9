//! A plan that puts back what another run left: cordons that its annotation still names, and holds. Pure; the caller
//! says what stands.
//!
//! It is a plan like any other: its goals are looked at first, what holds already is left alone, and it is rolled,
//! recorded and resumed as every plan is.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    Action, ActionId, Forecast, HostId, HostTasks, Plan, PlannedEtcd, PlannedHost, PlannedKube, PlannedPhase,
    Rollout, StepRef, Task, Ties, implied,
};
use crate::runbook::{Mode, OnFailure, Policy};
use crate::step::LowerError;
use crate::value::{Amount, Duration, Percent, Value};

/// What is put back on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// Its node is uncordoned, where the cordon is the run's.
    pub uncordon: bool,
    /// Packages that go on hold again.
    pub hold: Vec<String>,
}

/// The plan that undoes `run`, which rolled `of`. Hosts for which there is nothing to put back are not in it, except
/// those where kubectl runs.
pub fn undo_plan(of: &Plan, run: &str, wanted: &BTreeMap<HostId, PutBack>) -> Result<Plan, LowerError> {
    let mut undo = UndoPlan { of, run, hosts: Vec::new(), ids: BTreeMap::new(), actions: Vec::new() };
    let mut tasks = Vec::with_capacity(wanted.len());
    for (host, put_back) in wanted {
        tasks.push(undo.host(*host, put_back)?);
    }
    let kube = of.kube.as_ref().map(|kube| PlannedKube {
        hosts: kube.hosts.iter().map(|host| undo.id(*host)).collect(),
        strangers: Vec::new(),
        other_nodes: None,
        ..kube.clone()
    });
    let etcd = of.etcd.as_ref().map(|etcd| PlannedEtcd { hosts: Vec::new(), ..etcd.clone() });
    let everyone: Vec<HostId> = tasks.iter().map(|tasks: &HostTasks| tasks.host).collect();
    Ok(Plan {
        format: Plan::FORMAT,
        runbook: format!("undo of run {run}"),
        inventory: of.inventory.clone(),
        undoes: Some(run.to_owned()),
        rehearsal: of.rehearsal,
        choice: None,
        params: IndexMap::new(),
        policy: Policy { deadline: None, ..of.policy.clone() },
        kube,
        etcd,
        secrets: IndexMap::new(),
        hosts: undo.hosts,
        actions: undo.actions,
        deferred: Vec::new(),
        frozen: Vec::new(),
        scope: None,
        phases: vec![phase(run, everyone, tasks)],
        warnings: Vec::new(),
    })
}

fn phase(run: &str, everyone: Vec<HostId>, hosts: Vec<HostTasks>) -> PlannedPhase {
    let count = u32::try_from(everyone.len()).unwrap_or(u32::MAX);
    PlannedPhase {
        name: format!("put back what run {run} left"),
        mode: Mode::ReadWrite,
        // Nothing here takes a host out of service, and each host is on its own: one that fails holds up no other.
        rollout: Rollout {
            declared: Amount::Percent(Percent::parse("100%").expect("invariant: a percentage")),
            max_unavailable: count.max(1),
            max_failures: count,
            parallel: 20,
            on_failure: OnFailure::Halt,
            soak: Duration::ZERO,
            wait_for_budget: Duration::ZERO,
            control_planes: false,
        },
        population: everyone.clone(),
        batches: vec![everyone],
        hosts,
        topology: None,
        verify: Vec::new(),
        gate: None,
        left_out: false,
    }
}

struct UndoPlan<'a> {
    of: &'a Plan,
    run: &'a str,
    hosts: Vec<PlannedHost>,
    /// From the other plan's hosts to this one's.
    ids: BTreeMap<HostId, HostId>,
    actions: Vec<Arc<Action>>,
}

impl UndoPlan<'_> {
    fn id(&mut self, host: HostId) -> HostId {
        *self.ids.entry(host).or_insert_with(|| {
            // A node that somebody deleted or replaced meanwhile has lost what would be put back: that is no drift.
            let node_uid = String::new();
            self.hosts.push(PlannedHost { scope: None, node_uid, ..self.of.host(host).clone() });
            HostId(u32::try_from(self.hosts.len() - 1).expect("invariant: no more hosts than in the plan"))
        })
    }

    /// The holds first: a node that takes pods again should not lose its kubelet to the next unattended upgrade.
    fn host(&mut self, host: HostId, put_back: &PutBack) -> Result<HostTasks, LowerError> {
        let id = self.id(host);
        let mut tasks = Vec::new();
        if !put_back.hold.is_empty() {
            let packages = put_back.hold.iter().map(|name| Value::Str(name.clone())).collect();
            tasks.push(self.task(host, "apt_mark", ("hold", Value::List(packages)))?);
        }
        if put_back.uncordon {
            tasks.push(self.task(host, "uncordon", ("set_by", Value::Str(self.run.to_owned())))?);
        }
        Ok(HostTasks { host: id, tasks, sections: None, brackets: Vec::new() })
    }

    fn task(&mut self, host: HostId, kind: &str, arg: (&str, Value)) -> Result<Task, LowerError> {
        let of_host = &self.of.host(host).subject;
        let action = implied::action(kind, arg, of_host, self.of.kube.as_ref(), "rollbook runs undo")?;
        let effect = action.lowered.effect;
        let step = StepRef::Action(self.add(action));
        let (forecast, ties) = (Forecast::NotProbed, Ties::default());
        Ok(Task { step, effect, looks_first: true, forecast, frozen: None, ties })
    }

    /// The same on many hosts is one action.
    fn add(&mut self, action: Action) -> ActionId {
        let known = self.actions.iter().position(|known| **known == action);
        let index = known.unwrap_or_else(|| {
            self.actions.push(Arc::new(action));
            self.actions.len() - 1
        });
        ActionId(u32::try_from(index).expect("invariant: fewer than 2^32 actions"))
    }
}
