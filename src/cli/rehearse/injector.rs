//! Where faults strike: hears every event before anybody acts on it, keeps the time of what strikes later, and takes the
//! controller away.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::faults::inject_on;
use crate::engine::{Stamped, StopLevel};
use crate::executor::{ApprovalAnswer, Approver, Question, StopRequest};
use crate::journal::Record;
use crate::scenario::{AfterKill, FaultKind, Injection, Injections, StopSignal};
use crate::simulation::{Fault, Simulated};
use crate::value::Duration;

/// Time that a rehearsal simulates at most: locks are renewed and looks are taken in all of it.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The scenario of a rehearsal while it runs.
pub(super) struct FaultInjector {
    simulated: Simulated,
    /// When the first controller began.
    began: Cell<Instant>,
    faults: Vec<FaultKind>,
    injections: RefCell<Injections>,
    /// What is due at a time.
    due: RefCell<Vec<(Instant, DueInjection)>>,
    struck: RefCell<BTreeSet<usize>>,
    /// How the controller's present life ended, and whether another one goes on.
    killed: Cell<Option<Killed>>,
    changed: Notify,
    stops: RefCell<Option<mpsc::UnboundedSender<StopRequest>>>,
    asked_to_stop: Cell<bool>,
    /// Questions to which people will say no.
    refusals: Cell<u32>,
    /// Questions that people would have been asked, and whether the answer was yes.
    asked: RefCell<Vec<(String, bool)>>,
    /// Every event, as a journal would hold them.
    events: RefCell<Vec<Stamped>>,
    /// A rehearsal that is taken up is cut off where its journal ends.
    cut_after: Cell<Option<u64>>,
}

/// A controller that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Killed {
    /// Another one goes on at once.
    Resumes,
    /// The rehearsal ends there.
    Leaves,
    /// The journal that is repeated ends there.
    Cut,
    /// More time was simulated than anybody waits for.
    TooLong,
}

#[derive(Clone, Debug)]
enum DueInjection {
    Strike(Injection),
    Passes(Fault),
}

impl FaultInjector {
    pub(super) fn new(simulated: Simulated, faults: Vec<FaultKind>, injections: Injections) -> Self {
        Self {
            simulated,
            began: Cell::new(Instant::now()),
            faults,
            injections: RefCell::new(injections),
            due: RefCell::default(),
            struck: RefCell::default(),
            killed: Cell::default(),
            changed: Notify::new(),
            stops: RefCell::default(),
            asked_to_stop: Cell::default(),
            refusals: Cell::default(),
            asked: RefCell::default(),
            events: RefCell::default(),
            cut_after: Cell::default(),
        }
    }

    /// A controller begins; it hears of stops through the receiver.
    pub(super) fn begin_life(&self) -> mpsc::UnboundedReceiver<StopRequest> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if self.events.borrow().is_empty() {
            self.began.set(Instant::now());
        }
        *self.stops.borrow_mut() = Some(sender);
        self.killed.set(None);
        self.asked_to_stop.set(false);
        receiver
    }

    /// The plan is made, and its run has not begun.
    pub(super) fn before_the_run(&self) {
        let injections = self.injections.borrow_mut().before_the_run();
        self.due_now_or_later(injections);
    }

    /// Every event so far.
    pub(super) fn events(&self) -> Vec<Stamped> {
        self.events.borrow().clone()
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.events.borrow().last().map_or(0, |last| last.seq)
    }

    /// Cuts the controller off after an event, whatever the scenario says.
    pub(super) fn cut_after(&self, seq: Option<u64>) {
        self.cut_after.set(seq);
    }

    /// Questions that people would have been asked, and whether the answer was yes, in order.
    pub(super) fn asked(&self) -> Vec<(String, bool)> {
        self.asked.borrow().clone()
    }

    /// Faults that never struck, by index.
    pub(super) fn never_struck(&self) -> Vec<usize> {
        let struck = self.struck.borrow();
        let waiting = self.injections.borrow().waiting();
        let due = self.due.borrow();
        let late = due.iter().filter_map(|(_, due)| match due {
            DueInjection::Strike(injection) => Some(injection.fault),
            DueInjection::Passes(_) => None,
        });
        let never: BTreeSet<usize> =
            waiting.into_iter().chain(late).filter(|fault| !struck.contains(fault)).collect();
        never.into_iter().collect()
    }

    /// A journal that is repeated ends where the next event would come. Until then the scenario may end it by itself.
    fn cut_before(&self, seq: u64) {
        if self.cut_after.get().is_some_and(|last| seq > last) {
            self.kill(Killed::Cut);
        }
    }

    fn is_killed(&self) -> bool {
        self.killed.get().is_some()
    }

    /// An event became true.
    fn event(&self, event: &Stamped) {
        self.events.borrow_mut().push(event.clone());
        let injections = self.injections.borrow_mut().event(event);
        self.due_now_or_later(injections);
    }

    fn due_now_or_later(&self, injections: Vec<Injection>) {
        for injection in injections {
            if injection.after == Duration::ZERO {
                self.inject(&injection);
            } else {
                self.later(injection.after, DueInjection::Strike(injection));
            }
        }
    }

    fn later(&self, after: Duration, due: DueInjection) {
        self.due.borrow_mut().push((Instant::now() + after.to_std(), due));
        self.changed.notify_one();
    }

    fn inject(&self, injection: &Injection) {
        self.struck.borrow_mut().insert(injection.fault);
        match &self.faults[injection.fault] {
            FaultKind::ControllerKilled { then } => self.kill(match then {
                AfterKill::Resume => Killed::Resumes,
                AfterKill::Leave => Killed::Leaves,
            }),
            FaultKind::Stopped { by } => self.stop(match by {
                StopSignal::CtrlC => "Ctrl-C",
                StopSignal::Sigterm => "SIGTERM",
            }),
            FaultKind::ApprovalRefused => self.refusals.update(|refusals| refusals + 1),
            kind => {
                for host in &injection.hosts {
                    if let Some((after, end)) = inject_on(&self.simulated, kind, host, injection.task) {
                        self.later(after, DueInjection::Passes(end));
                    }
                }
            }
        }
    }

    fn kill(&self, how: Killed) {
        if !self.is_killed() {
            self.killed.set(Some(how));
            self.changed.notify_one();
        }
    }

    /// Somebody asks the controller to stop: in order, and again at once.
    pub(super) fn stop(&self, by: &str) {
        let level = if self.asked_to_stop.replace(true) { StopLevel::Now } else { StopLevel::Graceful };
        let by = by.to_owned();
        if let Some(stops) = &*self.stops.borrow() {
            // A run that is over needs no stop.
            let _ = stops.send(StopRequest { level, by });
        }
    }

    /// Lets strike what is due at its time, until the controller is killed.
    pub(super) async fn until_killed(&self) -> Killed {
        loop {
            if let Some(killed) = self.killed.get() {
                return killed;
            }
            let left = LONGEST.to_std().saturating_sub(self.began.get().elapsed());
            if left.is_zero() {
                self.kill(Killed::TooLong);
                continue;
            }
            let end = Instant::now() + left;
            let next = self.due.borrow().iter().map(|(at, _)| *at).min();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = sleep_until(next.map_or(end, |at| at.min(end))) => self.strike_what_is_due(),
            }
        }
    }

    /// Whether it was stopped because more time was simulated than anybody waits for.
    pub(super) fn is_too_long(&self) -> bool {
        self.killed.get() == Some(Killed::TooLong)
    }

    fn strike_what_is_due(&self) {
        let now = Instant::now();
        let mut waiting = self.due.take();
        let due: Vec<DueInjection> =
            waiting.extract_if(.., |(at, _)| *at <= now).map(|(_, due)| due).collect();
        // What strikes now may put something new beside what still waits.
        *self.due.borrow_mut() = waiting;
        for due in due {
            match due {
                DueInjection::Strike(injection) => self.inject(&injection),
                DueInjection::Passes(end) => drop(self.simulated.inject(end)),
            }
        }
    }
}

/// The people of a rehearsal: they approve at once, unless the scenario says otherwise.
pub(super) struct People(pub(super) std::rc::Rc<FaultInjector>);

#[async_trait(?Send)]
impl Approver for People {
    async fn ask(&self, question: &Question) -> ApprovalAnswer {
        let refusals = self.0.refusals.get();
        self.0.asked.borrow_mut().push((question.text.clone(), refusals == 0));
        if refusals == 0 {
            return ApprovalAnswer::Yes { by: "the rehearsal".to_owned() };
        }
        self.0.refusals.set(refusals - 1);
        ApprovalAnswer::No { why: "the scenario says no".to_owned() }
    }
}

/// The journal of a controller that may be killed: what comes after its death is never written.
pub(super) struct KillableReporter {
    pub(super) stage: std::rc::Rc<FaultInjector>,
    pub(super) inner: Box<dyn Record>,
}

impl Record for KillableReporter {
    fn append(&mut self, events: &[Stamped], durable: bool) -> io::Result<()> {
        for event in events {
            self.stage.cut_before(event.seq);
            if self.stage.is_killed() {
                // Nobody is there any more to write it.
                return Ok(());
            }
            self.inner.append(std::slice::from_ref(event), durable)?;
            self.stage.event(event);
        }
        Ok(())
    }
}
