//! `--only` and `--skip`: which steps of a runbook a plan is made of. Looks only at what is written. What belongs together
//! is taken or left as a whole, and what guards the steps behind it stays.

mod cuts;
mod guards;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Phase, Runbook, Step};
use crate::source::codes::SELECTS_NO_STEP;
use crate::source::{Diagnostics, Span, Spanned, nearest, shorten};

/// Words that choose: ids of steps and includes, tags, names of phases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// `--only`: nothing but these; empty: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// `--skip`: all but these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
}

impl Choice {
    /// As on a command line: `--only packages, roll`.
    pub fn flags(&self) -> Vec<String> {
        let flags = [("--only", &self.only), ("--skip", &self.skip)];
        let given = flags.into_iter().filter(|(_, words)| !words.is_empty());
        given.map(|(flag, words)| format!("{flag} {}", words.join(", "))).collect()
    }
}

/// The same as it was written, on the command line or in a scenario: each text is a word, or several with commas between.
#[derive(Clone, Debug, Default)]
pub struct WrittenChoice {
    /// `--only`.
    pub only: Vec<Spanned<String>>,
    /// `--skip`.
    pub skip: Vec<Spanned<String>>,
}

impl WrittenChoice {
    /// Whether nothing was chosen, so that everything is.
    pub fn is_empty(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }
}

/// Why a step is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotChosen {
    /// `--only` names others.
    NotNamed,
    /// `--skip` names it by this word.
    Skipped(String),
}

/// What a choice makes of a phase. `rescue` and `always` stay with the steps to which they answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenPhase {
    /// Why each of its steps is left out; `None` for those that are not.
    pub steps: Vec<Option<NotChosen>>,
    /// What is left of it only guards the steps of later phases.
    pub only_checks: bool,
}

impl ChosenPhase {
    /// Whether nothing of it is left.
    pub fn is_left_out(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(Option::is_some)
    }
}

/// What a choice makes of a runbook.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// The words, each by itself.
    pub choice: Choice,
    /// Phase by phase.
    pub phases: Vec<ChosenPhase>,
    /// Checks that are left out although steps behind them are not: what each is, and its word.
    pub unguarded: Vec<(String, String)>,
}

/// Why each step of each phase is left out.
type Outs = Vec<Vec<Option<NotChosen>>>;

impl Runbook {
    /// What a choice makes of every phase; all that is wrong with it goes to the diagnostics.
    pub fn choose(&self, written: &WrittenChoice, diagnostics: &mut Diagnostics) -> Chosen {
        let everything = self.phases.iter().map(|phase| vec![None; phase.steps.len()]);
        let mut outs: Outs = everything.collect();
        if written.is_empty() {
            let phases = outs.into_iter().map(|steps| ChosenPhase { steps, only_checks: false });
            return Chosen { phases: phases.collect(), ..Chosen::default() };
        }
        let before = diagnostics.count_errors();
        let only = self.words("--only", &written.only, diagnostics);
        let skip = self.words("--skip", &written.skip, diagnostics);
        let plain = |words: &[Spanned<String>]| words.iter().map(|word| word.value.clone()).collect();
        let choice = Choice { only: plain(&only), skip: plain(&skip) };
        for (phase, outs) in self.phases.iter().zip(&mut outs) {
            for (step, out) in phase.steps.iter().zip(outs) {
                *out = self.not_chosen(phase, step, &choice);
            }
        }
        self.keep_guards(&choice, &mut outs);
        // What follows from a word that names nothing is no mistake of its own.
        if diagnostics.count_errors() == before {
            self.check_words(&skip, &outs, diagnostics);
            self.check_cuts(&choice, &outs, diagnostics);
        }
        let unguarded = self.unguarded(&outs);
        let phases = self.phases.iter().zip(outs).map(|(phase, steps)| {
            let is_left = |at: &usize| steps[*at].is_none();
            let only_checks = (0..steps.len()).filter(is_left).all(|at| guards::only_looks(phase, at));
            ChosenPhase { only_checks: only_checks && steps.iter().any(Option::is_some), steps }
        });
        Chosen { choice, phases: phases.collect(), unguarded }
    }

    /// Every word by itself. A text that is a word as a whole, such as the name of a phase, may hold commas.
    fn words(
        &self,
        flag: &str,
        written: &[Spanned<String>],
        diagnostics: &mut Diagnostics,
    ) -> Vec<Spanned<String>> {
        let known = self.names();
        let mut words = Vec::new();
        for text in written {
            let parts = if known.contains(&text.value) { vec![text.clone()] } else { split(text) };
            for part in parts {
                if known.contains(&part.value) {
                    words.push(part);
                } else {
                    self.unknown(flag, &part, &known, diagnostics);
                }
            }
        }
        words
    }

    fn unknown(
        &self,
        flag: &str,
        word: &Spanned<String>,
        known: &BTreeSet<String>,
        diagnostics: &mut Diagnostics,
    ) {
        const MOST_LISTED: usize = 14;
        let message = format!("`{flag} {}` names no step", shorten(&word.value));
        let error = diagnostics.error(SELECTS_NO_STEP, word.span, message);
        // A step that answers to others is not chosen for itself.
        for phase in &self.phases {
            let rescue = phase.rescue.iter().flat_map(|rescue| &rescue.steps).map(|step| (step, "`rescue`"));
            let always = phase.always.iter().map(|step| (step, "`always`"));
            let verify = phase.rollout.verify.iter().map(|step| (step, "`verify`"));
            let mut others = rescue.chain(always).chain(verify);
            if let Some((step, part)) =
                others.find(|(step, _)| self.names_of(phase, step).contains(&word.value))
            {
                error.related(step.origin.span, format!("it names this step of {part}"));
                error.hint(format!(
                    "{part} goes with the steps of the phase `{}`: choose those",
                    phase.name.value
                ));
                return;
            }
        }
        if let Some(near) = nearest(&word.value, known.iter().map(String::as_str)) {
            error.hint(format!("did you mean `{near}`?"));
            let mut steps = self.phases.iter().flat_map(|phase| phase.steps.iter().map(move |s| (phase, s)));
            if let Some((_, step)) = steps.find(|(phase, step)| self.names_of(phase, step).contains(near)) {
                error.related(step.origin.span, format!("`{near}` names this step"));
            }
            return;
        }
        error
            .hint("steps go by their `id`, by that of an include, by `tags`, and by the name of their phase");
        if known.len() <= MOST_LISTED {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            error.hint(format!("there are: {}", known.join(", ")));
        }
    }

    /// Every word that names a step.
    fn names(&self) -> BTreeSet<String> {
        let of = |phase| move |step| self.names_of(phase, step);
        self.phases.iter().flat_map(|phase| phase.steps.iter().flat_map(of(phase))).collect()
    }

    /// The words by which a step goes.
    fn names_of(&self, phase: &Phase, step: &Step) -> BTreeSet<String> {
        let around = std::iter::successors(step.frame, |id| self.frames[id.0].parent);
        // An include without an id has a prefix that nobody wrote.
        let includes = around.map(|id| &self.frames[id.0].prefix).filter(|prefix| !prefix.contains('-'));
        let own = step.id.iter().filter(|id| !id.contains('-'));
        includes.chain(own).chain(&step.tags).chain([&phase.name.value]).cloned().collect()
    }

    fn not_chosen(&self, phase: &Phase, step: &Step, choice: &Choice) -> Option<NotChosen> {
        let names = self.names_of(phase, step);
        // Its own id is the most exact word, and says that a check is meant.
        let own = choice.skip.iter().find(|word| step.id.as_ref() == Some(*word));
        if let Some(word) = own.or_else(|| choice.skip.iter().find(|word| names.contains(*word))) {
            return Some(NotChosen::Skipped(word.clone()));
        }
        let is_chosen = choice.only.is_empty() || choice.only.iter().any(|word| names.contains(word));
        (!is_chosen).then_some(NotChosen::NotNamed)
    }

    /// A word of `--skip` that leaves nothing out was meant otherwise; so was a choice that leaves no step.
    fn check_words(&self, skip: &[Spanned<String>], outs: &Outs, diagnostics: &mut Diagnostics) {
        for word in skip {
            let by = |out: &NotChosen| matches!(out, NotChosen::Skipped(by) if *by == word.value);
            let names = |(phase, step): (&Phase, &Step)| self.names_of(phase, step).contains(&word.value);
            let all = self.phases.iter().zip(outs);
            let mut steps =
                all.flat_map(|(phase, outs)| phase.steps.iter().zip(outs).map(move |(s, o)| (phase, s, o)));
            // Two words may name the same step.
            if steps.any(|(phase, step, out)| out.as_ref().is_some_and(|out| by(out) || names((phase, step))))
            {
                continue;
            }
            let message = format!("`--skip {}` leaves nothing out", shorten(&word.value));
            let error = diagnostics.error(SELECTS_NO_STEP, word.span, message);
            error.hint("it names only checks that guard what stands behind them; a check is left out by its own `id`");
        }
        if let Some(last) = skip.last()
            && outs.iter().flatten().all(Option::is_some)
        {
            let error = diagnostics.error(SELECTS_NO_STEP, last.span, "`--only` and `--skip` leave no step");
            error.hint("what both name is left out");
        }
    }
}

/// The words of a text, each with its place.
fn split(text: &Spanned<String>) -> Vec<Spanned<String>> {
    let mut start = 0;
    let mut words = Vec::new();
    for part in text.value.split(',') {
        let lead = part.len() - part.trim_start().len();
        let from = text.span.start as usize + start + lead;
        let to = (from + part.trim().len()).min(text.span.end as usize);
        let span = Span::new(text.span.file, from.min(to), to);
        words.push(Spanned { value: part.trim().to_owned(), span });
        start += part.len() + 1;
    }
    words
}
