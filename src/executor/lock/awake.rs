//! The clock of the lock: it also counts while the machine sleeps, which the one of timers does not. A laptop that was
//! closed for an hour must not take its last renewal for a young one.

use tokio::time::Instant;

use super::rules::MonotonicTime;
use crate::value::Duration;

/// Time since it was made.
#[derive(Debug)]
pub(super) struct BootClock {
    began: Instant,
    booted: Option<Duration>,
}

impl BootClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), booted: since_boot() }
    }

    /// The longer of both: a rehearsal's paused clock runs ahead of the machine's.
    pub(super) fn now(&self) -> MonotonicTime {
        let timers = Duration::from_millis(millis(self.began.elapsed()));
        let machine = since_boot().zip(self.booted).map(|(now, then)| now.saturating_sub(then));
        timers.max(machine.unwrap_or_default())
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    use rustix::time::{DynamicClockId, clock_gettime_dynamic};
    let time = clock_gettime_dynamic(DynamicClockId::Boottime).ok()?;
    std::time::Duration::try_from(time).ok().map(|time| Duration::from_millis(millis(time)))
}

/// Elsewhere the clock of timers has to do.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    None
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
