//! What a run came to: the only place that counts. A fold of the events, from which the last lines and the exit code
//! are made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::exit::ExitKind;
use super::left::{
    self, AT_WORK, HALF_CHANGED, Left, NOT_CORDONED, OUT_OF_SERVICE, OnPurpose, PERHAPS_CORDONED, Told,
    UNCORDONED, UNDER_WAY, not_put_back,
};
use super::nodes::Nodes;
use super::phases::{self, Versions};
use super::plain::{counted, halt_words, host_name, title};
use super::stopped::StopReport;
use super::trouble::LastWords;
use super::ways_back::ways_back;
use crate::engine::{
    BracketFinding, Cause, Counts, Event, Failure, HaltCause, History, HostStatus, Outstanding,
    OutstandingChange, State, TaskEnd,
};
use crate::op::Effect;
use crate::plan::{Cordoning, HostId, Plan, Section, TaskId};
use crate::value::Duration;

/// What a run came to.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something that a run came to, and they combine freely"
)]
pub struct Summary {
    /// The run's id.
    pub run: String,
    /// How many hosts ended how.
    pub counts: Counts,
    /// Hosts that failed or are unknown, and why. A host whose rescue failed, too, is there once for each.
    pub troubled: Vec<Troubled>,
    /// Failures that a rescue made good.
    pub rescued: Vec<String>,
    /// Hosts that are not in service or are half-changed, and how to bring them back.
    pub left: Vec<Left>,
    /// Hosts that are out of service because a step leaves their node cordoned.
    pub on_purpose: Vec<OnPurpose>,
    /// Failures that `allow_failure` allowed.
    pub allowed: Vec<String>,
    /// Cordons of this run that somebody took away before a step disrupted under them.
    pub lifted: Vec<String>,
    /// Whether its last lines are followed by how it goes on: another way than bringing hosts back by hand.
    pub can_resume: bool,
    /// Whether it ended and nothing was left to do, though it may have been asked to stop.
    pub is_whole: bool,
    /// Whether another run puts back what this one left: how, that one's record says.
    pub undone: bool,
    /// Why the run did not go to its end, if it did not.
    pub stopped_by: Option<String>,
    /// Whether any host was changed.
    pub changed_anything: bool,
    /// From the first event to the last.
    pub took: Duration,
    stop: Option<StopCause>,
    paused: bool,
    stopped: StopReport,
    /// Its ways back would reach hosts that were never touched.
    rehearsal: bool,
    record: String,
    /// A line per phase.
    by_phase: String,
    versions: Vec<String>,
    /// What is said where nobody is left. Where others were seen out of service, that all serve is not for this run to say.
    service: &'static str,
}

/// A host in trouble.
#[derive(Clone, Debug)]
pub struct Troubled {
    /// The host.
    pub host: HostId,
    /// The phase.
    pub phase: u16,
    /// The part of its tasks in which it failed.
    pub section: Section,
    /// Failed or unknown.
    pub status: HostStatus,
    /// The step, or nothing where it was not in one.
    pub step: String,
    /// Why.
    pub failure: Failure,
    /// What its command said last, where one failed.
    pub said: LastWords,
}

const ALL_SERVE: &str = "all hosts are in service";
const OURS_SERVE: &str = "this run keeps no host out of service";

#[derive(Clone, Debug, PartialEq, Eq)]
enum StopCause {
    Deadline,
    Signal { term: bool },
    LockLost,
}

impl Summary {
    /// Folds the events of a run that is over.
    pub fn of(plan: &Plan, history: &History) -> Self {
        let History { state, events } = history;
        let mut fold = SummaryFold { plan, ..SummaryFold::new(plan) };
        for event in events {
            fold.take(&event.event);
        }
        let first = events.first().map_or_else(Default::default, |event| event.at);
        let took = events.last().map_or(Duration::ZERO, |last| last.at.since(first));
        let halted = state.halted().map(|cause| match cause {
            HaltCause::Stopped { by } => by.clone(),
            // Hosts that were at work at that moment may have failed since.
            HaltCause::Failures { failed, max } => {
                let all = u32::try_from(state.counts(plan).failed).unwrap_or(u32::MAX);
                halt_words(plan, &HaltCause::Failures { failed: all.max(*failed), max: *max })
            }
            other => halt_words(plan, other),
        });
        let stop = fold.stop.clone();
        let by_request = fold.stopped_by.clone();
        let (left, on_purpose) = fold.left(state);
        let mut by_phase = String::new();
        phases::write(plan, state, &mut by_phase).expect("invariant: writing to a string works");
        let rescued = fold.rescued(state);
        let lost_nodes = fold.troubled.iter().any(|troubled| troubled.failure.cause == Cause::NodeLost);
        Self {
            run: fold.run,
            counts: state.counts(plan),
            troubled: fold.troubled,
            rescued,
            left,
            on_purpose,
            allowed: fold.allowed,
            lifted: fold.lifted,
            stopped_by: halted.or(by_request),
            changed_anything: fold.changed_anything,
            took,
            stop,
            paused: matches!(state.halted(), Some(HaltCause::Paused { .. })),
            stopped: fold.stopped,
            rehearsal: history.is_rehearsal(plan),
            record: String::new(),
            by_phase,
            versions: fold.versions.lines(plan),
            service: if lost_nodes || state.has_seen_others_out() { OURS_SERVE } else { ALL_SERVE },
            can_resume: state.can_resume(),
            is_whole: state.is_whole(),
            undone: state.undone_by().is_some(),
        }
    }

    /// The same, with the run's directory, so that files in it are named by their whole path.
    #[must_use]
    pub fn recorded_in(mut self, directory: &str) -> Self {
        directory.clone_into(&mut self.record);
        self
    }

    /// Every host that this run leaves out of service or half-changed, on purpose or not.
    pub fn hosts_left(&self) -> BTreeSet<HostId> {
        let on_purpose = self.on_purpose.iter().map(|left| left.host);
        let left = self.left.iter().filter(|left| left.what != AT_WORK).map(|left| left.host);
        left.chain(on_purpose).collect()
    }

    /// Of hosts on which no cordon and no hold of the run stands any more: what is left there, without them.
    pub(crate) fn put_back(&mut self, plan: &Plan, state: &State, is_back: impl Fn(HostId) -> bool) {
        left::without_brackets(&mut self.left, plan, state, is_back);
    }

    /// What is left by a run that goes on: it has not left those that it works on.
    pub(crate) fn without_those_at_work(&mut self, plan: &Plan, state: &State) {
        let active = state.active_hosts(plan);
        self.left.retain(|left| !active.contains(&left.host));
    }

    /// The exit code of [`Summary::exit`].
    pub fn exit_code(&self) -> u8 {
        self.exit().code()
    }

    /// How the program ends: the first that applies, in the order of the table.
    pub fn exit(&self) -> ExitKind {
        let caused = |cause: Cause| self.troubled.iter().any(|troubled| troubled.failure.cause == cause);
        let troubled = !self.troubled.is_empty();
        if !self.left.is_empty() {
            ExitKind::LeftOut
        } else if caused(Cause::Drift) || caused(Cause::Identity) || caused(Cause::NodeLost) {
            ExitKind::Drift
        } else if caused(Cause::Unreachable) && !self.changed_anything {
            ExitKind::Unreachable
        } else if caused(Cause::Busy) && !self.changed_anything {
            ExitKind::Locked
        } else if troubled || (self.stopped_by.is_some() && self.stop.is_none() && !self.paused) {
            ExitKind::Failed
        } else {
            match self.stop {
                Some(StopCause::LockLost) => ExitKind::Locked,
                Some(StopCause::Deadline) => ExitKind::Deadline,
                _ if self.paused => ExitKind::Paused,
                Some(StopCause::Signal { term: true }) => ExitKind::Terminated,
                Some(StopCause::Signal { term: false }) => ExitKind::Interrupted,
                None => ExitKind::Ok,
            }
        }
    }

    /// How people go on with it, by this command: one of two ways where its last lines say how hosts are brought back.
    pub fn way_on(&self, command: &str) -> String {
        let has_another = !self.rehearsal && self.left.iter().any(|left| !left.commands.is_empty());
        let or = if has_another { "or, " } else { "" };
        format!("{or}to go on: {command}")
    }

    /// The last lines of a run, for people: counts, trouble, and each host that is not in service with the command
    /// that brings it back.
    pub fn text(&self, plan: &Plan) -> String {
        let mut out = String::new();
        self.write(plan, &mut out).expect("invariant: writing to a string works");
        out
    }

    fn write(&self, plan: &Plan, out: &mut String) -> std::fmt::Result {
        let shown =
            phases::words(&self.counts, |counts| vec![(counts.changed, "changed"), (counts.ok, "ok")]);
        let hosts = counted(self.counts.all(), "host");
        writeln!(out, "\n{hosts}: {shown} · {}", self.took.rounded())?;
        out.push_str(&self.by_phase);
        for line in &self.versions {
            writeln!(out, "  {line}")?;
        }
        if let Some(choice) = &plan.choice {
            writeln!(out, "a part of the runbook: {}", choice.flags().join(" "))?;
        }
        for allowed in &self.allowed {
            writeln!(out, "warning: {allowed}")?;
        }
        for rescued in self.rescued.iter().chain(&self.lifted) {
            writeln!(out, "warning: {rescued}")?;
        }
        super::trouble::write(plan, &self.troubled, &self.record, out)?;
        if let Some(by) = &self.stopped_by {
            writeln!(out, "stopped_by: {by}")?;
        }
        self.stopped.write(plan, out)?;
        if self.is_whole && self.stopped_by.is_some() && !self.can_resume {
            writeln!(out, "every step had ended: nothing is left to do")?;
        }
        let Self { rehearsal, can_resume, undone, .. } = *self;
        left::write(plan, &self.left, Told { rehearsal, can_resume, undone }, out)?;
        for OnPurpose { host, reason, commands } in &self.on_purpose {
            writeln!(out, "{}  is out of service, on purpose: {reason}", host_name(plan, *host))?;
            left::write_ways(commands, Told { rehearsal, can_resume: false, undone }, "", out)?;
        }
        let is_over = !self.troubled.is_empty() || self.stopped_by.is_some();
        if self.left.is_empty() && self.on_purpose.is_empty() && is_over {
            writeln!(out, "{}", self.service)?;
        }
        Ok(())
    }
}

/// Collects while events go by.
struct SummaryFold<'p> {
    plan: &'p Plan,
    run: String,
    troubled: Vec<Troubled>,
    allowed: Vec<String>,
    lifted: Vec<String>,
    changed_anything: bool,
    stop: Option<StopCause>,
    stopped_by: Option<String>,
    stopped: StopReport,
    /// Hosts that a rescue uncordoned, or what is done in the end.
    uncordoned: BTreeSet<HostId>,
    /// Hosts whose nodes are cordoned, or may be, by this run or by the hand that it found at work.
    bracketed: BTreeSet<HostId>,
    /// Hosts that were disturbed by something else than a drain.
    disturbed: BTreeSet<HostId>,
    /// What ops of attempts that have not ended said last.
    said: BTreeMap<TaskId, LastWords>,
    versions: Versions,
    nodes: Nodes,
}

impl<'p> SummaryFold<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            run: String::new(),
            troubled: Vec::new(),
            allowed: Vec::new(),
            lifted: Vec::new(),
            changed_anything: false,
            stop: None,
            stopped_by: None,
            stopped: StopReport::default(),
            uncordoned: BTreeSet::new(),
            bracketed: BTreeSet::new(),
            disturbed: BTreeSet::new(),
            said: BTreeMap::new(),
            versions: Versions::default(),
            nodes: Nodes::default(),
        }
    }

    fn take(&mut self, event: &Event) {
        self.stopped.take(event);
        self.versions.take(event);
        self.nodes.take(self.plan, event);
        match event {
            Event::RunStarted { run, .. } => self.run.clone_from(run),
            // What stopped it before is over; what halts it again is told again.
            Event::RunResumed { .. } => {
                self.stop = None;
                self.stopped_by = None;
            }
            Event::OpStarted { task, .. } if self.plan.cordoning(*task) == Cordoning::Sets => {
                self.bracketed.insert(task.host);
            }
            Event::OpStarted { task, .. } if self.plan.task(*task).effect == Effect::Disrupts => {
                self.disturbed.insert(task.host);
            }
            Event::OpEnded { .. } => self.changed_anything = true,
            Event::TaskStarted { task, .. } => drop(self.said.remove(task)),
            Event::OpSaid { task, stderr, stdout, file, .. } => {
                let (stderr, stdout, file) = (stderr.clone(), stdout.clone(), file.clone());
                self.said.insert(*task, LastWords { stderr, stdout, file });
            }
            Event::TaskEnded { task, end, .. } => self.task_ended(*task, end),
            Event::BracketProbed { phase, host, bracket, finding: BracketFinding::Failed { failure } } => {
                let tasks = self.plan.phase(*phase).tasks_of(*host);
                let first = tasks.and_then(|tasks| tasks.brackets.get(usize::from(*bracket)));
                let task =
                    TaskId { phase: *phase, host: *host, index: first.map_or(0, |bracket| bracket.first) };
                self.trouble(task, HostStatus::Failed, String::new(), failure.clone());
            }
            Event::StopRequested { by, .. } => {
                self.stopped_by.get_or_insert_with(|| by.clone());
                self.stop.get_or_insert(match by.as_str() {
                    "deadline" => StopCause::Deadline,
                    by => StopCause::Signal { term: by == "SIGTERM" },
                });
            }
            Event::LockLost { why } => {
                self.stopped_by.get_or_insert_with(|| format!("the lock of the cluster was lost: {why}"));
                self.stop.get_or_insert(StopCause::LockLost);
            }
            Event::Halted { cause: HaltCause::Stopped { by }, .. } => {
                self.stopped_by.get_or_insert_with(|| by.clone());
            }
            _ => {}
        }
    }

    /// What keeps a host from serving beside its cordon, as far as the run saw it.
    fn wrong(&self, host: HostId) -> Option<String> {
        let mut troubled = self.troubled.iter().filter(|troubled| troubled.host == host);
        let unreachable = troubled.any(|troubled| troubled.failure.cause == Cause::Unreachable);
        if unreachable { Some("it cannot be reached".to_owned()) } else { self.nodes.wrong(host) }
    }

    fn task_ended(&mut self, task: TaskId, end: &TaskEnd) {
        match end {
            TaskEnd::Changed { .. } | TaskEnd::Satisfied { .. } => self.ended_well(task),
            TaskEnd::Failed { failure } => {
                let step = title(self.plan, task);
                match self.plan.allow_failure(task) {
                    Some(reason) => self.allowed.push(format!(
                        "{}: `{step}` failed and was allowed to ({reason}): {}",
                        host_name(self.plan, task.host),
                        failure.message
                    )),
                    None => self.trouble(task, HostStatus::Failed, step, failure.clone()),
                }
            }
            TaskEnd::Unknown { reason } => {
                let failure = Failure { cause: Cause::Command, message: reason.clone(), hint: String::new() };
                self.trouble(task, HostStatus::Unknown, title(self.plan, task), failure);
            }
            TaskEnd::Uncordoned { reason } => {
                self.lifted.push(format!("{}: {reason}", host_name(self.plan, task.host)));
            }
            // Nothing of it ran, and the loss itself is told by the last lines.
            TaskEnd::NeedsSlot | TaskEnd::Withheld { .. } | TaskEnd::Paused { .. } => {}
        }
    }

    fn ended_well(&mut self, task: TaskId) {
        // A retry that succeeded is no trouble any more, nor is a doubt that was settled.
        self.forget(task);
        if self.plan.cordoning(task) == Cordoning::TakesAway {
            self.bracketed.remove(&task.host);
            if self.plan.section(task) != Section::Steps {
                self.uncordoned.insert(task.host);
            }
        }
    }

    fn trouble(&mut self, task: TaskId, status: HostStatus, step: String, failure: Failure) {
        self.forget(task);
        let TaskId { phase, host, .. } = task;
        let section = self.plan.section(task);
        let said = self.said.remove(&task).unwrap_or_default();
        self.troubled.push(Troubled { host, phase, section, status, step, failure, said });
    }

    /// Drops the trouble that a host had in the same part of its tasks. What a rescue follows stays.
    fn forget(&mut self, task: TaskId) {
        let section = self.plan.section(task);
        let same = |troubled: &Troubled| {
            (troubled.host, troubled.phase, troubled.section) == (task.host, task.phase, section)
        };
        self.troubled.retain(|troubled| !same(troubled));
    }

    /// Takes the hosts out of trouble that count as done after their rescue, and names each.
    fn rescued(&mut self, state: &State) -> Vec<String> {
        let plan = self.plan;
        let was_rescued = |troubled: &mut Troubled| state.was_rescued(plan, troubled.phase, troubled.host);
        let words = |Troubled { host, step, failure, .. }: Troubled| {
            let step = if step.is_empty() { String::new() } else { format!("`{step}` ") };
            format!("{}: {step}failed, and the host was rescued: {}", host_name(plan, host), failure.message)
        };
        self.troubled.extract_if(.., was_rescued).map(words).collect()
    }
}

impl SummaryFold<'_> {
    /// Whether a host is a node on which no cordon stands, as far as this run knows: it takes pods as long as it is Ready.
    fn is_not_cordoned(&self, host: HostId) -> bool {
        let is_node = self.plan.host(host).subject.node.is_some();
        is_node && !self.bracketed.contains(&host) && !self.uncordoned.contains(&host)
    }

    fn left(&self, state: &State) -> (Vec<Left>, Vec<OnPurpose>) {
        if let Some(run) = &self.plan.undoes {
            return (not_put_back(self.plan, run, state), Vec::new());
        }
        let mut out: BTreeSet<HostId> = state.out_of_service(self.plan).into_iter().collect();
        let half: BTreeSet<HostId> = state.half_changed(self.plan).into_iter().collect();
        let mut on_purpose = Vec::new();
        for (host, task) in state.cordoned() {
            match self.plan.leave_cordoned(task).filter(|_| !out.contains(&host) && !half.contains(&host)) {
                Some(reason) => on_purpose.push((host, reason.to_owned())),
                None => {
                    out.insert(host);
                }
            }
        }
        let on_purpose = on_purpose.into_iter().map(|(host, reason)| {
            let commands = ways_back(self.plan, state, host, &self.run);
            OnPurpose { host, reason, commands }
        });
        let on_purpose = on_purpose.collect();
        let at_work: BTreeSet<HostId> = state.at_work(self.plan).into_iter().collect();
        let all: BTreeSet<HostId> = out.iter().chain(&half).chain(&at_work).copied().collect();
        let left = all.into_iter().map(|host| {
            let mut commands = ways_back(self.plan, state, host, &self.run);
            if self.has_lost_node(host) {
                // There is no cordon any more to take back.
                commands.retain(|command| !command.starts_with("kubectl uncordon "));
            }
            let what = match out.contains(&host) {
                true if self.is_not_cordoned(host) && half.contains(&host) => NOT_CORDONED,
                true if self.is_not_cordoned(host) => UNDER_WAY,
                true if self.uncordoned.contains(&host) && commands.is_empty() => UNCORDONED,
                true if self.is_perhaps_cordoned(host, state) => PERHAPS_CORDONED,
                true => OUT_OF_SERVICE,
                false if half.contains(&host) => HALF_CHANGED,
                false => AT_WORK,
            };
            Left { host, what, commands, wrong: self.wrong(host) }
        });
        (left.collect(), on_purpose)
    }

    /// Whether nothing keeps a host out of service but a cordon of which nobody knows whether it took effect.
    fn is_perhaps_cordoned(&self, host: HostId, state: &State) -> bool {
        let cordon = |made: &&Outstanding| made.host() == host && made.change == OutstandingChange::Cordon;
        let mut cordons = state.outstanding().iter().filter(cordon).peekable();
        !self.disturbed.contains(&host) && cordons.peek().is_some() && cordons.all(|made| made.in_doubt)
    }

    /// Whether a host failed because its node is gone.
    fn has_lost_node(&self, host: HostId) -> bool {
        let mut troubled = self.troubled.iter();
        troubled.any(|troubled| troubled.host == host && troubled.failure.cause == Cause::NodeLost)
    }
}
