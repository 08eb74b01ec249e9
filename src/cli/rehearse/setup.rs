//! What is rehearsed: the runbook with its inventory, the scenario, and the simulated world that they begin with.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::super::args::Rehearse as Args;
use super::super::terminal::Terminal;
use super::faults::{can_inject_on, inject_on};
use super::named_files::{beside, can_read, named, runbook_of};
use super::{given, recorded, systems};
use crate::app::AppError;
use crate::app::RunbookInput;
use crate::app::connections::now;
use crate::app::kube::USUAL as USUAL_GROUP;
use crate::app::load::{Beside, Loaded, load_with, read_inventory, read_leniently, read_tree};
use crate::inventory::{Host, HostName, Inventory, Selector};
use crate::kubernetes::node::CONTROL_PLANE_LABELS;
use crate::kubernetes::skew::check_hop;
use crate::report::ExitKind;
use crate::runbook::{KubeVia, Phase, Runbook, WrittenChoice};
use crate::scenario::{self, GivenWhat, Scenario, Trigger};
use crate::simulation::{Simulated, SimulatedCommand, SimulatedHost, SimulatedRecord};
use crate::source::codes::FAULT_MISSES;
use crate::source::{Diagnostics, SourceMap, Spanned, nearest, shorten};
use crate::value::{KubeVersion, Minor, Timestamp, Value, Version};

/// Everything that a rehearsal begins with.
pub(super) struct Staged {
    pub(super) loaded: Loaded,
    pub(super) input: RunbookInput,
    pub(super) scenario: Option<Scenario>,
    /// The scenario's own text, from which a kept rehearsal goes on.
    pub(super) text: String,
    pub(super) world: SimulationSetup,
}

/// The beginning of a simulation: all that it depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SimulationSetup {
    pub(super) epoch: Timestamp,
    pub(super) seed: u64,
    pub(super) kubernetes: Version,
    /// Whether nobody said that version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_start_assumed: bool,
    pub(super) hosts: Vec<SimulatedHost>,
    /// The cluster that it begins as, where one was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<SimulatedRecord>,
    /// Hosts of each fault of the scenario.
    pub(super) befallen: Vec<Vec<HostName>>,
    /// Hosts with a member of an etcd of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) etcd: Vec<HostName>,
    /// How commands answer.
    pub(super) told: Vec<SimulatedCommand>,
    /// What is on hosts beyond what the simulation knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) given: Vec<(Vec<HostName>, GivenWhat)>,
}

impl SimulationSetup {
    /// As it stands before the plan is made: with what is wrong from the beginning.
    pub(super) fn build(&self, scenario: Option<&Scenario>) -> Simulated {
        let Self { epoch, seed, kubernetes, hosts, .. } = self;
        let simulated = match &self.record {
            Some(record) => Simulated::from_record(hosts, record, kubernetes, *epoch, *seed),
            None => Simulated::from_hosts(hosts, kubernetes, *epoch, *seed),
        };
        for host in &self.etcd {
            simulated.has_unit(host.as_str(), "etcd");
        }
        for command in &self.told {
            simulated.tell(command.clone());
        }
        for (hosts, what) in &self.given {
            for host in hosts {
                given::put(&simulated, host.as_str(), what);
            }
        }
        systems::assume(&simulated, hosts, self.record.as_ref());
        if self.is_start_assumed {
            let starts = format!("the nodes start at Kubernetes {kubernetes}: `--kubernetes` says otherwise");
            for host in hosts.iter().filter(|host| host.node_name.is_some()) {
                simulated.note_assumed(host.name.as_str(), &starts);
            }
        }
        let faults = scenario.map(|scenario| scenario.faults.as_slice()).unwrap_or_default();
        for (fault, hosts) in faults.iter().zip(&self.befallen) {
            if matches!(fault.trigger, Trigger::Before) {
                for host in hosts {
                    inject_on(&simulated, &fault.kind, host, None);
                }
            }
        }
        simulated
    }
}

/// Reads everything that the command line and the scenario name, with all mistakes in one go.
pub(super) fn read(args: &Args, file: Option<&Utf8Path>, terminal: &Terminal) -> Result<Staged, AppError> {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let mut text = String::new();
    let scenario = match file {
        Some(file) => {
            let tree = read_tree(&mut sources, file, &mut diagnostics)?;
            let scenario = tree.and_then(|(id, tree)| {
                text = sources.file(id).text.to_string();
                scenario::parse_leniently(&tree, &mut diagnostics)
            });
            if diagnostics.has_errors() {
                let found = scenario
                    .as_ref()
                    .map_or(Ok(()), |scenario| further(args, file, scenario, &mut sources, &mut diagnostics));
                terminal.diagnostics(&diagnostics, &sources);
                return Err(found.err().unwrap_or_else(AppError::invalid));
            }
            scenario
        }
        None => None,
    };
    let (runbook, input) = named(args, file, scenario.as_ref())?;
    can_read(file, scenario.as_ref(), [Some(&runbook), input.inventory.as_ref()], &sources)?;
    let beside = scenario.as_ref().map(|scenario| Beside {
        params: scenario.params.clone(),
        choice: WrittenChoice { only: scenario.only.clone(), skip: scenario.skip.clone() },
    });
    let beside = beside.unwrap_or_default();
    let loaded = load_with(sources, diagnostics, &runbook, &input, beside, terminal)?;
    let mut diagnostics = Diagnostics::default();
    let world = world(args, &loaded, scenario.as_ref(), &mut diagnostics)?;
    terminal.diagnostics(&diagnostics, &loaded.sources);
    if diagnostics.has_errors() {
        return Err(AppError::invalid());
    }
    Ok(Staged { loaded, input, scenario, text, world })
}

/// Looks for mistakes in what a scenario with mistakes says of hosts and steps, and in the files that it names.
fn further(
    args: &Args,
    file: &Utf8Path,
    scenario: &Scenario,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Result<(), AppError> {
    let inventory = args.input.inventory.clone().or_else(|| beside(file, scenario.inventory.as_ref()));
    let runbook = runbook_of(args, Some(file)).or_else(|| beside(file, scenario.runbook.as_ref()));
    can_read(Some(file), Some(scenario), [runbook.as_ref(), inventory.as_ref()], sources)?;
    if let Some(path) = inventory
        && let Some(inventory) = read_inventory(sources, &path, diagnostics)?
    {
        scenario.check(&inventory, diagnostics);
    }
    if let Some(path) = runbook
        && let Some(runbook) = read_leniently(sources, &path, diagnostics)?
    {
        unknown_steps(scenario, &runbook, diagnostics);
    }
    Ok(())
}

/// Reports faults of steps that no phase has.
fn unknown_steps(scenario: &Scenario, runbook: &Runbook, diagnostics: &mut Diagnostics) {
    let steps = || runbook.phases.iter().flat_map(Phase::all_steps);
    let kinds = || steps().map(|step| step.kind.name());
    for fault in &scenario.faults {
        let Trigger::Step { step, .. } = &fault.trigger else { continue };
        let word = step.value.as_str();
        let is_there = steps().any(|step| {
            step.kind.name() == word.replace('-', "_")
                || step.id.as_deref() == Some(word)
                // Names may hold what only a host knows.
                || step.name.as_deref().is_some_and(|name| name == word || name.contains("{{"))
        });
        // A title of its own is known only to the plan.
        if is_there || word.contains(' ') {
            continue;
        }
        let message = format!("no phase has a step `{}`", shorten(word));
        let error = diagnostics.error(FAULT_MISSES, step.span, message);
        if let Some(near) = nearest(word, kinds()) {
            error.hint(format!("did you mean `{near}`?"));
        }
    }
}

fn world(
    args: &Args,
    loaded: &Loaded,
    scenario: Option<&Scenario>,
    diagnostics: &mut Diagnostics,
) -> Result<SimulationSetup, AppError> {
    let mut hosts = hosts(loaded);
    let beginning = args.from.as_ref().map(|file| recorded::read(file, &mut hosts)).transpose()?;
    systems::refuse(loaded, beginning.as_ref().map(|beginning| &beginning.record))?;
    let inventory = &loaded.inventory;
    let (mut befallen, mut told) = (Vec::new(), Vec::new());
    for fault in scenario.iter().flat_map(|scenario| &scenario.faults) {
        let chosen =
            fault.hosts.as_ref().map(|selector| chosen(selector, inventory, diagnostics)).unwrap_or_default();
        for host in hosts.iter().filter(|host| chosen.contains(&host.name)) {
            if let Err(reason) = can_inject_on(&fault.kind, host) {
                let message = format!("`{}` cannot affect {}: {reason}", fault.word(), host.name);
                diagnostics.error(FAULT_MISSES, fault.span, message);
            }
        }
        befallen.push(chosen);
    }
    for command in scenario.iter().flat_map(|scenario| &scenario.commands) {
        let on = command.hosts.as_ref().map(|selector| chosen(selector, inventory, diagnostics));
        told.push(SimulatedCommand {
            hosts: on.unwrap_or_default().iter().map(ToString::to_string).collect(),
            text: command.text.clone(),
            exit: command.exit,
            stdout: command.stdout.clone(),
            stderr: command.stderr.clone(),
            takes: command.takes,
            creates: command.creates.clone(),
            needs: command.needs.clone(),
            installs: command.installs.clone(),
        });
    }
    let given = given::on_hosts(scenario, inventory, diagnostics);
    if let Some(expect) = scenario.and_then(|scenario| scenario.expect.as_ref()) {
        expect.check(inventory, diagnostics);
    }
    let seed = args.seed.or(scenario.and_then(|scenario| scenario.seed)).unwrap_or(1);
    let (record, of_record) = match beginning {
        Some(beginning) => (Some(beginning.record), beginning.kubernetes),
        None => (None, None),
    };
    let stated = match of_record {
        Some(version) => Some(version),
        None => stated_version(args, scenario)?,
    };
    let is_start_assumed = stated.is_none();
    let kubernetes = stated.unwrap_or_else(|| usual_start(loaded).into());
    let etcd = etcd_hosts(&loaded.inventory, &hosts);
    let epoch = now();
    Ok(SimulationSetup {
        epoch,
        seed,
        kubernetes,
        is_start_assumed,
        hosts,
        record,
        befallen,
        etcd,
        told,
        given,
    })
}

pub(super) fn chosen(
    selector: &Spanned<Selector>,
    inventory: &Inventory,
    diagnostics: &mut Diagnostics,
) -> Vec<HostName> {
    selector.value.select(inventory).unwrap_or_else(|error| {
        diagnostics.error(FAULT_MISSES, selector.span, error.message).hints.extend(error.hint);
        Vec::new()
    })
}

/// The version that the simulated cluster is said to start with.
fn stated_version(args: &Args, scenario: Option<&Scenario>) -> Result<Option<Version>, AppError> {
    if let Some(text) = &args.kubernetes {
        return Version::parse(text)
            .map(Some)
            .map_err(|error| AppError::new(ExitKind::Usage, format!("--kubernetes: {error}")));
    }
    Ok(scenario.and_then(|scenario| scenario.kubernetes.clone()))
}

/// Where a cluster begins whose version nobody says: what the runbook's other parameters name below its target, else a
/// patch below it where only packages of nodes are moved, else a minor.
fn usual_start(loaded: &Loaded) -> KubeVersion {
    let versions = || {
        loaded.params.values().filter_map(|value| match value {
            Value::Version(version) => Some(version),
            _ => None,
        })
    };
    let Some(target) = versions().max_by(|left, right| left.cmp_precedence(right)) else {
        return Minor::new(1, 30).first_release();
    };
    let named = versions().filter(|version| version.cmp_loosely(target).is_lt());
    let legal = named.filter(|version| check_hop((*version).clone(), target.clone()).is_ok());
    if let Some(release) =
        legal.filter_map(|version| version.release()).max_by(|left, right| left.cmp_precedence(right))
    {
        return release.clone();
    }
    let may_move_minor = |kind: &str| ["apt_repo", "command", "kubeadm", "script"].contains(&kind);
    let moves_minor =
        loaded.runbook.phases.iter().flat_map(Phase::all_steps).any(|step| may_move_minor(step.kind.name()));
    let patch = target.release().map(KubeVersion::patch).filter(|patch| *patch > 0 && !moves_minor);
    let below = patch.and_then(|patch| KubeVersion::parse(&format!("{}.{}", target.minor(), patch - 1)).ok());
    below.unwrap_or_else(|| target.minor().previous().first_release())
}

/// Hosts with a member of an etcd of its own: those that the inventory names, and those that are called so and are no
/// control planes.
fn etcd_hosts(inventory: &Inventory, hosts: &[SimulatedHost]) -> Vec<HostName> {
    let named = inventory.etcd.as_ref().map(|etcd| etcd.hosts.as_slice()).unwrap_or_default();
    let called = |host: &&SimulatedHost| {
        let group = inventory.groups.get("etcd").is_some_and(|group| group.hosts.contains(&host.name));
        let is_called = group || host.labels.get("role").is_some_and(|role| role == "etcd");
        named.contains(&host.name) || is_called && !host.control_plane
    };
    hosts.iter().filter(called).map(|host| host.name.clone()).collect()
}

/// Hosts that are control planes where nobody says it: by the usual labels or group, else the first host.
fn usual_control_planes(inventory: &Inventory) -> Vec<HostName> {
    let group = inventory.groups.get(USUAL_GROUP).map(|group| group.hosts.as_slice()).unwrap_or_default();
    let is_called = |host: &&Host| {
        let is_role = |role: &String| ["control-plane", "control_plane", "master"].contains(&role.as_str());
        group.contains(&host.name)
            || host.labels.get("role").is_some_and(is_role)
            || CONTROL_PLANE_LABELS.iter().any(|label| host.labels.contains_key(*label))
    };
    let called: Vec<HostName> =
        inventory.hosts.values().filter(is_called).map(|host| host.name.clone()).collect();
    if called.is_empty() { inventory.hosts.keys().take(1).cloned().collect() } else { called }
}

fn hosts(loaded: &Loaded) -> Vec<SimulatedHost> {
    let control_planes = match loaded.runbook.kube.as_ref().map(|kube| &kube.via) {
        Some(KubeVia::Hosts(selector)) => selector.value.select(&loaded.inventory).unwrap_or_default(),
        Some(KubeVia::Controller) => usual_control_planes(&loaded.inventory),
        None => Vec::new(),
    };
    let in_cluster = loaded.runbook.kube.is_some();
    let hosts = loaded.inventory.hosts.values();
    let mut simulated: Vec<SimulatedHost> = hosts
        .map(|host| SimulatedHost {
            name: host.name.clone(),
            address: host.address.clone(),
            node_name: in_cluster
                .then(|| host.node_name.clone().unwrap_or_else(|| host.name.as_str().to_owned())),
            labels: host.labels.clone(),
            control_plane: control_planes.contains(&host.name),
        })
        .collect();
    let name = HostName::parse("controller").expect("invariant: a good host name");
    if !loaded.inventory.hosts.contains_key(&name) {
        let address = "localhost".to_owned();
        let labels = std::collections::BTreeMap::new();
        simulated.push(SimulatedHost { name, address, node_name: None, labels, control_plane: false });
    }
    simulated
}
