//! Looks at a host before its machine is restarted: who holds a lock of apt or dpkg, and who blocks a shutdown.

use super::context::Shared;
use super::look::{ask, controller_name, look};
use super::poll::{PollEnd, PollResult, until};
use crate::engine::{Cause, Failure};
use crate::op::{Probe, Query, Site};
use crate::plan::{Action, HostId};
use crate::step::{Verify, obstacles_of, power_cycles, read_obstacles};
use crate::value::{Duration, escape};

/// Waits until nothing stands in the way of the restart that this action sends. Gives what is worth knowing of the host
/// then; nothing where the action restarts nothing.
pub(super) async fn wait(
    shared: &Shared,
    host: HostId,
    action: &Action,
    mut waits: impl FnMut(&str, Duration),
) -> Result<Option<String>, Failure> {
    if !action.lowered.ops.iter().any(power_cycles) {
        return Ok(None);
    }
    spare_the_controller(shared, host).await?;
    let Some(Verify { probe, poll }) = obstacles_of(&action.args, &action.lowered) else { return Ok(None) };
    let look_and_tell = async || {
        let look = look_once(shared, host, &probe).await;
        if let PollResult::NotYet(reason) = &look {
            waits(reason, poll.within);
        }
        look
    };
    match until(poll, look_and_tell).await {
        Ok(notes) => Ok(Some(notes).filter(|notes| !notes.is_empty())),
        Err(PollEnd::Never(failure)) => Err(failure),
        Err(PollEnd::TimedOut(reason)) => Err(Failure {
            cause: Cause::TimedOut,
            message: format!("the machine cannot be restarted: still after {}, {reason}", poll.within),
            hint: "let it end, or stop it on the host; a longer `lock_timeout` waits longer".to_owned(),
        }),
    }
}

async fn look_once(shared: &Shared, host: HostId, probe: &Probe) -> PollResult<Failure> {
    let answers = match look(shared, host, &[probe]).await {
        Ok(mut answers) => answers.pop().unwrap_or_default(),
        Err(failure) => return PollResult::Never(failure),
    };
    match read_obstacles(&answers) {
        Ok(found) if found.blocking.is_empty() => PollResult::Holds(found.notes.join("; ")),
        Ok(found) => PollResult::NotYet(found.blocking.join("; ")),
        Err(error) => PollResult::Never(Failure {
            cause: Cause::Output,
            message: escape(&error.to_string()),
            hint: "run the command on the host and look at what it prints".to_owned(),
        }),
    }
}

/// A plan was checked where it was made and where it was started; a resumed run may have moved to one of its hosts.
async fn spare_the_controller(shared: &Shared, host: HostId) -> Result<(), Failure> {
    let planned = shared.plan.host(host);
    if planned.machine_id.is_empty() || shared.plan.policy.accept_controller_reboot {
        return Ok(());
    }
    let argv = ["cat", "/etc/machine-id"].map(str::to_owned).to_vec();
    let probe = Probe {
        site: Site::Controller,
        queries: vec![Query { argv, ..Query::default() }],
        r#become: false,
        timeout: Duration::from_secs(20),
    };
    // A machine without the file, or one that is only simulated, is none of the hosts.
    let Ok(answers) = ask(&shared.controller, &controller_name(), &probe).await else { return Ok(()) };
    if answers.first().is_none_or(|answer| answer.stdout.trim() != planned.machine_id) {
        return Ok(());
    }
    Err(Failure {
        cause: Cause::Refused,
        message: format!("{} is this machine, which runs Rollbook, so it is not restarted", planned.name),
        hint: "continue the run from another machine: `rollbook resume`".to_owned(),
    })
}
