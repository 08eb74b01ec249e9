//! Plain stamped lines: for logs, for pipes, and for terminals without a live display. One event, at most one line.

use std::io::Write;

use super::Reporter;
use super::gates;
use super::waits::{ReportLine, Waits};
use crate::engine::{
    BracketFinding, Event, HaltCause, HostStatus, NOT_AWAITED, SkipReason, Stamped, State, StopLevel,
    TaskEnd, Work,
};
use crate::op::Op;
use crate::plan::{DomainsTaken, Forecast, HostId, OutCause, OutOfService, Plan, Section, StepRef, TaskId};
use crate::value::Timestamp;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// What became of hosts, and all that went wrong: beside a display that shows the rest while it happens.
    Hosts,
    /// Also every change.
    Changes,
    /// Also starts, skips and what held already.
    Everything,
}

impl Verbosity {
    /// As `--verbose` has it where nothing else shows the changes.
    pub fn of_log(verbose: bool) -> Self {
        if verbose { Self::Everything } else { Self::Changes }
    }

    /// As `--verbose` has it below a display.
    pub fn of_display(verbose: bool) -> Self {
        if verbose { Self::Everything } else { Self::Hosts }
    }
}

/// Writes a line per event that people want to read.
pub struct Plain<W> {
    out: W,
    verbosity: Verbosity,
    started: Option<Timestamp>,
    waits: Waits,
    /// A reader that went away (a closed pipe, a lost terminal) silences the reporter, never the run.
    closed: bool,
}

impl<W: Write> Plain<W> {
    /// Lines go to `out`.
    pub fn new(out: W, verbosity: Verbosity) -> Self {
        Self { out, verbosity, started: None, waits: Waits::default(), closed: false }
    }
}

impl<W: Write> Reporter for Plain<W> {
    fn event(&mut self, plan: &Plan, state: &State, event: &Stamped) {
        let started = *self.started.get_or_insert(event.at);
        let line = match self.waits.take(plan, state, event) {
            ReportLine::No => return,
            ReportLine::As(line) => line,
            ReportLine::Usual => match line(plan, state, &event.event, self.verbosity) {
                Some(line) => line,
                None => return,
            },
        };
        let passed = event.at.since(started).as_secs();
        let stamp = format!("{:02}:{:02}:{:02}", passed / 3600, passed / 60 % 60, passed % 60);
        if !self.closed {
            self.closed = writeln!(self.out, "{stamp}  {line}").is_err();
        }
    }
}

fn line(plan: &Plan, state: &State, event: &Event, verbosity: Verbosity) -> Option<String> {
    let verbose = verbosity >= Verbosity::Everything;
    Some(match event {
        Event::RunStarted { run, .. } => format!("run {run}"),
        Event::RunResumed { .. } => "goes on".to_owned(),
        Event::PhaseStarted { phase } => {
            let planned = plan.phase(*phase);
            let hosts: usize = planned.batches.iter().map(Vec::len).sum();
            let hosts = if planned.left_out { "left out".to_owned() } else { counted(hosts, "host") };
            format!("phase {}/{}: {} ({hosts})", phase + 1, plan.phases.len(), planned.name)
        }
        Event::BatchStarted { phase, batch } => {
            let batches = &plan.phase(*phase).batches;
            if batches.len() < 2 {
                return None;
            }
            let hosts = &batches[usize::from(*batch)];
            format!("batch {}/{}: {}", batch + 1, batches.len(), names(plan, hosts))
        }
        Event::SlotTaken { host, .. } => format!("{}  goes out of service", host_name(plan, *host)),
        Event::BracketProbed { host, finding: BracketFinding::Holds, .. } => {
            format!("{}  nothing to do", host_name(plan, *host))
        }
        Event::BracketProbed { host, finding: BracketFinding::Failed { failure }, .. } => {
            let name = host_name(plan, *host);
            format!("{name}  FAILED: {}", said_of(&failure.message, name))
        }
        Event::TaskStarted { task, attempt } if *attempt > 1 => {
            format!("{}  again (attempt {attempt})", about(plan, *task))
        }
        Event::TaskStarted { task, .. } if verbose => format!("{}  …", about(plan, *task)),
        Event::OpSaid { task, stderr, stdout, .. } => said(plan, *task, stderr, stdout)?,
        Event::TaskEnded { task, end, .. } => task_ended(plan, *task, end, verbosity)?,
        Event::TaskSkipped { task, why: SkipReason::When } if verbose => {
            let why = match &plan.task(*task).forecast {
                Forecast::LeftOut { why } => why.to_string(),
                _ => "`when` is false".to_owned(),
            };
            format!("{}  skipped: {why}", about(plan, *task))
        }
        Event::SectionStarted { host, section: Section::Rescue, .. } => {
            format!("{}  rescue begins", host_name(plan, *host))
        }
        Event::SectionStarted { host, section: Section::Always, .. } if verbose => {
            format!("{}  always: what is done in the end", host_name(plan, *host))
        }
        // Most hosts of a second run, and all of a phase that only looks.
        Event::HostEnded { status: HostStatus::Ok, phase, host }
            if verbosity == Verbosity::Hosts && !state.was_rescued(plan, *phase, *host) =>
        {
            return None;
        }
        Event::HostEnded { phase, host, status } => {
            let status = match status {
                _ if state.was_rescued(plan, *phase, *host) => "rescued",
                HostStatus::Ok => "ok",
                HostStatus::Changed => "done",
                HostStatus::Stopped if state.was_not_begun(plan, *phase, *host) => {
                    "not started, because the run stopped"
                }
                HostStatus::Stopped => "stopped where it stood, because the run did",
                HostStatus::Failed => "FAILED",
                HostStatus::Unknown => "UNKNOWN",
            };
            format!("{}  {status}", host_name(plan, *host))
        }
        // What a stop cut short did not fail.
        Event::BatchEnded { batch, failed: Some(reason), .. } if is_stopped(state) => {
            format!("batch {}: {reason}", batch + 1)
        }
        Event::BatchEnded { batch, failed: Some(reason), .. } => {
            format!("batch {} FAILED: {reason}", batch + 1)
        }
        Event::PhaseEnded { phase, ok: false } if is_stopped(state) => {
            format!("phase {}: stopped before its end", plan.phase(*phase).name)
        }
        Event::PhaseEnded { phase, ok: false } => {
            format!("phase {}: ended outside its limits", plan.phase(*phase).name)
        }
        Event::StopRequested { level, by } => format!("{by}: {}", stop_words(*level, plan, state)),
        Event::LockLost { why } => {
            format!("LOCK LOST: {why}; what is in flight ends, and nothing more is started")
        }
        Event::Halted { cause: HaltCause::Paused { text, why }, .. } => format!("PAUSED: {text} ({why})"),
        Event::Halted { cause, .. } => format!("HALT: {}", halt_words(plan, cause)),
        Event::RunUndone { by } => format!("run {by} puts back what this run left"),
        _ => return gates::line(plan, event),
    })
}

/// Whether the run only does what somebody asked for.
fn is_stopped(state: &State) -> bool {
    matches!(state.halted(), Some(HaltCause::Stopped { .. } | HaltCause::Paused { .. }))
}

/// The last lines of a failed command, where they tell more than the one line that its failure tells.
fn said(plan: &Plan, task: TaskId, stderr: &[String], stdout: &[String]) -> Option<String> {
    if stderr.len() + stdout.len() < 2 {
        return None;
    }
    let head = format!("{}  said last:", about(plan, task));
    Some(said_lines(stderr, stdout).fold(head, |text, line| text + "\n          " + &line))
}

/// The last lines of a failed command, each with its stream in front.
pub(super) fn said_lines<'a>(
    stderr: &'a [String],
    stdout: &'a [String],
) -> impl Iterator<Item = String> + 'a {
    let of =
        |name: &'static str, lines: &'a [String]| lines.iter().map(move |line| format!("{name}: {line}"));
    of("stdout", stdout).chain(of("stderr", stderr))
}

fn task_ended(plan: &Plan, task: TaskId, end: &TaskEnd, verbosity: Verbosity) -> Option<String> {
    let about = about(plan, task);
    Some(match end {
        TaskEnd::Changed { .. } if verbosity == Verbosity::Hosts => return None,
        TaskEnd::Changed { summary } => format!("{about}  changed{}", outcome(plan, task, summary)),
        TaskEnd::Satisfied { state } if verbosity >= Verbosity::Everything => format!("{about}  = {state}"),
        // What a command that only reads has printed is what it was there for.
        TaskEnd::Satisfied { state } if verbosity == Verbosity::Changes && only_reads(plan, task) => {
            format!("{about}  = {state}")
        }
        TaskEnd::Satisfied { .. } | TaskEnd::NeedsSlot => return None,
        TaskEnd::Failed { failure } => {
            let hint = if failure.hint.is_empty() {
                String::new()
            } else {
                format!("\n          hint: {}", failure.hint)
            };
            let allowed =
                plan.allow_failure(task).map(|reason| format!(" (allowed: {reason})")).unwrap_or_default();
            let said = said_of(&failure.message, host_name(plan, task.host));
            format!("{about}  FAILED{allowed}: {said}{hint}")
        }
        TaskEnd::Unknown { reason } => {
            format!("{about}  UNKNOWN: {}", said_of(reason, host_name(plan, task.host)))
        }
        TaskEnd::Uncordoned { reason } => format!("{about}  not sent: {reason}"),
        TaskEnd::Paused { why, .. } => format!("{about}  not confirmed: {why}"),
        TaskEnd::Withheld { reason } if reason == NOT_AWAITED => format!("{about}  {reason}"),
        TaskEnd::Withheld { reason } => format!("{about}  not sent: the lock was lost: {reason}"),
    })
}

fn only_reads(plan: &Plan, task: TaskId) -> bool {
    matches!(plan.task(task).step, StepRef::Action(action) if plan.action(action).lowered.only_reads())
}

/// "w01  drain w01".
pub(super) fn about(plan: &Plan, task: TaskId) -> String {
    format!("{}  {}", host_name(plan, task.host), title(plan, task))
}

/// What a step's kind adds to its title, such as the revision of a snapshot: `title (outcome)` in the record.
fn outcome(plan: &Plan, task: TaskId, summary: &str) -> String {
    let behind = summary.strip_prefix(&title(plan, task)).and_then(|rest| rest.strip_prefix(" ("));
    behind.and_then(|rest| rest.strip_suffix(')')).map_or_else(String::new, |told| format!(": {told}"))
}

/// A task's title with the names of its host in place of symbols, and the part of the tasks that it belongs to.
pub(super) fn title(plan: &Plan, task: TaskId) -> String {
    let part = match plan.section(task) {
        Section::Steps => "",
        Section::Rescue => "rescue: ",
        Section::Always => "always: ",
    };
    let title = plan.spelled(plan.title(task), task.host);
    format!("{part}{title}")
}

pub(super) fn host_name(plan: &Plan, host: HostId) -> &str {
    plan.host(host).name.as_str()
}

/// What a failure says, behind the host's name: without the name where it begins with it.
pub fn said_of<'m>(message: &'m str, host: &str) -> &'m str {
    message.strip_prefix(host).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(message)
}

/// "1 host", "2 hosts".
pub(super) fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

pub(super) fn names(plan: &Plan, hosts: &[HostId]) -> String {
    let shown: Vec<&str> = hosts.iter().take(8).map(|host| host_name(plan, *host)).collect();
    let more = if hosts.len() > 8 { format!(", … ({} in all)", hosts.len()) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Who is out of service, and why: "w07 (NotReady), w09 (cordoned by somebody else)".
pub(super) fn out_list(plan: &Plan, out: &[OutOfService]) -> String {
    let each = out.iter().map(|out| format!("{} ({})", host_name(plan, out.host), out_words(&out.cause)));
    each.collect::<Vec<_>>().join(", ")
}

/// "zone a", "zone a and c".
fn taken_words(domains: &DomainsTaken) -> String {
    format!("{} {}", domains.key, domains.taken.join(" and "))
}

/// What a host without a slot waits for, "the budget" or "zone a", and why it has to. The run's own work comes last,
/// because it passes by itself.
pub(super) fn wait_words(
    plan: &Plan,
    phase: u16,
    out: &[OutOfService],
    blocked: Option<&str>,
    domains: Option<&DomainsTaken>,
) -> (String, String) {
    let budget = "the budget".to_owned();
    if let Some(blocked) = blocked {
        return (budget, blocked.to_owned());
    }
    let mut out = out.to_vec();
    out.sort_by_key(|out| out.cause == OutCause::InWork);
    let topology = plan.phase(phase).topology.as_ref();
    let what = match (domains, topology) {
        (Some(domains), Some(topology)) => {
            out.retain(|out| topology.domain(out.host).is_some_and(|domain| domain != domains.domain));
            taken_words(domains)
        }
        _ => budget,
    };
    (what, format!("out of service: {}", out_list(plan, &out)))
}

fn out_words(cause: &OutCause) -> &str {
    match cause {
        OutCause::InWork => "being worked on",
        OutCause::Failed => "failed in this run",
        OutCause::Unknown => "its state is not known",
        OutCause::LeftCordoned => "left cordoned by this run",
        OutCause::NotReady(_) => "its node is not Ready",
        OutCause::Cordoned => "cordoned by somebody else",
        OutCause::Unreachable => "cannot be reached over SSH",
        OutCause::NodeGone => "its node is gone from the cluster",
    }
}

/// What a request to stop comes to.
pub(super) fn stop_words(level: StopLevel, plan: &Plan, state: &State) -> String {
    match level {
        StopLevel::Graceful => {
            "no new host starts; hosts that are out come back. Once more stops after the ops in flight"
                .to_owned()
        }
        StopLevel::Now => match longest_op(plan, state) {
            Some((host, op)) => format!(
                "stopping after the ops in flight. That may take {}: the time limit of `{}` on {}",
                op.timeout,
                plan.spelled(&op.title, host),
                host_name(plan, host)
            ),
            None => "stopping after the ops in flight".to_owned(),
        },
    }
}

/// Of the ops that have no end, the one with the longest time limit.
fn longest_op<'p>(plan: &'p Plan, state: &State) -> Option<(HostId, &'p Op)> {
    let open = state.in_flight(plan).into_iter().filter_map(|work| {
        let Work::Attempt { task, run } = work else { return None };
        let sent = run.ops.last().filter(|sent| sent.exit.is_none())?;
        let StepRef::Action(action) = plan.task(task).step else { return None };
        Some((task.host, plan.action(action).lowered.ops.get(usize::from(sent.op))?))
    });
    open.max_by_key(|(_, op)| op.timeout)
}

/// Why a run halted, in a sentence.
pub(super) fn halt_words(plan: &Plan, cause: &HaltCause) -> String {
    match cause {
        HaltCause::Failures { failed, max } => {
            format!("{} failed, max_failures is {max}", counted(*failed as usize, "host"))
        }
        HaltCause::BatchFailed { reason } => reason.clone(),
        HaltCause::BudgetSpentByFailures => "hosts that failed in this run hold the whole budget".to_owned(),
        HaltCause::BudgetSpentByCordons { hosts } => {
            format!("nodes that this run left cordoned hold the budget: {}", names(plan, hosts))
        }
        HaltCause::BudgetSpentByOthers { waited, out, blocked, domains } => match (blocked, domains) {
            (Some(blocked), _) => format!("no slot could be given for {}: {blocked}", waited.rounded()),
            (None, Some(domains)) => format!(
                "others held {} for {}: {}",
                taken_words(domains),
                waited.rounded(),
                out_list(plan, out)
            ),
            (None, None) => {
                let is_own = |out: &OutOfService| {
                    matches!(out.cause, OutCause::LeftCordoned | OutCause::Failed | OutCause::Unknown)
                };
                let who = if out.iter().all(is_own) { "hosts that wait themselves" } else { "others" };
                format!("{who} held the budget for {}: {}", waited.rounded(), out_list(plan, out))
            }
        },
        HaltCause::DomainsSpentByFailures { host, domains } => format!(
            "hosts that failed in this run hold {}, or nodes that it left cordoned do, and {} stands in {} {}",
            taken_words(domains),
            host_name(plan, *host),
            domains.key,
            domains.domain
        ),
        HaltCause::Paused { text, why } => format!("paused: {text} ({why})"),
        HaltCause::Stopped { by } => format!("stopped by {by}"),
    }
}
