//! Steps that are kept as they were written: because they are known only when their turn comes, or to be looked at again
//! with the facts of then.

use indexmap::IndexMap;

use super::Lowering;
use super::rendered::DEFAULT_TIMEOUT;
use crate::plan::compile::CompileInput;
use crate::plan::compile::rounds::LoopRound;
use crate::plan::{DeferredFrame, DeferredId, DeferredStep, Forecast, FrozenId, StepRef, Task, Ties};
use crate::runbook::Step;
use crate::template::Arg;
use crate::value::Value;

impl<'a> Lowering<'a, '_> {
    /// `asks` says of each of its conditions, outermost first, whether the run has to ask it. The others are decided.
    pub(super) fn defer(
        &mut self,
        step: &'a Step,
        round: &LoopRound,
        waits_for: Vec<String>,
        asks: &[bool],
    ) -> Task {
        let mut found = deferred(&self.input, step, round, waits_for.clone());
        found.read_moves();
        keep_conditions(&mut found, asks);
        // Items that depend on the host make a step of its own for each.
        let key = format!("{asks:?}{}{}", round.key(), items_of(&found));
        let key = (step.origin.place.clone(), waits_for.clone(), key);
        let id = match self.deferred_by_place.get(&key) {
            Some(id) => *id,
            None => {
                let id = DeferredId(
                    u32::try_from(self.deferred.len()).expect("invariant: fewer than 2^32 deferred steps"),
                );
                self.deferred.push(found);
                self.deferred_by_place.insert(key, id);
                id
            }
        };
        let effect = self.deferred[id.0 as usize].effect;
        Task {
            step: StepRef::Deferred(id),
            effect,
            looks_first: false,
            forecast: Forecast::Deferred { waits_for },
            frozen: None,
            ties: Ties::default(),
        }
    }

    /// Keeps a step as it was written, so that it can be looked at again with the facts of then; without its conditions
    /// where those do not count.
    pub(in crate::plan::compile) fn freeze(
        &mut self,
        step: &'a Step,
        round: &LoopRound,
        asks: bool,
    ) -> FrozenId {
        let next =
            FrozenId(u32::try_from(self.frozen.len()).expect("invariant: fewer than 2^32 frozen steps"));
        let mut found = deferred(&self.input, step, round, Vec::new());
        if !asks {
            keep_conditions(&mut found, &[]);
        }
        let key = (std::ptr::from_ref(step), format!("{asks}{}{}", round.key(), items_of(&found)));
        let id = *self.frozen_by_step.entry(key).or_insert(next);
        if id == next {
            self.frozen.push(found);
        }
        id
    }
}

/// Drops the conditions of a step that are decided: `asks` says of each whether it is not.
fn keep_conditions(step: &mut DeferredStep, asks: &[bool]) {
    let whens = step.frames.iter_mut().map(|frame| &mut frame.when).chain([&mut step.when]);
    for (at, when) in whens.filter(|when| when.is_some()).enumerate() {
        if !asks.get(at).is_some_and(|asks| *asks) {
            *when = None;
        }
    }
}

/// What `each` is at a deferred step and around it.
fn items_of(step: &DeferredStep) -> String {
    let around = step.frames.iter().map(|frame| &frame.each);
    let items: Vec<_> = around.chain([&step.each]).flatten().collect();
    if items.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&items).expect("invariant: values serialise")
    }
}

fn deferred(
    input: &CompileInput<'_>,
    step: &Step,
    round: &LoopRound,
    waits_for: Vec<String>,
) -> DeferredStep {
    let sources = |args: &IndexMap<String, Arg>| {
        args.iter().map(|(name, arg)| (name.clone(), arg.to_source())).collect()
    };
    let mut frames = Vec::new();
    let mut frame = step.frame;
    while let Some(id) = frame {
        let this = &input.runbook.frames[id.0];
        let when = this.when.as_ref().map(|when| when.source.clone());
        let prefix = round.prefix(id, input.runbook);
        frames.push(DeferredFrame {
            prefix,
            args: sources(&this.args),
            when,
            each: round.of_frame(id).cloned(),
        });
        frame = this.parent;
    }
    frames.reverse();
    let timeout = match step.timeout.as_ref().map(|arg| &arg.kind) {
        Some(crate::template::ArgKind::Const(Value::Duration(timeout))) => *timeout,
        _ => DEFAULT_TIMEOUT,
    };
    DeferredStep {
        kind: step.kind.name().to_owned(),
        id: round.id(step, input.runbook),
        title: step.name.clone().unwrap_or_else(|| step.kind.name().to_owned()) + &round.suffix(),
        item: round.suffix(),
        each: round.of_step().cloned(),
        args: sources(&step.args),
        env: step.env.iter().map(|(name, arg)| (name.clone(), arg.to_source())).collect(),
        when: step.when.as_ref().map(|when| when.source.clone()),
        frames,
        waits_for,
        effect: step.effect.unwrap_or_else(|| step.kind.effect()),
        r#become: step.r#become,
        timeout,
        run_on: step.run_on,
        retry: step.retry,
        allow_failure: step.allow_failure.clone(),
        leave_cordoned: step.leave_cordoned.clone(),
        changed_when: step.changed_when.as_ref().map(|expression| expression.source.clone()),
        fail_when: step.fail_when.as_ref().map(|expression| expression.source.clone()),
        moves: Vec::new(),
        place: step.origin.place.clone(),
    }
}
