//! Ctrl-C and SIGTERM while a rehearsal rolls: they stop it as they stop a run, and end every wait of one that is watched
//! in time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::injector::FaultInjector;
use crate::engine::{Stamped, State};
use crate::plan::Plan;
use crate::report::{ExitKind, Reporter};

/// What people typed so far, in words.
#[derive(Clone, Default)]
pub(super) struct Interrupts(Arc<(Mutex<Vec<&'static str>>, Condvar)>);

impl Interrupts {
    /// Listens from now on, on a thread of its own: the simulation knows no real time and leaves its thread to nobody.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let interrupts = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let heard = interrupts.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let by = tokio::select! {
                        Some(()) = interrupt.recv() => "Ctrl-C",
                        Some(()) = terminate.recv() => "SIGTERM",
                        else => return,
                    };
                    heard.note(by);
                }
            });
        });
        Ok(interrupts)
    }

    fn note(&self, by: &'static str) {
        /// The first two stop the rehearsal. Who asks again waits for something that does not come.
        const PATIENT: usize = 2;
        let (typed, changed) = &*self.0;
        let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.push(by);
        if typed.len() > PATIENT {
            std::process::exit(i32::from(ExitKind::Interrupted.code()));
        }
        changed.notify_all();
    }

    /// Waits so long, or until somebody wants it to stop.
    pub(super) fn sleep(&self, time: Duration) {
        let (typed, changed) = &*self.0;
        let end = Instant::now() + time;
        let mut typed = typed.lock().unwrap_or_else(PoisonError::into_inner);
        while typed.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            typed = changed.wait_timeout(typed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What was typed after so many.
    fn after(&self, count: usize) -> Vec<&'static str> {
        let typed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        typed.iter().skip(count).copied().collect()
    }
}

/// Hands what people type to the controller, at an event: there a rehearsal that is taken up can repeat it.
pub(super) struct HandsOn<F> {
    pub(super) interrupts: Interrupts,
    pub(super) stage: Rc<FaultInjector>,
    /// How many were handed on.
    pub(super) heard: Rc<Cell<usize>>,
    /// Is told of each, with the number of its event.
    pub(super) note: F,
}

impl<F: FnMut(RepeatedStop)> Reporter for HandsOn<F> {
    fn event(&mut self, _: &Plan, _: &State, event: &Stamped) {
        for by in self.interrupts.after(self.heard.get()) {
            self.heard.update(|heard| heard + 1);
            self.stage.stop(by);
            (self.note)(RepeatedStop { seq: event.seq, by: by.to_owned() });
        }
    }
}

/// That people stopped a rehearsal, as its record holds it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct RepeatedStop {
    /// The event after which they did.
    pub(super) seq: u64,
    pub(super) by: String,
}

/// Stops a rehearsal where people stopped it.
pub(super) struct Repeats {
    pub(super) stops: Vec<RepeatedStop>,
    pub(super) stage: Rc<FaultInjector>,
}

impl Reporter for Repeats {
    fn event(&mut self, _: &Plan, _: &State, event: &Stamped) {
        for stop in self.stops.iter().filter(|stop| stop.seq == event.seq) {
            self.stage.stop(&stop.by);
        }
    }
}
