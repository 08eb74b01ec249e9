//! The transition table: what each event does to the state, and which events cannot happen. One table for a live run
//! and for a journal that is read again. It refuses what cannot be true; whether a decision was wise is not its
//! business.

mod gate;
mod host;
mod known;
mod resume;
mod task;

use crate::plan::{HostId, Plan};
use crate::value::Timestamp;

use super::host::OpRun;
use super::illegal::name_of;
use super::phase::{BatchRun, PhaseRun, position};
use super::slots::{Observation, Situation};
use super::state::{RequestedStop, halt_level};
use super::{Event, HaltCause, IllegalEvent, IllegalReason, Stamped, State, StopLevel};

/// Where in the run an event stands.
#[derive(Clone, Copy)]
struct EventTime {
    seq: u64,
    now: Timestamp,
}

impl State {
    /// Where events lead to, from the first one on.
    pub fn fold(plan: &Plan, events: &[Stamped]) -> Result<Self, IllegalEvent> {
        let mut state = Self::new(plan);
        for event in events {
            state.apply(plan, event)?;
        }
        Ok(state)
    }

    /// Moves the state by one event, or says why that cannot have happened. After an error the state is of no use.
    pub fn apply(&mut self, plan: &Plan, stamped: &Stamped) -> Result<(), IllegalEvent> {
        let at = EventTime { seq: stamped.seq, now: stamped.at.max(self.clock) };
        self.in_sequence(stamped)
            .and_then(|()| known::known(plan, &stamped.event))
            .and_then(|()| self.transition(plan, at, &stamped.event))
            .map_err(|why| IllegalEvent { seq: stamped.seq, event: name_of(&stamped.event), why })?;
        self.seq = at.seq;
        self.clock = at.now;
        self.outstanding.take(plan, &stamped.event);
        self.count_cordons(&stamped.event);
        Ok(())
    }

    /// What this run cordoned counts in the open phase, whatever phase it was in.
    fn count_cordons(&mut self, event: &Event) {
        let may_move = matches!(
            event,
            Event::PhaseStarted { .. }
                | Event::RunResumed { .. }
                | Event::OpStarted { .. }
                | Event::OpNotStarted { .. }
                | Event::OpEnded { .. }
                | Event::TaskEnded { .. }
        );
        let Some(phase) = self.current_phase().filter(|_| may_move) else { return };
        let slots = &mut self.phases[usize::from(phase)].slots;
        let counts = |host: &HostId| slots.population.binary_search(host).is_ok();
        slots.cordoned = self.outstanding.cordons().map(|(host, _)| host).filter(counts).collect();
    }

    fn in_sequence(&self, stamped: &Stamped) -> Result<(), IllegalReason> {
        let expected = self.seq + 1;
        if stamped.seq != expected {
            return Err(IllegalReason::Sequence { expected, found: stamped.seq });
        }
        let is_undone = matches!(stamped.event, Event::RunUndone { .. });
        if self.undone_by.is_some() && !is_undone {
            return Err(IllegalReason::Undone);
        }
        if self.ended && !is_undone && !matches!(stamped.event, Event::RunResumed { .. }) {
            return Err(IllegalReason::Ended);
        }
        if matches!(stamped.event, Event::RunStarted { .. }) == self.started {
            return Err(IllegalReason::Start);
        }
        Ok(())
    }

    fn transition(&mut self, plan: &Plan, at: EventTime, event: &Event) -> Result<(), IllegalReason> {
        match event {
            Event::RunStarted { .. } => {
                self.started = true;
                Ok(())
            }
            Event::RunResumed { .. } => {
                self.resumed(plan);
                Ok(())
            }
            Event::PhaseStarted { phase } => self.phase_started(plan, *phase),
            Event::BatchStarted { phase, batch } => self.batch_started(plan, *phase, *batch),
            Event::HostStarted { phase, host } => self.host_started(plan, *phase, *host),
            Event::ObservationStarted { phase } => self.observation_started(*phase, at),
            Event::Observed { phase, out, blocked, etcd } => {
                let members = etcd.iter().map(|seen| (seen.host, seen.cluster.clone()));
                self.etcd.extend(members.clone());
                let run = self.open(*phase)?;
                run.slots.etcd.extend(members);
                let started =
                    run.slots.looking.ok_or(IllegalReason::Work { what: "no observation is in flight" })?;
                let (out, blocked, etcd) = (out.clone(), blocked.clone(), etcd.clone());
                let look = Observation { started, at: at.now, out, blocked, etcd };
                run.see(plan.phase(*phase), look);
                Ok(())
            }
            Event::SlotTaken { phase, host } => self.slot_taken(plan, *phase, *host, at),
            Event::BudgetWaiting { phase, host, out, blocked, domains: _ } => {
                self.active_host(plan, *phase, *host)?;
                let mut situation = Situation { out: out.clone(), blocked: blocked.clone() };
                situation.out.retain(|out| out.cause != crate::plan::OutCause::InWork);
                self.open(*phase)?.tell(plan.phase(*phase), situation, at.now);
                Ok(())
            }
            Event::BracketProbeStarted { phase, host, bracket } => {
                self.bracket_probe_started(plan, *phase, *host, *bracket)
            }
            Event::BracketProbed { phase, host, bracket, finding } => {
                self.bracket_probed(plan, *phase, *host, *bracket, finding, at)
            }
            Event::TaskStarted { task, attempt } => self.task_started(plan, *task, *attempt),
            Event::TaskAsks { task, attempt, text: _ } => {
                self.attempt_mut(plan, *task, *attempt)?.asked = true;
                Ok(())
            }
            Event::TaskApproved { task, attempt, by } => {
                self.attempt_mut(plan, *task, *attempt)?.approved_by = Some(by.clone());
                Ok(())
            }
            Event::TaskWaiting { task, attempt: 0, .. } => self.bracket_waits(plan, *task),
            Event::TaskWaiting { task, attempt, .. } => self.attempt_mut(plan, *task, *attempt).map(drop),
            // For people: what asks the cluster waits for its answer by itself.
            Event::ClusterSilent { .. } | Event::ClusterAnswers => Ok(()),
            // For people: observations say whether a host is out of service, and its worker whether its task failed.
            Event::HostSilent { .. } | Event::HostAnswers { .. } => Ok(()),
            Event::TaskProbed { task, attempt, assessment } => {
                self.attempt_mut(plan, *task, *attempt)?.probed = Some(assessment.clone());
                Ok(())
            }
            Event::ConditionDecided { task, attempt, condition, holds } => {
                self.condition_decided(plan, *task, *attempt, *condition, *holds)
            }
            Event::OpStarted { task, attempt, pass, op, on, sent } => {
                let sent = OpRun {
                    pass: *pass,
                    op: *op,
                    on: *on,
                    sent: sent.clone(),
                    exit: None,
                    said: String::new(),
                    stdout: None,
                    refused: false,
                };
                self.op_started(plan, *task, *attempt, sent)
            }
            Event::OpEnded { task, attempt, pass, op, exit, stdout, last_line, refused } => {
                let said = task::Said { last_line, stdout: stdout.as_deref(), refused: *refused };
                self.op_ended(plan, *task, *attempt, (*pass, *op), *exit, &said)
            }
            Event::OpNotStarted { task, attempt, pass, op } => {
                self.op_not_started(plan, *task, *attempt, (*pass, *op))
            }
            Event::OpSaid { task, attempt, .. } => self.attempt_mut(plan, *task, *attempt).map(drop),
            Event::TaskEnded { task, attempt, end } => self.task_ended(plan, at, *task, *attempt, end),
            Event::TaskSkipped { task, why } => self.task_skipped(plan, *task, *why),
            Event::SectionStarted { phase, host, section } => {
                self.section_started(plan, *phase, *host, *section)
            }
            Event::HostEnded { phase, host, status } => self.host_ended(plan, *phase, *host, *status, at.seq),
            Event::SoakStarted { phase, batch, until } => {
                self.no_host_left(plan, *phase)?;
                let batch = self.open_batch(*phase, *batch)?;
                if batch.soak_until.is_some() {
                    return Err(IllegalReason::Work { what: "the soak of this batch has begun already" });
                }
                batch.soak_until = Some(*until);
                Ok(())
            }
            Event::VerifyStarted { phase, batch } => self.verify_started(*phase, *batch),
            Event::Verified { phase, batch, failed_check } => {
                let batch = self.open_batch(*phase, *batch)?;
                if !batch.verifying {
                    return Err(IllegalReason::Work { what: "no check of this batch is in flight" });
                }
                batch.verifying = false;
                batch.verified = Some((at.now, failed_check.clone()));
                Ok(())
            }
            Event::GateReached { phase, batch, until } => self.gate_reached(plan, *phase, *batch, *until),
            Event::GateWaiting { phase, batch, reason: _ } => self.open_gate(*phase, *batch).map(drop),
            Event::GatePassed { phase, batch, by: _ } => {
                self.open_gate(*phase, *batch)?.passed = Some(true);
                Ok(())
            }
            Event::GateRefused { phase, batch, why } => self.gate_refused(plan, *phase, *batch, why),
            Event::BatchEnded { phase, batch, failed } => {
                self.batch_ended(plan, *phase, *batch, failed.as_ref())
            }
            Event::PhaseEnded { phase, ok } => self.phase_ended_with(plan, *phase, *ok),
            Event::StopRequested { level, by } => {
                self.stop_requested(*level, by);
                Ok(())
            }
            Event::LockLost { why } => {
                self.lock_lost = true;
                self.stop_requested(StopLevel::Now, &format!("the lock of the cluster was lost: {why}"));
                Ok(())
            }
            Event::Halted { phase, cause } => self.halt(plan, *phase, cause),
            Event::RunEnded => self.end(plan),
            // Again where the first try was cut off.
            Event::RunUndone { by } => {
                self.undone_by = Some(by.clone());
                Ok(())
            }
        }
    }

    fn stop_requested(&mut self, level: StopLevel, by: &str) {
        let stop = self.stop.get_or_insert_with(|| RequestedStop { level, by: by.to_owned() });
        stop.level = stop.level.max(level);
    }

    fn phase_started(&mut self, plan: &Plan, phase: u16) -> Result<(), IllegalReason> {
        let next = usize::from(phase) == self.phases.len() && self.current_phase().is_none();
        let planned =
            plan.phases.get(usize::from(phase)).filter(|_| next).ok_or(IllegalReason::Phase { phase })?;
        let mut run = PhaseRun::of(planned, &self.lost);
        run.slots.etcd.clone_from(&self.etcd);
        self.phases.push(run);
        Ok(())
    }

    fn batch_started(&mut self, plan: &Plan, phase: u16, batch: u16) -> Result<(), IllegalReason> {
        let run = self.open(phase)?;
        let known = usize::from(batch) < plan.phase(phase).batches.len();
        if run.batch.is_some() || run.next_batch != batch || !known {
            return Err(IllegalReason::Batch { phase, batch });
        }
        run.batch = Some(BatchRun { index: batch, ..BatchRun::default() });
        run.next_batch += 1;
        Ok(())
    }

    fn observation_started(&mut self, phase: u16, at: EventTime) -> Result<(), IllegalReason> {
        let slots = &mut self.open(phase)?.slots;
        if slots.looking.is_some() {
            return Err(IllegalReason::Work { what: "an observation is in flight already" });
        }
        slots.looking = Some(at.seq);
        Ok(())
    }

    fn verify_started(&mut self, phase: u16, batch: u16) -> Result<(), IllegalReason> {
        let batch = self.open_batch(phase, batch)?;
        if batch.verifying || batch.soak_until.is_none() {
            return Err(IllegalReason::Work {
                what: "a check of this batch is in flight, or its soak has not begun",
            });
        }
        batch.verifying = true;
        Ok(())
    }

    fn batch_ended(
        &mut self,
        plan: &Plan,
        phase: u16,
        batch: u16,
        failed: Option<&String>,
    ) -> Result<(), IllegalReason> {
        let open = self.open_batch(phase, batch)?;
        if open.verifying {
            return Err(IllegalReason::Unfinished { what: "a check of the batch is".to_owned() });
        }
        if open.is_at_gate(plan.phase(phase)) {
            return Err(IllegalReason::Unfinished { what: "a question about its gate is".to_owned() });
        }
        self.no_host_left(plan, phase)?;
        let run = self.open(phase)?;
        run.last_batch = run.batch.take();
        run.batch_failed = run.batch_failed.take().or_else(|| failed.cloned());
        Ok(())
    }

    fn phase_ended_with(&mut self, plan: &Plan, phase: u16, ok: bool) -> Result<(), IllegalReason> {
        let run = self.open(phase)?;
        if run.batch.is_some() || run.slots.looking.is_some() {
            return Err(IllegalReason::Unfinished {
                what: "a batch or an observation of the phase is".to_owned(),
            });
        }
        if ok && usize::from(run.next_batch) < plan.phase(phase).batches.len() {
            return Err(IllegalReason::Phase { phase });
        }
        run.ended = Some(ok);
        Ok(())
    }

    fn halt(&mut self, plan: &Plan, phase: u16, cause: &HaltCause) -> Result<(), IllegalReason> {
        let planned = plan.phases.get(usize::from(phase)).ok_or(IllegalReason::Phase { phase })?;
        if self.halted.is_some() {
            return Err(IllegalReason::Work { what: "the run has halted already" });
        }
        // `on_failure` is about failures: who gives up waiting for others still brings back what is out.
        let level = match cause {
            HaltCause::Stopped { .. }
            | HaltCause::BudgetSpentByOthers { .. }
            | HaltCause::BudgetSpentByCordons { .. }
            | HaltCause::Paused { .. } => StopLevel::Graceful,
            _ => halt_level(planned.rollout.on_failure),
        };
        self.halted = Some((cause.clone(), level));
        Ok(())
    }

    fn end(&mut self, plan: &Plan) -> Result<(), IllegalReason> {
        let complete = self.phases.len() == plan.phases.len() || self.halted.is_some();
        if self.current_phase().is_some() || !complete {
            return Err(IllegalReason::Unfinished { what: "a phase is".to_owned() });
        }
        self.ended = true;
        let rest = plan.phases.iter().skip(self.phases.len());
        self.is_whole = self.phases.iter().all(|run| run.ended == Some(true))
            && rest.into_iter().all(|phase| phase.batches.is_empty());
        Ok(())
    }

    /// The phase, if it is the one that is open.
    fn open(&mut self, phase: u16) -> Result<&mut PhaseRun, IllegalReason> {
        if self.current_phase() != Some(phase) {
            return Err(IllegalReason::Phase { phase });
        }
        Ok(&mut self.phases[usize::from(phase)])
    }

    fn open_batch(&mut self, phase: u16, batch: u16) -> Result<&mut BatchRun, IllegalReason> {
        let open = self.open(phase)?.batch.as_mut();
        open.filter(|open| open.index == batch).ok_or(IllegalReason::Batch { phase, batch })
    }

    /// Every host of the open batch has ended, and no other one is going to start.
    fn no_host_left(&mut self, plan: &Plan, phase: u16) -> Result<(), IllegalReason> {
        let stopping = self.stop_level().is_some();
        let run = self.open(phase)?;
        let active = run.batch.as_ref().map_or(0, BatchRun::active);
        let startable = if stopping { 0 } else { run.startable(plan.phase(phase)).count() };
        if active == 0 && startable == 0 {
            return Ok(());
        }
        Err(IllegalReason::Unfinished {
            what: format!("{active} hosts are at work and {startable} to start,"),
        })
    }

    /// Position of a host that started in the open phase and has not ended.
    fn active_host(&mut self, plan: &Plan, phase: u16, host: HostId) -> Result<usize, IllegalReason> {
        let position = self.known_host(plan, phase, host)?;
        if !self.open(phase)?.hosts[position].is_active() {
            return Err(refuse(plan, host, "is not being worked on"));
        }
        Ok(position)
    }

    /// Position of a host that the open phase works on.
    fn known_host(&mut self, plan: &Plan, phase: u16, host: HostId) -> Result<usize, IllegalReason> {
        self.open(phase)?;
        position(plan, phase, host).ok_or(IllegalReason::NoSuchHost { phase, host: host.0 })
    }
}

fn refuse(plan: &Plan, host: HostId, why: &'static str) -> IllegalReason {
    IllegalReason::Host { host: plan.host(host).name.to_string(), why }
}
