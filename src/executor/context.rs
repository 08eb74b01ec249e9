//! What every worker of a run shares, and how workers speak to the loop: by events, never by locks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot, watch};

use super::approval::Approver;
use super::attempt::AttemptResult;
use super::forbidden::STARTING;
use super::lock::{Barred, Lock};
use super::single_flight::SingleFlight;
use super::{Clock, Pool, Redactor, Secrets};
use crate::engine::{Event, Membership, StopLevel};
use crate::inventory::HostName;
use crate::journal::RunDir;
use crate::plan::{ActionId, HostId, Plan};
use crate::step::Assessment;
use crate::value::Duration;

/// Read by every worker of a run.
pub(super) struct Shared {
    pub(super) plan: Rc<Plan>,
    pub(super) run: String,
    pub(super) started: String,
    pub(super) pool: Rc<Pool>,
    /// The machine that runs Rollbook, for `run_on: controller` and `kube.via: controller`.
    pub(super) controller: Rc<Pool>,
    pub(super) secrets: Rc<Secrets>,
    /// Takes secrets out of all that comes from outside, before anything else sees it.
    pub(super) redactor: Rc<Redactor>,
    /// Where the output of ops goes.
    pub(super) output: Option<RunDir>,
    /// Who is told what commands say while they run, if anybody wants to know.
    pub(super) listener: Option<EventSender>,
    pub(super) clock: Clock,
    /// Who is asked where a person has to say something.
    pub(super) approver: Rc<dyn Approver>,
    /// How soon the run stops, for whoever waits meanwhile.
    pub(super) stop: watch::Sender<Option<StopLevel>>,
    /// Somebody asked twice for the run to stop: what only verifies is not waited for any more.
    pub(super) hurried: watch::Sender<bool>,
    pub(super) in_doubt: InDoubt,
    /// The lock of the cluster, without which no op is sent; `None` where there is none to hold.
    pub(super) lock: Option<Rc<Lock>>,
    /// Runs that were given up.
    pub(super) over: Vec<String>,
    /// The run was begun on another machine: what ran on that one cannot be found here.
    pub(super) moved: bool,
    /// For what no worker of its own tells.
    pub(super) event_sender: EventSender,
    /// People were told that the cluster's API does not answer.
    pub(super) cluster_is_silent: Cell<bool>,
    /// A roll, which mends links; a look before it connects once.
    pub(super) patient: bool,
    /// Hosts that people were told cannot be reached.
    pub(super) silent: RefCell<HashSet<HostId>>,
    /// Hosts where kubectl is missing or cannot use its kubeconfig, and why: others are asked while there are any.
    pub(super) lame: RefCell<BTreeMap<HostId, String>>,
    /// Hosts being worked on: kubectl avoids them while it can.
    pub(super) busy: RefCell<HashSet<HostId>>,
    /// Hosts whose node is this run's own work: that it is another one is no drift.
    pub(super) membership: RefCell<Membership>,
    /// What workers are about to ask of the cluster on behalf of whichever host: by action, and whether the question is
    /// its verification's.
    pub(super) common: SingleFlight<(ActionId, bool), AttemptResult<Assessment>>,
}

impl Shared {
    /// Waits until an op may be sent, for as long as a silent API is waited for; otherwise says why it may not.
    pub(super) async fn may_send(&self) -> Result<(), Barred> {
        let within = self.plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for);
        match &self.lock {
            Some(lock) => lock.may_start(within).await,
            None => Ok(()),
        }
    }

    /// Whether an op may be sent at this moment.
    pub(super) fn may_send_now(&self) -> bool {
        self.lock.as_ref().is_none_or(|lock| lock.may_start_now())
    }

    pub(super) fn name(&self, host: HostId) -> &HostName {
        &self.plan.host(host).name
    }

    /// Tells once that the cluster does not answer, however many ask it.
    pub(super) fn cluster_is_silent(&self, reason: String, within: Duration) {
        if !self.cluster_is_silent.replace(true) {
            self.event_sender.say(Event::ClusterSilent { reason, within, starting: false });
        }
    }

    /// The same of an API server that answers, and forbids everything because it has only just started.
    pub(super) fn cluster_is_starting(&self, reason: String) {
        if !self.cluster_is_silent.replace(true) {
            self.event_sender.say(Event::ClusterSilent { reason, within: STARTING, starting: true });
        }
    }

    /// Tells that it answers again, where people were told that it does not.
    pub(super) fn cluster_answers(&self) {
        if self.cluster_is_silent.replace(false) {
            self.event_sender.say(Event::ClusterAnswers);
        }
    }
}

/// What a resumed run does with a command that was interrupted on its host without a record, and that no probe can
/// settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InDoubt {
    /// Leave it unknown, and the host where it is.
    #[default]
    Leave,
    /// Run it again.
    Rerun,
    /// Take it as done.
    AssumeDone,
}

/// A worker's word to the loop.
pub(super) enum Message {
    /// This became true.
    Event(Event),
    /// This is about to become true; answer when it is durable.
    Gate(Event, oneshot::Sender<()>),
    /// The end of what a host's command said so far: for the eye, and for nothing else.
    Output(HostId, Vec<String>),
}

/// A worker's end of the line.
#[derive(Clone)]
pub(super) struct EventSender(mpsc::UnboundedSender<Message>);

impl EventSender {
    pub(super) fn new(sender: mpsc::UnboundedSender<Message>) -> Self {
        Self(sender)
    }

    /// Where nobody listens, as before a run.
    pub(super) fn unheard() -> Self {
        Self(mpsc::unbounded_channel().0)
    }

    /// Says that something became true. A loop that is gone needs no news.
    pub(super) fn say(&self, event: Event) {
        let _ = self.0.send(Message::Event(event));
    }

    /// Lets people see what a host's command says.
    pub(super) fn output(&self, host: HostId, said: Vec<String>) {
        let _ = self.0.send(Message::Output(host, said));
    }

    /// Says it and waits until it is durable; `false` when it never will be, and nothing may be started.
    #[must_use]
    pub(super) async fn durable(&self, event: Event) -> bool {
        let (sender, receiver) = oneshot::channel();
        self.0.send(Message::Gate(event, sender)).is_ok() && receiver.await.is_ok()
    }
}
