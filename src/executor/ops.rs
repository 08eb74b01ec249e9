//! Sends one op through the launcher and brings its end back, across lost links: an op is never sent twice under two
//! names, and its own record on the host is the only result.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::control::{RECONNECT_WITHIN, Shared};
use super::look::{controller_name, kube_session, pool_failure, session_failure};
use super::output::OpOutput;
use super::pool::Pool;
use crate::engine::Failure;
use crate::inventory::HostName;
use crate::op::{Deed, Op, Site};
use crate::plan::{HostId, TaskId};
use crate::transport::{Attached, Launch, LaunchId, OpResult, Session, SessionError};

/// How sending an op went.
pub(super) enum OpEnd {
    /// Its record says how it ended; the last line of its output for people.
    Ended(OpResult, String),
    /// It was not started.
    NotStarted(Failure),
    /// It was sent, and nobody knows.
    Unknown(String),
}

/// Names an op of a task: one directory on the host where it runs.
pub(super) fn launch_id(shared: &Shared, task: TaskId, attempt: u32, retry: u32, op: u16) -> LaunchId {
    let TaskId { phase, host, index } = task;
    let op = format!("{phase}-{}-{index}-{attempt}-{retry}-{op}", host.0);
    LaunchId { run: shared.run.clone(), op }
}

/// Sends an op and follows it to its end.
pub(super) async fn send(shared: &Shared, host: HostId, place: Place<'_>, id: LaunchId, op: &Op) -> OpEnd {
    let op = resolved(shared, host, op);
    let Place { pool, name, session } = place;
    let mut output = OpOutput::new(shared.output.as_ref(), &format!("{}.{}.log", shared.name(host), id.op));
    let launch = Launch { id, op: &op };
    match session.launch(&launch, &mut output).await {
        Ok(result) => OpEnd::Ended(result, output.finish()),
        Err(SessionError::Lost(reason)) => {
            pool.forget(&name, &session).await;
            settle(shared, pool, &name, &launch, &reason).await
        }
        // The launcher said no before the op began: nothing runs.
        Err(error) => OpEnd::NotStarted(session_failure(&name, &error)),
    }
}

/// The link was lost while the op was starting or running. Its directory on the host knows; the same launch sent
/// again attaches to it, and starts it only where it never began.
async fn settle(shared: &Shared, pool: &Pool, name: &HostName, launch: &Launch<'_>, reason: &str) -> OpEnd {
    let mut reason = reason.to_owned();
    let end = tokio::time::Instant::now() + RECONNECT_WITHIN.to_std();
    while tokio::time::Instant::now() < end {
        let session = match pool.reconnect(name, RECONNECT_WITHIN).await {
            Ok(session) => session,
            Err(error) => return OpEnd::Unknown(format!("{reason}; {error}")),
        };
        // The output is read again from its beginning: the first file would hold it twice.
        let mut output =
            OpOutput::new(shared.output.as_ref(), &format!("{name}.{}.attached.log", launch.id.op));
        match session.attach(&launch.id, launch.op.r#become, &mut output).await {
            Ok(Attached::Ended(result)) => return OpEnd::Ended(result, output.finish()),
            Ok(Attached::NeverStarted) => match session.launch(launch, &mut output).await {
                Ok(result) => return OpEnd::Ended(result, output.finish()),
                Err(error) => reason = error.to_string(),
            },
            Err(error) => reason = error.to_string(),
        }
        pool.forget(name, &session).await;
    }
    OpEnd::Unknown(reason)
}

/// Where an op runs: connected to, and the machine that it should be.
pub(super) struct Place<'s> {
    pool: &'s Pool,
    name: HostName,
    session: Rc<dyn Session>,
}

/// The place of an op. Asked for before anything is written down of the op: a host that cannot be reached, or is
/// another machine, is one to which nothing was sent.
pub(super) async fn place(shared: &Shared, host: HostId, site: Site) -> Result<Place<'_>, Failure> {
    let (pool, name) = match site {
        Site::Subject => (&*shared.pool, shared.name(host).clone()),
        Site::Controller => (&*shared.controller, controller_name()),
        Site::Kube => {
            let (_, name, session) = kube_session(shared, host).await?;
            return Ok(Place { pool: shared.kube_pool(), name, session });
        }
    };
    let session = pool.session(&name).await.map_err(|error| pool_failure(&error))?;
    Ok(Place { pool, name, session })
}

/// The op with its symbols resolved. Secrets go into stdin only; loading refused them anywhere else.
fn resolved(shared: &Shared, host: HostId, op: &Op) -> Op {
    let text = |text: &String| shared.public_text(host, text);
    let deed = match &op.deed {
        Deed::Exec { argv } => Deed::Exec { argv: argv.iter().map(text).collect() },
        Deed::Write { path, mode, owner } => {
            Deed::Write { path: text(path), mode: mode.clone(), owner: owner.clone() }
        }
        Deed::Reboot => Deed::Reboot,
    };
    let env: BTreeMap<String, String> =
        op.env.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let stdin = shared.secrets.resolve(&op.stdin, |symbol| {
        let open = crate::op::SYMBOL_OPEN;
        let close = crate::op::SYMBOL_CLOSE;
        shared.public_text(host, &format!("{open}{symbol}{close}"))
    });
    Op { deed, env, stdin, ..op.clone() }
}
