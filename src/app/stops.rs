//! Signals become requests to stop: the first lets hosts that are out come back, the second stops after the ops in
//! flight. Losing the tell silences reporters, not the run.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::engine::StopLevel;
use crate::executor::StopRequest;

/// Listens for SIGINT and SIGTERM for as long as the process lives, and ignores SIGHUP.
pub(crate) fn listen() -> anyhow::Result<mpsc::UnboundedReceiver<StopRequest>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut level = StopLevel::Graceful;
        loop {
            let by = tokio::select! {
                Some(()) = interrupt.recv() => "Ctrl-C",
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = hangup.recv() => continue,
                else => return,
            };
            if sender.send(StopRequest { level, by: by.to_owned() }).is_err() {
                return;
            }
            level = StopLevel::Now;
        }
    });
    Ok(receiver)
}
