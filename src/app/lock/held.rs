//! What a run does with the lock of its cluster: looks at it first, takes it, and leaves it.

use std::rc::Rc;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::time::{Instant, sleep};

use super::words::{InTheWay, lock_error};
use crate::app::AppError;
use crate::app::Tell;
use crate::app::connections::{Connections, hostname, machine, now, who};
use crate::app::records::Found;
use crate::engine::History;
use crate::executor::{
    Claim, Clock, HolderState, LeaseApi, LeaseError, Leave, Lock, LockError, LockRequest, RollError,
};
use crate::journal::{Recorded, RunDir, runs};
use crate::kubernetes::lease::{Lease, Progress, Unfinished};
use crate::kubernetes::rights::{Right, needed_by_lock};
use crate::kubernetes::some_of;
use crate::plan::{Plan, PlannedHost};
use crate::report::{ExitKind, Summary};
use crate::value::{Duration, Timestamp};

/// Of a runbook that does not say. Longer than an API server takes to restart, so that a roll over others goes on
/// meanwhile; short enough to be waited for when a controller died.
pub(crate) const USUAL_TTL: Duration = Duration::from_secs(5 * 60);

/// A run that takes the lock.
pub(crate) struct Begin<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) digest: &'a str,
    pub(crate) run: &'a str,
    /// Its record; a rehearsal has none.
    pub(crate) record: Option<&'a RunDir>,
    /// When the run began, where it goes on.
    pub(crate) goes_on_since: Option<Timestamp>,
    /// A run that may still stand on the Lease, and will not go on.
    pub(crate) given_up: Option<&'a str>,
    pub(crate) is_saved: bool,
    pub(crate) patience: Duration,
}

/// The way to the Lease, where the plan's policy asks for one.
fn api(plan: &Plan, connections: &Connections) -> Option<LeaseApi> {
    let kube = plan.kube.as_ref().filter(|_| plan.policy.lock_cluster)?;
    let via: Vec<_> = kube.hosts.iter().map(|host| plan.host(*host).name.clone()).collect();
    Some(LeaseApi::new(&connections.pool, &connections.controller, &kube.cx, &via))
}

/// Names this process and no other.
pub(crate) fn holder() -> String {
    let random = uuid::Uuid::now_v7().as_u128() & 0xffff_ffff;
    format!("{}, process {}, {random:08x}", who(), std::process::id())
}

/// Where a record lies, for people on other machines.
fn place(record: Option<&RunDir>) -> String {
    let Some(record) = record else { return "nowhere".to_owned() };
    let path = record.path().canonicalize_utf8().unwrap_or_else(|_| record.path().to_owned());
    format!("{}:{path}", hostname())
}

/// What the record of a run says that a Lease names, where it lies on this machine.
pub(crate) fn known_here(unfinished: &Unfinished) -> Option<HolderState> {
    let path = unfinished.journal.strip_prefix(&format!("{}:", hostname()))?;
    if unfinished.machine.is_empty() || unfinished.machine != machine() {
        return None;
    }
    let record = RunDir::at(path.into());
    if !record.journal().is_file() {
        return None;
    }
    let recorded = record.read().ok();
    let stopped = recorded.filter(|recorded| recorded.history.state.finished());
    Some(match stopped {
        _ if record.goes_on() => HolderState::Alive,
        Some(recorded) => {
            let (stopped_by, left) = ended(&recorded.plan, &recorded.history);
            HolderState::Stopped(Unfinished {
                state: Progress::Paused,
                stopped_by,
                left,
                ..unfinished.clone()
            })
        }
        None => HolderState::Dead,
    })
}

/// Why a run stopped, and the hosts that it left.
fn ended(plan: &Plan, history: &History) -> (String, String) {
    let summary = Summary::of(plan, history);
    let left: Vec<String> = summary.left.iter().map(|left| plan.host(left.host).name.to_string()).collect();
    (summary.stopped_by.unwrap_or_default(), some_of(&left))
}

/// How a roll leaves the lock; after a bug nobody knows.
pub(crate) fn leave_of(plan: &Plan, result: &Result<History, RollError>) -> Leave {
    let history = match result {
        Ok(history) => history,
        Err(RollError::Journal { history, .. }) => history,
        Err(RollError::Illegal(_)) => return Leave::Paused { by: "a bug".to_owned(), left: String::new() },
    };
    if !history.state.can_resume() {
        return Leave::Over;
    }
    let (by, left) = ended(plan, history);
    Leave::Paused { by, left }
}

/// The run of the Lease, if its record lies on this machine and says that it is over or never began: its controller
/// ended before it could write so to the Lease.
pub(crate) fn over_here(lease: &Lease) -> Option<String> {
    let unfinished = lease.unfinished.as_ref()?;
    let path = unfinished.journal.strip_prefix(&format!("{}:", hostname()))?;
    if unfinished.machine.is_empty() || unfinished.machine != machine() {
        return None;
    }
    let record = RunDir::at(path.into());
    let history = record.read().ok()?.history;
    let names_it = history.run().is_none_or(|run| run == unfinished.run);
    let is_over = history.events.is_empty() || !history.state.can_resume();
    (names_it && is_over && !record.goes_on()).then(|| unfinished.run.clone())
}

/// What the lock of the plan's cluster needs of the account of its kubeconfig.
pub(crate) async fn needed_rights(plan: &Plan, connections: &Connections) -> Vec<Right> {
    let Some(api) = api(plan, connections) else { return Vec::new() };
    needed_by_lock(api.read(&mut |_| {}).await.ok().map(|lease| lease.is_some()))
}

/// What stands in the way of a new run on the plan's cluster, for the reader of a plan. An API that does not answer
/// is no news here.
pub(crate) async fn note(plan: &Plan, connections: &Connections) -> Option<(String, String)> {
    let lease = api(plan, connections)?.read(&mut |_| {}).await.ok()??;
    if over_here(&lease).is_some() {
        return None;
    }
    let unfinished = lease.unfinished.as_ref()?;
    let InTheWay { what, hint, .. } = match known_here(unfinished) {
        Some(HolderState::Dead) => InTheWay::cut_off(unfinished),
        Some(HolderState::Stopped(unfinished)) => InTheWay::in_order(&unfinished),
        Some(HolderState::Alive) => InTheWay::in_order(unfinished),
        None if unfinished.state == Progress::Paused => InTheWay::in_order(unfinished),
        None => InTheWay::unknown(unfinished),
    };
    Some((what, hint))
}

/// Stops a run that would be refused the lock before anybody reads its plan.
pub(crate) async fn look_first(
    plan: &Plan,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let Some(api) = api(plan, connections) else { return Ok(()) };
    if let Ok(Some(lease)) = api.read(&mut |_| {}).await
        && over_here(&lease).is_some()
    {
        return Ok(());
    }
    let looked = Lock::look(&api, known_here, &mut |text| tell.say(text)).await;
    looked.map_err(|refusal| lock_error(&LockError::Refused(refusal)))
}

/// Takes the lock of the plan's cluster, or tells why it cannot be had; nothing where there is none to take.
pub(crate) async fn take(
    begin: &Begin<'_>,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<Option<Rc<Lock>>, AppError> {
    let (plan, journal) = (begin.plan, place(begin.record));
    let Some(way) = api(plan, connections) else { return Ok(None) };
    let run = begin.run.to_owned();
    let request = if begin.goes_on_since.is_some() {
        LockRequest::GoOn { run: run.clone(), journal: journal.clone(), machine: machine() }
    } else {
        let seen = way.read(&mut |text| tell.say(text)).await.map_err(|error| lock_error(&error.into()))?;
        LockRequest::Begin {
            over: begin.given_up.map(str::to_owned).or_else(|| seen.as_ref().and_then(over_here)),
        }
    };
    let unfinished = Unfinished {
        run,
        plan: begin.digest.to_owned(),
        state: Progress::Running,
        since: rfc3339(begin.goes_on_since.unwrap_or_else(now)),
        by: who(),
        journal,
        machine: machine(),
        stopped_by: String::new(),
        left: String::new(),
    };
    let claim = Claim {
        request,
        holder: holder(),
        ttl: plan.policy.lock_ttl.unwrap_or(USUAL_TTL),
        unfinished: Some(unfinished),
        saved_plan: begin.is_saved,
        patience: begin.patience,
        knows: known_here,
    };
    let clock = Clock::starting_at(now());
    let lock = Lock::take(way, &claim, clock, &mut |text| tell.say(text)).await;
    lock.map(|lock| Some(Rc::new(lock))).map_err(|error| lock_error(&error))
}

/// Writes down how the run ended. While the API is silent it is asked again, as long as any call of the plan is.
pub(crate) async fn leave(lock: &Lock, leave: &Leave, plan: &Plan, tell: &dyn Tell) {
    let retry_for = plan.kube.as_ref().map_or(Duration::ZERO, |kube| kube.retry_for);
    let end = Instant::now() + retry_for.to_std();
    let mut told = false;
    let error = loop {
        match lock.leave(leave.clone()).await {
            Ok(()) => return,
            // One that starts answers for good within a minute, or refuses.
            Err(error @ (LeaseError::Silent(_) | LeaseError::Starting(_)))
                if Instant::now() < end || matches!(error, LeaseError::Starting(_)) =>
            {
                if !std::mem::replace(&mut told, true) {
                    tell.say(&format!("waiting, to release the lock of the cluster: {error}"));
                }
                sleep(std::time::Duration::from_secs(2)).await;
            }
            Err(error) => break error,
        }
    };
    tell.say(&format!("warning: the lock of the cluster was not released: {error}"));
    if matches!(leave, Leave::Over | Leave::NeverBegan) {
        tell.hint("the next run from here takes it; from elsewhere: rollbook lock release");
    }
}

/// Takes a run off the plan's cluster for good, where there is a lock: it can never go on. The Lease names that run and no
/// other until it does so, and whoever is stopped half-way can try again. `dead`: nobody writes the run's record, which is
/// this one.
pub(crate) async fn give_up(
    plan: &Plan,
    (run, dead): (&str, bool),
    why: &str,
    connections: &Connections,
    tell: &dyn Tell,
) -> Result<(), AppError> {
    let Some(way) = api(plan, connections) else { return Ok(()) };
    let claim = Claim {
        request: LockRequest::Clear { run: Some(run.to_owned()), dead },
        holder: holder(),
        ttl: plan.policy.lock_ttl.unwrap_or(USUAL_TTL),
        unfinished: None,
        saved_plan: false,
        patience: Duration::ZERO,
        knows: known_here,
    };
    let clock = Clock::starting_at(now());
    let lock = Lock::take(way, &claim, clock, &mut |text| tell.say(text)).await;
    let lock = lock.map_err(|error| lock_error(&error))?;
    let cleared = lock.clear(&[run.to_owned()], why).await;
    cleared.map_err(|error| lock_error(&error.into()))
}

/// Refuses a new run beside one of the same state directory that has not ended and shares hosts with it.
pub(crate) fn refuse_beside(
    plan: &Plan,
    state_dir: &Utf8Path,
    given: Option<&Utf8PathBuf>,
) -> Result<(), AppError> {
    for record in runs(state_dir).map_err(anyhow::Error::from)?.into_iter().rev() {
        // One that cannot be read is for `runs show` to explain.
        let Ok(recorded) = record.read() else { continue };
        let is_over = !recorded.history.state.can_resume() || record.superseded().is_some();
        if is_over || record.is_rehearsal() {
            continue;
        }
        let is_shared = |host: &&PlannedHost| {
            recorded.plan.hosts.iter().any(|other| other.name == host.name && other.address == host.address)
        };
        let shared: Vec<String> =
            plan.hosts.iter().filter(is_shared).map(|host| host.name.to_string()).collect();
        if shared.is_empty() {
            continue;
        }
        let id = record.id();
        let (state, code) = beside(&record, &recorded);
        let shared = some_of(&shared);
        let called = Found::new(record.clone(), given).called;
        let cluster = if plan.policy.lock_cluster { " -i INVENTORY" } else { "" };
        let place = given.map(|path| format!(" --state-dir {path}")).unwrap_or_default();
        let hint = format!(
            "its record is {}\n  either go on with it: rollbook resume {called}\n  \
             or put back what it left: rollbook runs undo {called}\n  \
             or give it up: rollbook lock release{cluster}{place} --supersede {id} --reason TEXT",
            record.path(),
        );
        let message = format!("run {id} has not ended, and works on the same hosts: {shared}; {state}");
        return Err(AppError::new(code, message).hint(hint));
    }
    Ok(())
}

/// How a run stands whose record lies beside, and what that means for another one.
fn beside(record: &RunDir, recorded: &Recorded) -> (String, ExitKind) {
    let Recorded { plan, history, .. } = recorded;
    if record.goes_on() {
        return ("it goes on at this moment".to_owned(), ExitKind::Locked);
    }
    if !history.state.finished() {
        let state = "it was cut off: its controller is dead, and hosts may be half-changed";
        return (state.to_owned(), ExitKind::CutOff);
    }
    match ended(plan, history) {
        (by, left) if left.is_empty() => {
            let state = format!("stopped by: {by}; it left no host out of service or half-changed");
            (state, ExitKind::Locked)
        }
        (by, left) => {
            (format!("stopped by: {by}; left out of service or half-changed: {left}"), ExitKind::CutOff)
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
