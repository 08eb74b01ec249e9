//! What the rules look at: phases in order, each step with its commands and its deeds.

use super::LintInput;
use super::action::{self, ActionKind, StepAction};
use super::command::{self, CommandLine};
use super::values::{RoundValues, Values};
use crate::inventory::{HostName, Inventory, TransportKind};
use crate::runbook::{KubeVia, Phase, Runbook, Step};
use crate::source::SourceMap;

/// A runbook as the rules see it. Steps that certainly will not run, and phases that certainly have no hosts, are not
/// there.
pub(super) struct LintContext<'a> {
    pub(super) runbook: &'a Runbook,
    pub(super) sources: &'a SourceMap,
    pub(super) values: Values<'a>,
    pub(super) phases: Vec<PhaseView<'a>>,
    /// The control planes of the cluster, where an inventory says so.
    pub(super) control_planes: Option<Vec<HostName>>,
    /// The inventory, where one is given.
    pub(super) inventory: Option<&'a Inventory>,
    /// Hosts that are the machine that runs Rollbook, as the inventory says.
    pub(super) local_hosts: Vec<HostName>,
}

/// A phase.
pub(super) struct PhaseView<'a> {
    pub(super) phase: &'a Phase,
    /// Its hosts, where an inventory is given.
    pub(super) hosts: Option<Vec<HostName>>,
    pub(super) steps: Vec<StepView<'a>>,
    /// What is done on a host that failed, and on every host in the end. Rules about the order of a roll leave it out.
    pub(super) aside: Vec<StepView<'a>>,
    /// What is looked at after every batch.
    pub(super) verify: Vec<StepView<'a>>,
}

/// A step.
pub(super) struct StepView<'a> {
    pub(super) step: &'a Step,
    pub(super) commands: Vec<CommandLine>,
    pub(super) actions: Vec<StepAction>,
}

impl<'a> LintContext<'a> {
    pub(super) fn new(input: &LintInput<'a>) -> Self {
        let runbook = input.runbook;
        let values = Values::new(runbook, input.params, input.inventory);
        let view = |(step, round): (&'a Step, RoundValues)| {
            let mut view = StepView { step, commands: Vec::new(), actions: Vec::new() };
            for round in values.rounds(step, &round) {
                values.enter(&round);
                let commands = command::of_step(step, &values);
                view.actions.extend(action::of_step(step, &commands, &values, input.sources));
                view.commands.extend(commands);
            }
            values.enter(&RoundValues::new());
            view
        };
        let views = |steps: &mut dyn Iterator<Item = &'a Step>| -> Vec<StepView<'a>> {
            let steps: Vec<&'a Step> = steps.filter(|step| !values.is_left_out(step)).collect();
            values.turns(&steps).into_iter().map(view).collect()
        };
        let phases = runbook.phases.iter().filter_map(|phase| {
            let hosts = input.inventory.and_then(|inventory| phase.hosts.value.select(inventory).ok());
            let is_empty = hosts.as_ref().is_some_and(Vec::is_empty);
            (!is_empty).then(|| PhaseView {
                phase,
                hosts,
                steps: views(&mut phase.steps.iter()),
                aside: views(&mut phase.rescue.iter().flat_map(|rescue| &rescue.steps).chain(&phase.always)),
                verify: views(&mut phase.rollout.verify.iter()),
            })
        });
        let phases = phases.collect();
        let via = match runbook.kube.as_ref().map(|kube| &kube.via) {
            Some(KubeVia::Hosts(selector)) => Some(&selector.value),
            _ => None,
        };
        // kubectl runs on the control planes, unless somebody names fewer of them.
        let control_planes =
            via.zip(input.inventory).and_then(|(selector, inventory)| selector.select(inventory).ok());
        let hosts = input.inventory.into_iter().flat_map(|inventory| inventory.hosts.values());
        let local = hosts.filter(|host| host.connection.transport == TransportKind::Local);
        let local_hosts = local.map(|host| host.name.clone()).collect();
        let inventory = input.inventory;
        Self { runbook, sources: input.sources, values, phases, control_planes, inventory, local_hosts }
    }

    /// Whether every host of a phase is a control plane, as far as an inventory or the selectors tell.
    pub(super) fn is_of_control_planes(&self, phase: &PhaseView<'_>) -> bool {
        match (&phase.hosts, &self.control_planes) {
            (Some(hosts), Some(all)) => hosts.iter().all(|host| all.contains(host)),
            _ => match self.runbook.kube.as_ref().map(|kube| &kube.via) {
                Some(KubeVia::Hosts(selector)) => phase.group() == group_of(&selector.value.source),
                _ => false,
            },
        }
    }

    /// Every step that may run on a host, those of `rescue` and `always` too; for rules that look at one step at a time.
    pub(super) fn every_step(&self) -> impl Iterator<Item = &StepView<'a>> {
        self.phases.iter().flat_map(|phase| phase.steps.iter().chain(&phase.aside))
    }

    /// Every step of the roll with its phase, in order.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&PhaseView<'a>, &StepView<'a>)> {
        self.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)))
    }

    /// Every deed of the roll, in order.
    pub(super) fn actions(&self) -> impl Iterator<Item = (&PhaseView<'a>, &'a Step, &StepAction)> {
        self.steps()
            .flat_map(|(phase, view)| view.actions.iter().map(move |action| (phase, view.step, action)))
    }

    /// Their deeds.
    pub(super) fn every_action(&self) -> impl Iterator<Item = (&'a Step, &StepAction)> {
        self.every_step().flat_map(|view| view.actions.iter().map(move |action| (view.step, action)))
    }

    /// What is done to nodes of a cluster while their pods run on them: before a drain, or behind an uncordon.
    pub(super) fn undrained(&self) -> Vec<(&'a Step, &StepAction)> {
        let mut found = Vec::new();
        for phase in self.phases.iter().filter(|_| self.runbook.kube.is_some()) {
            let mut drained = false;
            for (step, action) in phase.actions() {
                match &action.what {
                    // What leaves the cluster has no pods to lose.
                    ActionKind::Drain | ActionKind::Leave => drained = true,
                    ActionKind::Uncordon | ActionKind::Join => drained = false,
                    _ if !drained => found.push((step, action)),
                    _ => {}
                }
            }
        }
        found
    }

    /// Every command that people wrote, with its step, wherever that stands.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&'a Step, &CommandLine)> {
        let verify = self.phases.iter().flat_map(|phase| &phase.verify);
        let steps = self.every_step().chain(verify);
        steps.flat_map(|view| view.commands.iter().map(move |command| (view.step, command)))
    }
}

/// A selector without the slice behind it: `control_plane` of `control_plane[0]`.
fn group_of(selector: &str) -> &str {
    selector.split('[').next().unwrap_or(selector).trim()
}

impl<'a> PhaseView<'a> {
    /// Its selector without the slice behind it.
    pub(super) fn group(&self) -> &'a str {
        group_of(&self.phase.hosts.value.source)
    }

    /// Its deeds, in order.
    pub(super) fn actions(&self) -> impl Iterator<Item = (&'a Step, &StepAction)> {
        self.steps.iter().flat_map(|view| view.actions.iter().map(move |action| (view.step, action)))
    }

    /// Whether any deed of it is of a kind.
    pub(super) fn does(&self, wanted: impl Fn(&ActionKind) -> bool) -> bool {
        self.actions().any(|(_, action)| wanted(&action.what))
    }
}
