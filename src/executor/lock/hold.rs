//! A lock that is held: taken, renewed while the run goes on, and left when it is over.

use std::cell::RefCell;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::api::{AGAIN, LeaseApi, LeaseError, WriteOutcome};
use super::awake::BootClock;
use super::rules::{Contender, Holder, HolderState, LockDecision, LockRefusal, LockRequest, Permission};
use crate::executor::Clock;
use crate::inventory::HostName;
use crate::kubernetes::lease::{Lease, Progress, Unfinished};
use crate::value::Duration;

/// Who takes the lock, and what for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it is for.
    pub request: LockRequest,
    /// Names this process and no other.
    pub holder: String,
    /// For how long it may be silent.
    pub ttl: Duration,
    /// The run as the Lease shall tell it; `None` for one that only clears up.
    pub unfinished: Option<Unfinished>,
    /// The plan was saved and is good for one run.
    pub saved_plan: bool,
    /// How long a lock that somebody else holds is waited for.
    pub patience: Duration,
    /// What this machine knows of another run that is in the way.
    pub knows: HolderLookup,
}

/// Looks for the record of a run that a Lease names; `None` where it does not lie on this machine.
pub type HolderLookup = fn(&Unfinished) -> Option<HolderState>;

/// The lock could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The Lease could not be read or written.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Somebody else has it, or the run may not go on.
    #[error("cannot acquire the cluster lock")]
    Refused(LockRefusal),
    /// Somebody holds it without a run.
    #[error("{holder} holds the lock of the cluster")]
    Held {
        /// Who.
        holder: String,
    },
    /// The saved plan was rolled on this cluster before.
    #[error("the plan was rolled on this cluster before")]
    PlanUsed,
}

/// How a run leaves the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It is over: nothing of it stays on the Lease.
    Over,
    /// It never began: nothing of it stays, and its saved plan is not used up.
    NeverBegan,
    /// It stopped and can go on: its record stays.
    Paused {
        /// Why it stopped.
        by: String,
        /// Hosts that it left out of service or half-changed, for people.
        left: String,
    },
}

/// The lock of a cluster, held by this process.
pub struct Lock {
    api: LeaseApi,
    awake: BootClock,
    clock: Clock,
    holder: RefCell<Holder>,
    /// Told after each renewal and when the lock is lost.
    changed: Notify,
    /// Told when somebody waits for a renewal.
    wanted: Notify,
    /// Why the last renewal failed, if it did.
    trouble: RefCell<Option<String>>,
}

/// Why nothing may be started.
pub(in crate::executor) enum Barred {
    /// The lock is lost.
    Lost(String),
    /// It could not be renewed for so long.
    Stale { age: Duration, why: String },
}

/// What became of a renewal.
pub(in crate::executor) enum Renewal {
    Done,
    Silent,
    Lost(String),
}

/// Between two looks at a lock that somebody else holds.
const LOOK: Duration = Duration::from_secs(2);
/// How long an API that is silent is asked again before the lock is given up.
const SILENCE: Duration = Duration::from_secs(60);

impl Lock {
    /// Takes the lock, or says why it cannot be had. `tell` hears what is waited for.
    pub async fn take(
        api: LeaseApi,
        claim: &Claim,
        clock: Clock,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
        let awake = BootClock::new();
        let (lease, sent) = Taking { api: &api, claim, clock, awake: &awake }.take(tell).await?;
        let run = claim.unfinished.as_ref().map(|unfinished| unfinished.run.clone()).unwrap_or_default();
        let holder = RefCell::new(Holder::of(run, lease, sent));
        let trouble = RefCell::default();
        Ok(Self { api, awake, clock, holder, changed: Notify::new(), wanted: Notify::new(), trouble })
    }

    /// Whether another run stands in the way of a new one: watches its holder for one ttl where this machine does not
    /// know. An API that does not answer is no news.
    pub async fn look(
        api: &LeaseApi,
        knows: HolderLookup,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), LockRefusal> {
        let awake = BootClock::new();
        let mut contender = Contender::new(LockRequest::Begin { over: None });
        let mut told = false;
        loop {
            let lease = match api.read_avoiding(&|_| false).await {
                Ok(Some(lease)) => lease,
                // Whoever holds it cannot write either, so what was watched so far proves nothing.
                Err(LeaseError::Starting(_)) => {
                    contender.forget();
                    sleep(AGAIN.to_std()).await;
                    continue;
                }
                _ => break,
            };
            contender.hears(lease.unfinished.as_ref().and_then(knows));
            match contender.decide(Some(&lease), awake.now()) {
                LockDecision::Refuse(refusal) => return Err(refusal),
                LockDecision::Watch { holder, left } if lease.unfinished.is_some() => {
                    if !std::mem::replace(&mut told, true) {
                        tell(&watching(&holder, left));
                    }
                }
                // Nobody's run: whether that holder lives is watched by who takes the lock.
                _ => return Ok(()),
            }
            sleep(LOOK.to_std()).await;
        }
        Ok(())
    }

    /// Runs that were given up on this cluster.
    pub fn superseded(&self) -> Vec<String> {
        self.holder.borrow().lease().superseded.clone()
    }

    /// Gives up runs of the Lease for good, with who did it and why, and lets go of the lock.
    pub async fn clear(&self, over: &[String], why: &str) -> Result<(), LeaseError> {
        let change = |lease: &mut Lease| {
            lease.unfinished = None;
            if !over.is_empty() {
                lease.superseded.extend_from_slice(over);
                why.clone_into(&mut lease.superseded_why);
            }
        };
        while let Err(error) = self.let_go(change).await {
            match error {
                LeaseError::Starting(_) => sleep(AGAIN.to_std()).await,
                error => return Err(error),
            }
        }
        match self.holder.borrow().lost() {
            Some(why) => {
                let hint = "look at it with `rollbook lock show`, and try again".to_owned();
                Err(LeaseError::Refused { what: why.to_owned(), hint })
            }
            None => Ok(()),
        }
    }

    /// Writes down how the run left, and lets go. A lock that was lost is somebody else's to write.
    pub async fn leave(&self, leave: Leave) -> Result<(), LeaseError> {
        let change = |lease: &mut Lease| match (&leave, &mut lease.unfinished) {
            (Leave::Paused { by, left }, Some(unfinished)) => {
                unfinished.state = Progress::Paused;
                unfinished.stopped_by.clone_from(by);
                unfinished.left.clone_from(left);
            }
            (Leave::NeverBegan, Some(unfinished)) => {
                lease.used_plans.retain(|plan| *plan != unfinished.plan);
                lease.unfinished = None;
            }
            _ => lease.unfinished = None,
        };
        self.let_go(change).await
    }

    async fn let_go(&self, change: impl Fn(&mut Lease) + Copy) -> Result<(), LeaseError> {
        let nobody_is_busy = |_: &HostName| false;
        while self.holder.borrow().lost().is_none() {
            let mut lease = self.holder.borrow().lease().clone();
            change(&mut lease);
            lease.holder.clear();
            match self.api.write(&lease, &nobody_is_busy).await? {
                WriteOutcome::Landed(_) => return Ok(()),
                WriteOutcome::Beaten => {
                    let seen = self.api.read_avoiding(&nobody_is_busy).await?;
                    self.holder.borrow_mut().saw(seen);
                }
            }
        }
        Ok(())
    }

    /// Writes once more that the lock is held.
    pub(in crate::executor) async fn renew(&self, busy: &dyn Fn(&HostName) -> bool) -> Renewal {
        let renewal = loop {
            let mut lease = self.holder.borrow().lease().clone();
            lease.renewed = micros(self.clock);
            let sent = self.awake.now();
            match self.api.write(&lease, busy).await {
                Ok(WriteOutcome::Landed(lease)) => {
                    self.holder.borrow_mut().landed(*lease, sent);
                    self.trouble.take();
                    break Renewal::Done;
                }
                Ok(WriteOutcome::Beaten) => {}
                Err(error) => break self.not_renewed(&error),
            }
            match self.api.read_avoiding(busy).await {
                Ok(seen) => self.holder.borrow_mut().saw(seen),
                Err(error) => break self.not_renewed(&error),
            }
            if let Some(why) = self.holder.borrow().lost() {
                break Renewal::Lost(why.to_owned());
            }
        };
        self.changed.notify_waiters();
        renewal
    }

    /// What cannot be done now may be done later: a lock is lost to somebody, never to an error.
    fn not_renewed(&self, error: &LeaseError) -> Renewal {
        self.trouble.replace(Some(error.to_string()));
        Renewal::Silent
    }

    /// How long to wait for the next renewal after this one; less where somebody waits for it.
    pub(in crate::executor) async fn until_next(&self, last: &Renewal) {
        let usual = Duration::from_millis(self.holder.borrow().lease().ttl.as_millis() / 6);
        match last {
            Renewal::Silent => sleep(AGAIN.min(usual).to_std()).await,
            _ => drop(timeout(usual.to_std(), self.wanted.notified()).await),
        }
    }

    /// Waits until something may be started, at most `within`.
    pub(in crate::executor) async fn may_start(&self, within: Duration) -> Result<(), Barred> {
        let end = Instant::now() + within.to_std();
        loop {
            let changed = self.changed.notified();
            let age = match self.may() {
                Permission::Start => return Ok(()),
                Permission::Never { why } => return Err(Barred::Lost(why)),
                Permission::NotYet { age } => age,
            };
            if Instant::now() >= end {
                let why = self.trouble.borrow().clone();
                let why = why.unwrap_or_else(|| "no renewal has ended since".to_owned());
                return Err(Barred::Stale { age, why });
            }
            self.wanted.notify_one();
            let _ = timeout(AGAIN.to_std(), changed).await;
        }
    }

    /// Whether something may be started at this moment.
    pub(in crate::executor) fn may_start_now(&self) -> bool {
        self.may() == Permission::Start
    }

    fn may(&self) -> Permission {
        self.holder.borrow().may_start(self.awake.now())
    }
}

struct Taking<'a> {
    api: &'a LeaseApi,
    claim: &'a Claim,
    clock: Clock,
    awake: &'a BootClock,
}

impl Taking<'_> {
    async fn take(&self, tell: &mut dyn FnMut(&str)) -> Result<(Lease, Duration), LockError> {
        let mut contender = Contender::new(self.claim.request.clone());
        let end = Instant::now() + self.claim.patience.to_std();
        let mut told = false;
        let mut heard = Instant::now();
        loop {
            let seen = match self.api.read_avoiding(&|_| false).await {
                // Whoever holds it cannot write either.
                Err(LeaseError::Starting(why)) => {
                    contender.forget();
                    heard = Instant::now();
                    if !std::mem::replace(&mut told, true) {
                        tell(&format!("waiting: {why}"));
                    }
                    sleep(AGAIN.to_std()).await;
                    continue;
                }
                Err(LeaseError::Silent(_)) if heard.elapsed() < SILENCE.to_std() || Instant::now() < end => {
                    contender.forget();
                    sleep(AGAIN.to_std()).await;
                    continue;
                }
                seen => seen?,
            };
            heard = Instant::now();
            let another = seen.as_ref().and_then(|lease| lease.unfinished.as_ref());
            contender.hears(another.and_then(self.claim.knows));
            let has_run = another.is_some();
            let is_ours = seen.as_ref().is_some_and(|lease| lease.holder == self.claim.holder);
            let decision = match contender.decide(seen.as_ref(), self.awake.now()) {
                // A write of ours landed whose answer was lost.
                _ if is_ours => LockDecision::Take,
                decision => decision,
            };
            let waits_for = match decision {
                LockDecision::Take => match self.write(seen.unwrap_or_default(), is_ours).await? {
                    Some(taken) => return Ok(taken),
                    None => continue,
                },
                LockDecision::Watch { holder, left } if has_run || self.watches() || Instant::now() < end => {
                    watching(&holder, left)
                }
                LockDecision::Watch { holder, .. } => return Err(LockError::Held { holder }),
                LockDecision::Refuse(LockRefusal::Unfinished(unfinished)) if Instant::now() < end => {
                    format!("waiting for run {} of {} to end", unfinished.run, unfinished.by)
                }
                LockDecision::Refuse(refusal) => return Err(LockError::Refused(refusal)),
            };
            if !std::mem::replace(&mut told, true) {
                tell(&waits_for);
            }
            sleep(LOOK.to_std()).await;
        }
    }

    /// Who is about one run waits until it is known whether that one goes on; a new run is told who is in the way.
    fn watches(&self) -> bool {
        !matches!(self.claim.request, LockRequest::Begin { .. })
    }

    async fn write(&self, seen: Lease, is_ours: bool) -> Result<Option<(Lease, Duration)>, LockError> {
        let mut lease = seen;
        if let (true, Some(unfinished)) = (self.claim.saved_plan && !is_ours, &self.claim.unfinished) {
            if lease.used_plans.contains(&unfinished.plan) {
                return Err(LockError::PlanUsed);
            }
            lease.used_plans.push(unfinished.plan.clone());
        }
        lease.holder.clone_from(&self.claim.holder);
        lease.ttl = self.claim.ttl;
        lease.renewed = micros(self.clock);
        if let Some(unfinished) = &self.claim.unfinished {
            lease.unfinished = Some(unfinished.clone());
        }
        let sent = self.awake.now();
        Ok(match self.api.write(&lease, &|_| false).await {
            Ok(WriteOutcome::Landed(lease)) => Some((*lease, sent)),
            // Somebody was faster, or nobody knows: the next look tells.
            Ok(WriteOutcome::Beaten) => None,
            Err(LeaseError::Silent(_) | LeaseError::Starting(_)) => {
                sleep(AGAIN.to_std()).await;
                None
            }
            Err(error) => return Err(error.into()),
        })
    }
}

fn watching(holder: &str, left: Duration) -> String {
    format!("watching for {left} whether {holder} still renews the lock")
}

/// The time as a Lease has it.
fn micros(clock: Clock) -> String {
    let now = jiff::Timestamp::from_millisecond(clock.now().0).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
