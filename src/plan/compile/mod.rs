//! Compiles a runbook, an inventory and what is known of the hosts into a frozen plan. Pure: everything that had to be
//! read was read before.

mod adopt;
mod batches;
mod brackets;
mod controller;
mod dependence;
mod hosts;
mod kube;
mod order;
mod outage;
mod parts;
mod rounds;
mod scopes;
mod tasks;
mod traps;

use std::collections::BTreeMap;

use dependence::Dependence;
use indexmap::IndexMap;

use super::{Plan, PlannedEtcd, PlannedPhase, Warning};
use crate::facts::{ClusterFacts, EtcdAccess, HostFacts};
use crate::inventory::{HostName, Inventory, Selector};
use crate::runbook::{Chosen, ChosenPhase, Phase, Runbook, WrittenChoice};
use crate::source::{Code, Diagnostic, Diagnostics, Severity, Span, codes};
use crate::value::{Amount, Value};

pub use controller::{ThisMachine, settle_controller};
pub use outage::settle_outage;
pub(crate) use scopes::{facts_value, run_value, secrets_value};

/// Everything that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct CompileInput<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Every parameter's value.
    pub params: &'a IndexMap<String, Value>,
    /// `--limit`: hosts outside it are counted and not worked on.
    pub limit: Option<&'a Selector>,
    /// What the command line tightens or accepts.
    pub overrides: Overrides<'a>,
    /// What is known of the hosts.
    pub knowledge: Knowledge<'a>,
}

/// What the command line may change of a runbook: limits only become tighter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// `--max-unavailable`.
    pub max_unavailable: Option<Amount>,
    /// `--parallel`.
    pub parallel: Option<u32>,
    /// `--accept-control-plane-outage`.
    pub accept_outage: bool,
    /// `--accept-controller-reboot`.
    pub accept_controller_reboot: bool,
    /// `--adopt-cordons`: the run whose cordons are taken over.
    pub adopt: Option<&'a str>,
    /// `--only` and `--skip`.
    pub choice: Option<&'a WrittenChoice>,
}

/// What is known of hosts and cluster.
#[derive(Clone, Copy, Debug)]
pub enum Knowledge<'a> {
    /// Nothing: no host was touched.
    Offline,
    /// Facts of every host that could be read, and of the cluster where the runbook has one.
    Live {
        /// By host.
        hosts: &'a BTreeMap<HostName, HostFacts>,
        /// The cluster.
        cluster: Option<&'a ClusterFacts>,
    },
}

impl<'a> Knowledge<'a> {
    fn facts(self, host: &HostName) -> Option<&'a HostFacts> {
        match self {
            Self::Offline => None,
            Self::Live { hosts, .. } => hosts.get(host),
        }
    }

    fn cluster(self) -> Option<&'a ClusterFacts> {
        match self {
            Self::Offline => None,
            Self::Live { cluster, .. } => cluster,
        }
    }
}

/// The hosts of one phase, by name.
struct Selection {
    population: Vec<HostName>,
    work: Vec<HostName>,
    /// What `--only` and `--skip` make of its steps.
    chosen: ChosenPhase,
}

/// Whether any step of a runbook reads a fact. Where none does, reading them would only cost every host time.
pub fn reads_facts(runbook: &Runbook) -> bool {
    let mut steps = runbook.phases.iter().flat_map(Phase::host_steps);
    steps.any(|step| Dependence::of(runbook, step).reads_facts())
}

/// Compiles. `None` when anything is an error; the diagnostics say what, all of it.
pub fn compile(input: &CompileInput<'_>, diagnostics: &mut Diagnostics) -> Option<Plan> {
    let errors_before = diagnostics.count_errors();
    let everything = WrittenChoice::default();
    let chosen = input.runbook.choose(input.overrides.choice.unwrap_or(&everything), diagnostics);
    let selections = select(input, &chosen, diagnostics);
    let via = kube::via_hosts(input);
    if diagnostics.count_errors() > errors_before {
        return None;
    }
    if selections.iter().all(|selection| selection.work.is_empty()) {
        no_hosts(input, diagnostics);
        return None;
    }
    let table = hosts::HostTable::build(input, &selections, &via, diagnostics);
    let kube = kube::planned(input, &table, &via);
    let mut lowering = tasks::Lowering::new(input, &table, kube.as_ref());
    let phases: Vec<PlannedPhase> = input
        .runbook
        .phases
        .iter()
        .zip(&selections)
        .map(|(phase, selection)| lowering.phase(phase, selection, diagnostics))
        .collect();
    let mut warnings = unguarded(&chosen);
    adopt::check(input, &lowering.adopted, diagnostics);
    adopt::warn_about_cordons(input, &table, &lowering.adopted, &mut warnings);
    batches::warn_about_limits(input, &phases, &mut warnings);
    batches::refuse_cordons(input, &phases, |task| lowering.marks(task).unwrap_or_default(), diagnostics);
    traps::warn(input, lowering.actions(), &mut warnings);
    if kube.is_some() && !input.runbook.policy.lock_cluster {
        let message =
            "without the lock of the cluster only runs with the same state directory exclude each other";
        warnings.push(warning(message, "start runs of this cluster from one place"));
    }
    if diagnostics.count_errors() > errors_before {
        return None;
    }
    let with_scopes = lowering.evaluates_later();
    let scope = with_scopes.then(|| lowering.deferred_scope());
    let mut policy = input.runbook.policy.clone();
    policy.control_plane_outage |= input.overrides.accept_outage;
    policy.accept_controller_reboot |= input.overrides.accept_controller_reboot;
    let etcd = etcd(input, &table);
    let tasks::PlannedSteps { actions, deferred, frozen } = lowering.finish();
    Some(Plan {
        format: Plan::FORMAT,
        runbook: input.runbook.name.clone(),
        inventory: input.inventory.name.clone(),
        undoes: None,
        rehearsal: false,
        choice: input.overrides.choice.filter(|choice| !choice.is_empty()).map(|_| chosen.choice),
        params: input.params.clone(),
        policy,
        kube,
        etcd,
        secrets: input.runbook.secrets.clone(),
        hosts: table.into_planned(input, with_scopes),
        actions,
        deferred,
        frozen,
        scope,
        phases,
        warnings,
    })
}

/// The etcd on hosts of its own, with those of its hosts that the plan knows.
fn etcd(input: &CompileInput<'_>, table: &hosts::HostTable<'_>) -> Option<PlannedEtcd> {
    let etcd = input.inventory.etcd.as_ref()?;
    let named = |row: &hosts::HostRow<'_>| etcd.hosts.contains(&row.host.name);
    let hosts = table.rows().filter(|(_, row)| named(row)).map(|(id, _)| id).collect();
    let (cacert, cert, key) = (etcd.cacert.clone(), etcd.cert.clone(), etcd.key.clone());
    Some(PlannedEtcd { hosts, access: EtcdAccess { cacert, cert, key } })
}

fn select(input: &CompileInput<'_>, chosen: &Chosen, diagnostics: &mut Diagnostics) -> Vec<Selection> {
    // What matches nothing is told here and is empty below.
    input.runbook.check_selection(input.inventory, diagnostics);
    let limit = input.limit.and_then(|limit| {
        crate::runbook::check_limit(limit, input.inventory, diagnostics);
        let hosts = limit.select(input.inventory).ok()?;
        Some(hosts.into_iter().collect::<std::collections::HashSet<_>>())
    });
    let phases = input.runbook.phases.iter().zip(chosen.phases.iter().cloned());
    phases
        .map(|(phase, chosen)| match phase.hosts.value.select(input.inventory) {
            Ok(population) => {
                let population = order::ordered(phase, population, input.inventory);
                let work = match &limit {
                    _ if chosen.is_left_out() => Vec::new(),
                    Some(limit) => population.iter().filter(|host| limit.contains(*host)).cloned().collect(),
                    None => population.clone(),
                };
                Selection { population, work, chosen }
            }
            Err(_) => Selection { population: Vec::new(), work: Vec::new(), chosen },
        })
        .collect()
}

fn no_hosts(input: &CompileInput<'_>, diagnostics: &mut Diagnostics) {
    let hint = match input.limit {
        None if input.overrides.choice.is_some_and(|choice| !choice.is_empty()) => {
            "every phase of which `--only` and `--skip` leave anything selects an empty slice".to_owned()
        }
        Some(limit) => format!("`--limit {}` leaves no host of any phase", limit.source),
        None => "every phase selects an empty slice; look at the inventory's groups".to_owned(),
    };
    diagnostics.push(placeless(codes::NO_HOSTS, "there is no host to work on".to_owned(), Some(hint)));
}

/// A check that somebody left out by its name is shown to whoever reviews the plan.
fn unguarded(chosen: &Chosen) -> Vec<Warning> {
    let tell = |(what, word): &(String, String)| {
        warning(
            format!("--skip {word} leaves out what guards the steps behind it: {what}"),
            "they run without it",
        )
    };
    chosen.unguarded.iter().map(tell).collect()
}

/// An error that stands in no file.
fn placeless(code: Code, message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        span: None,
        label: String::new(),
        related: Vec::new(),
        hints: hint.into_iter().collect(),
    }
}

/// Adds an error about a step on a host, once per step: the same mistake on a thousand hosts is one line.
fn step_error(diagnostics: &mut Diagnostics, code: Code, span: Span, message: &str, hint: Option<&str>) {
    let known = diagnostics.items().iter().any(|item| item.code == code && item.span == Some(span));
    if !known {
        diagnostics.error(code, span, message).hints.extend(hint.map(str::to_owned));
    }
}

fn warning(message: impl Into<String>, hint: impl Into<String>) -> Warning {
    Warning { message: message.into(), hint: hint.into() }
}
