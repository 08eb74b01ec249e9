//! What a plan can know of packages whose repository it has yet to switch: a second look at a host, in which its own apt
//! sees the sources as they will be and nothing on the host changes. Pure: the caller looked.
//!
//! Only hosts whose sources would change are looked at again. What the look finds counts like any probe, with one
//! difference: a version that is in no repository then, either, is refused now, before a file was touched.

use indexmap::IndexMap;

use super::forecast::{self, Outlook};
use crate::op::{Op, Probe, ProbeOutput, Query, Site};
use crate::plan::{Forecast, HostId, Plan, StepRef, TaskId};
use crate::step::ahead::{self, PackageSource, StagedLists};
use crate::step::{Assessment, Matter, SourcesUse, StepKind};

/// The second look at one host.
#[derive(Debug)]
pub struct Lookahead {
    /// To be sent; one query for each state of the sources that the plan goes through.
    pub probe: Probe,
    stages: Vec<SourcesStage>,
}

/// The sources between two changes of theirs.
#[derive(Clone, Debug, Default)]
struct SourcesStage {
    sources: IndexMap<TaskId, PackageSource>,
    /// The task that completes them.
    setter: Option<TaskId>,
    /// Tasks that read what they offer.
    readers: Vec<TaskId>,
    /// A task before may change the sources in a way that nobody can foresee, such as bringing the key.
    uncertain: bool,
}

/// Settles refusals that no task before them helps: what no source offers today is not there after a drain either. Without
/// this they would wait for the host's turn, when the node has lost its pods. `answers` are those that were refused.
pub fn settle(
    plan: &Plan,
    host: HostId,
    answers: &[(TaskId, Vec<ProbeOutput>)],
    outlooks: &mut [(TaskId, Outlook)],
) {
    for task in forecast::tasks(plan, host) {
        let planned = &plan.task(task).forecast;
        if planned.is_left_out() || matches!(planned, Forecast::IfFailed) {
            continue;
        }
        let outlook = outlooks.iter_mut().find(|(known, _)| *known == task).map(|(_, outlook)| outlook);
        let holds = matches!(outlook, Some(Outlook::Now(Assessment::Satisfied { .. })));
        match sources_use(plan, task) {
            Some(SourcesUse::Nothing | SourcesUse::Reads) => {}
            Some(SourcesUse::Sets(_)) if holds => {}
            // From here on the sources may offer what they do not offer now.
            _ => return,
        }
        let id = match plan.task(task).step {
            StepRef::Action(id) => id,
            // It may fetch the lists anew, which nobody knows yet.
            StepRef::Deferred(id) if plan.deferred[id.0 as usize].kind == "apt" => return,
            StepRef::Deferred(_) => continue,
        };
        let action = plan.action(id);
        let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
        let seen = answers.iter().find(|(known, _)| *known == task).map(|(_, answers)| answers.as_slice());
        if let (Some(outlook), Some(seen)) = (outlook, seen)
            && let Outlook::Now(refused @ Assessment::Refused { .. }) = &*outlook
            && kind.is_out_of_reach(&action.args, seen)
        {
            *outlook = Outlook::Settled(refused.clone());
        }
        if !holds && kind.touches(&action.args).changes.contains(&Matter::Lists) {
            return;
        }
    }
}

/// The look that a host needs after its probes were assessed, if any.
pub fn of(plan: &Plan, host: HostId, outlooks: &[(TaskId, Outlook)]) -> Option<Lookahead> {
    let stages = stages(plan, host, outlooks);
    let setter = stages.first()?.setter?;
    let r#become = action(plan, setter)?.1.probe.as_ref().is_some_and(|probe| probe.r#become);
    let queries: Vec<Query> = stages.iter().map(|stage| query(plan, stage)).collect();
    let count = u64::try_from(queries.len()).unwrap_or(u64::MAX);
    let timeout = crate::value::Duration::from_secs(ahead::LIMIT.as_secs().saturating_mul(count));
    Some(Lookahead { probe: Probe { site: Site::Subject, queries, r#become, timeout }, stages })
}

fn query(plan: &Plan, stage: &SourcesStage) -> Query {
    let setter = stage.setter.and_then(|setter| action(plan, setter));
    // What the step itself fetches with, such as a proxy.
    let fetch: Option<&Op> = setter.and_then(|(_, lowered)| lowered.ops.last());
    let env = fetch.into_iter().flat_map(|op| &op.env).map(|(name, value)| (name.as_str(), value.as_str()));
    let sources: Vec<PackageSource> = stage.sources.values().cloned().collect();
    ahead::query(&sources, env, &probes(plan, stage))
}

fn probes<'p>(plan: &'p Plan, stage: &SourcesStage) -> Vec<&'p Probe> {
    stage.readers.iter().filter_map(|reader| action(plan, *reader)?.1.probe.as_ref()).collect()
}

type KindAndLowered<'p> = (&'static dyn StepKind, &'p crate::step::Lowered);

fn action(plan: &Plan, task: TaskId) -> Option<KindAndLowered<'_>> {
    let StepRef::Action(action) = plan.task(task).step else { return None };
    let action = plan.action(action);
    Some((crate::step::find(&action.kind)?, &action.lowered))
}

/// The states that a host's sources go through, each with the tasks that read them.
fn stages(plan: &Plan, host: HostId, outlooks: &[(TaskId, Outlook)]) -> Vec<SourcesStage> {
    let outlook =
        |task: TaskId| outlooks.iter().find(|(known, _)| *known == task).map(|(_, outlook)| outlook);
    let mut stages: Vec<SourcesStage> = Vec::new();
    let mut uncertain = false;
    for task in forecast::tasks(plan, host) {
        let forecast = &plan.task(task).forecast;
        if forecast.is_left_out() || matches!(forecast, Forecast::IfFailed) {
            continue;
        }
        let holds = matches!(outlook(task), Some(Outlook::Now(Assessment::Satisfied { .. })));
        match (sources_use(plan, task), stages.last_mut()) {
            // What the sources will be is not known, so nothing can be said of what is in them.
            (None, _) => break,
            (Some(SourcesUse::MayChange), _) => uncertain |= !holds,
            (Some(SourcesUse::Sets(_)), None) if holds => {}
            (Some(SourcesUse::Sets(source)), last) => {
                let mut sources = last.map(|stage| stage.sources.clone()).unwrap_or_default();
                sources.retain(|_, known| !known.is_same_file(&source));
                sources.insert(task, source);
                stages.push(SourcesStage { sources, setter: Some(task), readers: Vec::new(), uncertain });
            }
            (Some(SourcesUse::Reads), Some(stage)) => {
                stage.uncertain |= uncertain;
                stage.readers.push(task);
            }
            (Some(SourcesUse::Reads | SourcesUse::Nothing), _) => {}
        }
    }
    stages
}

/// What a task has to do with sources; `None` where its arguments are not known yet and it may have to do with them.
fn sources_use(plan: &Plan, task: TaskId) -> Option<SourcesUse> {
    match plan.task(task).step {
        StepRef::Action(id) => {
            let action = plan.action(id);
            let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
            // What runs elsewhere says nothing of this host's sources.
            let elsewhere = action.lowered.ops.iter().any(|op| op.site != Site::Subject);
            Some(if elsewhere { SourcesUse::Nothing } else { kind.sources(&action.args) })
        }
        StepRef::Deferred(id) => {
            let kind = crate::step::find(&plan.deferred[id.0 as usize].kind);
            let kind = kind.expect("invariant: a plan names registered kinds");
            let nothing = kind.sources(&crate::value::Value::Map(IndexMap::new())) == SourcesUse::Nothing;
            nothing.then_some(SourcesUse::Nothing)
        }
    }
}

impl Lookahead {
    /// Puts what the look found in place of what the first one did. `answers` are those to [`Self::probe`].
    pub fn apply(&self, plan: &Plan, answers: &[ProbeOutput], outlooks: &mut [(TaskId, Outlook)]) {
        for (stage, answer) in self.stages.iter().zip(answers) {
            for (task, outlook) in stage.read(plan, answer) {
                if let Some((_, known)) = outlooks.iter_mut().find(|(known, _)| *known == task) {
                    *known = outlook;
                }
            }
        }
    }
}

impl SourcesStage {
    fn read(&self, plan: &Plan, answer: &ProbeOutput) -> Vec<(TaskId, Outlook)> {
        let counts: Vec<usize> = probes(plan, self).iter().map(|probe| probe.queries.len()).collect();
        let all = |reason: &str| {
            let reason =
                format!("the package lists of {}, which cannot be looked at: {reason}", self.title(plan));
            self.readers.iter().map(move |task| (*task, Outlook::Later(reason.clone())))
        };
        match ahead::read(answer, counts.iter().sum()) {
            StagedLists::Unknown(reason) => all(&reason).collect(),
            StagedLists::Unusable(reason) if self.uncertain => all(&reason).collect(),
            StagedLists::Unusable(reason) => {
                let refused = Assessment::Refused {
                    reason: format!("the repository cannot be used from this host: {reason}"),
                    hint:
                        "nothing was changed; look at the address, the mirror and the keyring, and plan again"
                            .to_owned(),
                };
                let setter = self.setter.map(|task| (task, Outlook::Settled(refused)));
                setter.into_iter().chain(all("see there")).collect()
            }
            StagedLists::Answers(answers) => {
                let mut rest = answers.as_slice();
                let each = self.readers.iter().zip(counts).map(|(task, count)| {
                    let (own, others) = rest.split_at(count);
                    rest = others;
                    (*task, self.assess(plan, *task, own))
                });
                each.collect()
            }
        }
    }

    fn assess(&self, plan: &Plan, task: TaskId, answers: &[ProbeOutput]) -> Outlook {
        let StepRef::Action(id) = plan.task(task).step else {
            return Outlook::Later("earlier tasks".to_owned());
        };
        let action = plan.action(id);
        let kind = crate::step::find(&action.kind).expect("invariant: a plan names registered kinds");
        match forecast::assess(plan, task, answers) {
            Assessment::Refused { reason, .. }
                if !self.uncertain && kind.is_out_of_reach(&action.args, answers) =>
            {
                let hint = format!(
                    "looked up with the sources of {} in place; name a version that is there",
                    self.title(plan)
                );
                Outlook::Settled(Assessment::Refused { reason, hint })
            }
            other => Outlook::Now(other),
        }
    }

    fn title(&self, plan: &Plan) -> String {
        self.setter.map(|task| format!("`{}`", plan.title(task))).unwrap_or_default()
    }
}
