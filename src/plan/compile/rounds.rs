//! Unrolls `for_each`: which steps a host has, in which order, and what `each` is for every one of them. An include that
//! has it runs all of its steps for one item before the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dependence::Dependence;
use super::parts::WrittenStep;
use super::step_error;
use super::tasks::{Lowering, Visit};
use crate::plan::{Forecast, LeftOut};
use crate::runbook::{FrameId, MOST_ITEMS, Runbook, Step, each_of};
use crate::source::{Diagnostics, codes};
use crate::template::{Arg, Scope};
use crate::value::{Value, escape};

/// Tasks of one host in one phase. Loops inside loops multiply.
const MOST_TASKS: usize = 10_000;

/// One round of the loops around a step and of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopRound {
    frames: Vec<(FrameId, Item)>,
    own: Option<Item>,
}

/// One item of a `for_each`.
#[derive(Clone, Debug)]
struct Item {
    /// From 1; 0 where the list has none, or nobody asked for them.
    number: usize,
    label: String,
    each: Value,
}

impl Item {
    fn none() -> Self {
        Self { number: 0, label: String::new(), each: Value::Null }
    }
}

impl LoopRound {
    fn inside(&self, frame: FrameId, item: Item) -> Self {
        let mut frames = self.frames.clone();
        frames.push((frame, item));
        Self { frames, own: None }
    }

    fn at_step(&self, item: Item) -> Self {
        Self { frames: self.frames.clone(), own: Some(item) }
    }

    /// The round of a step that nobody asks for its items: those that it is in, and no item where more loops stand around
    /// it.
    fn of_none(&self, step: &Step, runbook: &Runbook) -> Self {
        let mut round = self.clone();
        let around = std::iter::successors(step.frame, |id| runbook.frames[id.0].parent);
        for id in around.filter(|id| runbook.frames[id.0].for_each.is_some() && self.item(*id).is_none()) {
            round.frames.push((id, Item::none()));
        }
        round.own = step.for_each.as_ref().map(|_| Item::none());
        round
    }

    /// Whether no include around the step is repeated.
    pub(super) fn is_without_frames(&self) -> bool {
        self.frames.is_empty()
    }

    /// What `each` is at the include of this frame.
    pub(super) fn of_frame(&self, frame: FrameId) -> Option<&Value> {
        self.item(frame).map(|item| &item.each)
    }

    /// What `each` is at the step itself.
    pub(super) fn of_step(&self) -> Option<&Value> {
        self.own.as_ref().map(|item| &item.each)
    }

    fn item(&self, frame: FrameId) -> Option<&Item> {
        self.frames.iter().find(|(id, _)| *id == frame).map(|(_, item)| item)
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.frames.iter().map(|(_, item)| item).chain(&self.own)
    }

    /// Tells rounds of one step apart; empty outside of loops.
    pub(super) fn key(&self) -> String {
        let rounds: Vec<String> =
            self.items().map(|item| format!("{} {}", item.number, item.label)).collect();
        rounds.join("\u{0}")
    }

    /// What titles end with, as it may be shown: " (kubelet)".
    pub(super) fn suffix(&self) -> String {
        let labels: Vec<&str> =
            self.items().map(|item| item.label.as_str()).filter(|label| !label.is_empty()).collect();
        if labels.is_empty() { String::new() } else { escape(&format!(" ({})", labels.join(", "))) }
    }

    /// Which round it is, for messages about a host.
    pub(super) fn about(&self) -> String {
        let suffix = self.suffix();
        let labels = suffix.trim_start_matches(" (").trim_end_matches(')');
        if labels.is_empty() { String::new() } else { format!(", item `{labels}`") }
    }

    /// An id with the number of the round behind every part that is repeated: `tools#2.install#1`. No expression can
    /// write it; `steps` shows it as an item of `each`.
    pub(super) fn id(&self, step: &Step, runbook: &Runbook) -> Option<String> {
        let id = step.id.as_deref()?;
        let own = self.own.as_ref();
        let last = id.rsplit('.').next().unwrap_or(id);
        let prefix = step.frame.map(|frame| format!("{}.", self.prefix(frame, runbook))).unwrap_or_default();
        let number = own.map(|item| format!("#{}", item.number)).unwrap_or_default();
        Some(format!("{prefix}{last}{number}"))
    }

    /// The same for the prefix of a fragment's ids.
    pub(super) fn prefix(&self, frame: FrameId, runbook: &Runbook) -> String {
        let around = std::iter::successors(Some(frame), |id| runbook.frames[id.0].parent);
        let mut parts: Vec<String> = around
            .map(|id| {
                let prefix = &runbook.frames[id.0].prefix;
                let own = prefix.rsplit('.').next().unwrap_or(prefix);
                let number = self.item(id).map(|item| format!("#{}", item.number)).unwrap_or_default();
                format!("{own}{number}")
            })
            .collect();
        parts.reverse();
        parts.join(".")
    }
}

/// What became of a list.
enum Items {
    Known(Vec<Item>),
    /// A `when` around it is false: nobody asked for its items.
    NotAsked,
}

impl<'a> Lowering<'a, '_> {
    /// Adds the tasks of these steps, all of which stand in `container` or in fragments that it includes.
    pub(super) fn unroll(
        &mut self,
        steps: &[WrittenStep<'a>],
        container: Option<FrameId>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) {
        let mut rest = steps;
        while let Some((WrittenStep { step, left_out, .. }, after)) = rest.split_first() {
            if let Some(why) = left_out {
                let nothing = round.of_none(step, self.runbook());
                self.leave_out(step, &nothing, Forecast::LeftOut { why: why.clone() }, visit);
                rest = after;
                continue;
            }
            let Some(frame) = child(self.runbook(), step.frame, container) else {
                self.unroll_step(&rest[0], round, visit, diagnostics);
                rest = after;
                continue;
            };
            let belongs = |written: &&WrittenStep<'_>| {
                child(self.runbook(), written.step.frame, container) == Some(frame)
            };
            let (inside, after) = rest.split_at(rest.iter().take_while(belongs).count());
            self.unroll_frame(frame, inside, round, visit, diagnostics);
            rest = after;
        }
    }

    fn unroll_frame(
        &mut self,
        frame: FrameId,
        steps: &[WrittenStep<'a>],
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) {
        let this = &self.runbook().frames[frame.0];
        let Some(items) = &this.for_each else {
            return self.unroll(steps, Some(frame), round, visit, diagnostics);
        };
        let Some(items) = self.items(items, this.parent, round, visit, diagnostics) else { return };
        let (items, forecast) = match items {
            Items::Known(items) => (items, Forecast::LeftOut { why: LeftOut::NoItems }),
            Items::NotAsked => (Vec::new(), Forecast::Excluded),
        };
        if items.is_empty() {
            let nothing = round.inside(frame, Item::none());
            for WrittenStep { step, .. } in steps {
                let nothing = nothing.of_none(step, self.runbook());
                self.leave_out(step, &nothing, forecast.clone(), visit);
            }
        }
        for item in items {
            self.unroll(steps, Some(frame), &round.inside(frame, item), visit, diagnostics);
        }
    }

    fn unroll_step(
        &mut self,
        written: &WrittenStep<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) {
        let WrittenStep { step, dependence, .. } = written;
        if visit.tasks.len() >= MOST_TASKS {
            let message = format!("more than {MOST_TASKS} tasks for the host `{}`", visit.row.host.name);
            let hint = "loops inside loops multiply; shorten the lists, or write the loop in a `script`";
            return step_error(diagnostics, codes::FOR_EACH_ITEMS, step.origin.span, &message, Some(hint));
        }
        let Some(items) = &step.for_each else {
            return self.turn(written, round, visit, diagnostics);
        };
        if self.is_excluded_as_a_whole(written, round, visit) {
            let nothing = round.at_step(Item::none());
            self.leave_out(step, &nothing, Forecast::Excluded, visit);
            if let Some(task) = visit.tasks.last_mut().filter(|_| dependence.reads_facts()) {
                task.frozen = Some(self.freeze(step, &nothing, true));
            }
            return;
        }
        let Some(found) = self.items(items, step.frame, round, visit, diagnostics) else { return };
        let (items, forecast) = match found {
            Items::Known(items) => (items, Forecast::LeftOut { why: LeftOut::NoItems }),
            Items::NotAsked => (Vec::new(), Forecast::Excluded),
        };
        if items.is_empty() {
            self.leave_out(step, &round.at_step(Item::none()), forecast, visit);
        }
        for item in items {
            self.turn(written, &round.at_step(item), visit, diagnostics);
        }
    }

    /// A `when` that does not speak of the items is asked before them: `when: host.vars.extra is defined` may guard
    /// `for_each: "{{ host.vars.extra }}"`.
    fn is_excluded_as_a_whole(
        &mut self,
        WrittenStep { step, dependence, ties, .. }: &WrittenStep<'a>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
    ) -> bool {
        // What closes a bracket goes by what opened it.
        if visit.decisions.may_have_run(&ties.closes) {
            return false;
        }
        let of_items =
            step.when.as_ref().is_none_or(|when| when.references.iter().any(|name| name.root == "each"));
        if of_items || !dependence.waits_for(&self.altered(visit.id), visit.facts.is_some()).is_empty() {
            return false;
        }
        let outer = self.host_scope(visit);
        let Ok(scopes) = &mut self.scopes else { return false };
        scopes.runs(&outer, step, round, false) == Ok(false)
    }

    /// The items of a list that stands in `frame`. What is wrong with them is told.
    fn items(
        &mut self,
        items: &Arg,
        frame: Option<FrameId>,
        round: &LoopRound,
        visit: &mut Visit<'a, '_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Items> {
        let host = &visit.row.host.name;
        let mut refuse = |message: String, hint: &str| {
            let span = items.span.expect("invariant: what is compiled was written");
            let message = format!("{message} (host `{host}`)");
            step_error(diagnostics, codes::FOR_EACH_ITEMS, span, &message, Some(hint));
            None
        };
        let (altered, knows_facts) = (self.altered(visit.id), visit.facts.is_some());
        let late = Dependence::of_items(self.runbook(), items, frame).waits_for(&altered, knows_facts);
        match late.first() {
            Some(name) if !knows_facts && name.starts_with("facts.") => {
                return refuse(
                    format!("the items depend on `{name}`, and no host is asked"),
                    "leave out --offline, so that facts are read",
                );
            }
            Some(name) => {
                return refuse(
                    format!("the items depend on `{name}`, which an earlier step may change"),
                    "a plan shows every task: take the items from something that stays, or move the step before that one",
                );
            }
            None => {}
        }
        let conditions = Dependence::of_conditions(self.runbook(), frame);
        let asks_now = conditions.waits_for(&altered, knows_facts).is_empty();
        let outer = self.host_scope(visit);
        // A constant that cannot be rendered is told at the steps.
        let scopes = self.scopes.as_mut().ok()?;
        let known = (|| {
            if asks_now && !scopes.frames_run(&outer, frame, round, false)? {
                return Ok(None);
            }
            items.render(&*scopes.with_args(&outer, frame, round, false)?).map(Some)
        })();
        match known {
            Ok(None) => Some(Items::NotAsked),
            Ok(Some(value @ (Value::List(_) | Value::Map(_)))) => {
                let each = each_of(&value);
                if each.len() > MOST_ITEMS {
                    return refuse(
                        format!("{} items, more than {MOST_ITEMS}", each.len()),
                        "nobody reviews so many tasks; write the loop in a `script`",
                    );
                }
                let item = |(number, (label, each))| Item { number, label, each };
                Some(Items::Known((1..).zip(each).map(item).collect()))
            }
            Ok(Some(other)) => refuse(
                format!("the items are {}, where a list or a mapping is needed", other.type_word()),
                "`split` makes a list of a text: `{{ … | split(',') }}`",
            ),
            Err(error) => refuse(
                error.message,
                "an empty list is no task: write `| default([])`, or `when: … is defined`",
            ),
        }
    }

    /// Facts that the host's tasks so far may change.
    fn altered(&mut self, id: crate::plan::HostId) -> Arc<BTreeSet<String>> {
        Arc::clone(self.altered.entry(id).or_default())
    }

    /// What the expressions about a host see.
    pub(super) fn host_scope(&self, visit: &mut Visit<'a, '_>) -> Arc<Scope> {
        match (&visit.scope, &self.scopes) {
            (Some(scope), _) => Arc::clone(scope),
            (None, Ok(scopes)) => Arc::clone(visit.scope.insert(scopes.host(visit.row.host, visit.facts))),
            (None, Err(_)) => Arc::new(Scope::new()),
        }
    }
}

/// The fragment right below `container` that `frame` is or stands in; `None` where it is `container` itself.
fn child(runbook: &Runbook, frame: Option<FrameId>, container: Option<FrameId>) -> Option<FrameId> {
    let parent = |id: &FrameId| runbook.frames[id.0].parent;
    std::iter::successors(frame, parent).take_while(|id| Some(*id) != container).last()
}
