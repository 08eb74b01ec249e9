//! How long a plan is expected to take: by earlier runs where there are any, else by what steps of their kinds usually
//! take. Pure: the caller reads the earlier runs. No part of a plan, and of its digest: every machine knows other runs.
//!
//! The worst case adds up time limits, and is no estimate: `worst_case` has it.

mod schedule;
mod step_times;

use std::collections::{BTreeMap, BTreeSet};

use super::{GateOpens, HostTasks, Plan, PlannedPhase, StepRef, Task, worst_case};
use crate::op::Effect;
use crate::runbook::GateAfter;
use crate::step::{PauseFor, pause_of};
use crate::value::Duration;

pub(super) use schedule::{Room, Turn};
pub use step_times::StepTimes;

/// How long a plan is expected to take, and may take.
#[derive(Clone, Debug)]
pub struct Expected {
    /// All phases.
    pub whole: Span,
    /// Each phase.
    pub phases: Vec<Span>,
    /// Earlier runs that it is taken from.
    pub runs: usize,
    /// Kinds of steps of which no earlier run tells.
    pub defaults: BTreeSet<String>,
    /// When no new host starts any more.
    pub deadline: Option<Duration>,
    /// What takes as long as people take, and is in no sum.
    pub people: Vec<String>,
}

/// How long something is expected to take, and may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// As a rule.
    pub expected: Duration,
    /// Where everything takes as long as it may.
    pub at_most: Duration,
    /// Beside that it waits for people.
    pub asks: bool,
}

impl Expected {
    /// What `times` says of a plan. `deadline` takes the place of the plan's own.
    pub fn of(plan: &Plan, times: &StepTimes, deadline: Option<Duration>) -> Self {
        let mut estimate =
            Estimate { plan, times, known: BTreeMap::new(), taken: 0, defaults: BTreeSet::new() };
        let mut phases = Vec::with_capacity(plan.phases.len());
        let mut all_people = Vec::new();
        for phase in &plan.phases {
            let people: Vec<String> = people(plan, phase).collect();
            phases.push(Span {
                expected: estimate.of_phase(phase),
                at_most: worst_case::of_phase(plan, phase),
                asks: !people.is_empty(),
            });
            all_people.extend(people);
        }
        Self {
            whole: phases.iter().fold(Span::default(), Span::and),
            phases,
            runs: if estimate.taken > 0 { times.runs() } else { 0 },
            defaults: estimate.defaults,
            deadline: deadline.or(plan.policy.deadline),
            people: all_people,
        }
    }

    /// Where it comes from, in words.
    pub fn source(&self) -> String {
        let runs = match self.runs {
            0 => return "from defaults: no earlier run".to_owned(),
            1 => "from 1 earlier run".to_owned(),
            runs => format!("from {runs} earlier runs"),
        };
        if self.defaults.is_empty() {
            return runs;
        }
        let kinds: Vec<&str> = self.defaults.iter().map(String::as_str).collect();
        format!("{runs}, and defaults for {}", kinds.join(", "))
    }

    /// "about 31m (from 3 earlier runs), at most 3d41m; no host starts after 12h, the deadline".
    pub fn words(&self) -> String {
        let expected = self.whole.expected;
        let words = self.whole.words(&format!(" ({})", self.source()), self.deadline);
        match self.deadline {
            None => words,
            Some(deadline) if expected > deadline => {
                format!(
                    "{words}; it is expected to reach the deadline, {deadline}, after which no host starts"
                )
            }
            Some(deadline) => format!("{words}; no host starts after {deadline}, the deadline"),
        }
    }

    /// The same for a phase: "about 6m, at most 1h20m".
    pub fn words_of(&self, phase: usize) -> Option<String> {
        self.phases.get(phase).map(|span| span.words("", self.deadline))
    }

    /// What no sum can hold, in words.
    pub fn not_counted(&self) -> Option<String> {
        let people = self.people.join("; ");
        (!people.is_empty()).then(|| format!("not counted, because people take their time: {people}"))
    }
}

impl Span {
    fn and(self, next: &Self) -> Self {
        Self {
            expected: self.expected.saturating_add(next.expected),
            at_most: self.at_most.saturating_add(next.at_most),
            asks: self.asks || next.asks,
        }
    }

    /// "about 6m, at most 1h20m". What a deadline cuts off is no bound.
    fn words(self, source: &str, deadline: Option<Duration>) -> String {
        let Self { expected, at_most, asks } = self;
        if asks && at_most == Duration::ZERO {
            return "as long as people take".to_owned();
        }
        let cut =
            if deadline.is_some_and(|deadline| deadline < at_most) { " without the deadline" } else { "" };
        let people = if asks { ", and what people take" } else { "" };
        format!("about {}{source}, at most {at_most}{cut}{people}", about(expected))
    }
}

/// An estimate has no seconds where it has hours.
fn about(time: Duration) -> Duration {
    let secs = time.as_millis().div_ceil(1000);
    let step = match secs {
        0..60 => 1,
        60..600 => 10,
        600..36_000 => 60,
        _ => 600,
    };
    Duration::from_secs(secs.next_multiple_of(step))
}

struct Estimate<'a> {
    plan: &'a Plan,
    times: &'a StepTimes,
    /// Steps that were looked up: hosts share them.
    known: BTreeMap<(bool, u32), Duration>,
    /// Steps that earlier runs tell of.
    taken: usize,
    defaults: BTreeSet<String>,
}

impl Estimate<'_> {
    /// Batches one after the other, with what stands between them.
    fn of_phase(&mut self, phase: &PlannedPhase) -> Duration {
        let room = Room::of(self.plan, phase);
        let verify = phase.verify.iter().map(|check| self.of_step(StepRef::Action(*check)));
        let verify = verify.fold(Duration::ZERO, Duration::saturating_add);
        let count = phase.batches.len();
        let mut sum = Duration::ZERO;
        for (index, batch) in phase.batches.iter().enumerate() {
            let turns: Vec<Turn> = batch
                .iter()
                .filter_map(|host| phase.tasks_of(*host))
                .map(|tasks| self.of_host(tasks))
                .collect();
            let soaks = index + 1 < count || !phase.verify.is_empty();
            let soak = if soaks { phase.rollout.soak } else { Duration::ZERO };
            let gate = u16::try_from(index).ok().and_then(|batch| phase.gate_after(batch));
            let gate = match gate.map(|gate| &gate.opens) {
                Some(GateOpens::Time(time)) => *time,
                Some(GateOpens::Check { action, .. }) => self.of_step(StepRef::Action(*action)),
                // A person's time is named, not summed.
                Some(GateOpens::Approve { .. }) | None => Duration::ZERO,
            };
            sum = [room.ends(&turns), soak, verify, gate].into_iter().fold(sum, Duration::saturating_add);
        }
        sum
    }

    /// A host holds its slot from its first disrupting task to its end.
    fn of_host(&mut self, tasks: &HostTasks) -> Turn {
        let mut turn = Turn { host: tasks.host, before: Duration::ZERO, out: None };
        for task in tasks.tasks.iter().filter(|task| is_expected(task)) {
            let time = self.of_step(task.step);
            let disrupts = task.effect == Effect::Disrupts;
            match &mut turn.out {
                Some(out) => *out = out.saturating_add(time),
                None if disrupts => turn.out = Some(time),
                None => turn.before = turn.before.saturating_add(time),
            }
        }
        turn
    }

    fn of_step(&mut self, step: StepRef) -> Duration {
        let key = match step {
            StepRef::Action(action) => (true, action.0),
            StepRef::Deferred(deferred) => (false, deferred.0),
        };
        if let Some(time) = self.known.get(&key) {
            return *time;
        }
        let time = self.looked_up(step);
        self.known.insert(key, time);
        time
    }

    fn looked_up(&mut self, step: StepRef) -> Duration {
        let (kind, title) = self.plan.step_words(step);
        if let StepRef::Action(action) = step {
            let action = self.plan.action(action);
            match pause_of(&action.kind, &action.args) {
                Some(PauseFor::Time(time)) => return time,
                Some(PauseFor::Person(_)) => return Duration::ZERO,
                None => {}
            }
        }
        if let Some(time) = self.times.of(kind, title) {
            self.taken += 1;
            return time;
        }
        self.defaults.insert(kind.to_owned());
        crate::step::find(kind).map_or(Duration::ZERO, crate::step::StepKind::usual)
    }
}

/// Whether a task is expected to do something: what holds, what is left out, and what is for trouble costs nothing.
fn is_expected(task: &Task) -> bool {
    use super::Forecast::{IfFailed, IfTouched};
    task.forecast.announces() && !matches!(task.forecast, IfFailed | IfTouched)
}

/// Where a phase waits for people, a line each.
fn people<'a>(plan: &'a Plan, phase: &'a PlannedPhase) -> impl Iterator<Item = String> + 'a {
    let gate = phase.gate.as_ref().filter(|_| phase.batches.len() > 1);
    let gate = gate.filter(|gate| matches!(gate.opens, GateOpens::Approve { .. })).map(|gate| {
        let after = match gate.after {
            GateAfter::Each => "after each batch but the last",
            GateAfter::First => "after batch 1",
        };
        format!("the gate {after} of phase {}: {}", phase.name, plan.gate_words(gate))
    });
    let mut pauses: Vec<(StepRef, usize)> = Vec::new();
    for task in phase.hosts.iter().flat_map(|host| &host.tasks).filter(|task| is_expected(task)) {
        if !worst_case::asks_a_person(plan, task.step) {
            continue;
        }
        match pauses.iter_mut().find(|(step, _)| *step == task.step) {
            Some((_, count)) => *count += 1,
            None => pauses.push((task.step, 1)),
        }
    }
    let pauses = pauses.into_iter().map(|(step, count)| {
        let hosts = if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
        let (_, title) = plan.step_words(step);
        format!("{} on {hosts} of phase {}", crate::op::show_symbols(title), phase.name)
    });
    pauses.chain(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_up_to_what_it_can_know() {
        let cases = [
            (0, "0s"),
            (1, "1s"),
            (59_001, "1m"),
            (61_000, "1m10s"),
            (601_000, "11m"),
            (36_060_000, "10h10m"),
        ];
        for (millis, expected) in cases {
            assert_eq!(about(Duration::from_millis(millis)).to_string(), expected, "{millis}");
        }
    }
}
