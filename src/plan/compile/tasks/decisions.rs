//! Decides conditions once per host: an include's `when` where its first step's turn comes, and one inside a bracket that
//! is the same as that of the step that opens it together with that one. What is known only in a run gets a number, by
//! which the run decides it once.

use std::collections::HashMap;

use super::{Lowering, Visit};
use crate::plan::compile::dependence::Dependence;
use crate::plan::compile::parts::WrittenStep;
use crate::plan::compile::rounds::LoopRound;
use crate::runbook::{FrameId, Runbook, Step};
use crate::template::{Expression, RenderError, Scope};

/// What is known of a condition when a plan is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    Holds,
    Fails,
    /// It is decided in the run.
    Late {
        id: u16,
        waits_for: Vec<String>,
    },
}

/// A condition by its text and, where what it sees differs from place to place, by its place.
type Key = (String, String);

/// A condition on a step or around it.
struct Condition<'a> {
    when: &'a Expression,
    /// The include that has it; `None` for the step itself.
    of: Option<FrameId>,
    /// The fragment whose arguments and steps it sees.
    sees: Option<FrameId>,
}

/// One condition of a task.
#[derive(Clone, Debug)]
pub(super) struct TaskCondition {
    key: Key,
    of: Option<FrameId>,
    pub(super) decided: Decided,
    /// The facts that decided it, where this task is the first that comes to it.
    facts: Vec<String>,
}

/// Whether a task runs, as far as that is known.
pub(super) struct ConditionVerdict {
    /// Up to the first that fails, outermost first. Empty where its bracket is open for sure.
    pub(super) answers: Vec<TaskCondition>,
    /// Tasks whose bracket it closes, where it has a condition.
    pub(super) closes: Vec<u16>,
    /// Tasks that cordon the node under other conditions.
    pub(super) apart_from: Vec<u16>,
    /// It closes what is open for sure: its conditions do not count.
    pub(super) is_forced: bool,
}

impl ConditionVerdict {
    pub(super) fn fails(&self) -> bool {
        self.answers.iter().any(|answer| answer.decided == Decided::Fails)
    }

    /// Numbers of the conditions that the run decides, and the names that they wait for.
    pub(super) fn late(&self) -> (Vec<u16>, Vec<String>) {
        let late = self.answers.iter().filter_map(|answer| match &answer.decided {
            Decided::Late { id, waits_for } => Some((*id, waits_for.clone())),
            _ => None,
        });
        let (ids, names): (Vec<u16>, Vec<Vec<String>>) = late.unzip();
        (ids, names.concat())
    }

    /// Of each condition that is written, outermost first, whether the run has to ask it.
    pub(super) fn asks(&self) -> Vec<bool> {
        self.answers.iter().map(|answer| matches!(answer.decided, Decided::Late { .. })).collect()
    }
}

/// Whether a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Yes,
    No,
    Perhaps,
}

/// A step whose turn has come.
struct Turn {
    at: usize,
    round: String,
    task: u16,
    answers: Vec<TaskCondition>,
    runs: Runs,
}

/// What was decided for one host in one phase.
#[derive(Default)]
pub(in crate::plan::compile) struct Decisions {
    late: u16,
    /// By the include and the round that it is in.
    frames: HashMap<(FrameId, String), Decided>,
    turns: Vec<Turn>,
}

impl Decisions {
    /// The tasks of these steps, of the same round where there is one.
    fn turns_of<'d>(&'d self, steps: &'d [usize], round: &LoopRound) -> impl Iterator<Item = &'d Turn> {
        let key = round.key();
        steps.iter().flat_map(move |at| {
            let of_step = || self.turns.iter().filter(move |turn| turn.at == *at);
            let is_same = of_step().any(|turn| turn.round == key);
            let key = key.clone();
            of_step().filter(move |turn| !is_same || turn.round == key)
        })
    }

    /// Whether a task of these steps is not left out.
    pub(in crate::plan::compile) fn may_have_run(&self, steps: &[usize]) -> bool {
        self.turns.iter().any(|turn| steps.contains(&turn.at) && turn.runs != Runs::No)
    }

    /// A task of this step was made.
    pub(super) fn note(
        &mut self,
        at: usize,
        round: &LoopRound,
        task: u16,
        verdict: &ConditionVerdict,
        is_left_out: bool,
    ) {
        let runs = match verdict.late().0.is_empty() {
            _ if is_left_out => Runs::No,
            true => Runs::Yes,
            false => Runs::Perhaps,
        };
        self.turns.push(Turn { at, round: round.key(), task, answers: verdict.answers.clone(), runs });
    }

    /// A task that runs for sure was put in at this index, and opens what the one behind it opens.
    pub(super) fn make_room(&mut self, index: u16) {
        let opener =
            self.turns.iter().find(|turn| turn.task == index).map(|turn| (turn.at, turn.round.clone()));
        self.turns.iter_mut().filter(|turn| turn.task >= index).for_each(|turn| turn.task += 1);
        self.turns.extend(opener.map(|(at, round)| Turn {
            at,
            round,
            task: index,
            answers: Vec::new(),
            runs: Runs::Yes,
        }));
    }

    fn next(&mut self, waits_for: Vec<String>) -> Decided {
        let id = self.late;
        self.late += 1;
        Decided::Late { id, waits_for }
    }
}

impl<'a> Lowering<'a, '_> {
    /// Decides the conditions of a step whose turn has come.
    pub(super) fn decide(
        &mut self,
        written: &WrittenStep<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
    ) -> Result<ConditionVerdict, RenderError> {
        let runbook = self.runbook();
        let conditions = conditions(runbook, written.step);
        let ties = &written.ties;
        let openers = || visit.decisions.turns_of(&ties.closes, round);
        let is_forced = !conditions.is_empty() && openers().any(|turn| turn.runs == Runs::Yes);
        let closes = openers().filter(|turn| turn.runs != Runs::No && !conditions.is_empty());
        let closes = closes.map(|turn| turn.task).collect();
        let cordons = || visit.decisions.turns_of(&ties.apart_from, round);
        let is_sure = cordons().any(|turn| turn.runs == Runs::Yes);
        let apart_from = cordons().filter(|_| !is_sure).map(|turn| turn.task).collect();
        let mut verdict = ConditionVerdict { answers: Vec::new(), closes, apart_from, is_forced };
        if is_forced {
            return Ok(verdict);
        }
        for condition in conditions {
            let is_behind_late = verdict.answers.iter().any(|answer| answer.decided != Decided::Holds);
            let answer = self.answer(&condition, written, round, visit, is_behind_late)?;
            let fails = answer.decided == Decided::Fails;
            verdict.answers.push(answer);
            if fails {
                break;
            }
        }
        Ok(verdict)
    }

    fn answer(
        &mut self,
        condition: &Condition<'a>,
        written: &WrittenStep<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        is_behind_late: bool,
    ) -> Result<TaskCondition, RenderError> {
        let runbook = self.runbook();
        let Condition { when, of, sees } = *condition;
        let key = key(condition, round, runbook);
        let frame = of.map(|frame| (frame, round.prefix(frame, runbook)));
        let before = frame.as_ref().and_then(|frame| visit.decisions.frames.get(frame)).cloned();
        let before = before.or_else(|| {
            let mut openers = visit.decisions.turns_of(&written.ties.follows, round);
            let same = openers.find_map(|turn| turn.answers.iter().find(|answer| answer.key == key));
            same.map(|answer| answer.decided.clone())
        });
        let dependence = Dependence::of_condition(runbook, when, sees);
        let is_first = before.is_none();
        let decided = match before {
            Some(decided) => decided,
            None => {
                let altered = self.altered.entry(visit.id).or_default();
                let waits_for = dependence.waits_for(altered, visit.facts.is_some());
                if is_behind_late || !waits_for.is_empty() {
                    visit.decisions.next(waits_for)
                } else if self.holds(condition, round, visit)? {
                    Decided::Holds
                } else {
                    Decided::Fails
                }
            }
        };
        if let Some(frame) = frame {
            visit.decisions.frames.insert(frame, decided.clone());
        }
        let facts =
            dependence.facts.iter().filter(|_| is_first).map(|fact| format!("facts.{fact}")).collect();
        Ok(TaskCondition { key, of, decided, facts })
    }

    fn holds(
        &mut self,
        condition: &Condition<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
    ) -> Result<bool, RenderError> {
        let outer = self.host_scope(visit);
        let scopes = self.scopes.as_mut().map_err(|error| error.clone())?;
        // Other arguments of the fragment may not be known yet.
        let sees = condition.sees.filter(|_| names(condition.when, &["args"]));
        let scope = scopes.with_args(&outer, sees, round, false)?;
        let mut inner = Scope::child(&scope);
        if let Some(each) = each_at(condition, round) {
            inner.set("each", each.clone());
        }
        condition.when.eval_bool(&inner)
    }

    /// A step that is known only in the run is looked at by nobody before: what facts decided for it alone now is decided
    /// there, too.
    pub(super) fn put_off(
        verdict: &mut ConditionVerdict,
        round: &LoopRound,
        runbook: &Runbook,
        decisions: &mut Decisions,
    ) {
        let is_by_facts =
            |answer: &&mut TaskCondition| !answer.facts.is_empty() && answer.decided == Decided::Holds;
        for answer in verdict.answers.iter_mut().filter(is_by_facts) {
            answer.decided = decisions.next(answer.facts.clone());
            if let Some(frame) = answer.of {
                decisions.frames.insert((frame, round.prefix(frame, runbook)), answer.decided.clone());
            }
        }
    }
}

/// The conditions on a step and around it, outermost first.
fn conditions<'a>(runbook: &'a Runbook, step: &'a Step) -> Vec<Condition<'a>> {
    let own = step.when.as_ref().map(|when| Condition { when, of: None, sees: step.frame });
    let around = std::iter::successors(step.frame, |id| runbook.frames[id.0].parent).filter_map(|id| {
        let frame = &runbook.frames[id.0];
        frame.when.as_ref().map(|when| Condition { when, of: Some(id), sees: frame.parent })
    });
    let mut all: Vec<_> = own.into_iter().chain(around).collect();
    all.reverse();
    all
}

fn key(condition: &Condition<'_>, round: &LoopRound, runbook: &Runbook) -> Key {
    let place = match condition.sees {
        Some(frame) if names(condition.when, &["args", "steps"]) => round.prefix(frame, runbook),
        _ => String::new(),
    };
    let each = each_at(condition, round).filter(|_| names(condition.when, &["each"]));
    let each = each.map(|each| serde_json::to_string(each).expect("invariant: values serialise"));
    (condition.when.source.clone(), format!("{place}\u{0}{}", each.unwrap_or_default()))
}

fn each_at<'r>(condition: &Condition<'_>, round: &'r LoopRound) -> Option<&'r crate::value::Value> {
    condition.of.map_or_else(|| round.of_step(), |frame| round.of_frame(frame))
}

fn names(when: &Expression, roots: &[&str]) -> bool {
    when.references.iter().any(|name| roots.contains(&name.root.as_str()))
}
