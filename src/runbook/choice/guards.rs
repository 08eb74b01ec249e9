//! Guards: steps that say whether it is right to go on. They stay wherever a chosen step stands behind them.

use std::ops::Range;

use super::{Choice, NotChosen, Outs};
use crate::op::Effect;
use crate::runbook::{Phase, Runbook, Step, brackets};
use crate::step::{PauseFor, pause_of};

/// What a step guards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guards {
    /// Nothing: it does something, or waits for what others do.
    Nothing,
    /// The steps behind it in its phase: a person was to see to something first, or etcd was to be saved.
    Phase,
    /// All that stands behind it, later phases included.
    All,
}

fn guards(phase: &Phase, step: &Step) -> Guards {
    if matches!(step.kind.name(), "assert" | "node_support" | "version_skew") || only_reads(phase) {
        Guards::All
    } else if step.kind.name() == "etcd_snapshot" || waits_for_a_person(step) {
        Guards::Phase
    } else {
        Guards::Nothing
    }
}

/// Whether a step of this phase is there for those behind it.
pub(super) fn is_guard(phase: &Phase, at: usize) -> bool {
    guards(phase, &phase.steps[at]) != Guards::Nothing
}

/// Whether it is, and changes nothing itself.
pub(super) fn only_looks(phase: &Phase, at: usize) -> bool {
    is_guard(phase, at) && reads(&phase.steps[at])
}

fn reads(step: &Step) -> bool {
    step.effect.unwrap_or_else(|| step.kind.effect()) == Effect::Reads
}

/// A phase that changes nothing is there for those behind it, whatever its steps are.
fn only_reads(phase: &Phase) -> bool {
    phase.host_steps().all(reads)
}

fn waits_for_a_person(step: &Step) -> bool {
    // Which of the two it is shows without any value.
    matches!(pause_of(step.kind.name(), &step.constants()), Some(PauseFor::Person(_)))
        && !step.args.contains_key("for")
}

impl Runbook {
    /// A guard stays where a chosen step stands behind it, and goes with the bracket that it stands in. With `--skip`, one
    /// at the end stays, too, unless nothing else of its phase does.
    pub(super) fn keep_guards(&self, choice: &Choice, outs: &mut Outs) {
        let mut later = false;
        for (phase, outs) in self.phases.iter().zip(outs).rev() {
            let brackets = brackets::outermost(phase);
            let others = |range: Range<usize>, outs: &[Option<NotChosen>]| {
                range.filter(|at| !is_guard(phase, *at)).map(|at| outs[at].clone()).collect::<Vec<_>>()
            };
            let of_phase = others(0..outs.len(), outs);
            let phase_is_out = !of_phase.is_empty() && of_phase.iter().all(Option::is_some);
            let mut here = false;
            for at in (0..phase.steps.len()).rev() {
                let step = &phase.steps[at];
                let guards = guards(phase, step);
                if guards == Guards::Nothing {
                    here |= outs[at].is_none();
                    continue;
                }
                // Whoever names the check itself means it.
                if matches!(&outs[at], Some(NotChosen::Skipped(word)) if step.id.as_ref() == Some(word)) {
                    continue;
                }
                let is_needed = here || later && guards == Guards::All;
                let around = brackets.iter().find(|bracket| bracket.contains(&at));
                let members = around.map(|bracket| others(bracket.clone(), outs)).unwrap_or_default();
                if !members.is_empty() {
                    outs[at] = members.into_iter().find(Option::is_some).flatten();
                } else if is_needed {
                    outs[at] = None;
                } else if choice.only.is_empty() && phase_is_out {
                    outs[at] = of_phase.first().cloned().flatten();
                }
                if outs[at].is_none() {
                    here |= !reads(step);
                    self.keep_what_it_reads(phase, at, outs);
                }
            }
            later |= here;
        }
    }

    /// A guard that judges what an earlier step printed needs that step, where it only looks.
    fn keep_what_it_reads(&self, phase: &Phase, at: usize, outs: &mut [Option<NotChosen>]) {
        let read = self.results_of(&phase.steps[at]);
        for earlier in (0..at).rev() {
            let step = &phase.steps[earlier];
            let is_read = step.id.as_ref().is_some_and(|id| read.iter().any(|(read, _)| takes_in(read, id)));
            if reads(step) && is_read && outs[earlier] == Some(NotChosen::NotNamed) {
                outs[earlier] = None;
                self.keep_what_it_reads(phase, earlier, outs);
            }
        }
    }

    /// Guards that are left out although a chosen step stands behind them.
    pub(super) fn unguarded(&self, outs: &Outs) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut later = false;
        for (phase, outs) in self.phases.iter().zip(outs).rev() {
            let mut here = false;
            for (step, out) in phase.steps.iter().zip(outs).rev() {
                match (guards(phase, step), out) {
                    (guards, None) => here |= guards == Guards::Nothing || !reads(step),
                    (guards, Some(NotChosen::Skipped(word)))
                        if guards != Guards::Nothing && (here || later && guards == Guards::All) =>
                    {
                        let what = step.name.as_deref().unwrap_or_else(|| step.kind.name());
                        found.push((format!("{what} ({})", step.origin.place), word.clone()));
                    }
                    _ => {}
                }
            }
            later |= here;
        }
        found.reverse();
        found
    }
}

/// Whether a path below `steps` reads the step of this id: also all steps around it at once, or one that only a value names.
pub(super) fn takes_in(path: &str, id: &str) -> bool {
    path.is_empty() || is_of(path, id) || is_of(id, path)
}

/// Whether a path below `steps` is about the step of this id.
pub(super) fn is_of(path: &str, id: &str) -> bool {
    path.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
