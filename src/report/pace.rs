//! Lets a rehearsal, whose hours pass in milliseconds, be watched: holds each event back until its time has come.

use std::time::{Duration, Instant};

use super::Reporter;
use crate::engine::{Stamped, State};
use crate::plan::Plan;
use crate::value::Timestamp;

/// Goes before the reporters that show something.
pub struct Pace<W> {
    speed: f64,
    /// Waits so long in real time, or less.
    wait: W,
    began: Option<(Instant, Timestamp)>,
}

impl<W: FnMut(Duration)> Pace<W> {
    /// Simulated time passes `speed` times as fast as real time.
    pub fn new(speed: f64, wait: W) -> Self {
        Self { speed, wait, began: None }
    }

    /// The moment at which an event stamped `at` is due.
    fn due(&mut self, at: Timestamp, now: Instant) -> Instant {
        let (real, simulated) = *self.began.get_or_insert((now, at));
        real + at.since(simulated).to_std().div_f64(self.speed)
    }
}

impl<W: FnMut(Duration)> Reporter for Pace<W> {
    fn event(&mut self, _: &Plan, _: &State, event: &Stamped) {
        let now = Instant::now();
        let wait = self.due(event.at, now).saturating_duration_since(now);
        if wait > Duration::ZERO {
            // The simulated clock stands still meanwhile, and nothing else is to be done.
            (self.wait)(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_due_when_its_share_of_real_time_has_passed() {
        let (mut pace, began) = (Pace::new(10.0, drop), Instant::now());
        assert_eq!(pace.due(Timestamp(5_000), began), began);
        let due = pace.due(Timestamp(65_000), began + Duration::from_secs(1));
        assert_eq!(due, began + Duration::from_secs(6));
    }
}
