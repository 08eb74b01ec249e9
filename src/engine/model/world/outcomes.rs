//! What the world answers: how each piece of work comes out, and what cannot come out at all.

use std::collections::VecDeque;

use super::{ModelWorld, Order, failure};
use crate::engine::model::oracle::Violation;
use crate::engine::{BracketFinding, Cause, EtcdSeen, Event, SkipReason, Stamped, TaskEnd, decide};
use crate::op::{Effect, Exit};
use crate::plan::{Cordoning, Forecast, HostId, OutCause, OutOfService, TaskId};

impl ModelWorld<'_> {
    pub(super) fn outcome(&mut self, order: Order) -> VecDeque<Event> {
        match order {
            Order::Look(phase) => VecDeque::from([self.look(phase)]),
            Order::Bracket(phase, host, bracket) => {
                let finding = match self.random.below(100) {
                    0..25 => BracketFinding::Holds,
                    _ if self.keeps_still(phase, host, bracket) => {
                        BracketFinding::Failed { failure: failure(Cause::Drift) }
                    }
                    roll if roll < 25 + self.mood.failures / 4 => {
                        BracketFinding::Failed { failure: failure(Cause::Output) }
                    }
                    _ => BracketFinding::Needed { why: "kubelet".to_owned() },
                };
                VecDeque::from([Event::BracketProbed { phase, host, bracket, finding }])
            }
            Order::Verify(phase, batch) => {
                let failed_check =
                    self.random.percent(self.mood.failures).then(|| "node h0 is not Ready".to_owned());
                VecDeque::from([Event::Verified { phase, batch, failed_check }])
            }
            Order::Gate(phase, batch) => self.gate(phase, batch),
            Order::Attempt(task, attempt) => self.attempt(task, attempt),
        }
    }

    /// A worker opens no bracket of which the plan says that there is nothing to do.
    fn keeps_still(&self, phase: u16, host: HostId, bracket: u16) -> bool {
        let tasks = self.plan.phase(phase).tasks_of(host).expect("a host of the phase");
        let bracket = &tasks.brackets[usize::from(bracket)];
        let inside = &tasks.tasks[usize::from(bracket.first)..=usize::from(bracket.last)];
        inside.iter().any(|task| task.forecast == Forecast::BracketHolds)
    }

    /// Somebody is asked, or a check is looked at.
    fn gate(&mut self, phase: u16, batch: u16) -> VecDeque<Event> {
        let mut events = VecDeque::new();
        if self.random.percent(30) {
            events.push_back(Event::GateWaiting { phase, batch, reason: "red".to_owned() });
        }
        events.push_back(match self.random.below(100) {
            0..20 => Event::GateRefused { phase, batch, why: "ops said no".to_owned() },
            20..60 => Event::GatePassed { phase, batch, by: Some("ops".to_owned()) },
            _ => Event::GatePassed { phase, batch, by: None },
        });
        events
    }

    /// A person is asked.
    fn pause(&mut self, task: TaskId, attempt: u32) -> VecDeque<Event> {
        let asks = Event::TaskAsks { task, attempt, text: "look at it".to_owned() };
        if self.random.percent(50) {
            let end = TaskEnd::Paused { text: "look at it".to_owned(), why: "nobody is there".to_owned() };
            return VecDeque::from([asks, Event::TaskEnded { task, attempt, end }]);
        }
        let end = TaskEnd::Satisfied { state: "confirmed".to_owned() };
        let approved = Event::TaskApproved { task, attempt, by: "ops".to_owned() };
        VecDeque::from([asks, approved, Event::TaskEnded { task, attempt, end }])
    }

    fn look(&mut self, phase: u16) -> Event {
        for number in 0..self.plan.hosts.len() {
            let host = HostId(u32::try_from(number).expect("invariant: small"));
            if !self.random.percent(self.mood.outages) {
                continue;
            }
            let cause = self.random.pick(&[
                OutCause::NotReady("False".to_owned()),
                OutCause::Cordoned,
                OutCause::Unreachable,
            ]);
            if self.mood.lasting || self.outages.remove(&host).is_none() {
                self.outages.insert(host, cause);
            }
        }
        // Hosts outside of the population too, which is not the engine's business.
        let out = self.outages.iter().map(|(host, cause)| OutOfService { host: *host, cause: cause.clone() });
        let blocked =
            self.random.percent(self.mood.outages / 2).then(|| "the API does not answer".to_owned());
        let out = out.collect();
        Event::Observed { phase, out, blocked, etcd: self.etcd() }
    }

    /// In some worlds every second host runs an etcd, of which there are two clusters.
    fn etcd(&mut self) -> Vec<EtcdSeen> {
        let mut seen = Vec::new();
        for number in (0..self.plan.hosts.len()).filter(|_| self.mood.etcd) {
            let host = HostId(u32::try_from(number).expect("invariant: small"));
            let silent = self.random.percent(self.mood.outages / 3);
            let cluster = if silent { String::new() } else { format!("c{}", number % 2) };
            let unwell = silent || self.random.percent(self.mood.outages / 3);
            seen.push(EtcdSeen {
                host,
                cluster,
                blocked: unwell.then(|| "a member is not healthy".to_owned()),
            });
        }
        seen
    }

    fn attempt(&mut self, task: TaskId, attempt: u32) -> VecDeque<Event> {
        let planned = self.plan.task(task);
        let (mut events, is_false) = self.conditions(task, attempt);
        if is_false {
            events.push_back(Event::TaskSkipped { task, why: SkipReason::When });
            return events;
        }
        let is_apart = planned.effect == Effect::Disrupts && self.state.is_apart(self.plan, task);
        if is_apart {
            let end = TaskEnd::Failed { failure: failure(Cause::Refused) };
            events.push_back(Event::TaskEnded { task, attempt, end });
            return events;
        }
        if planned.effect == Effect::Reads && self.random.percent(4) {
            events.extend(self.pause(task, attempt));
            return events;
        }
        if !planned.forecast.announces() {
            let state = "done".to_owned();
            let drift = TaskEnd::Failed { failure: failure(Cause::Drift) };
            let end = if self.random.percent(20) { drift } else { TaskEnd::Satisfied { state } };
            return VecDeque::from([Event::TaskEnded { task, attempt, end }]);
        }
        if planned.effect == Effect::Changes && !self.slots.contains(&task.host) && self.random.percent(10) {
            events.push_back(Event::TaskEnded { task, attempt, end: TaskEnd::NeedsSlot });
            return events;
        }
        if planned.effect == Effect::Disrupts && !self.slots.contains(&task.host) {
            events.push_back(Event::TaskEnded { task, attempt, end: self.end_of_look() });
            return events;
        }
        let end = self.end();
        let ops = if matches!(end, TaskEnd::Satisfied { .. }) { 0 } else { self.random.below(3) };
        // Something that passes by itself stood in the way of the goes before the last one.
        let goes = if self.random.percent(10) { 2 } else { 1 };
        for (pass, op) in (0..goes).flat_map(|pass| (0..ops).map(move |op| (pass, op))) {
            let lost = (pass, op + 1) == (goes - 1, ops) && matches!(end, TaskEnd::Unknown { .. });
            let op = u16::try_from(op).expect("invariant: small");
            events.push_back(Event::OpStarted { task, attempt, pass, op, on: None, sent: None });
            // The launcher refuses; ops that always run, such as putting a hold back, may still follow.
            if matches!(end, TaskEnd::Failed { .. }) && self.random.percent(30) {
                events.push_back(Event::OpNotStarted { task, attempt, pass, op });
                continue;
            }
            if !lost {
                let (exit, last_line, stdout) = (Exit::Code(0), String::new(), Some("out".to_owned()));
                let refused = matches!(end, TaskEnd::Failed { .. }) && self.random.percent(20);
                events.push_back(Event::OpEnded {
                    task,
                    attempt,
                    pass,
                    op,
                    exit,
                    last_line,
                    stdout,
                    refused,
                });
            }
        }
        events.push_back(Event::TaskEnded { task, attempt, end });
        events
    }

    /// What a worker decides before it does anything, and whether the task does not run.
    fn conditions(&mut self, task: TaskId, attempt: u32) -> (VecDeque<Event>, bool) {
        let mut events = VecDeque::new();
        let conditions = &self.plan.task(task).ties.conditions;
        if self.state.closes_what_is_open(self.plan, task) {
            return (events, false);
        }
        // In plans of the first version nobody but the worker knows of conditions.
        if conditions.is_empty() {
            return (events, attempt == 1 && self.random.percent(4));
        }
        let decided = self.state.decided(self.plan, task.phase, task.host);
        for condition in conditions.iter().filter(|condition| !decided.contains_key(condition)) {
            let (condition, holds) = (*condition, self.random.percent(60));
            events.push_back(Event::ConditionDecided { task, attempt, condition, holds });
            if !holds {
                return (events, true);
            }
        }
        (events, false)
    }

    pub(super) fn end(&mut self) -> TaskEnd {
        if self.random.percent(self.mood.failures) {
            let causes = [
                Cause::Unreachable,
                Cause::Command,
                Cause::Command,
                Cause::TimedOut,
                Cause::Verification,
                Cause::Refused,
                Cause::Drift,
                Cause::Identity,
                Cause::Output,
                Cause::Privilege,
                Cause::Busy,
                Cause::NodeLost,
            ];
            return TaskEnd::Failed { failure: failure(self.random.pick(&causes)) };
        }
        match self.random.below(100) {
            roll if roll < self.mood.failures / 5 => TaskEnd::Unknown { reason: "link lost".to_owned() },
            0..40 => TaskEnd::Satisfied { state: "held".to_owned() },
            _ => TaskEnd::Changed { summary: "installed".to_owned() },
        }
    }

    /// A worker without a slot only looks: it never sends an op that disrupts.
    fn end_of_look(&mut self) -> TaskEnd {
        match self.end() {
            TaskEnd::Changed { .. } | TaskEnd::Unknown { .. } => TaskEnd::NeedsSlot,
            end => end,
        }
    }

    /// A worker that lost the result of an op may say nothing but that it does not know.
    pub(super) fn try_what_cannot_be(&mut self, event: &Event) -> Result<(), Violation> {
        let Event::OpEnded { task, attempt, .. } = *event else { return Ok(()) };
        if !self.random.percent(5) {
            return Ok(());
        }
        let end = self.random.pick(&[
            TaskEnd::Failed { failure: failure(Cause::Command) },
            TaskEnd::Failed { failure: failure(Cause::Unreachable) },
            TaskEnd::Changed { summary: String::new() },
            TaskEnd::Satisfied { state: String::new() },
            TaskEnd::Withheld { reason: String::new() },
        ]);
        let event = Event::TaskEnded { task, attempt, end };
        if self.can_follow(event.clone()) {
            return Err(Violation::new("lost results", format!("an op has no end, and {event:?}")));
        }
        Ok(())
    }

    /// Somebody takes the cordon of a host away, be it this run's or nobody's.
    pub(super) fn maybe_uncordon(&mut self) {
        if self.random.percent(self.mood.uncordons) {
            let cordoned: Vec<_> = self.cordoned.iter().copied().collect();
            if let Some(host) = cordoned.first().map(|_| cordoned[self.random.index(cordoned.len())]) {
                self.cordoned.remove(&host);
                self.lifts.push((self.state.seq(), host));
            }
        }
    }

    /// What an event does to the node of its host.
    pub(super) fn note_cordon(&mut self, event: &Event) {
        let Event::TaskEnded { task, end, .. } = event else { return };
        let is_well = matches!(end, TaskEnd::Satisfied { .. } | TaskEnd::Changed { .. });
        match self.plan.cordoning(*task) {
            Cordoning::Sets if is_well => {
                self.cordoned.insert(task.host);
            }
            Cordoning::TakesAway if is_well => {
                self.cordoned.remove(&task.host);
            }
            // It takes its own back.
            Cordoning::Sets if matches!(end, TaskEnd::Failed { .. }) => {
                self.cordoned.remove(&task.host);
            }
            _ => {}
        }
    }

    /// The worker looks at the cordon before each op that disrupts: how its attempt ends where that is gone.
    pub(super) fn without_cordon(&self, event: &Event) -> Option<Event> {
        let Event::OpStarted { task, attempt, .. } = *event else { return None };
        let relies = self.plan.task(task).effect == Effect::Disrupts;
        let open = self.state.open_cordon(self.plan, task).filter(|_| relies)?;
        if self.cordoned.contains(&task.host) {
            return None;
        }
        let end = match open.again {
            0 => TaskEnd::Failed { failure: failure(Cause::Refused) },
            _ => TaskEnd::Uncordoned { reason: "somebody uncordoned it".to_owned() },
        };
        Some(Event::TaskEnded { task, attempt, end })
    }

    /// Whether this event could be the next one.
    pub(super) fn can_follow(&self, event: Event) -> bool {
        let stamped = Stamped { seq: self.state.seq() + 1, at: self.now, event };
        self.state.clone().apply(self.plan, &stamped).is_ok()
    }

    /// Some host stops answering or answers again, whatever it was said to do before: nothing comes of it by itself.
    pub(super) fn murmur(&mut self) -> Result<(), Violation> {
        let count = u64::try_from(self.plan.hosts.len()).expect("invariant: small");
        let host = HostId(u32::try_from(self.random.below(count)).expect("invariant: small"));
        let silent = Event::HostSilent { host, reason: "timed out".to_owned(), attempts: 3 };
        let event = self.random.pick(&[silent, Event::HostAnswers { host }]);
        let before = decide(self.plan, &self.state, self.now);
        self.record(event)?;
        if decide(self.plan, &self.state, self.now) != before {
            return Err(Violation::new(
                "silence",
                "a host that is silent or answers changes what is decided",
            ));
        }
        Ok(())
    }
}
