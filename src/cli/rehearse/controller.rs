//! The controllers of a rehearsal, one after the other: each is killed, or goes on to the end.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use super::super::terminal::Terminal;
use super::injector::{FaultInjector, KillableReporter, Killed, People};
use super::setup::SimulationSetup;
use crate::app::AppError;
use crate::app::approval::GivenApproval;
use crate::app::connections::Connections;
use crate::app::lock::{self, Begin};
use crate::app::same_cluster;
use crate::engine::{Awaited, History, Stamped, State};
use crate::executor::{Clock, InDoubt, RollError, Secrets, Setup, roll, target_of};
use crate::journal::{Record, RunDir};
use crate::plan::Plan;
use crate::plan::show::{bytes, digest};
use crate::report::Reporter;
use crate::scenario::{Injections, Scenario, SlotCount};
use crate::simulation::Simulated;
use crate::source::Diagnostics;
use crate::value::{Duration, Timestamp};

/// A plan over a simulated world, with whatever goes wrong in it.
pub(super) struct Simulation {
    pub(super) plan: Rc<Plan>,
    pub(super) run: String,
    pub(super) simulated: Simulated,
    pub(super) stage: Rc<FaultInjector>,
    pub(super) slots: Rc<RefCell<SlotCount>>,
    epoch: Timestamp,
}

/// What a controller begins with.
pub(super) struct ControllerRun {
    pub(super) past: Option<History>,
    pub(super) record: Box<dyn Record>,
    pub(super) run_dir: Option<RunDir>,
    pub(super) reporters: Vec<Box<dyn Reporter>>,
    pub(super) deadline: Option<Duration>,
    pub(super) in_doubt: InDoubt,
    /// What somebody has approved who goes on with it.
    pub(super) approved: Vec<Awaited>,
}

/// How it ended.
pub(super) enum ControllerEnd {
    Over(Box<Result<History, RollError>>),
    Killed(Killed),
}

impl Simulation {
    /// Reports faults that could never strike.
    pub(super) fn new(
        world: &SimulationSetup,
        scenario: Option<&Scenario>,
        plan: Rc<Plan>,
        run: String,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let simulated = world.build(scenario);
        super::assumed::assume(&simulated, &plan);
        let (faults, injections) = scenario.map_or_else(Default::default, |scenario| {
            let kinds = scenario.faults.iter().map(|fault| fault.kind.clone()).collect();
            (kinds, Injections::new(scenario, &world.befallen, &plan, diagnostics))
        });
        let stage = Rc::new(FaultInjector::new(simulated.clone(), faults, injections));
        Self { plan, run, simulated, stage, slots: Rc::default(), epoch: world.epoch }
    }

    /// What was rolled so far.
    pub(super) fn history(&self) -> History {
        History::of(&self.plan, self.stage.events()).expect("invariant: what was rolled fits its plan")
    }

    /// One controller, from its beginning to its end.
    pub(super) async fn live(
        &self,
        life: ControllerRun,
        terminal: &Terminal,
    ) -> Result<ControllerEnd, AppError> {
        let transport = Rc::new(self.simulated.clone());
        // Not even this machine is touched: commands of `run_on: controller` run on a simulated one, too.
        let targets = self.plan.hosts.iter().map(target_of).collect();
        let connections = Connections::over(transport.clone(), targets, transport);
        let ControllerRun { past, record, run_dir, reporters, deadline, in_doubt, approved } = life;
        let stops = self.stage.begin_life();
        let watch: Box<dyn Reporter> = Box::new(SlotWatch(Rc::clone(&self.slots)));
        let living = std::iter::once(watch).chain(reporters);
        let stage = &self.stage;
        let reporters = living.map(|inner| -> Box<dyn Reporter> {
            Box::new(RunningController { stage: Rc::clone(stage), inner })
        });
        let digest = digest(&bytes(&self.plan));
        let begin = Begin {
            plan: &self.plan,
            digest: &digest,
            run: &self.run,
            record: None,
            given_up: None,
            goes_on_since: past.as_ref().and_then(History::began),
            is_saved: false,
            patience: Duration::ZERO,
        };
        match &past {
            None => {
                stage.before_the_run();
                same_cluster::at_the_start(&self.plan, &connections, terminal).await?;
            }
            Some(past) => {
                same_cluster::when_it_goes_on(&self.plan, &past.events, &connections, terminal).await?;
            }
        }
        // The same lock as of a real run, on the simulated cluster.
        let lock = lock::take(&begin, &connections, terminal).await?;
        let elapsed = i64::try_from(self.simulated.elapsed().as_millis()).unwrap_or(0);
        let setup = Setup {
            plan: Rc::clone(&self.plan),
            digest: digest.clone(),
            run: self.run.clone(),
            pool: Rc::clone(&connections.pool),
            controller: Rc::clone(&connections.controller),
            record: Box::new(KillableReporter { stage: Rc::clone(stage), inner: record }),
            run_dir,
            reporters: reporters.collect(),
            deadline,
            // A rehearsal reaches nobody: it needs no secret's value.
            secrets: Secrets::none(),
            past,
            machine: String::new(),
            in_doubt,
            lock: lock.clone(),
            over: Vec::new(),
            approver: Rc::new(GivenApproval { about: approved, then: Rc::new(People(Rc::clone(stage))) }),
            clock: Clock::starting_at(Timestamp(self.epoch.0 + elapsed)),
            stops,
        };
        let result = tokio::select! {
            biased;
            killed = self.stage.until_killed() => return Ok(ControllerEnd::Killed(killed)),
            result = roll(setup) => result,
        };
        if let Some(lock) = lock {
            lock::leave(&lock, &lock::leave_of(&self.plan, &result), &self.plan, terminal).await;
        }
        Ok(ControllerEnd::Over(Box::new(result)))
    }
}

/// A reporter that dies with its controller.
struct RunningController {
    stage: Rc<FaultInjector>,
    inner: Box<dyn Reporter>,
}

impl Reporter for RunningController {
    fn event(&mut self, plan: &Plan, state: &State, event: &Stamped) {
        if event.seq <= self.stage.last() {
            self.inner.event(plan, state, event);
        }
    }
}

/// Counts the slots that are held.
struct SlotWatch(Rc<RefCell<SlotCount>>);

impl Reporter for SlotWatch {
    fn event(&mut self, plan: &Plan, state: &State, event: &Stamped) {
        self.0.borrow_mut().event(plan, state, event);
    }
}

/// Text that a reporter writes and somebody reads afterwards.
#[derive(Clone, Default)]
pub(super) struct ReportBuffer(Rc<RefCell<Vec<u8>>>);

impl ReportBuffer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for ReportBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
