//! A random world: it does what the events ask for, badly. It fails, loses links, takes hosts out of service, asks for
//! stops, and kills the controller between any two events.

mod outcomes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::{
    Cause, Decision, Event, Failure, OpRun, Stamped, State, StopLevel, TaskEnd, Work, decide,
};
use crate::op::Exit;
use crate::plan::{HostId, OutCause, Plan, TaskId};
use crate::value::{Duration, Timestamp};

use super::oracle::Violation;
use super::random::Random;

/// More decisions than any of these plans needs.
const ENOUGH: u32 = 5_000;

/// What happened.
#[derive(Debug)]
pub(super) struct ModelRun {
    pub(super) events: Vec<Stamped>,
    /// Cordons that somebody took away, each after so many events.
    pub(super) lifts: Vec<(u64, HostId)>,
    pub(super) crashes: u64,
    /// Times that somebody went on with it after its end.
    pub(super) resumes: u64,
    pub(super) halted: bool,
}

impl ModelRun {
    /// How often a cordon was set again.
    pub(super) fn cordoned_again(&self) -> u64 {
        let is_again = |event: &&Stamped| {
            matches!(event.event, Event::TaskEnded { end: TaskEnd::Uncordoned { .. }, .. })
        };
        self.events.iter().filter(is_again).count() as u64
    }
}

/// Work that was asked for; also what a resumed run takes up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Look(u16),
    Bracket(u16, HostId, u16),
    Attempt(TaskId, u32),
    Verify(u16, u16),
    Gate(u16, u16),
}

struct ModelWorld<'a> {
    plan: &'a Plan,
    random: &'a mut Random,
    state: State,
    now: Timestamp,
    events: Vec<Stamped>,
    /// What comes back, and when; several events in a row where the work tells more than its end.
    orders: BTreeMap<Order, (Timestamp, VecDeque<Event>)>,
    slots: BTreeSet<HostId>,
    /// Hosts whose nodes are cordoned.
    cordoned: BTreeSet<HostId>,
    lifts: Vec<(u64, HostId)>,
    outages: BTreeMap<HostId, OutCause>,
    stops: Vec<(u64, StopLevel)>,
    /// After this event the lock is somebody else's.
    lock_lost_at: Option<u64>,
    lock_lost: bool,
    crashes: u64,
    mood: Mood,
}

/// How bad the world is; worlds that are always bad never get anywhere.
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of bad world by itself")]
struct Mood {
    failures: u64,
    silence: u64,
    outages: u64,
    /// Who is out stays out: others never come back.
    lasting: bool,
    uncordons: u64,
    crashes: u64,
    slow: bool,
    unsteady_clock: bool,
    etcd: bool,
}

/// Plays one run to its end.
pub(super) fn play(plan: &Plan, random: &mut Random) -> Result<ModelRun, Violation> {
    let mood = Mood {
        failures: random.pick(&[0, 5, 10, 30]),
        silence: random.pick(&[0, 2, 10]),
        outages: random.pick(&[0, 0, 0, 10, 30]),
        lasting: random.percent(30),
        uncordons: random.pick(&[0, 0, 10, 40]),
        crashes: random.pick(&[0, 1, 5]),
        slow: random.percent(30),
        unsteady_clock: random.percent(10),
        etcd: random.percent(25),
    };
    let mut stops = Vec::new();
    if random.percent(20) {
        stops.push((random.below(60), random.pick(&[StopLevel::Graceful, StopLevel::Now])));
    }
    if random.percent(5) {
        stops.push((random.below(90), StopLevel::Now));
    }
    let lock_lost_at = random.percent(10).then(|| random.below(90));
    let mut world = ModelWorld {
        plan,
        random,
        state: State::new(plan),
        now: Timestamp(1_000_000),
        events: Vec::new(),
        orders: BTreeMap::new(),
        slots: BTreeSet::new(),
        cordoned: BTreeSet::new(),
        lifts: Vec::new(),
        outages: BTreeMap::new(),
        stops,
        lock_lost_at,
        lock_lost: false,
        crashes: 0,
        mood,
    };
    let first = Event::RunStarted {
        run: "r".to_owned(),
        digest: String::new(),
        version: String::new(),
        machine: String::new(),
    };
    world.record(first)?;
    world.roll()?;
    let mut resumes = 0;
    while world.state.can_resume() && resumes < 3 && world.random.percent(60) {
        resumes += 1;
        world.resume()?;
        world.roll()?;
    }
    let halted = world.state.halted().is_some();
    Ok(ModelRun { halted, lifts: world.lifts, events: world.events, crashes: world.crashes, resumes })
}

impl ModelWorld<'_> {
    fn roll(&mut self) -> Result<(), Violation> {
        for _ in 0..ENOUGH {
            self.maybe_stop()?;
            if self.mood.unsteady_clock && self.random.percent(10) {
                self.now.0 -= i64::try_from(self.random.below(4000)).expect("invariant: small");
            }
            let decision = decide(self.plan, &self.state, self.now);
            if self.random.percent(2) && decision != decide(self.plan, &self.state, self.now) {
                return Err(Violation::new("idempotent", "two decisions differ over the same state"));
            }
            if self.enact(&decision)? {
                return self.at_the_end();
            }
        }
        Err(Violation::new("bounded", format!("no end after {ENOUGH} decisions")))
    }

    /// Makes a decision true, or lets time pass where there is none. Says whether the run ended.
    fn enact(&mut self, decision: &Decision) -> Result<bool, Violation> {
        if decision.events.is_empty() {
            self.pass_time(decision.wake_at)?;
            return Ok(false);
        }
        // A crash loses the tail of what was decided; the work for what was written is taken up again.
        let crash = self.random.percent(self.mood.crashes);
        let kept = if crash { self.random.index(decision.events.len() + 1) } else { decision.events.len() };
        for event in &decision.events[..kept] {
            self.record(event.clone())?;
        }
        if crash {
            self.crash()?;
        }
        Ok(self.state.finished())
    }

    fn maybe_stop(&mut self) -> Result<(), Violation> {
        let seq = self.state.seq();
        if self.lock_lost_at.take_if(|at| *at <= seq).is_some() {
            self.lock_lost = true;
            self.record(Event::LockLost { why: "another run has it".to_owned() })?;
        }
        let Some(index) = self.stops.iter().position(|(at, _)| *at <= seq) else { return Ok(()) };
        let (_, level) = self.stops.remove(index);
        self.record(Event::StopRequested { level, by: "Ctrl-C".to_owned() })
    }

    /// The next thing that happens by itself: a result, or the time that the engine asked for.
    fn pass_time(&mut self, wake_at: Option<Timestamp>) -> Result<(), Violation> {
        let next =
            self.orders.iter().min_by_key(|(_, (due, _))| *due).map(|(order, (due, _))| (*order, *due));
        match (next, wake_at) {
            (Some((order, due)), wake) if wake.is_none_or(|wake| due <= wake) => {
                self.now = self.now.max(due);
                self.deliver(order)
            }
            (_, Some(wake)) => {
                self.now = self.now.max(wake);
                Ok(())
            }
            (_, None) => {
                Err(Violation::new("bounded", "nothing is in flight, nothing to wait for, and no end"))
            }
        }
    }

    fn record(&mut self, event: Event) -> Result<(), Violation> {
        let stamped = Stamped { seq: self.state.seq() + 1, at: self.now, event };
        self.state.apply(self.plan, &stamped).map_err(|error| Violation::new("legal", error.to_string()))?;
        self.start(&stamped.event);
        self.note_cordon(&stamped.event);
        self.events.push(stamped);
        Ok(())
    }

    /// Starts the work that an event stands for.
    fn start(&mut self, event: &Event) {
        let order = match event {
            Event::ObservationStarted { phase } => Order::Look(*phase),
            Event::BracketProbeStarted { phase, host, bracket } => Order::Bracket(*phase, *host, *bracket),
            Event::TaskStarted { task, attempt } => Order::Attempt(*task, *attempt),
            Event::VerifyStarted { phase, batch } => Order::Verify(*phase, *batch),
            Event::GateReached { phase, batch, .. } => {
                let gate = self.plan.phase(*phase).gate_after(*batch).expect("invariant: it is known");
                if !gate.is_asked() {
                    return;
                }
                Order::Gate(*phase, *batch)
            }
            Event::SlotTaken { host, .. } => {
                self.slots.insert(*host);
                return;
            }
            Event::PhaseStarted { .. } => {
                self.slots.clear();
                return;
            }
            _ => return,
        };
        let due = self.soon();
        self.orders.insert(order, (due, VecDeque::new()));
    }

    fn soon(&mut self) -> Timestamp {
        let delays: &[u64] = if self.mood.slow { &[0, 1, 20, 70, 300] } else { &[0, 0, 1, 5] };
        self.now.after(Duration::from_secs(self.random.pick(delays)))
    }

    fn deliver(&mut self, order: Order) -> Result<(), Violation> {
        let (_, mut queue) = self.orders.remove(&order).expect("invariant: it was just found");
        if queue.is_empty() {
            queue = self.outcome(order);
        }
        let mut event = queue.pop_front().expect("invariant: every work tells something");
        // The worker asks for the lock before each op, and sends nothing more without it.
        if let Event::OpStarted { task, attempt, .. } = event
            && self.lock_lost
        {
            queue.clear();
            event = Event::TaskEnded { task, attempt, end: TaskEnd::Withheld { reason: String::new() } };
        }
        self.maybe_uncordon();
        if let Some(end) = self.without_cordon(&event) {
            queue.clear();
            event = end;
        }
        if !queue.is_empty() {
            let due = if self.random.percent(80) { self.now } else { self.soon() };
            self.orders.insert(order, (due, queue));
        }
        self.try_what_cannot_be(&event)?;
        self.record(event.clone())?;
        if is_result(&event) && self.random.percent(5) && self.can_follow(event.clone()) {
            return Err(Violation::new("results twice", format!("the same result again: {event:?}")));
        }
        if self.random.percent(self.mood.silence) {
            self.murmur()?;
        }
        if self.random.percent(self.mood.crashes) {
            self.crash()?;
        }
        Ok(())
    }

    /// The controller dies and comes back: it has the events, and what the hosts go on doing.
    fn crash(&mut self) -> Result<(), Violation> {
        self.crashes += 1;
        self.now = self.now.after(Duration::from_secs(self.random.pick(&[0, 3, 900])));
        let folded = self.fold()?;
        if folded != self.state {
            return Err(Violation::new("refold", "the events give another state than the run had"));
        }
        if decide(self.plan, &folded, self.now) != decide(self.plan, &self.state, self.now) {
            return Err(Violation::new("refold", "the folded state decides differently"));
        }
        self.state = folded;
        let taken_up: BTreeSet<_> = self.state.in_flight(self.plan).iter().map(order_of).collect();
        if !taken_up.iter().eq(self.orders.keys()) {
            return Err(Violation::new("refold", format!("in flight: {taken_up:?}, not {:?}", self.orders)));
        }
        // It may die again before it has written that it is back.
        if self.random.percent(80) { self.resume() } else { Ok(()) }
    }

    /// Somebody goes on with the run. Work that was given up is taken up again; what the hosts still do goes on.
    fn resume(&mut self) -> Result<(), Violation> {
        self.record(Event::RunResumed { version: String::new(), machine: String::new() })?;
        self.lock_lost = false;
        let in_flight: Vec<_> =
            self.state.in_flight(self.plan).iter().map(|work| (order_of(work), last_op(work))).collect();
        // Nobody answers a controller that is gone.
        let is_asked = |order: &Order| in_flight.iter().any(|(asked, _)| asked == order);
        self.orders.retain(|order, _| !matches!(order, Order::Gate(..)) || is_asked(order));
        for (order, last) in in_flight {
            if self.orders.contains_key(&order) {
                continue;
            }
            let mut queue = VecDeque::new();
            if let (Order::Attempt(task, attempt), Some(OpRun { pass, op, exit, .. })) = (order, last) {
                if exit.is_none() {
                    let exit = self.random.pick(&[Exit::Code(0), Exit::Interrupted]);
                    let (last_line, stdout) = (String::new(), None);
                    queue.push_back(Event::OpEnded {
                        task,
                        attempt,
                        pass,
                        op,
                        exit,
                        last_line,
                        stdout,
                        refused: false,
                    });
                }
                queue.push_back(Event::TaskEnded { task, attempt, end: self.end() });
            }
            let due = self.soon();
            self.orders.insert(order, (due, queue));
        }
        Ok(())
    }

    fn fold(&self) -> Result<State, Violation> {
        let mut state = State::new(self.plan);
        for event in &self.events {
            let applied = state.apply(self.plan, event);
            applied.map_err(|error| Violation::new("refold", error.to_string()))?;
        }
        Ok(state)
    }

    fn at_the_end(&mut self) -> Result<(), Violation> {
        if !self.orders.is_empty() {
            return Err(Violation::new(
                "ends",
                format!("the run ended with work in flight: {:?}", self.orders),
            ));
        }
        let decision = decide(self.plan, &self.state, self.now);
        if !decision.done || !decision.events.is_empty() {
            return Err(Violation::new("ends", "a run that ended goes on"));
        }
        if self.fold()? != self.state {
            return Err(Violation::new("refold", "the events give another state than the run had"));
        }
        Ok(())
    }
}

/// Whether an event is what work came to, and can be that only once. What is told meanwhile may be told again.
fn is_result(event: &Event) -> bool {
    matches!(
        event,
        Event::Observed { .. }
            | Event::BracketProbed { .. }
            | Event::OpEnded { .. }
            | Event::OpNotStarted { .. }
            | Event::TaskEnded { .. }
            | Event::TaskSkipped { .. }
            | Event::Verified { .. }
            | Event::GatePassed { .. }
            | Event::GateRefused { .. }
    )
}

fn order_of(work: &Work<'_>) -> Order {
    match work {
        Work::Observation { phase } => Order::Look(*phase),
        Work::BracketProbe { phase, host, bracket } => Order::Bracket(*phase, *host, *bracket),
        Work::Attempt { task, run } => Order::Attempt(*task, run.attempt),
        Work::Verify { phase, batch } => Order::Verify(*phase, *batch),
        Work::Gate { phase, batch, .. } => Order::Gate(*phase, *batch),
    }
}

/// The last op that was sent for an attempt.
fn last_op(work: &Work<'_>) -> Option<OpRun> {
    let Work::Attempt { run, .. } = work else { return None };
    run.ops.last().cloned()
}

fn failure(cause: Cause) -> Failure {
    Failure { cause, message: "no".to_owned(), hint: String::new() }
}
