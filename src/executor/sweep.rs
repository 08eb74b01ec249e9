//! Removes what runs that are over left of records on hosts, and empties what was said to ops with secrets. Only of runs
//! whose end is known here: an op without its record looks like one that never began, and a run of another state directory
//! that is resumed would send it again.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Pool;
use super::look::controller_name;
use super::ops::launch_id;
use crate::engine::{Event, History};
use crate::inventory::HostName;
use crate::op::{Op, Site};
use crate::plan::{HostId, Plan, StepRef, TaskId};
use crate::transport::{LaunchId, Session, SessionError};

/// Hosts swept at the same time.
const AT_ONCE: usize = 32;
/// A master that was idle went away, and says so only when it is used.
const TRIES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where records lie: root and the user keep theirs apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Swept {
    /// The host; `None` for the machine that runs Rollbook.
    pub host: Option<HostName>,
    /// Whether they are root's.
    pub r#become: bool,
}

/// A place where something stays that should have gone.
#[derive(Clone, Debug)]
pub struct Unswept {
    /// Where.
    pub place: Swept,
    /// Why.
    pub why: String,
}

/// What is to be done at a place.
#[derive(Clone)]
enum Broom {
    /// Records of these runs go.
    Prune(Rc<[String]>),
    /// The output of these ops goes, and their results stay.
    Hush(Rc<[LaunchId]>),
}

/// Removes the records of the runs `over` from these places. Gives those that keep them.
pub async fn sweep(
    places: impl IntoIterator<Item = Swept>,
    over: Vec<String>,
    pools: (&Rc<Pool>, &Rc<Pool>),
) -> Vec<Unswept> {
    let broom = Broom::Prune(over.into());
    go_over(places.into_iter().map(|place| (place, broom.clone())), pools).await
}

/// Empties what ops said that were given a secret, of a run that can go on. Gives the places where that did not work.
pub async fn hush(plan: &Plan, history: &History, pools: (&Rc<Pool>, &Rc<Pool>)) -> Vec<Unswept> {
    let Some(run) = history.run() else { return Vec::new() };
    let mut ops: BTreeMap<Swept, Vec<LaunchId>> = BTreeMap::new();
    for (task, sent, on) in sendings(history) {
        if let Some((place, true)) = place_of(plan, task, sent.2, on) {
            ops.entry(place).or_default().push(launch_id(run, task, sent));
        }
    }
    go_over(ops.into_iter().map(|(place, ops)| (place, Broom::Hush(ops.into()))), pools).await
}

/// Where a run sent ops.
pub fn places(plan: &Plan, history: &History) -> BTreeSet<Swept> {
    let places = sendings(history).filter_map(|(task, sent, on)| place_of(plan, task, sent.2, on));
    places.map(|(place, _)| place).collect()
}

async fn go_over(
    brooms: impl IntoIterator<Item = (Swept, Broom)>,
    (pool, controller): (&Rc<Pool>, &Rc<Pool>),
) -> Vec<Unswept> {
    let permits = Rc::new(Semaphore::new(AT_ONCE));
    let local = tokio::task::LocalSet::new();
    let swept = async {
        let mut sweeps = JoinSet::new();
        for (place, broom) in brooms {
            let pool = if place.host.is_some() { pool } else { controller };
            let (pool, permits) = (Rc::clone(pool), Rc::clone(&permits));
            sweeps.spawn_local(async move {
                let _permit = permits.acquire().await.expect("invariant: nobody closes the semaphore");
                let done = at(&pool, &place, &broom).await;
                done.err().map(|why| Unswept { place, why })
            });
        }
        let mut left = Vec::new();
        while let Some(sweep) = sweeps.join_next().await {
            left.extend(sweep.expect("invariant: a sweep does not panic"));
        }
        left.sort_by(|one, other| one.place.cmp(&other.place));
        left
    };
    local.run_until(swept).await
}

/// Over a fresh connection where the one at hand is gone.
async fn at(pool: &Pool, place: &Swept, broom: &Broom) -> Result<(), String> {
    let host = place.host.clone().unwrap_or_else(controller_name);
    let mut tries = 0;
    loop {
        let error = match pool.session(&host).await {
            Ok(session) => match apply(&*session, broom, place.r#become).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    pool.forget(&host, &session).await;
                    error.to_string()
                }
            },
            Err(error) => error.to_string(),
        };
        tries += 1;
        if tries == TRIES {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
}

async fn apply(session: &dyn Session, broom: &Broom, r#become: bool) -> Result<(), SessionError> {
    match broom {
        Broom::Prune(runs) => {
            let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
            session.prune(&runs, r#become).await
        }
        Broom::Hush(ops) => {
            for id in ops.iter() {
                session.hush(id, r#become).await?;
            }
            Ok(())
        }
    }
}

/// Every op that was sent: its task, how often, and where kubectl ran.
fn sendings(history: &History) -> impl Iterator<Item = (TaskId, (u32, u32, u16), Option<HostId>)> {
    history.events.iter().filter_map(|stamped| match stamped.event {
        Event::OpStarted { task, attempt, pass, op, on, .. } => Some((task, (attempt, pass, op), on)),
        _ => None,
    })
}

/// Where an op ran, and whether it was given a secret; of a step that was lowered late that is not known.
fn place_of(plan: &Plan, task: TaskId, op: u16, on: Option<HostId>) -> Option<(Swept, bool)> {
    let (site, r#become, secret) = match plan.task(task).step {
        StepRef::Action(action) => {
            let op: &Op = plan.action(action).lowered.ops.get(usize::from(op))?;
            (op.site, op.r#become, op.is_given_a_secret())
        }
        StepRef::Deferred(step) => {
            let step = &plan.deferred[step.0 as usize];
            let site = step.run_on.unwrap_or(if on.is_some() { Site::Kube } else { Site::Subject });
            (site, step.r#become, !plan.secrets.is_empty())
        }
    };
    let host = match site {
        Site::Subject => Some(task.host),
        Site::Kube => on,
        Site::Controller => None,
    };
    let host = host.map(|host| plan.host(host).name.clone());
    Some((Swept { host, r#become }, secret))
}
