//! Before an op disrupts: whether the cordon still stands under which it does. Whoever took it away let pods back, and
//! nothing is done under them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AttemptResult, Interrupt, Worker, fail};
use crate::engine::{Cause, Failure, OpenCordon, TaskEnd};
use crate::executor::look::{api_away, look_within, retry_for};
use crate::executor::runtime_values;
use crate::op::{Effect, Op, Probe, ProbeOutput, RunWhen};
use crate::plan::{Action, TaskId};
use crate::step::{CordonNow, CordonSet, Cordons, IfUncordoned, LowerCx, StepKind};
use crate::value::{Duration, escape};

/// A step that set the cordon, and the look that tells whether it stands.
struct Setter {
    action: Arc<Action>,
    kind: &'static dyn Cordons,
    set: CordonSet,
    look: Probe,
}

impl Worker<'_> {
    /// Leave to send an op, or how the attempt ends without it. Reads the cluster anew each time: a run may have been
    /// stopped for days before this op.
    pub(super) async fn rely_on_cordon(&self, op: &Op) -> AttemptResult<()> {
        let disrupts = op.effect > Effect::Reads && op.effect.max(self.effect.get()) == Effect::Disrupts;
        // What puts something back has to run whatever is.
        let relies = disrupts && op.when == RunWhen::InOrder;
        let Some(cordon) = self.assignment.cordon.as_ref().filter(|_| relies) else { return Ok(()) };
        let setters = self.setters(cordon).await?;
        let Some(answers) = self.look_at_cordon(cordon, &setters).await? else { return Ok(()) };
        let is_own = self.shared.membership.borrow().is_own(self.assignment.task.host);
        let mut gone = None;
        for (setter, answers) in setters.iter().zip(&answers) {
            let now = setter.kind.read(&setter.action.args, setter.set, answers);
            match now.or_else(|error| fail(Cause::Output, escape(&error.to_string()), ""))? {
                CordonNow::Stands => {}
                // The run itself took the node out of the cluster: there is no cordon, and no pod.
                CordonNow::Lost { .. } if is_own && is_gone(answers) => {}
                CordonNow::Lost { what, hint } => return self.hold_back(&what, hint),
                CordonNow::Gone { what }
                    if setter.kind.if_uncordoned(&setter.action.args) == IfUncordoned::Fail =>
                {
                    return self.hold_back(&format!("{what} (`if_uncordoned: fail`)"), SOMEBODY);
                }
                // A drain stands behind the cordon that it works under, and sees more.
                CordonNow::Gone { what } => gone = Some((what, setter.kind.done_again())),
            }
        }
        gone.map_or(Ok(()), |(what, again)| self.cordon_again(cordon, &what, again))
    }

    async fn setters(&self, cordon: &OpenCordon) -> AttemptResult<Vec<Setter>> {
        let (plan, TaskId { phase, host, .. }) = (&self.shared.plan, self.assignment.task);
        let mut setters = Vec::new();
        for &(index, set) in &cordon.set_by {
            let task = TaskId { phase, host, index };
            let runtime = self.assignment.runtime.clone();
            let action = runtime_values::action_of(self.shared, task, runtime).await;
            let action = action.map_err(|failure| Interrupt::End(TaskEnd::Failed { failure }))?;
            let Some(action) = action else { continue };
            let Some(kind) = crate::step::find(&action.kind).and_then(StepKind::cordons) else {
                continue;
            };
            let env = BTreeMap::new();
            let cx = LowerCx {
                subject: &plan.host(host).subject,
                kube: plan.kube.as_ref().map(|kube| &kube.cx),
                r#become: false,
                timeout: Duration::from_secs(60),
                env: &env,
                effect: None,
                run_on: None,
            };
            let look = kind.look(&action.args, &cx);
            let look = look.or_else(|error| fail(Cause::Refused, escape(&error.message), ""))?;
            setters.push(Setter { action, kind, set, look });
        }
        Ok(setters)
    }

    /// What the cluster says; nothing where it does not answer and the last good look counts.
    async fn look_at_cordon(
        &self,
        cordon: &OpenCordon,
        setters: &[Setter],
    ) -> AttemptResult<Option<Vec<Vec<ProbeOutput>>>> {
        let looks: Vec<_> = setters.iter().map(|setter| &setter.look).collect();
        let is_own_outage = self.took_api_away(cordon);
        let within = if is_own_outage { Duration::ZERO } else { retry_for(self.shared) };
        let answers = match look_within(self.shared, self.assignment.task.host, &looks, within).await {
            Ok(answers) => answers,
            Err(failure) if is_own_outage && failure.cause == Cause::Unreachable => return Ok(None),
            Err(failure) => return Err(Interrupt::End(TaskEnd::Failed { failure: self.unseen(failure) })),
        };
        let mut asked = looks.iter().zip(&answers);
        let Some(stderr) = asked.find_map(|(look, answers)| api_away(look, answers)) else {
            return Ok(Some(answers));
        };
        if is_own_outage {
            return Ok(None);
        }
        let message =
            format!("still after {within}: the API server does not answer: {}", escape(stderr.trim()));
        let failure = Failure { cause: Cause::TimedOut, message, hint: String::new() };
        Err(Interrupt::End(TaskEnd::Failed { failure: self.unseen(failure) }))
    }

    /// Whether it is this host's own doing, and accepted, where the API does not answer: one or two control planes have no
    /// quorum without each other.
    fn took_api_away(&self, cordon: &OpenCordon) -> bool {
        let plan = &self.shared.plan;
        let of_control_plane = plan.host(self.assignment.task.host).subject.control_plane;
        let control_planes = plan.hosts.iter().filter(|host| host.subject.control_plane).count();
        let accepted = plan.policy.control_plane_outage && of_control_plane && control_planes <= 2;
        accepted && (cordon.acted || self.done.get())
    }

    fn unseen(&self, failure: Failure) -> Failure {
        let title = self.shown(&self.action.title);
        let message = format!(
            "cannot see whether the node is still cordoned, so `{title}` was not sent: {}",
            failure.message
        );
        Failure { message, ..failure }
    }

    /// The host fails: nothing that is done again would help, or nothing may be.
    fn hold_back(&self, what: &str, hint: &str) -> AttemptResult<()> {
        let title = self.shown(&self.action.title);
        fail(Cause::Refused, escape(&format!("{what}: `{title}` was not sent")), hint)
    }

    fn cordon_again(&self, cordon: &OpenCordon, what: &str, again: &str) -> AttemptResult<()> {
        if cordon.again == 0 {
            return self
                .hold_back(&format!("{what}, after it was {again} again as often as it may be"), SOMEBODY);
        }
        if self.done.get() && !self.may_go_again(false) {
            return self.hold_back(&format!("{what} while the step was half done"), SOMEBODY);
        }
        let title = self.shown(&self.action.title);
        let reason = escape(&format!("{what}: it is {again} again before `{title}`"));
        Err(Interrupt::End(TaskEnd::Uncordoned { reason }))
    }
}

/// Whether the first answer, the host's node, says that there is none.
fn is_gone(answers: &[ProbeOutput]) -> bool {
    answers.first().is_some_and(|nodes| nodes.ok() && nodes.stdout.trim().is_empty())
}

/// What to do about whoever takes cordons away.
const SOMEBODY: &str = "find out who uncordons the node: `kubectl get node NODE -o yaml --show-managed-fields` tells what changed it last";
