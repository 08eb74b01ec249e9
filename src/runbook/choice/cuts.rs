//! What a choice may not take apart: brackets, and a step from the one whose result it reads.

use std::collections::BTreeSet;

use super::guards::{is_guard, is_of, only_looks, takes_in};
use super::{Choice, NotChosen, Outs};
use crate::runbook::brackets::{self, TakesIn};
use crate::runbook::{Frame, FrameId, Phase, Runbook, Step};
use crate::source::Diagnostics;
use crate::source::codes::{CUT, READS_LEFT_OUT};
use crate::template::{Arg, Reference};

/// Members of a result that say what became of the step, which is known of one that is left out.
const FATES: [&str; 4] = ["ran", "changed", "satisfied", "failed"];

/// A step that runs with others or not at all.
struct BoundStep<'r> {
    phase: &'r Phase,
    step: &'r Step,
    /// Why it is left out.
    out: Option<&'r NotChosen>,
    /// The words that choose it.
    names: BTreeSet<String>,
}

impl Runbook {
    pub(super) fn check_cuts(&self, choice: &Choice, outs: &Outs, diagnostics: &mut Diagnostics) {
        for (phase, outs) in self.phases.iter().zip(outs) {
            for bracket in brackets::outermost(phase) {
                let members = bracket.filter(|at| !is_guard(phase, *at));
                let members = members.map(|at| self.member(phase, at, outs));
                check_whole(choice, &members.collect::<Vec<_>>(), diagnostics);
            }
            self.check_results(phase, outs, diagnostics);
        }
        for (opens, closes) in brackets::across(&self.phases) {
            let member = |(phase, at): (usize, usize)| self.member(&self.phases[phase], at, &outs[phase]);
            let closes = match closes {
                TakesIn::Step(at) => member(at),
                TakesIn::Always((phase, at)) => self.answer(&self.phases[phase], at, &outs[phase]),
            };
            check_whole(choice, &[member(opens), closes], diagnostics);
        }
    }

    fn member<'r>(&self, phase: &'r Phase, at: usize, outs: &'r [Option<NotChosen>]) -> BoundStep<'r> {
        let step = &phase.steps[at];
        BoundStep { phase, step, out: outs[at].as_ref(), names: self.names_of(phase, step) }
    }

    /// A step of `always` goes by the names of the steps to which it answers, and runs with any that does something.
    fn answer<'r>(&self, phase: &'r Phase, at: usize, outs: &'r [Option<NotChosen>]) -> BoundStep<'r> {
        let acts = |at: &usize| outs[*at].is_none() && !only_looks(phase, *at);
        let out = if (0..outs.len()).any(|at| acts(&at)) { None } else { outs.iter().flatten().next() };
        let names = phase.steps.iter().flat_map(|step| self.names_of(phase, step)).collect();
        BoundStep { phase, step: &phase.always[at], out, names }
    }

    /// A step that reads the result of one that is left out would never run, or run with nothing. What stands in `rescue`
    /// and `always` follows steps that may not have run anyway: it may ask what became of them.
    fn check_results(&self, phase: &Phase, outs: &[Option<NotChosen>], diagnostics: &mut Diagnostics) {
        let steps = || phase.steps.iter().zip(outs);
        let left_out = steps().enumerate().filter(|(_, (_, out))| out.is_some());
        let left_out: Vec<(usize, &str)> =
            left_out.filter_map(|(at, (step, _))| Some((at, step.id.as_deref()?))).collect();
        let only_guards = (0..outs.len()).filter(|at| outs[*at].is_none()).all(|at| only_looks(phase, at));
        let answers = phase.host_steps().skip(phase.steps.len()).filter(|_| !only_guards);
        let chosen = steps().enumerate().filter(|(_, (_, out))| out.is_none());
        let chosen = chosen.map(|(at, (step, _))| (at, step, false));
        for (at, step, answers) in chosen.chain(answers.map(|step| (outs.len(), step, true))) {
            let read = self.results_of(step);
            let asks_first = |id: &str| read.iter().any(|(path, _)| is_of(path, id) && is_fate(path));
            let found = read.iter().find_map(|(path, reference)| {
                // What comes later is not among the results yet.
                let (_, id) = left_out.iter().find(|(of, id)| *of < at && takes_in(path, id))?;
                (!answers || !is_fate(path) && !asks_first(id)).then_some((*id, *reference))
            });
            let Some((id, reference)) = found else { continue };
            let message = format!("this step reads `{reference}`, and the step `{id}` is left out");
            let error = diagnostics.error(READS_LEFT_OUT, step.origin.span, message);
            if let Some(read) = phase.steps.iter().find(|step| step.id.as_deref() == Some(id)) {
                error.related(read.origin.span, "left out");
            }
            error.hint(if answers {
                format!("choose `{id}`, too, or give this step `when: steps.{id}.ran`")
            } else {
                format!("choose `{id}`, too, or leave this step out as well")
            });
        }
    }

    /// Results that a step reads, also through arguments of the includes around it: each as the path of its step and
    /// member, and as it is written.
    pub(super) fn results_of<'r>(&'r self, step: &'r Step) -> Vec<(String, &'r Reference)> {
        let args = step.args.values().chain(step.env.values()).chain(&step.timeout).chain(&step.for_each);
        let own = args.flat_map(Arg::references).chain(step.when.iter().flat_map(|when| &when.references));
        let frame = |id: FrameId| &self.frames[id.0];
        let mut found: Vec<(&Reference, Option<&Frame>)> =
            own.map(|reference| (reference, step.frame.map(frame))).collect();
        let around = std::iter::successors(step.frame, |id| self.frames[id.0].parent);
        for include in around.map(frame) {
            let args = include.args.values().chain(&include.for_each).flat_map(Arg::references);
            let all = args.chain(include.when.iter().flat_map(|when| &when.references));
            found.extend(all.map(|reference| (reference, include.parent.map(frame))));
        }
        found.retain(|(reference, _)| reference.root == "steps");
        let path = |(reference, frame): (&'r Reference, Option<&Frame>)| {
            let prefix = frame.map(|frame| frame.prefix.as_str());
            let path = prefix.into_iter().chain(reference.path.iter().map(String::as_str));
            (path.collect::<Vec<_>>().join("."), reference)
        };
        found.into_iter().map(path).collect()
    }
}

/// A bracket of which only a part would run leaves a node cordoned, or a package without its hold; one without its
/// middle takes a host out of service for nothing.
fn check_whole(choice: &Choice, members: &[BoundStep<'_>], diagnostics: &mut Diagnostics) {
    let out: Vec<&NotChosen> = members.iter().filter_map(|member| member.out).collect();
    let ([BoundStep { phase, step: first, .. }, .., BoundStep { step: last, .. }], false) =
        (members, out.is_empty())
    else {
        return;
    };
    if out.len() == members.len() {
        return;
    }
    let skipped = out.iter().find_map(|out| match out {
        NotChosen::Skipped(word) => Some(format!("--skip {word}")),
        NotChosen::NotNamed => None,
    });
    let flag = skipped.unwrap_or_else(|| format!("--only {}", choice.only.join(",")));
    let message = format!(
        "`{flag}` would take apart {} steps of the phase `{}` that belong together, from `{}` to `{}`",
        members.len(),
        phase.name.value,
        first.kind.name(),
        last.kind.name()
    );
    let common = members.iter().map(|member| member.names.clone());
    let common = common.reduce(|left, right| left.intersection(&right).cloned().collect());
    let common: Vec<String> =
        common.unwrap_or_default().into_iter().map(|name| format!("`{name}`")).collect();
    let error = diagnostics.error(CUT, first.origin.span, message);
    error.related(last.origin.span, "to here");
    error.hint(if common.is_empty() {
        "they run as a whole or not at all: give them a tag in common".to_owned()
    } else {
        format!("they run as a whole or not at all; what names all of them: {}", common.join(", "))
    });
}

fn is_fate(path: &str) -> bool {
    FATES.contains(&path.rsplit('.').next().unwrap_or_default())
}
