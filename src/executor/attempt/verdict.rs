//! What the end of an op means for the attempt.

use super::{AttemptResult, Interrupt, Worker, fail};
use crate::engine::{Cause, Event, TaskEnd};
use crate::executor::context::InDoubt;
use crate::executor::forbidden::{self, RefusalVerdict, STARTING};
use crate::executor::look::{api_is_silent, kube_session};
use crate::executor::ops::OpId;
use crate::executor::said::OutputTail;
use crate::executor::same_cluster::not_found;
use crate::kubernetes::kubectl_errors;
use crate::kubernetes::rights;
use crate::op::{Exit, Op, RunWhen, Site};
use crate::transport::OpResult;
use crate::value::{Duration, escape};

/// How long a lock that somebody else holds is waited for. dpkg's own waiting is apt's; this is for apt's lists lock,
/// for which apt does not wait at all.
const LOCKS_PASS_WITHIN: Duration = Duration::from_secs(300);

/// What to do where a disk is full.
const FULL_DISK_HINT: &str = "a disk of the host is full: make room (`df -h` shows where), then run again";

impl Worker<'_> {
    pub(super) async fn judge(
        &self,
        sending: OpId<'_>,
        result: OpResult,
        last_line: &str,
    ) -> AttemptResult<OpResult> {
        let op = sending.op;
        let title = self.shown(&op.title);
        let is_kubectl = self.is_kubectl(op);
        match result.exit {
            // `fail_when` decides in the end, whatever the code.
            Exit::Code(code) if is_good(op, code, &result.stderr) || self.action.fail_when.is_some() => {
                self.refusals.borrow_mut().remove(&sending.index);
                Ok(result)
            }
            Exit::Code(code) if is_kubectl && api_is_silent(code, &result.stderr) => {
                Err(self.api_silent(&result.stderr))
            }
            Exit::Code(_) if is_kubectl && rights::may_pass(&result.stderr) => {
                match self.weigh_refusal(sending, &result).await {
                    Some(pass) => Err(pass),
                    None => self.failed(sending, &result, last_line),
                }
            }
            Exit::Code(_) if self.passes(&result).is_some() => {
                let reason = self.passes(&result).expect("invariant: asked in the guard");
                Err(Interrupt::Again { reason: escape(&reason), within: LOCKS_PASS_WITHIN })
            }
            Exit::Code(_) => self.failed(sending, &result, last_line),
            Exit::Signal(signal) => {
                self.said(sending, &result);
                fail(Cause::Command, format!("{title}: killed by signal {signal}"), "")
            }
            Exit::TimedOut => {
                self.said(sending, &result);
                fail(Cause::TimedOut, format!("{title}: stopped after its time limit of {}", op.timeout), "")
            }
            Exit::Interrupted => {
                let taken_up = self.recorded(sending).is_some();
                let is_done = taken_up && self.shared.in_doubt == InDoubt::AssumeDone;
                if is_done && !self.may_go_again(taken_up) {
                    return Ok(result);
                }
                let reason = format!(
                    "{title}: interrupted on the host without a record; it lost power or the launcher was killed"
                );
                Err(Interrupt::Interrupted { reason, taken_up })
            }
        }
    }

    /// Tells what a failed op said last, and gives the line that tells most. How something was taken back is not why the
    /// task failed.
    fn said(&self, sending: OpId<'_>, result: &OpResult) -> OutputTail {
        let said = OutputTail::of(&result.stdout, &result.stderr);
        if sending.op.when != RunWhen::OnFailure {
            let OpId { task, attempt, pass, index, .. } = sending;
            let (OutputTail { stderr, stdout, .. }, file) = (said.clone(), sending.file(self.shared));
            self.event_sender.say(Event::OpSaid { task, attempt, pass, op: index, stderr, stdout, file });
        }
        said
    }

    /// An op that ended with a code that is none of success.
    fn failed(&self, sending: OpId<'_>, result: &OpResult, last_line: &str) -> AttemptResult<OpResult> {
        let title = self.shown(&sending.op.title);
        let output = self.said(sending, result);
        let said = output.reason().unwrap_or_else(|| last_line.to_owned());
        if self.is_kubectl(sending.op) {
            if let Some(failure) = not_found(self.shared, sending.task.host, &title, &result.stderr) {
                return Err(Interrupt::End(TaskEnd::Failed { failure }));
            }
            let (meaning, hint) = kubectl_errors::explain(&result.stdout, &result.stderr);
            return fail(Cause::Command, format!("{title}: {meaning}: {said}"), hint);
        }
        let code = match result.exit {
            Exit::Code(code) => code.to_string(),
            exit => format!("{exit:?}"),
        };
        let hint = if output.tells_of_a_full_disk() { FULL_DISK_HINT } else { "" };
        // Many programs say nothing.
        let said = if said.is_empty() { said } else { format!(": {said}") };
        fail(Cause::Command, format!("{title}: exit code {code}{said}"), hint)
    }

    fn is_kubectl(&self, op: &Op) -> bool {
        op.site == Site::Kube && !self.action.has_its_own_words()
    }

    /// How the attempt goes on where the API server forbade an op; nothing where the refusal stands. It stands as well where
    /// the op would be sent blindly: it may have done a part of its work, and neither a probe nor its kind makes that good.
    async fn weigh_refusal(&self, sending: OpId<'_>, result: &OpResult) -> Option<Interrupt> {
        let kube = self.shared.plan.kube.as_ref()?;
        let may_have_acted = sending.index > 0 || !forbidden::is_all_it_said(&result.stdout, &result.stderr);
        if may_have_acted && !self.may_go_again(false) {
            return None;
        }
        let stderr = &result.stderr;
        loop {
            let ask = async |probe| {
                let (_, _, session) = kube_session(self.shared, self.assignment.task.host).await.ok()?;
                session.probe(&probe).await.ok()
            };
            let standing = forbidden::review(&kube.cx, stderr, ask).await;
            let verdict =
                self.refusals.borrow_mut().entry(sending.index).or_default().weigh_op(standing, stderr);
            match verdict {
                RefusalVerdict::Again { pause: Duration::ZERO, .. } => {}
                RefusalVerdict::Again { starting, .. } => {
                    let reason = starting.unwrap_or_else(|| forbidden::given(stderr));
                    return Some(Interrupt::Again { reason, within: STARTING });
                }
                RefusalVerdict::Over(failure) => return Some(Interrupt::End(TaskEnd::Failed { failure })),
                RefusalVerdict::Stands => return None,
            }
        }
    }

    /// What the kind says of a failure that passes by itself.
    fn passes(&self, result: &OpResult) -> Option<String> {
        crate::step::find(&self.action.kind).and_then(|kind| kind.transient(&result.stderr))
    }

    pub(super) fn api_silent(&self, stderr: &str) -> Interrupt {
        let within = self.shared.plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for);
        Interrupt::Again {
            reason: format!("the API server does not answer: {}", escape(stderr.trim())),
            within,
        }
    }
}

/// Whether an exit code is one of success; 1 of an op that yields only where somebody else was first.
fn is_good(op: &Op, code: i32, stderr: &str) -> bool {
    let was_beaten =
        || kubectl_errors::causes(stderr).first() == Some(&kubectl_errors::KubectlError::TestFailed);
    op.success.contains(&code) && (!op.yields || code != 1 || was_beaten())
}
