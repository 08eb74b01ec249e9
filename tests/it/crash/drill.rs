//! A run of the shipped upgrade over simulated hosts that can be killed where a test says, and resumed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use rollbook::engine::{Event, History, Stamped};
use rollbook::executor::{RollError, Setup, roll};
use rollbook::journal::Record;
use rollbook::plan::{Plan, TaskId};
use rollbook::simulation::Simulated;
use tokio::sync::mpsc;

use crate::support::cluster::Cluster;

/// When the controller dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// When this event is in the journal, and before anything is done about it.
    After(u64),
    /// So many milliseconds after it.
    Later(u64, u64),
}

/// How a life of the controller ended.
pub(super) enum End {
    Died,
    Finished(Box<History>),
}

/// A plan, and a world for it to roll over.
pub(super) struct Drill {
    plan: Rc<Plan>,
    cluster: Cluster,
    /// The world as it was.
    make: fn() -> Cluster,
    /// What survives the controller.
    journal: Rc<RefCell<Vec<Stamped>>>,
    incident: Incident,
    /// Looks at the world whenever an op begins.
    witness: Witness,
}

/// What is asked about each op that begins.
type Witness = Rc<RefCell<Option<Box<dyn Fn(TaskId)>>>>;

/// What happens to the world when an event is in the journal.
type Incident = Rc<RefCell<Option<(u64, Box<dyn Fn()>)>>>;

struct Journal {
    events: Rc<RefCell<Vec<Stamped>>>,
    death: Option<Death>,
    /// Told when the event came after which the controller dies later.
    op_fault: mpsc::UnboundedSender<Duration>,
    incident: Incident,
    witness: Witness,
}

/// Thrown by the journal: the process is gone.
struct Killed;

impl Record for Journal {
    fn append(&mut self, events: &[Stamped], _durable: bool) -> io::Result<()> {
        for event in events {
            self.events.borrow_mut().push(event.clone());
            if let (Event::OpStarted { task, .. }, Some(witness)) = (&event.event, &*self.witness.borrow()) {
                witness(*task);
            }
            let happens = self.incident.borrow_mut().take_if(|(seq, _)| *seq == event.seq);
            if let Some((_, happen)) = happens {
                happen();
            }
            match self.death {
                Some(Death::After(seq)) if seq == event.seq => resume_unwind(Box::new(Killed)),
                Some(Death::Later(seq, millis)) if seq == event.seq => {
                    self.op_fault.send(Duration::from_millis(millis)).expect("the drill listens");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drill {
    /// The shipped upgrade over three control planes and two workers, planned.
    pub(super) async fn new() -> Self {
        let plan = cluster().plan("1.31.4").await.expect("the shipped upgrade compiles");
        Self::over(plan, cluster)
    }

    /// A runbook over such a world, planned.
    pub(super) async fn of(runbook: &str, make: fn() -> Cluster) -> Self {
        let plan = make().plan_of(runbook, &[]).await.expect("the runbook compiles");
        Self::over(plan, make)
    }

    fn over(plan: Plan, make: fn() -> Cluster) -> Self {
        Self {
            plan: Rc::new(plan),
            cluster: make(),
            make,
            journal: Rc::default(),
            incident: Rc::default(),
            witness: Rc::default(),
        }
    }

    /// The same plan over a world that is as it was.
    pub(super) fn again(&mut self) {
        self.cluster = (self.make)();
        self.journal = Rc::default();
    }

    pub(super) fn world(&self) -> &Simulated {
        &self.cluster.simulated
    }

    /// Events in the journal.
    pub(super) fn events(&self) -> Vec<Stamped> {
        self.journal.borrow().clone()
    }

    /// Lets something happen to the world when this event is in the journal.
    pub(super) fn when(&self, seq: u64, happen: impl Fn() + 'static) {
        *self.incident.borrow_mut() = Some((seq, Box::new(happen)));
    }

    /// Lets somebody look at the world whenever an op begins.
    pub(super) fn at_each_op(&self, look: impl Fn(TaskId) + 'static) {
        *self.witness.borrow_mut() = Some(Box::new(look));
    }

    /// Sequence numbers of the ops that were sent for a host.
    pub(super) fn started_ops(&self, host: &str) -> Vec<u64> {
        let events = self.journal.borrow();
        let of_host = |event: &&Stamped| match event.event {
            Event::OpStarted { task, .. } => self.plan.host(task.host).name.as_str() == host,
            _ => false,
        };
        events.iter().filter(of_host).map(|event| event.seq).collect()
    }

    /// The plan that is rolled.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// One life of the controller: starts the run, or goes on with it from its journal.
    pub(super) async fn live(&self, death: Option<Death>) -> End {
        let (op_fault, mut dooms) = mpsc::unbounded_channel();
        let events = self.events();
        let past =
            (!events.is_empty()).then(|| History::of(&self.plan, events).expect("the journal fits the plan"));
        let record = Box::new(Journal {
            events: Rc::clone(&self.journal),
            death,
            op_fault,
            incident: Rc::clone(&self.incident),
            witness: Rc::clone(&self.witness),
        });
        let setup = Setup { record, past, ..self.cluster.setup(&self.plan) };
        let killed_later = async {
            match dooms.recv().await {
                Some(delay) => tokio::time::sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            end = until_killed(roll(setup)) => end,
            () = killed_later => End::Died,
        }
    }
}

pub(super) fn cluster() -> Cluster {
    Cluster::new(3, 2, "1.30.0")
}

/// Ends as the controller does that the journal kills: in the middle of whatever it did.
async fn until_killed(life: impl Future<Output = Result<History, RollError>>) -> End {
    let mut life = pin!(life);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Ok(history))) => Poll::Ready(End::Finished(Box::new(history))),
        Ok(Poll::Ready(Err(error))) => panic!("{error}"),
        Err(thrown) if thrown.is::<Killed>() => Poll::Ready(End::Died),
        Err(thrown) => resume_unwind(thrown),
    })
    .await
}

/// Commands that changed hosts, each with how often it was sent. kubectl may run on any control plane.
pub(super) fn commands(world: &Simulated) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for command in world.log().iter().filter(|command| !command.probe) {
        let host = if command.argv[0] == "kubectl" { "kube" } else { &command.host };
        *counted.entry(format!("{host}: {}", command.line())).or_default() += 1;
    }
    counted
}
