//! What a plan is. Serialised: a promise, with a version in its header.

mod phase;
mod step;
mod task;

use crate::kubernetes::KubeCx;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use phase::{PlannedPhase, Rollout};
pub use step::{Action, DeferredFrame, DeferredStep, StepRef};
pub use task::{Bracket, Forecast, HostTasks, LeftOut, Section, Sections, Task, Ties};

use crate::facts::EtcdAccess;
use crate::inventory::{Become, Connection, HostName};
use crate::op::{Effect, Site, resolve_symbols, symbol_words, unescaped_symbols};
use crate::plan::deferred::outline;
use crate::runbook::{Choice, NewNodes, Policy, Retry, SecretSource};
use crate::step::{BracketKey, Lowered, Role, Subject};
use crate::value::{Duration, Value};

/// A compiled runbook. Holds no time, run id, path or name of the controller, so that its digest means its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// `metadata.name` of the runbook.
    pub runbook: String,
    /// `metadata.name` of the inventory.
    pub inventory: String,
    /// The run that this plan puts back, where it was made by `rollbook runs undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Made by `rollbook rehearse`, over a simulated cluster: it is never rolled over hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// `--only` and `--skip`; absent where the plan is of the whole runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// Parameter values.
    pub params: IndexMap<String, Value>,
    /// `policy:`.
    pub policy: Policy,
    /// How kubectl is reached; `None` without `kube:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube: Option<PlannedKube>,
    /// The etcd on hosts of its own, where the inventory names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<PlannedEtcd>,
    /// Where secrets come from; never their values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<String, SecretSource>,
    /// Every host that a phase names, counts or needs for kubectl.
    pub hosts: Vec<PlannedHost>,
    /// Lowered steps, shared by every task that is the same.
    pub actions: Vec<Arc<Action>>,
    /// Steps whose arguments are known only when earlier tasks have run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<DeferredStep>,
    /// Steps over facts, as they were written: what facts made of them when the plan was made is assumed of each host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<DeferredStep>,
    /// The namespaces `vars` and `groups` for deferred and frozen steps; absent where the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
    /// Phases, in order.
    pub phases: Vec<PlannedPhase>,
    /// What the reader of the plan should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// How many members of the etcd on hosts of its own a phase may take out of service: never two at the same time. None
    /// where it takes one at most.
    pub fn etcd_members_in(&self, phase: &PlannedPhase) -> usize {
        let Some(etcd) = &self.etcd else { return 0 };
        let disrupts = |tasks: &&HostTasks| tasks.tasks.iter().any(|task| task.effect == Effect::Disrupts);
        let is_member = |tasks: &&HostTasks| etcd.hosts.contains(&tasks.host);
        let members = phase.hosts.iter().filter(is_member).filter(disrupts).count();
        if members > 1 { members } else { 0 }
    }
}

/// An etcd on hosts of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEtcd {
    /// Its members' hosts, as far as the plan knows them.
    pub hosts: Vec<HostId>,
    /// How etcdctl reaches a member.
    pub access: EtcdAccess,
}

/// How kubectl is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedKube {
    /// How it is called.
    pub cx: KubeCx,
    /// Hosts it may run on, in order of preference; empty: on the controller.
    pub hosts: Vec<HostId>,
    /// How long an API that does not answer is tried again.
    pub retry_for: Duration,
    /// Nodes of the cluster that match no host, for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<String>,
    /// The same with their UIDs, by name: what is not among them when the plan is rolled is new. Absent offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_nodes: Option<BTreeMap<String, String>>,
    /// What a node means that is new and belongs to no host.
    #[serde(default, skip_serializing_if = "NewNodes::is_usual")]
    pub new_nodes: NewNodes,
}

/// Names a host of [`Plan::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostId(pub u32);

/// Names an action of [`Plan::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u32);

/// Names a step of [`Plan::deferred`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeferredId(pub u32);

/// Names a step of [`Plan::frozen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrozenId(pub u32);

/// Names a task: a step on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// Index into [`Plan::phases`].
    pub phase: u16,
    /// The host.
    pub host: HostId,
    /// Index into the host's tasks of the phase.
    pub index: u16,
}

/// A host as the plan knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedHost {
    /// Its name.
    pub name: HostName,
    /// What is connected to.
    pub address: String,
    /// How.
    pub connection: Connection,
    /// How root is reached.
    pub r#become: Become,
    /// What steps see of it.
    pub subject: Subject,
    /// /etc/machine-id when the plan was made; empty offline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine_id: String,
    /// UID of its node when the plan was made; empty offline or without a node.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node_uid: String,
    /// The namespace `host` for deferred and frozen steps; absent where the plan has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
}

/// Something the reader of the plan should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What.
    pub message: String,
    /// What to do, or empty.
    pub hint: String,
}

impl Plan {
    /// The format written by this version.
    pub const FORMAT: u32 = 1;

    /// The host of this id.
    pub fn host(&self, id: HostId) -> &PlannedHost {
        &self.hosts[id.0 as usize]
    }

    /// The host of this name.
    pub fn find_host(&self, name: &HostName) -> Option<HostId> {
        let index = self.hosts.iter().position(|host| host.name == *name)?;
        u32::try_from(index).ok().map(HostId)
    }

    /// The phase of this index.
    pub fn phase(&self, index: u16) -> &PlannedPhase {
        &self.phases[usize::from(index)]
    }

    /// The task of this id.
    pub fn task(&self, id: TaskId) -> &Task {
        let tasks = self.phase(id.phase).tasks_of(id.host).expect("invariant: task ids come from the plan");
        &tasks.tasks[usize::from(id.index)]
    }

    /// The part of its host's tasks that a task belongs to.
    pub fn section(&self, id: TaskId) -> Section {
        let tasks = self.phase(id.phase).tasks_of(id.host).expect("invariant: task ids come from the plan");
        tasks.section_of(id.index)
    }

    /// The action of this id.
    pub fn action(&self, id: ActionId) -> &Arc<Action> {
        &self.actions[id.0 as usize]
    }

    /// What a task opens, sends and closes; of one that is lowered in the run as far as that can be told before.
    pub fn lowered(&self, id: TaskId) -> Option<Cow<'_, Lowered>> {
        match self.task(id).step {
            StepRef::Action(action) => Some(Cow::Borrowed(&self.action(action).lowered)),
            StepRef::Deferred(deferred) => outline(self, deferred, id.host).map(Cow::Owned),
        }
    }

    /// The reason of a task's `leave_cordoned:`.
    pub fn leave_cordoned(&self, id: TaskId) -> Option<&str> {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).leave_cordoned.as_deref(),
            StepRef::Deferred(deferred) => self.deferred[deferred.0 as usize].leave_cordoned.as_deref(),
        }
    }

    /// The host of this node.
    pub fn host_of_node(&self, node: &str) -> Option<HostId> {
        let index = self.hosts.iter().position(|host| host.subject.node.as_deref() == Some(node))?;
        u32::try_from(index).ok().map(HostId)
    }

    /// Whether any step runs a command on the machine that runs Rollbook.
    pub fn runs_on_controller(&self) -> bool {
        let lowered = self.actions.iter().map(|action| &action.lowered);
        let mut known = lowered.flat_map(|lowered| {
            let ops = lowered.ops.iter().map(|op| op.site);
            let probes = lowered.probe.iter().chain(lowered.verify.iter().map(|verify| &verify.probe));
            ops.chain(probes.map(|probe| probe.site))
        });
        known.any(|site| site == Site::Controller)
            || self.deferred.iter().any(|step| step.run_on == Some(Site::Controller))
    }

    /// The title of a task, for people.
    pub fn title(&self, id: TaskId) -> &str {
        self.step_words(self.task(id).step).1
    }

    /// A step's kind and title.
    pub fn step_words(&self, step: StepRef) -> (&str, &str) {
        match step {
            StepRef::Action(action) => (&self.action(action).kind, &self.action(action).title),
            StepRef::Deferred(deferred) => {
                let step = &self.deferred[deferred.0 as usize];
                (&step.kind, &step.title)
            }
        }
    }

    /// A title as people read it: with the names of a host in place of symbols, and words for what only a run knows.
    pub fn spelled(&self, title: &str, host: HostId) -> String {
        let host = self.host(host);
        let Ok(text) = resolve_symbols(&unescaped_symbols(title), |symbol| {
            Ok::<_, Infallible>(match (symbol, &host.subject.node) {
                ("subject:node", Some(node)) => node.clone(),
                ("subject:host", _) => host.name.to_string(),
                (other, _) => symbol_words(other),
            })
        });
        text
    }

    /// The `retry:` of a task.
    pub fn retry(&self, id: TaskId) -> Option<Retry> {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).retry,
            StepRef::Deferred(deferred) => self.deferred[deferred.0 as usize].retry,
        }
    }

    /// What a task does to the cordon of its host's node. A step that waits for values is known by its kind.
    pub fn cordoning(&self, id: TaskId) -> Cordoning {
        let (opens, closes) = match self.task(id).step {
            StepRef::Action(action) => {
                let lowered = &self.action(action).lowered;
                (lowered.opens.contains(&BracketKey::Cordon), lowered.closes.contains(&BracketKey::Cordon))
            }
            StepRef::Deferred(deferred) => {
                let kind = crate::step::find(&self.deferred[deferred.0 as usize].kind);
                kind.map_or((false, false), |kind| (kind.cordons().is_some(), kind.uncordons()))
            }
        };
        match (opens, closes) {
            (true, _) => Cordoning::Sets,
            (false, true) => Cordoning::TakesAway,
            (false, false) => Cordoning::Leaves,
        }
    }

    /// Whether a task is a check: it changes nothing, however often it is made.
    pub fn is_check(&self, id: TaskId) -> bool {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).lowered.role == Role::Check,
            StepRef::Deferred(_) => false,
        }
    }

    /// The reason of a task's `allow_failure:`.
    pub fn allow_failure(&self, id: TaskId) -> Option<&str> {
        match self.task(id).step {
            StepRef::Action(action) => self.action(action).allow_failure.as_deref(),
            StepRef::Deferred(deferred) => self.deferred[deferred.0 as usize].allow_failure.as_deref(),
        }
    }
}

/// What a task does to the cordon of its host's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cordoning {
    /// Nothing.
    Leaves,
    /// Sets one.
    Sets,
    /// Takes this run's away.
    TakesAway,
}

/// The id of a step without the numbers of its rounds: `conf` of `conf#2`, which no file can write.
pub fn id_as_written(id: &str) -> String {
    let parts = id.split('.').map(|part| part.split('#').next().unwrap_or(part));
    parts.collect::<Vec<_>>().join(".")
}
