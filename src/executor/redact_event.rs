//! Every text of an event through the filter. Names every field of every event, so that a new one cannot be forgotten.

use super::redact::Redactor;
use crate::engine::{BracketFinding, EtcdSeen, Event, Failure, HaltCause, TaskEnd};
use crate::op::show_symbols;
use crate::plan::{OutCause, OutOfService};
use crate::step::{Assessment, Change, LineDiff};
use crate::transport::OpResult;

impl Redactor {
    /// An event without secrets, and with words for what stands in a plan for values that only a run knows.
    pub(super) fn event(&self, event: Event) -> Event {
        match event {
            Event::Observed { phase, out, blocked, etcd } => {
                let of = |seen: EtcdSeen| EtcdSeen { blocked: self.maybe(seen.blocked), ..seen };
                let etcd = etcd.into_iter().map(of).collect();
                Event::Observed { phase, out: self.out(out), blocked: self.maybe(blocked), etcd }
            }
            // Labels of the inventory hold no secret.
            Event::BudgetWaiting { phase, host, out, blocked, domains } => Event::BudgetWaiting {
                phase,
                host,
                out: self.out(out),
                blocked: self.maybe(blocked),
                domains,
            },
            Event::BracketProbed { phase, host, bracket, finding } => {
                Event::BracketProbed { phase, host, bracket, finding: self.finding(finding) }
            }
            Event::TaskProbed { task, attempt, assessment } => {
                Event::TaskProbed { task, attempt, assessment: self.assessment(assessment) }
            }
            Event::TaskWaiting { task, attempt, reason, within } => {
                Event::TaskWaiting { task, attempt, reason: self.words(&reason), within }
            }
            Event::TaskAsks { task, attempt, text } => {
                Event::TaskAsks { task, attempt, text: self.words(&text) }
            }
            Event::GateWaiting { phase, batch, reason } => {
                Event::GateWaiting { phase, batch, reason: self.words(&reason) }
            }
            Event::GateRefused { phase, batch, why } => {
                Event::GateRefused { phase, batch, why: self.words(&why) }
            }
            Event::ClusterSilent { reason, within, starting } => {
                Event::ClusterSilent { reason: self.words(&reason), within, starting }
            }
            Event::HostSilent { host, reason, attempts } => {
                Event::HostSilent { host, reason: self.words(&reason), attempts }
            }
            Event::OpEnded { task, attempt, pass, op, exit, last_line, stdout, refused } => Event::OpEnded {
                task,
                attempt,
                pass,
                op,
                exit,
                last_line: self.words(&last_line),
                stdout: stdout.map(|text| self.text(&text)),
                refused,
            },
            Event::OpSaid { task, attempt, pass, op, stderr, stdout, file } => {
                let (stderr, stdout) = (self.lines(&stderr), self.lines(&stdout));
                Event::OpSaid { task, attempt, pass, op, stderr, stdout, file }
            }
            Event::TaskEnded { task, attempt, end } => {
                Event::TaskEnded { task, attempt, end: self.task_end(end) }
            }
            Event::Verified { phase, batch, failed_check } => {
                Event::Verified { phase, batch, failed_check: self.maybe(failed_check) }
            }
            Event::BatchEnded { phase, batch, failed } => {
                Event::BatchEnded { phase, batch, failed: self.maybe(failed) }
            }
            Event::LockLost { why } => Event::LockLost { why: self.words(&why) },
            Event::Halted { phase, cause } => Event::Halted { phase, cause: self.halt(cause) },
            // Numbers, digests and words of our own; what `sent` is over holds no secret.
            event @ (Event::RunStarted { run: _, digest: _, version: _, machine: _ }
            | Event::RunResumed { version: _, machine: _ }
            | Event::PhaseStarted { phase: _ }
            | Event::BatchStarted { phase: _, batch: _ }
            | Event::HostStarted { phase: _, host: _ }
            | Event::ObservationStarted { phase: _ }
            | Event::SlotTaken { phase: _, host: _ }
            | Event::BracketProbeStarted { phase: _, host: _, bracket: _ }
            | Event::TaskStarted { task: _, attempt: _ }
            | Event::OpStarted { task: _, attempt: _, pass: _, op: _, on: _, sent: _ }
            | Event::OpNotStarted { task: _, attempt: _, pass: _, op: _ }
            | Event::TaskSkipped { task: _, why: _ }
            | Event::ConditionDecided { task: _, attempt: _, condition: _, holds: _ }
            | Event::SectionStarted { phase: _, host: _, section: _ }
            | Event::HostEnded { phase: _, host: _, status: _ }
            | Event::SoakStarted { phase: _, batch: _, until: _ }
            | Event::VerifyStarted { phase: _, batch: _ }
            | Event::PhaseEnded { phase: _, ok: _ }
            | Event::StopRequested { level: _, by: _ }
            | Event::ClusterAnswers
            | Event::HostAnswers { host: _ }
            | Event::RunEnded
            | Event::TaskApproved { task: _, attempt: _, by: _ }
            | Event::GateReached { phase: _, batch: _, until: _ }
            | Event::GatePassed { phase: _, batch: _, by: _ }
            | Event::RunUndone { by: _ }) => event,
        }
    }

    /// What an op printed, without secrets, also where it was clipped.
    pub(super) fn op_result(&self, result: OpResult) -> OpResult {
        let OpResult { exit, stdout, stderr } = result;
        OpResult { exit, stdout: self.clipped(stdout), stderr: self.clipped(stderr) }
    }

    /// Text that may have been clipped, without secrets.
    pub(super) fn clipped(&self, text: String) -> String {
        // As it is: the rows of a thousand nodes come before every slot.
        if self.knows_nothing() { text } else { self.cut_text(&text, crate::transport::is_clip_note) }
    }

    /// A failure without secrets.
    pub(super) fn failure(&self, failure: Failure) -> Failure {
        let Failure { cause, message, hint } = failure;
        Failure { cause, message: self.words(&message), hint: self.words(&hint) }
    }

    fn words(&self, text: &str) -> String {
        show_symbols(&self.text(text))
    }

    fn maybe(&self, text: Option<String>) -> Option<String> {
        text.map(|text| self.words(&text))
    }

    fn out(&self, out: Vec<OutOfService>) -> Vec<OutOfService> {
        let clean = |OutOfService { host, cause }| match cause {
            OutCause::NotReady(status) => {
                OutOfService { host, cause: OutCause::NotReady(self.words(&status)) }
            }
            cause @ (OutCause::InWork
            | OutCause::Failed
            | OutCause::Unknown
            | OutCause::LeftCordoned
            | OutCause::Cordoned
            | OutCause::Unreachable
            | OutCause::NodeGone) => OutOfService { host, cause },
        };
        out.into_iter().map(clean).collect()
    }

    fn finding(&self, finding: BracketFinding) -> BracketFinding {
        match finding {
            BracketFinding::Holds => BracketFinding::Holds,
            BracketFinding::Needed { why } => BracketFinding::Needed { why: self.words(&why) },
            BracketFinding::Failed { failure } => BracketFinding::Failed { failure: self.failure(failure) },
        }
    }

    fn assessment(&self, assessment: Assessment) -> Assessment {
        match assessment {
            Assessment::Satisfied { state } => Assessment::Satisfied { state: self.words(&state) },
            Assessment::WouldChange { changes, effect, fidelity } => {
                let clean = |Change { what, before, after, diff }| Change {
                    what: self.words(&what),
                    before: self.words(&before),
                    after: self.words(&after),
                    diff: diff.map(|diff| self.diff(diff)),
                };
                let changes = changes.into_iter().map(clean).collect();
                Assessment::WouldChange { changes, effect, fidelity }
            }
            Assessment::NotYet { reason } => Assessment::NotYet { reason: self.words(&reason) },
            Assessment::Refused { reason, hint } => {
                Assessment::Refused { reason: self.words(&reason), hint: self.words(&hint) }
            }
        }
    }

    fn diff(&self, diff: LineDiff) -> LineDiff {
        let LineDiff { added, removed, lines, more } = diff;
        LineDiff { added, removed, lines: self.lines(&lines), more }
    }

    /// Together, because a secret may have several lines.
    fn lines(&self, lines: &[String]) -> Vec<String> {
        if lines.is_empty() {
            return Vec::new();
        }
        self.words(&lines.join("\n")).split('\n').map(str::to_owned).collect()
    }

    fn task_end(&self, end: TaskEnd) -> TaskEnd {
        match end {
            TaskEnd::Satisfied { state } => TaskEnd::Satisfied { state: self.words(&state) },
            TaskEnd::Changed { summary } => TaskEnd::Changed { summary: self.words(&summary) },
            TaskEnd::Failed { failure } => TaskEnd::Failed { failure: self.failure(failure) },
            TaskEnd::Unknown { reason } => TaskEnd::Unknown { reason: self.words(&reason) },
            TaskEnd::Uncordoned { reason } => TaskEnd::Uncordoned { reason: self.words(&reason) },
            TaskEnd::Withheld { reason } => TaskEnd::Withheld { reason: self.words(&reason) },
            TaskEnd::NeedsSlot => TaskEnd::NeedsSlot,
            TaskEnd::Paused { text, why } => {
                TaskEnd::Paused { text: self.words(&text), why: self.words(&why) }
            }
        }
    }

    fn halt(&self, cause: HaltCause) -> HaltCause {
        match cause {
            HaltCause::BatchFailed { reason } => HaltCause::BatchFailed { reason: self.words(&reason) },
            HaltCause::Paused { text, why } => {
                HaltCause::Paused { text: self.words(&text), why: self.words(&why) }
            }
            HaltCause::BudgetSpentByOthers { waited, out, blocked, domains } => {
                let (out, blocked) = (self.out(out), self.maybe(blocked));
                HaltCause::BudgetSpentByOthers { waited, out, blocked, domains }
            }
            cause @ (HaltCause::Failures { failed: _, max: _ }
            | HaltCause::BudgetSpentByFailures
            | HaltCause::BudgetSpentByCordons { hosts: _ }
            | HaltCause::DomainsSpentByFailures { host: _, domains: _ }
            | HaltCause::Stopped { by: _ }) => cause,
        }
    }
}
