//! Counts percentages, cuts batches, and warns about limits that do not mean what they seem to.

use std::collections::{BTreeMap, BTreeSet};

use super::brackets::Marks;
use super::{CompileInput, Selection, hosts::HostTable, step_error, warning};
use crate::plan::{HostId, PlannedPhase, Rollout, Section, Task, Topology, Warning, cut_batches};
use crate::runbook::RolloutSpec;
use crate::source::{Diagnostics, codes};
use crate::step::BracketKey;
use crate::value::Amount;

/// A phase's hosts as ids, its batches, and its rollout with percentages counted over the population.
pub(super) fn cut(
    input: &CompileInput<'_>,
    table: &HostTable<'_>,
    spec: &RolloutSpec,
    selection: &Selection,
) -> (Vec<HostId>, Vec<Vec<HostId>>, Rollout) {
    let population: Vec<HostId> = selection.population.iter().map(|host| table.id(host)).collect();
    let work: Vec<HostId> = selection.work.iter().map(|host| table.id(host)).collect();
    // Where only checks are left nothing has to be seen to between hosts.
    let sizes: &[Amount] = if selection.chosen.only_checks { &[] } else { &spec.batches };
    let batches = cut_batches(&work, sizes, population.len());
    let slots = spec.max_unavailable.of(population.len());
    let tightened =
        input.overrides.max_unavailable.map_or(slots, |amount| amount.of(population.len()).min(slots));
    let parallel = input.overrides.parallel.map_or(spec.parallel, |parallel| parallel.min(spec.parallel));
    let rollout = Rollout {
        declared: spec.max_unavailable,
        max_unavailable: u32::try_from(tightened).unwrap_or(u32::MAX),
        max_failures: spec.max_failures,
        parallel: parallel.max(1),
        on_failure: spec.on_failure,
        soak: spec.soak,
        wait_for_budget: spec.wait_for_budget,
        control_planes: false,
    };
    (population, batches, rollout)
}

/// The place of every host of the population. Hosts without the label were told before.
pub(super) fn topology(table: &HostTable<'_>, spec: &RolloutSpec, population: &[HostId]) -> Option<Topology> {
    let spec = spec.topology.as_ref()?;
    let mut domains: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
    for host in population {
        if let Some(domain) = table.row(*host).host.labels.get(&spec.key.value) {
            domains.entry(domain.clone()).or_default().push(*host);
        }
    }
    for hosts in domains.values_mut() {
        hosts.sort_unstable();
    }
    Some(Topology { key: spec.key.value.clone(), max_domains: spec.max_domains.get(), domains })
}

/// Refuses phases that would leave more nodes cordoned than may be out of service: on purpose is out of service, too.
/// Those that earlier phases left count until a phase uncordons them.
pub(super) fn refuse_cordons<'p>(
    input: &CompileInput<'_>,
    phases: &'p [PlannedPhase],
    marks: impl Fn(&'p Task) -> Marks<'p>,
    diagnostics: &mut Diagnostics,
) {
    let mut left: BTreeSet<HostId> = BTreeSet::new();
    for (phase, written) in phases.iter().zip(&input.runbook.phases) {
        let before = left.len();
        for tasks in &phase.hosts {
            // On a host on which all goes well.
            let path = [Section::Steps, Section::Always].map(|section| tasks.range(section));
            for index in path.into_iter().flatten() {
                let Marks { opens, closes } = marks(&tasks.tasks[usize::from(index)]);
                if closes.contains(&BracketKey::Cordon) {
                    left.remove(&tasks.host);
                }
                if opens.contains(&BracketKey::Cordon) {
                    left.insert(tasks.host);
                }
            }
        }
        let counted = phase.population.iter().filter(|host| left.contains(host)).count();
        let slots = phase.rollout.slots() as usize;
        if left.len() > before && counted > slots {
            let message = format!(
                "phase `{}` would leave {counted} nodes cordoned, and {slots} may be out of service at the same time",
                phase.name
            );
            let hint = "what `leave_cordoned` leaves counts against `max_unavailable` until the run uncordons it: raise that, or work on fewer hosts with --limit";
            step_error(diagnostics, codes::LEAVES_TOO_MANY, written.name.span, &message, Some(hint));
        }
    }
}

/// A budget on the command line that is above what the runbook allows in every phase: it only ever lowers it.
fn warn_about_override(input: &CompileInput<'_>, phases: &[PlannedPhase]) -> Option<Warning> {
    let wanted = input.overrides.max_unavailable?;
    let mut is_above = false;
    for phase in phases.iter().filter(|phase| !phase.batches.is_empty()) {
        let count = phase.population.len();
        let (wanted, written) = (wanted.of(count), phase.rollout.declared.of(count));
        if wanted < written {
            return None;
        }
        is_above |= wanted > written;
    }
    is_above.then(|| {
        warning(
            format!("--max-unavailable {wanted} is above what the runbook allows, which stays as it is"),
            "the flag only lowers it: write a higher `max_unavailable` into the runbook",
        )
    })
}

/// Warnings about rollouts.
pub(super) fn warn_about_limits(
    input: &CompileInput<'_>,
    phases: &[PlannedPhase],
    warnings: &mut Vec<Warning>,
) {
    warnings.extend(warn_about_override(input, phases));
    for (phase, written) in phases.iter().zip(&input.runbook.phases) {
        let rollout = &phase.rollout;
        // A count in the runbook was compared when the runbook was read: its warning has a place in the file.
        let told = matches!(rollout.declared, Amount::Count(count) if written.rollout.failures_spend(count).is_some());
        let spent = written.rollout.failures_spend(rollout.max_unavailable).filter(|_| !told);
        warnings
            .extend(spent.map(|(message, hint)| warning(format!("phase `{}`: {message}", phase.name), hint)));
        let counted = phase.population.len();
        let worked: usize = phase.batches.iter().map(Vec::len).sum();
        if worked < counted && worked > 0 {
            warnings.push(warning(
                format!(
                    "phase `{}`: {} of {counted} hosts are counted against the budget but not worked on",
                    phase.name,
                    counted - worked
                ),
                "",
            ));
        }
        if rollout.max_unavailable == 0 && written.rollout.span.is_some() {
            warnings.push(warning(
                format!("phase `{}`: max_unavailable is 0: no host may be taken out of service", phase.name),
                "the phase halts at the first disrupting step",
            ));
        }
    }
}
