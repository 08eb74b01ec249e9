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
use super::op_site::OpSite;
use super::ops::launch_id;
use crate::engine::{History, sent_ops};
use crate::inventory::HostName;
use crate::plan::Plan;
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

impl Swept {
    fn at(plan: &Plan, site: OpSite) -> Self {
        Self { host: site.host.map(|host| plan.host(host).name.clone()), r#become: site.r#become }
    }
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
    for (sent, on) in sent_ops(&history.events) {
        let site = OpSite::of(plan, sent, on);
        if site.is_given_a_secret {
            ops.entry(Swept::at(plan, site)).or_default().push(launch_id(run, sent));
        }
    }
    go_over(ops.into_iter().map(|(place, ops)| (place, Broom::Hush(ops.into()))), pools).await
}

/// Where a run sent ops.
pub fn places(plan: &Plan, history: &History) -> BTreeSet<Swept> {
    sent_ops(&history.events).map(|(sent, on)| Swept::at(plan, OpSite::of(plan, sent, on))).collect()
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
