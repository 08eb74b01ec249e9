//! Hosts that cannot be reached for a while: a roll connects again as each host's connection says, and tells people once
//! that a host is silent and once that it answers again.

use std::rc::Rc;

use tokio::time::sleep;

use super::context::Shared;
use super::look::{ask, pool_failure, session_failure};
use super::{Pool, PoolError};
use crate::engine::{Event, Failure};
use crate::inventory::HostName;
use crate::op::{Probe, ProbeOutput};
use crate::transport::{Session, SessionError};
use crate::value::{Duration, escape};

impl Shared {
    /// A session with a host, made again as its connection says where the link is lost. Told once, and once more when
    /// it is there again.
    pub(super) async fn reach(
        &self,
        pool: &Pool,
        name: &HostName,
        at_least: Duration,
    ) -> Result<Rc<dyn Session>, PoolError> {
        let attempts = pool.reconnects(name).attempts;
        let reached = pool.reach(name, at_least, |error| self.host_is_silent(name, error, attempts)).await;
        self.host_is_settled(name, reached.is_ok());
        reached
    }

    fn host_is_silent(&self, name: &HostName, error: &PoolError, attempts: u32) {
        let Some(host) = self.plan.find_host(name) else { return };
        if self.silent.borrow_mut().insert(host) {
            let reason = escape(&error.to_string());
            self.event_sender.say(Event::HostSilent { host, reason, attempts });
        }
    }

    fn host_is_settled(&self, name: &HostName, answers: bool) {
        if self.silent.borrow().is_empty() {
            return;
        }
        let Some(host) = self.plan.find_host(name) else { return };
        if self.silent.borrow_mut().remove(&host) && answers {
            self.event_sender.say(Event::HostAnswers { host });
        }
    }
}

/// Asks a host. In a roll its link is mended as its connection says: a switch that restarts between two commands is no
/// failure of the host.
pub(super) async fn ask_host(
    shared: &Shared,
    host: &HostName,
    probe: &Probe,
) -> Result<Vec<ProbeOutput>, Failure> {
    if !shared.patient {
        return ask(&shared.pool, host, probe).await;
    }
    let rule = shared.pool.reconnects(host);
    let mut lost = 0;
    loop {
        let reached = shared.reach(&shared.pool, host, Duration::ZERO).await;
        let session = reached.map_err(|error| pool_failure(&error))?;
        match session.probe(probe).await {
            Ok(answers) => return Ok(answers),
            Err(error @ (SessionError::Lost(_) | SessionError::Here(_))) => {
                let is_lost = matches!(error, SessionError::Lost(_));
                if is_lost {
                    shared.pool.forget(host, &session).await;
                }
                if lost >= rule.attempts {
                    return Err(session_failure(host, &error));
                }
                // The first one is old news as a rule: the link was lost while nobody used it.
                if lost > 0 || !is_lost {
                    sleep(rule.pause(lost.max(1)).to_std()).await;
                }
                lost += 1;
            }
            Err(error) => return Err(session_failure(host, &error)),
        }
    }
}
