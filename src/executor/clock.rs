//! The one clock: tokio's, so that a rehearsal's paused one makes hours pass in milliseconds.

use tokio::time::Instant;

use crate::value::Timestamp;

/// Wall-clock time that advances with tokio's clock. It never steps back, whatever the machine's own does.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Timestamp,
}

impl Clock {
    /// A clock that shows `now` at this moment.
    pub fn starting_at(now: Timestamp) -> Self {
        Self { started: Instant::now(), epoch: now }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.epoch.0.saturating_add(passed))
    }

    /// The moment at which this clock will show `at`.
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.started + at.since(self.epoch).to_std()
    }
}
