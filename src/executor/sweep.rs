//! Removes what runs that are over left of records on hosts. Only of runs whose end is known here: an op without its
//! record looks like one that never began, and a run of another state directory that is resumed would send it again.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Pool;
use super::look::controller_name;
use crate::engine::{Event, History};
use crate::inventory::HostName;
use crate::op::Site;
use crate::plan::{Plan, StepRef};

/// Hosts swept at the same time.
const AT_ONCE: usize = 32;

/// Sweeps the hosts where a run sent ops. A host that cannot be reached keeps its records until a later run sweeps it.
pub async fn sweep(
    plan: &Plan,
    history: &History,
    over: Vec<String>,
    (pool, controller): (&Rc<Pool>, &Rc<Pool>),
) {
    let over: Rc<[String]> = over.into();
    let permits = Rc::new(Semaphore::new(AT_ONCE));
    let local = tokio::task::LocalSet::new();
    let swept = async {
        let mut sweeps = JoinSet::new();
        for (host, r#become) in places(plan, history) {
            let (pool, host) = host.map_or_else(|| (controller, controller_name()), |host| (pool, host));
            let (pool, over, permits) = (Rc::clone(pool), Rc::clone(&over), Rc::clone(&permits));
            sweeps.spawn_local(async move {
                let _permit = permits.acquire().await.expect("invariant: nobody closes the semaphore");
                let over: Vec<&str> = over.iter().map(String::as_str).collect();
                if let Ok(session) = pool.session(&host).await {
                    let _ = session.prune(&over, r#become).await;
                }
            });
        }
        while let Some(sweep) = sweeps.join_next().await {
            sweep.expect("invariant: a sweep does not panic");
        }
    };
    local.run_until(swept).await;
}

/// The hosts where ops ran, `None` for the controller, and by which right: root and the user keep their records apart.
fn places(plan: &Plan, history: &History) -> BTreeSet<(Option<HostName>, bool)> {
    let mut places = BTreeSet::new();
    for stamped in &history.events {
        let Event::OpStarted { task, op, on, .. } = stamped.event else { continue };
        let (site, r#become) = match plan.task(task).step {
            StepRef::Action(action) => match plan.action(action).lowered.ops.get(usize::from(op)) {
                Some(op) => (op.site, op.r#become),
                None => continue,
            },
            StepRef::Deferred(step) => {
                let step = &plan.deferred[step.0 as usize];
                (step.run_on.unwrap_or(if on.is_some() { Site::Kube } else { Site::Subject }), step.r#become)
            }
        };
        let host = match site {
            Site::Subject => Some(task.host),
            Site::Kube => on,
            Site::Controller => None,
        };
        places.insert((host.map(|host| plan.host(host).name.clone()), r#become));
    }
    places
}
