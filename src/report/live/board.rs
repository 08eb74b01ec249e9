//! What the live display knows: a fold of the events, with nothing of terminals in it.

use std::collections::BTreeMap;

use crate::engine::{Awaited, BracketFinding, Event, HaltCause, HostStatus, Stamped, State, TaskEnd};
use crate::plan::{GateOpens, HostId, Plan, Section, TaskId};
use crate::report::plain::{halt_words, host_name, stop_words, title, wait_words};
use crate::value::{Duration, Timestamp};

/// The state of a run as somebody who watches it wants to see it.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) title: String,
    pub(super) began: Option<Timestamp>,
    pub(super) phases: Vec<PhaseLine>,
    /// Number of the open batch and of all, from one; nothing where the phase has a single one.
    pub(super) batch: Option<(usize, usize)>,
    /// Hosts out of service, and slots.
    pub(super) budget: Option<(usize, usize)>,
    /// Hosts that have begun and not ended.
    pub(super) at_work: BTreeMap<HostId, AtWork>,
    /// The soak after a batch, with its end.
    pub(super) soak: Option<Soak>,
    /// What a person has to say, in words.
    pub(super) asks: BTreeMap<Awaited, String>,
    /// The gate behind a batch, while no person is asked there.
    pub(super) gate: Option<AtGate>,
    /// Hosts in trouble, first to last.
    pub(super) failed: Vec<Failed>,
    /// What was asked for, or why the run starts nothing new.
    pub(super) stopping: Option<String>,
}

/// A phase.
#[derive(Clone, Debug)]
pub(super) struct PhaseLine {
    pub(super) name: String,
    /// Hosts to work on.
    pub(super) hosts: usize,
    pub(super) ended: usize,
    pub(super) failed: usize,
    pub(super) began: Option<Timestamp>,
    /// When, and whether within its limits.
    pub(super) over: Option<(Timestamp, bool)>,
}

/// A host at work.
#[derive(Clone, Debug)]
pub(super) struct AtWork {
    pub(super) name: String,
    /// It is out of service, by our hand.
    pub(super) out: bool,
    pub(super) doing: Doing,
    /// Since when it does that.
    pub(super) since: Timestamp,
    /// The end of what its command said last.
    pub(super) said: Vec<String>,
}

/// What a host does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Between two steps.
    Idle,
    /// Looks whether there is anything to do.
    Looks,
    /// A step, by its title.
    Step(String),
    /// Waits for a slot, and why.
    Waits(String),
}

/// A wait between two batches.
#[derive(Clone, Debug)]
pub(super) struct Soak {
    pub(super) until: Timestamp,
    /// What its checks last found wrong.
    pub(super) failed_check: Option<String>,
}

/// A wait at a gate that opens by itself.
#[derive(Clone, Debug)]
pub(super) struct AtGate {
    pub(super) what: String,
    pub(super) until: Option<Timestamp>,
    /// What its check last saw.
    pub(super) failed_check: Option<String>,
}

/// A host in trouble.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) name: String,
    pub(super) section: Section,
    pub(super) step: String,
    pub(super) why: String,
    /// The end of what its command said.
    pub(super) said: Vec<String>,
}

impl Board {
    pub(super) fn new(plan: &Plan) -> Self {
        let phases = plan.phases.iter().map(|phase| PhaseLine {
            name: phase.name.clone(),
            hosts: phase.batches.iter().map(Vec::len).sum(),
            ended: 0,
            failed: 0,
            began: None,
            over: None,
        });
        Self {
            title: plan.runbook.clone(),
            began: None,
            phases: phases.collect(),
            batch: None,
            budget: None,
            at_work: BTreeMap::new(),
            soak: None,
            asks: BTreeMap::new(),
            gate: None,
            failed: Vec::new(),
            stopping: None,
        }
    }

    /// The phase that is open.
    pub(super) fn phase(&self) -> Option<&PhaseLine> {
        self.phases.iter().find(|phase| phase.began.is_some() && phase.over.is_none())
    }

    /// How long the open phase may still take, by the hosts that ended so far; nothing where none has.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let phase = self.phase().filter(|phase| phase.ended > 0 && phase.ended < phase.hosts)?;
        let passed = now.since(phase.began?).as_millis();
        let (ended, open) = (phase.ended as u64, (phase.hosts - phase.ended) as u64);
        Some(Duration::from_millis(passed.saturating_mul(open) / ended))
    }

    /// An event became true.
    pub(super) fn take(&mut self, plan: &Plan, state: &State, stamped: &Stamped) {
        let at = stamped.at;
        self.began.get_or_insert(at);
        match &stamped.event {
            Event::RunStarted { run, .. } => self.title = format!("{}  {run}", plan.runbook),
            Event::RunResumed { .. } => self.resumed(plan, state, at),
            Event::PhaseStarted { phase } => self.phases[usize::from(*phase)].began = Some(at),
            Event::PhaseEnded { phase, ok } => {
                self.phases[usize::from(*phase)].over = Some((at, *ok));
                self.batch = None;
            }
            Event::BatchStarted { phase, batch } => {
                let batches = plan.phase(*phase).batches.len();
                self.batch = (batches > 1).then(|| (usize::from(*batch) + 1, batches));
            }
            Event::BatchEnded { .. } => (self.soak, self.gate) = (None, None),
            Event::SoakStarted { until, .. } => self.soak = Some(Soak { until: *until, failed_check: None }),
            Event::Verified { failed_check, .. } => {
                if let Some(soak) = &mut self.soak {
                    soak.failed_check.clone_from(failed_check);
                }
            }
            Event::StopRequested { level, by } => {
                self.stopping = Some(format!("{by}: {}", stop_words(*level, plan, state)));
            }
            Event::Halted { cause, .. } => {
                let word = if matches!(cause, HaltCause::Paused { .. }) { "" } else { "HALT: " };
                self.stopping.get_or_insert_with(|| format!("{word}{}", halt_words(plan, cause)));
            }
            Event::RunEnded => {
                self.at_work.clear();
                (self.soak, self.gate) = (None, None);
                self.asks.clear();
            }
            Event::GateReached { phase, batch, until } => self.at_gate(plan, *phase, *batch, *until),
            Event::GateWaiting { reason, .. } => {
                if let Some(gate) = &mut self.gate {
                    gate.failed_check = Some(reason.clone());
                }
            }
            Event::GatePassed { .. } | Event::GateRefused { .. } => {
                self.gate = None;
                self.asks.retain(|asked, _| !matches!(asked, Awaited::Gate { .. }));
            }
            Event::TaskAsks { task, text, .. } => {
                let text = format!("{}: {text}", host_name(plan, task.host));
                self.asks.insert(Awaited::Task(*task), text);
            }
            Event::TaskApproved { task, .. } => drop(self.asks.remove(&Awaited::Task(*task))),
            _ => self.take_of_host(plan, at, &stamped.event),
        }
        for (host, work) in &mut self.at_work {
            work.out = state.holds_slot(*host);
            if work.doing == Doing::Idle && state.wants_slot(plan, *host) {
                work.doing = Doing::Waits(waits_for_slot(plan, state, *host));
            }
        }
        self.budget = state.out_and_slots();
    }

    fn at_gate(&mut self, plan: &Plan, phase: u16, batch: u16, until: Option<Timestamp>) {
        let Some(gate) = plan.phase(phase).gate_after(batch) else { return };
        self.soak = None;
        let words = plan.gate_words(gate);
        if matches!(gate.opens, GateOpens::Approve { .. }) {
            self.asks.insert(Awaited::Gate { phase, batch }, words);
        } else {
            self.gate = Some(AtGate { what: words, until, failed_check: None });
        }
    }

    /// Hosts that had ended may be at work again.
    fn resumed(&mut self, plan: &Plan, state: &State, at: Timestamp) {
        self.stopping = None;
        self.asks.clear();
        self.failed.clear();
        for (index, (line, phase)) in (0..).zip(self.phases.iter_mut().zip(&plan.phases)) {
            let ends = phase.hosts.iter().filter_map(|tasks| state.host_status(plan, index, tasks.host));
            (line.ended, line.failed) = (0, 0);
            for status in ends {
                line.ended += 1;
                line.failed += usize::from(is_lost(status));
            }
            if state.phase_ended(index).is_none() {
                line.over = None;
            }
        }
        for host in state.active_hosts(plan) {
            self.begins(plan, host, at);
        }
    }

    fn begins(&mut self, plan: &Plan, host: HostId, at: Timestamp) {
        let name = host_name(plan, host).to_owned();
        let idle = AtWork { name, out: false, doing: Doing::Idle, since: at, said: Vec::new() };
        self.at_work.entry(host).or_insert(idle);
    }

    fn take_of_host(&mut self, plan: &Plan, at: Timestamp, event: &Event) {
        match event {
            Event::HostStarted { host, .. } => self.begins(plan, *host, at),
            Event::SlotTaken { host, .. } => self.does(*host, at, Doing::Idle),
            Event::BudgetWaiting { phase, host, out, blocked, domains } => {
                let (what, why) = wait_words(plan, *phase, out, blocked.as_deref(), domains.as_ref());
                self.does(*host, at, Doing::Waits(format!("waits for {what}; {why}")));
            }
            Event::BracketProbeStarted { host, .. } => self.does(*host, at, Doing::Looks),
            Event::BracketProbed { phase, host, bracket, finding } => {
                self.does(*host, at, Doing::Idle);
                if let BracketFinding::Failed { failure } = finding {
                    let tasks = plan.phase(*phase).tasks_of(*host);
                    let first = tasks.map_or(0, |tasks| tasks.brackets[usize::from(*bracket)].first);
                    let task = TaskId { phase: *phase, host: *host, index: first };
                    self.fails(plan, task, String::new(), &failure.message);
                }
            }
            Event::TaskStarted { task, .. } => self.does(task.host, at, Doing::Step(title(plan, *task))),
            Event::TaskEnded { task, end, .. } => {
                self.asks.remove(&Awaited::Task(*task));
                match end {
                    TaskEnd::Failed { failure } => {
                        self.fails(plan, *task, title(plan, *task), &failure.message);
                    }
                    TaskEnd::Unknown { reason } => {
                        self.fails(plan, *task, title(plan, *task), &format!("unknown: {reason}"));
                    }
                    _ => {}
                }
                self.does(task.host, at, Doing::Idle);
            }
            Event::HostEnded { phase, host, status } => {
                self.at_work.remove(host);
                let phase = &mut self.phases[usize::from(*phase)];
                phase.ended += 1;
                if is_lost(*status) {
                    phase.failed += 1;
                } else {
                    // A step that failed and was tried again, or was allowed to.
                    let name = host_name(plan, *host);
                    self.failed.retain(|failed| failed.name != name);
                }
            }
            _ => {}
        }
    }

    /// A host's command said something.
    pub(super) fn hear(&mut self, host: HostId, said: Vec<String>) {
        if let Some(work) = self.at_work.get_mut(&host) {
            work.said = said;
        }
    }

    fn does(&mut self, host: HostId, at: Timestamp, doing: Doing) {
        if let Some(work) = self.at_work.get_mut(&host)
            && work.doing != doing
        {
            // Somebody who waits for the same thing, told in other words, has waited all the time.
            if !matches!((&work.doing, &doing), (Doing::Waits(_), Doing::Waits(_))) {
                work.since = at;
                work.said.clear();
            }
            work.doing = doing;
        }
    }

    /// What failed first stays beside what its rescue failed at.
    fn fails(&mut self, plan: &Plan, task: TaskId, step: String, why: &str) {
        let (name, section) = (host_name(plan, task.host).to_owned(), plan.section(task));
        let said = self.at_work.get(&task.host).map(|work| work.said.clone()).unwrap_or_default();
        self.failed.retain(|failed| failed.name != name || failed.section != section);
        self.failed.push(Failed { name, section, step, why: why.to_owned(), said });
    }
}

/// What a host waits for of which nothing was told, because the run's own work holds it up.
fn waits_for_slot(plan: &Plan, state: &State, host: HostId) -> String {
    let domains = state.current_phase().zip(state.budget()).and_then(|(phase, budget)| {
        let topology = plan.phase(phase).topology.as_ref().filter(|_| budget.may_take(host).is_ok())?;
        let domains = topology.stands_in_the_way(host, &budget.out)?;
        Some(wait_words(plan, phase, &budget.out, None, Some(&domains)))
    });
    match domains {
        Some((what, why)) => format!("waits for {what}; {why}"),
        None => "waits for a slot".to_owned(),
    }
}

fn is_lost(status: HostStatus) -> bool {
    matches!(status, HostStatus::Failed | HostStatus::Unknown)
}
