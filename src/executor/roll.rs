//! The loop. One function makes things true: append to the journal, apply to the state, tell the reporters; only then
//! does work start. The results of work come back as events and go the same way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet, LocalSet, spawn_local};
use tokio::time::sleep_until;

use super::approval::Approver;
use super::attempt::{self, Assignment};
use super::context::{EventSender, InDoubt, Message, Shared};
use super::lock::{self, Lock};
use super::runtime_values::{RuntimeValues, failure_value, steps_value};
use super::single_flight::SingleFlight;
use super::{Clock, Pool, Secrets, bracket, gate, observe, verify};
use crate::engine::{AttemptRun, Event, History, IllegalEvent, Membership, Stamped, StopLevel, Work, decide};
use crate::journal::{Record, RunDir};
use crate::plan::{HostId, Plan, Section, StepRef, TaskId};
use crate::report::Reporter;
use crate::value::{Duration, Timestamp, Value};

/// Everything that a run needs.
pub struct Setup {
    /// What to do.
    pub plan: Rc<Plan>,
    /// The plan's digest.
    pub digest: String,
    /// The run's id: `[0-9a-z-]` only.
    pub run: String,
    /// Connections to the plan's hosts.
    pub pool: Rc<Pool>,
    /// The machine that runs Rollbook, as a host named `controller`.
    pub controller: Rc<Pool>,
    /// Where events become durable.
    pub record: Box<dyn Record>,
    /// Where the output of ops goes; `None` keeps last lines only.
    pub run_dir: Option<RunDir>,
    /// Who is told.
    pub reporters: Vec<Box<dyn Reporter>>,
    /// When to start nothing new, in place of the plan's own deadline.
    pub deadline: Option<Duration>,
    /// Secret values.
    pub secrets: Secrets,
    /// What happened before, where a run goes on.
    pub past: Option<History>,
    /// Machine id of the controller, or empty.
    pub machine: String,
    /// What to do with commands that nothing can settle.
    pub in_doubt: InDoubt,
    /// The lock of the cluster, which is renewed while the roll goes on; `None` where there is none to hold.
    pub lock: Option<Rc<Lock>>,
    /// Runs that were given up: every host is told not to take their commands any more.
    pub over: Vec<String>,
    /// Who is asked at gates and pauses.
    pub approver: Rc<dyn Approver>,
    /// The time.
    pub clock: Clock,
    /// Ctrl-C, SIGTERM and the like.
    pub stops: mpsc::UnboundedReceiver<StopRequest>,
}

/// Somebody asks the run to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// How soon.
    pub level: StopLevel,
    /// "Ctrl-C", "SIGTERM", "deadline".
    pub by: String,
}

/// A run that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    /// Events cannot be made durable any more. Work that was under way has ended; nothing new was started.
    #[error("the journal cannot be written, so nothing more was started")]
    Journal {
        /// Why.
        #[source]
        source: std::io::Error,
        /// Where the run stood.
        history: Box<History>,
    },
    /// A bug: an event that cannot happen.
    #[error("bug: {0}")]
    Illegal(#[from] IllegalEvent),
}

/// Rolls a plan to its end.
pub async fn roll(setup: Setup) -> Result<History, RollError> {
    LocalSet::new().run_until(Roller::new(setup).run()).await
}

struct Roller {
    plan: Rc<Plan>,
    digest: String,
    history: History,
    /// When the run began.
    began: Timestamp,
    /// It goes on with what an earlier process began.
    resumed: bool,
    machine: String,
    shared: Rc<Shared>,
    record: Box<dyn Record>,
    reporters: Vec<Box<dyn Reporter>>,
    stops: mpsc::UnboundedReceiver<StopRequest>,
    stops_open: bool,
    deadline: Option<Timestamp>,
    inbox: mpsc::UnboundedReceiver<Message>,
    event_sender: EventSender,
    workers: JoinSet<()>,
    journal_error: Option<std::io::Error>,
}

/// What the loop woke up for.
enum Wake {
    Messages(Vec<Message>),
    Stop(StopRequest),
    Time,
}

impl Roller {
    fn new(setup: Setup) -> Self {
        let Setup {
            plan,
            digest,
            run,
            pool,
            controller,
            record,
            run_dir,
            reporters,
            deadline,
            secrets,
            past,
            machine,
            in_doubt,
            lock,
            over,
            approver,
            clock,
            stops,
        } = setup;
        for host in plan.hosts.iter().filter(|host| !host.machine_id.is_empty()) {
            pool.expect_machine(&host.name, &host.machine_id);
        }
        let (sender, inbox) = mpsc::unbounded_channel();
        let event_sender = EventSender::new(sender);
        let began = past.as_ref().and_then(History::began).unwrap_or_else(|| clock.now());
        let shared = Shared {
            plan: Rc::clone(&plan),
            run,
            started: rfc3339(began),
            pool,
            controller,
            redactor: Rc::new(secrets.redactor()),
            secrets: Rc::new(secrets),
            output: run_dir,
            listener: reporters.iter().any(|reporter| reporter.listens()).then(|| event_sender.clone()),
            clock,
            approver,
            stop: watch::Sender::new(None),
            hurried: watch::Sender::new(false),
            in_doubt,
            lock,
            over,
            moved: past.as_ref().is_some_and(|past| past.machine() != Some(&machine)),
            event_sender: event_sender.clone(),
            cluster_is_silent: Cell::new(false),
            patient: true,
            silent: RefCell::default(),
            lame: RefCell::default(),
            busy: RefCell::default(),
            membership: RefCell::new(
                past.as_ref().map_or_else(Membership::default, |past| Membership::of(&plan, &past.events)),
            ),
            common: SingleFlight::default(),
        };
        let resumed = past.is_some();
        let history = past.unwrap_or_else(|| History::new(&plan));
        Self {
            resumed,
            machine,
            history,
            began,
            deadline: deadline.or(plan.policy.deadline).map(|deadline| clock.now().after(deadline)),
            plan,
            digest,
            shared: Rc::new(shared),
            record,
            reporters,
            stops,
            stops_open: true,
            inbox,
            event_sender,
            workers: JoinSet::new(),
            journal_error: None,
        }
    }

    async fn run(self) -> Result<History, RollError> {
        let keeper = self.keep_lock();
        let outcome = self.roll().await;
        if let Some(keeper) = keeper {
            keeper.abort();
            // A renewal that is cut off is settled by whoever writes the Lease next.
            if let Some(bug) = keeper.await.err().filter(JoinError::is_panic) {
                std::panic::resume_unwind(bug.into_panic());
            }
        }
        outcome
    }

    fn keep_lock(&self) -> Option<JoinHandle<()>> {
        let lock = self.shared.lock.clone()?;
        Some(spawn_local(lock::keep(lock, Rc::clone(&self.shared), self.event_sender.clone())))
    }

    async fn roll(mut self) -> Result<History, RollError> {
        self.begin()?;
        while self.journal_error.is_none() {
            let decision = decide(&self.plan, &self.history.state, self.shared.clock.now());
            if !decision.events.is_empty() {
                self.commit(decision.events)?;
                continue;
            }
            if decision.done {
                break;
            }
            let wake = self.wait(decision.wake_at).await;
            self.take(wake)?;
        }
        self.drain().await?;
        match self.journal_error {
            Some(source) => Err(RollError::Journal { source, history: Box::new(self.history) }),
            None => Ok(self.history),
        }
    }

    fn begin(&mut self) -> Result<(), RollError> {
        let (version, machine) = (env!("CARGO_PKG_VERSION").to_owned(), self.machine.clone());
        if !self.resumed {
            let (run, digest) = (self.shared.run.clone(), self.digest.clone());
            return self.commit(vec![Event::RunStarted { run, digest, version, machine }]);
        }
        self.commit(vec![Event::RunResumed { version, machine }])?;
        self.shared.busy.borrow_mut().extend(self.history.state.active_hosts(&self.plan));
        if self.journal_error.is_none() {
            self.take_up();
        }
        Ok(())
    }

    /// Starts what an earlier process had in flight.
    fn take_up(&mut self) {
        let jobs: Vec<WorkItem> = self.history.state.in_flight(&self.plan).iter().map(WorkItem::of).collect();
        for job in jobs {
            self.start_job(job);
        }
    }

    async fn wait(&mut self, wake_at: Option<Timestamp>) -> Wake {
        let at = [wake_at, self.deadline].into_iter().flatten().min();
        let alarm = at.map(|at| self.shared.clock.instant(at));
        loop {
            tokio::select! {
                biased;
                message = self.inbox.recv() => {
                    let mut messages: Vec<Message> = message.into_iter().collect();
                    // Whatever came meanwhile is committed in one group.
                    while let Ok(message) = self.inbox.try_recv() {
                        messages.push(message);
                    }
                    return Wake::Messages(messages);
                }
                stop = self.stops.recv(), if self.stops_open => match stop {
                    Some(stop) => return Wake::Stop(stop),
                    None => self.stops_open = false,
                },
                () = async { sleep_until(alarm.expect("invariant: guarded")).await }, if alarm.is_some() => return Wake::Time,
                Some(ended) = self.workers.join_next() => ended.expect("invariant: a worker does not panic"),
            }
        }
    }

    fn take(&mut self, wake: Wake) -> Result<(), RollError> {
        match wake {
            Wake::Messages(messages) => self.take_messages(messages),
            Wake::Stop(StopRequest { level, by }) => self.commit(vec![Event::StopRequested { level, by }]),
            Wake::Time if self.deadline.is_some_and(|deadline| self.shared.clock.now() >= deadline) => {
                self.deadline = None;
                self.commit(vec![Event::StopRequested {
                    level: StopLevel::Graceful,
                    by: "deadline".to_owned(),
                }])
            }
            Wake::Time => Ok(()),
        }
    }

    fn take_messages(&mut self, messages: Vec<Message>) -> Result<(), RollError> {
        let mut gates = Vec::new();
        let mut events = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                Message::Event(event) => events.push(event),
                Message::Gate(event, gate) => {
                    events.push(event);
                    gates.push(gate);
                }
                Message::Output(host, said) => {
                    for reporter in &mut self.reporters {
                        reporter.output(host, &said);
                    }
                }
            }
        }
        if !events.is_empty() {
            self.commit(events)?;
        }
        if self.journal_error.is_none() {
            for gate in gates {
                // A worker that is gone started nothing.
                let _: Result<(), ()> = oneshot::Sender::send(gate, ());
            }
        }
        Ok(())
    }

    /// The one place where something becomes true.
    fn commit(&mut self, events: Vec<Event>) -> Result<(), RollError> {
        let first = self.history.state.seq() + 1;
        // Hosts are told this time as the run's beginning, also by whoever resumes it.
        let at = if first == 1 { self.began } else { self.shared.clock.now() };
        let stamped: Vec<Stamped> = (first..)
            .zip(events)
            .map(|(seq, event)| Stamped { seq, at, event: self.shared.redactor.event(event) })
            .collect();
        let durable = stamped.iter().any(|stamped| must_be_durable(&stamped.event));
        // Before it is written: a journal that holds what cannot be could never be read again. Nothing acts on the state
        // until the events are in the journal.
        for event in &stamped {
            self.history.state.apply(&self.plan, event)?;
        }
        let hurries =
            |stamped: &Stamped| matches!(stamped.event, Event::StopRequested { level: StopLevel::Now, .. });
        if stamped.iter().any(hurries) {
            self.shared.hurried.send_replace(true);
        }
        let level = self.history.state.stop_level();
        self.shared.stop.send_if_modified(|told| std::mem::replace(told, level) != level);
        // After a failure nothing is written any more: what follows a torn line or a gap could not be read. What ran on
        // meanwhile still ends and is told, but nothing new is started.
        if self.journal_error.is_none() {
            self.journal_error = self.record.append(&stamped, durable).err();
        }
        for event in stamped {
            for reporter in &mut self.reporters {
                reporter.event(&self.plan, &self.history.state, &event);
            }
            self.note(&event.event);
            if self.journal_error.is_none() {
                self.start(&event.event);
            }
            self.history.events.push(event);
        }
        Ok(())
    }

    /// Bookkeeping that workers read.
    fn note(&mut self, event: &Event) {
        match event {
            Event::HostStarted { host, .. } => {
                self.shared.busy.borrow_mut().insert(*host);
            }
            Event::HostEnded { host, .. } => {
                self.shared.busy.borrow_mut().remove(host);
            }
            _ => {
                self.shared.membership.borrow_mut().note(&self.plan, event);
            }
        }
    }

    /// Starts the work that an event stands for.
    fn start(&mut self, event: &Event) {
        let job = match *event {
            Event::ObservationStarted { phase } => WorkItem::Observe { phase },
            Event::BracketProbeStarted { phase, host, bracket } => {
                WorkItem::ProbeBracket { phase, host, bracket }
            }
            Event::TaskStarted { task, attempt } => {
                WorkItem::Attempt { task, run: AttemptRun { attempt, ..AttemptRun::default() } }
            }
            Event::GateReached { phase, batch, until } => WorkItem::Gate { phase, batch, until },
            Event::VerifyStarted { phase, batch } => WorkItem::Verify { phase, batch },
            _ => return,
        };
        self.start_job(job);
    }

    fn start_job(&mut self, job: WorkItem) {
        let (shared, event_sender) = (Rc::clone(&self.shared), self.event_sender.clone());
        match job {
            WorkItem::Observe { phase } => {
                let batch = self.current_batch_hosts();
                self.workers.spawn_local(observe::run(shared, event_sender, phase, batch));
            }
            WorkItem::ProbeBracket { phase, host, bracket } => {
                let untouched = !self.history.state.has_acted_on(host);
                self.workers.spawn_local(bracket::run(shared, event_sender, phase, host, bracket, untouched));
            }
            WorkItem::Attempt { task, run } => {
                let assignment = self.assignment(task, run);
                self.workers.spawn_local(attempt::run(shared, event_sender, assignment));
            }
            WorkItem::Verify { phase, batch } => {
                if let Some(subject) = self.representative(phase) {
                    self.workers.spawn_local(verify::run(shared, event_sender, phase, batch, subject));
                }
            }
            WorkItem::Gate { phase, batch, until } => {
                if let Some(subject) = self.representative(phase) {
                    let reached = gate::ReachedGate { phase, batch, until, subject };
                    self.workers.spawn_local(gate::run(shared, event_sender, reached));
                }
            }
        }
    }

    /// On whose behalf a check between batches runs: the first host of the phase that did not fail. One that failed may
    /// be gone, and says nothing of the others.
    fn representative(&self, phase: u16) -> Option<HostId> {
        let population = &self.plan.phase(phase).population;
        let state = &self.history.state;
        let well = population.iter().find(|host| state.failure(&self.plan, phase, **host).is_none());
        well.or_else(|| population.first()).copied()
    }

    fn current_batch_hosts(&self) -> Vec<HostId> {
        let Some((phase, batch)) = self.history.state.current_batch() else { return Vec::new() };
        self.plan.phase(phase).batches.get(usize::from(batch)).cloned().unwrap_or_default()
    }

    fn assignment(&self, task: TaskId, run: AttemptRun) -> Assignment {
        let shown = run.effect_shown();
        let state = &self.history.state;
        // What is done again ran before, whatever its conditions would say now.
        let is_forced = state.closes_what_is_open(&self.plan, task) || state.is_done_again(&self.plan, task);
        let AttemptRun { attempt, ops: recorded, approved_by, .. } = run;
        let cordon = self.history.state.open_cordon(&self.plan, task);
        let is_late =
            |&(index, _): &_| matches!(self.plan.task(TaskId { index, ..task }).step, StepRef::Deferred(_));
        let is_set_late = cordon.as_ref().is_some_and(|cordon| cordon.set_by.iter().any(is_late));
        let wants_results = is_set_late
            || match self.plan.task(task).step {
                StepRef::Deferred(_) => true,
                StepRef::Action(action) => {
                    let action = self.plan.action(action);
                    action.changed_when.is_some() || action.fail_when.is_some()
                }
            };
        // Nobody else looks: a host's thousandth command must not cost more than its first.
        let steps = if wants_results {
            steps_value(&self.plan, task.phase, task.host, |id| self.history.state.result(&self.plan, id))
        } else {
            Value::Map(IndexMap::new())
        };
        let is_rescue = wants_results && self.plan.section(task) == Section::Rescue;
        let failure = self.history.state.failure(&self.plan, task.phase, task.host).filter(|_| is_rescue);
        let failure = failure.map(|failed| failure_value(&self.plan, task.phase, task.host, failed));
        Assignment {
            task,
            attempt,
            has_slot: self.history.state.holds_slot(task.host),
            untouched: !self.history.state.has_acted_on(task.host),
            recorded,
            approved_by,
            finishes: self.history.state.finishes(&self.plan, task.phase, task.host),
            runtime: RuntimeValues {
                steps,
                is_apart: self.history.state.is_apart(&self.plan, task),
                decided: self.history.state.decided(&self.plan, task.phase, task.host),
                is_forced,
                failure,
            },
            cordon,
            shown,
        }
    }

    /// Lets running work end after the journal failed, and takes its last words.
    async fn drain(&mut self) -> Result<(), RollError> {
        // Nobody's answer is waited for any more.
        self.shared.stop.send_replace(Some(StopLevel::Now));
        while !self.workers.is_empty() {
            tokio::select! {
                biased;
                Some(message) = self.inbox.recv() => self.take_messages(vec![message])?,
                Some(ended) = self.workers.join_next() => ended.expect("invariant: a worker does not panic"),
            }
        }
        while let Ok(message) = self.inbox.try_recv() {
            self.take_messages(vec![message])?;
        }
        Ok(())
    }
}

/// Work for a worker.
enum WorkItem {
    Observe { phase: u16 },
    ProbeBracket { phase: u16, host: HostId, bracket: u16 },
    Attempt { task: TaskId, run: AttemptRun },
    Verify { phase: u16, batch: u16 },
    Gate { phase: u16, batch: u16, until: Option<Timestamp> },
}

impl WorkItem {
    fn of(work: &Work<'_>) -> Self {
        match *work {
            Work::Observation { phase } => Self::Observe { phase },
            Work::BracketProbe { phase, host, bracket } => Self::ProbeBracket { phase, host, bracket },
            Work::Attempt { task, run } => Self::Attempt { task, run: run.clone() },
            Work::Verify { phase, batch } => Self::Verify { phase, batch },
            Work::Gate { phase, batch, until } => Self::Gate { phase, batch, until },
        }
    }
}

/// An op starts only after its event would survive a power cut; so does the run itself.
fn must_be_durable(event: &Event) -> bool {
    matches!(
        event,
        Event::RunStarted { .. } | Event::RunResumed { .. } | Event::OpStarted { .. } | Event::RunEnded
    )
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}
