//! Sessions by host: connected when first needed, checked to be the machine that the plan saw, connected again when
//! the link was lost.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::inventory::{HostName, Reconnect};
use crate::op::{Probe, Query, Site};
use crate::plan::PlannedHost;
use crate::transport::{ConnectError, Session, SessionError, Target, Transport};
use crate::value::Duration;

/// Every connection of a run.
pub struct Pool {
    transport: Rc<dyn Transport>,
    targets: HashMap<HostName, Target>,
    slots: RefCell<HashMap<HostName, Rc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    session: Mutex<Option<Rc<dyn Session>>>,
    machine_id: RefCell<Option<String>>,
    last_failure: RefCell<Option<(Instant, PoolError)>>,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The host cannot be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was connected to, and the first look failed.
    #[error("{host}: {error}")]
    Session {
        /// The host.
        host: HostName,
        /// Why.
        error: SessionError,
    },
    /// Another machine answers than the plan saw.
    #[error("{host} is another machine than the plan saw: its machine id is {found}, not {planned}")]
    OtherMachine {
        /// The host.
        host: HostName,
        /// /etc/machine-id now.
        found: String,
        /// /etc/machine-id when the plan was made.
        planned: String,
    },
    /// It was tried again and again.
    #[error("{error}; tried {attempts} times in {}", .within.rounded())]
    GaveUp {
        /// What came of it last.
        error: Box<PoolError>,
        /// How often it was tried.
        attempts: u32,
        /// For how long.
        within: Duration,
    },
}

/// A failed connection is not tried again at once: everything that wants the host hears the same answer. Less than the
/// first pause of whoever tries again.
const FAILURE_IS_FRESH: Duration = Duration::from_millis(900);

impl Pool {
    /// A pool over these hosts; nothing is connected yet.
    pub fn new(transport: Rc<dyn Transport>, targets: impl IntoIterator<Item = Target>) -> Self {
        let targets = targets.into_iter().map(|target| (target.host.clone(), target)).collect();
        Self { transport, targets, slots: RefCell::default() }
    }

    /// From here on, `host` must have this machine id.
    pub fn expect_machine(&self, host: &HostName, machine_id: &str) {
        *self.slot(host).machine_id.borrow_mut() = Some(machine_id.to_owned());
    }

    /// The session of a host, connected if it was not.
    pub async fn session(&self, host: &HostName) -> Result<Rc<dyn Session>, PoolError> {
        let slot = self.slot(host);
        let mut session = slot.session.lock().await;
        if let Some(session) = &*session {
            return Ok(Rc::clone(session));
        }
        let failure = slot.last_failure.borrow().clone();
        if let Some((_, error)) = failure.filter(|(at, _)| at.elapsed() < FAILURE_IS_FRESH.to_std()) {
            return Err(error);
        }
        match self.connect(host, &slot).await {
            Ok(connected) => {
                *session = Some(Rc::clone(&connected));
                Ok(connected)
            }
            Err(error) => {
                *slot.last_failure.borrow_mut() = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets a session whose link was lost, if it is still the current one.
    pub async fn forget(&self, host: &HostName, lost: &Rc<dyn Session>) {
        let slot = self.slot(host);
        let mut session = slot.session.lock().await;
        if session.as_ref().is_some_and(|current| Rc::ptr_eq(current, lost)) {
            *session = None;
        }
    }

    /// How the host's connection is made again.
    pub(super) fn reconnects(&self, host: &HostName) -> Reconnect {
        self.targets.get(host).map(|target| target.connection.reconnect).unwrap_or_default()
    }

    /// The session of a host, connected again and again as its connection says, and for so long at least. `tell` hears
    /// of each failure that is not the last.
    pub(super) async fn reach(
        &self,
        host: &HostName,
        at_least: Duration,
        tell: impl Fn(&PoolError),
    ) -> Result<Rc<dyn Session>, PoolError> {
        let rule = self.reconnects(host);
        let began = Instant::now();
        let mut failed = 0;
        loop {
            let error = match self.session(host).await {
                Ok(session) => return Ok(session),
                Err(error) if error.stays() => return Err(error),
                Err(error) => error,
            };
            failed += 1;
            if failed >= rule.attempts && began.elapsed() >= at_least.to_std() {
                return Err(error.after(failed, began));
            }
            tell(&error);
            sleep(rule.pause(failed).to_std()).await;
        }
    }

    /// Connects again and again, with growing pauses, until it works or `within` has passed.
    pub async fn reconnect(&self, host: &HostName, within: Duration) -> Result<Rc<dyn Session>, PoolError> {
        let end = Instant::now() + within.to_std();
        let mut pause = Duration::from_millis(500);
        loop {
            match self.session(host).await {
                Ok(session) => return Ok(session),
                Err(error) if error.stays() => return Err(error),
                Err(error) if Instant::now() + pause.to_std() >= end => return Err(error),
                Err(_) => sleep(pause.to_std()).await,
            }
            pause = pause.saturating_mul(2).min(Duration::from_secs(15));
        }
    }

    /// Ends every connection.
    pub async fn close(&self) {
        self.slots.borrow_mut().clear();
        self.transport.close().await;
    }

    fn slot(&self, host: &HostName) -> Rc<Slot> {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get(host) {
            return Rc::clone(slot);
        }
        Rc::clone(slots.entry(host.clone()).or_default())
    }

    async fn connect(&self, host: &HostName, slot: &Slot) -> Result<Rc<dyn Session>, PoolError> {
        let target = self.targets.get(host).expect("invariant: the pool was made for every host of the plan");
        let session = self.transport.connect(target).await?;
        let planned = slot.machine_id.borrow().clone();
        if let Some(planned) = planned.filter(|planned| !planned.is_empty()) {
            let found = machine_id(&session)
                .await
                .map_err(|error| PoolError::Session { host: host.clone(), error })?;
            if found != planned {
                return Err(PoolError::OtherMachine { host: host.clone(), found, planned });
            }
        }
        Ok(session)
    }
}

impl PoolError {
    /// Whether another try would only say the same: a machine that is not the one meant does not become it.
    fn stays(&self) -> bool {
        matches!(
            self,
            Self::OtherMachine { .. }
                | Self::Connect(ConnectError::HostKey { .. } | ConnectError::File { .. })
        )
    }

    /// What came of the last try.
    pub(super) fn last(&self) -> &Self {
        match self {
            Self::GaveUp { error, .. } => error.last(),
            error => error,
        }
    }

    /// The same after so many tries since `began`.
    fn after(self, attempts: u32, began: Instant) -> Self {
        if attempts < 2 {
            return self;
        }
        let within = Duration::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Self::GaveUp { error: Box::new(self), attempts, within }
    }
}

async fn machine_id(session: &Rc<dyn Session>) -> Result<String, SessionError> {
    let argv = ["cat", "/etc/machine-id"].map(str::to_owned).to_vec();
    let query = Query { argv, ..Query::default() };
    let probe = Probe {
        site: Site::Subject,
        queries: vec![query],
        r#become: false,
        timeout: Duration::from_secs(20),
    };
    let answers = session.probe(&probe).await?;
    Ok(answers.first().map(|answer| answer.stdout.trim().to_owned()).unwrap_or_default())
}

/// A planned host as transports see it.
pub fn target_of(host: &PlannedHost) -> Target {
    Target {
        host: host.name.clone(),
        address: host.address.clone(),
        connection: host.connection.clone(),
        r#become: host.r#become,
    }
}
