//! Who may take the lock, and what its holder may do. Pure: every time here is on the asking process's own clock, which
//! also counts while the machine sleeps; what a Lease says of time is compared with nothing.

use crate::kubernetes::lease::{Lease, Progress, Unfinished};
use crate::value::Duration;

/// A time on the own clock.
pub(super) type MonotonicTime = Duration;

/// What somebody wants the lock for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockRequest {
    /// To begin a run.
    Begin {
        /// A run that may still be on the Lease, and is over for certain: its record is at hand and says so.
        over: Option<String>,
    },
    /// To go on with a run whose record is in hand and locked.
    GoOn {
        /// The run.
        run: String,
        /// Where its record lies, as [`Unfinished::journal`] says it.
        journal: String,
        /// Machine id of this controller, or empty.
        machine: String,
    },
    /// To take away what a run left that nobody will go on with; `None`: what no run left.
    Clear {
        /// The run.
        run: Option<String>,
        /// Nobody writes its record, which is at hand.
        dead: bool,
    },
}

impl LockRequest {
    /// The run that the wish is about, if it may be on the Lease.
    fn run(&self) -> Option<&str> {
        match self {
            Self::Begin { over: run } | Self::Clear { run, .. } => run.as_deref(),
            Self::GoOn { run, .. } => Some(run),
        }
    }

    /// Whether the process that held the lock is dead for certain: a record is locked by whoever writes it, and we hold
    /// that lock, of the same file on the same machine.
    fn knows_holder_is_dead(&self, unfinished: &Unfinished) -> bool {
        match self {
            Self::GoOn { journal, machine, .. } => {
                !machine.is_empty() && *machine == unfinished.machine && *journal == unfinished.journal
            }
            Self::Begin { .. } => true,
            Self::Clear { dead, .. } => *dead,
        }
    }
}

/// Why the lock cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockRefusal {
    /// Another run was begun and has not ended: it goes on at this moment, or has stopped in order.
    Unfinished(Unfinished),
    /// Another run was begun and has not ended, and its controller is dead. Time does not change that.
    CutOff(Unfinished),
    /// The run that is meant goes on at this moment: its holder wrote while it was watched.
    Alive {
        /// The holder.
        holder: String,
    },
    /// The run that is meant was given up.
    Superseded {
        /// By whom, and why.
        why: String,
    },
}

/// What this machine knows of the run of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderState {
    /// Its controller writes the record at this moment.
    Alive,
    /// Nobody writes the record, which has no end.
    Dead,
    /// The record says that it stopped in order, whatever its controller could write to the Lease.
    Stopped(Unfinished),
}

/// What follows from a look at the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LockDecision {
    /// Write it, on condition that it is still the one that was seen.
    Take,
    /// Somebody holds it who may be dead. It is known after this long if nobody writes.
    Watch { holder: String, left: Duration },
    /// No.
    Refuse(LockRefusal),
}

/// Somebody who wants the lock, with what it has seen so far.
#[derive(Debug)]
pub(super) struct Contender {
    request: LockRequest,
    /// The version that is watched, and since when.
    watched: Option<(String, MonotonicTime)>,
    /// What this machine knows of the run that the Lease names, at the time of the look.
    known: Option<HolderState>,
}

impl Contender {
    pub(super) fn new(request: LockRequest) -> Self {
        Self { request, watched: None, known: None }
    }

    /// Hears what this machine knows of the run that the next look shows.
    pub(super) fn hears(&mut self, known: Option<HolderState>) {
        self.known = known;
    }

    /// The API was silent: its holder could not write either, so what was watched so far proves nothing.
    pub(super) fn forget(&mut self) {
        self.watched = None;
    }

    /// What follows from a look that came back at `now`.
    pub(super) fn decide(&mut self, lease: Option<&Lease>, now: MonotonicTime) -> LockDecision {
        let Some(lease) = lease else { return LockDecision::Take };
        let wanted = self.request.run();
        let goes_on = matches!(self.request, LockRequest::GoOn { .. });
        if goes_on && wanted.is_some_and(|run| lease.superseded.iter().any(|over| over == run)) {
            return LockDecision::Refuse(LockRefusal::Superseded { why: lease.superseded_why.clone() });
        }
        if let Some(unfinished) = &lease.unfinished {
            if wanted != Some(&unfinished.run) {
                return self.another(lease, unfinished, now);
            }
            if unfinished.state == Progress::Paused || self.request.knows_holder_is_dead(unfinished) {
                return LockDecision::Take;
            }
        }
        if lease.holder.is_empty() { LockDecision::Take } else { self.watch(lease, now) }
    }

    /// Another run is in the way: whether its controller lives decides what people are told, never whether it may be
    /// passed over.
    fn another(&mut self, lease: &Lease, unfinished: &Unfinished, now: MonotonicTime) -> LockDecision {
        let in_order = || LockDecision::Refuse(LockRefusal::Unfinished(unfinished.clone()));
        let cut_off = || LockDecision::Refuse(LockRefusal::CutOff(unfinished.clone()));
        // Who clears up has to say which run is meant, whether it lives or not.
        if unfinished.state == Progress::Paused || matches!(self.request, LockRequest::Clear { .. }) {
            return in_order();
        }
        match self.known.take() {
            Some(HolderState::Alive) => return in_order(),
            Some(HolderState::Dead) => return cut_off(),
            Some(HolderState::Stopped(unfinished)) => {
                return LockDecision::Refuse(LockRefusal::Unfinished(unfinished));
            }
            None if lease.holder.is_empty() => return cut_off(),
            None => {}
        }
        match self.unwritten_for(lease, now) {
            None => in_order(),
            Some(watched_for) if watched_for >= lease.ttl => cut_off(),
            Some(watched_for) => LockDecision::Watch {
                holder: lease.holder.clone(),
                left: lease.ttl.saturating_sub(watched_for),
            },
        }
    }

    /// A holder that wrote nothing for one ttl has started nothing for half of one, by its own rule, and never will.
    fn watch(&mut self, lease: &Lease, now: MonotonicTime) -> LockDecision {
        let watched_for = self.unwritten_for(lease, now);
        if watched_for.is_none() && !matches!(self.request, LockRequest::Begin { .. }) {
            return LockDecision::Refuse(LockRefusal::Alive { holder: lease.holder.clone() });
        }
        let watched_for = watched_for.unwrap_or(Duration::ZERO);
        if watched_for >= lease.ttl {
            return LockDecision::Take;
        }
        LockDecision::Watch { holder: lease.holder.clone(), left: lease.ttl.saturating_sub(watched_for) }
    }

    /// For how long this version was watched; `None` where somebody wrote since the look before.
    fn unwritten_for(&mut self, lease: &Lease, now: MonotonicTime) -> Option<Duration> {
        let seen = self.watched.take();
        let (since, is_written) = match &seen {
            Some((version, since)) if *version == lease.version => (*since, false),
            other => (now, other.is_some()),
        };
        self.watched = Some((lease.version.clone(), since));
        (!is_written).then(|| now.saturating_sub(since))
    }
}

/// Whether the holder may start something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// It may.
    Start,
    /// Not before a renewal: the last one was sent this long ago.
    NotYet { age: Duration },
    /// Never again.
    Never { why: String },
}

/// What the holder of a lock knows of it.
#[derive(Debug)]
pub(super) struct Holder {
    run: String,
    /// As it was last written or read.
    lease: Lease,
    /// When the last write that landed was *sent*: a contender may have begun to watch right then.
    proven: MonotonicTime,
    lost: Option<String>,
}

impl Holder {
    /// Of a lock that a write, sent at `sent`, has just taken.
    pub(super) fn of(run: String, lease: Lease, sent: MonotonicTime) -> Self {
        Self { run, lease, proven: sent, lost: None }
    }

    /// What it holds.
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Why it is lost, if it is.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// A write landed that was sent at `sent`.
    pub(super) fn landed(&mut self, lease: Lease, sent: MonotonicTime) {
        self.lease = lease;
        self.proven = self.proven.max(sent);
    }

    /// What a look says after a write that somebody else's came before, or of which nobody knows. A write of our own may
    /// have landed whose answer was lost: that proves nothing of *when*, so the lock is ours and as old as before.
    pub(super) fn saw(&mut self, lease: Option<Lease>) {
        match lease {
            Some(lease) if lease.holder == self.lease.holder => self.lease = lease,
            other => self.lost = Some(self.why_lost(other.as_ref())),
        }
    }

    /// Whether something may be started at `now`.
    pub(super) fn may_start(&self, now: MonotonicTime) -> Permission {
        if let Some(why) = &self.lost {
            return Permission::Never { why: why.clone() };
        }
        let age = now.saturating_sub(self.proven);
        if age.as_millis() >= self.lease.ttl.as_millis() / 2 {
            Permission::NotYet { age }
        } else {
            Permission::Start
        }
    }

    fn why_lost(&self, lease: Option<&Lease>) -> String {
        let Some(lease) = lease else { return "somebody deleted its Lease".to_owned() };
        if lease.superseded.contains(&self.run) {
            return format!("the run was given up by {}", lease.superseded_why);
        }
        match &lease.unfinished {
            Some(other) if other.run != self.run => {
                format!("run {} of {} has it, since {}", other.run, other.by, other.since)
            }
            _ if !lease.holder.is_empty() => format!("{} has taken the run over", lease.holder),
            _ => "somebody released it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
