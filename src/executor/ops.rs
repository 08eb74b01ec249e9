//! Sends one op through the launcher and brings its end back, across lost links and dead controllers: an op is never
//! sent twice under two names, and its own record on the host is the only result.

use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::{Instant, sleep};

use super::context::Shared;
use super::lock::Barred;
use super::look::{await_kube_session, controller_name, pool_failure, session_failure};
use super::output::{Listener, OpOutput};
use super::pool::Pool;
use super::secrets::Secrets;
use super::sent::digest as sent_digest;
use crate::engine::{Failure, OpRun, SentOp};
use crate::inventory::HostName;
use crate::journal::OUTPUT_DIR;
use crate::op::{Op, OpKind, SYMBOL_CLOSE, SYMBOL_OPEN, Site, secret_symbol};
use crate::plan::{HostId, TaskId};
use crate::transport::{Attached, Launch, LaunchId, OpResult, Session, SessionError};
use crate::value::Duration;

/// How sending an op went.
pub(super) enum OpEnd<E> {
    /// Its record says how it ended; the last line of its output for people.
    Ended(OpResult, String),
    /// It was not started.
    NotStarted(Failure),
    /// It was not started, because the lock of the cluster is not at hand.
    Barred(Barred),
    /// It was not started, because it may not be any more.
    HeldBack(E),
    /// It was sent, and nobody knows.
    Unknown(String),
}

impl<E> OpEnd<Option<E>> {
    /// The same with a reason; `None` where it was held back without one.
    pub(super) fn with_reason(self) -> Option<OpEnd<E>> {
        Some(match self {
            Self::Ended(result, last_line) => OpEnd::Ended(result, last_line),
            Self::NotStarted(failure) => OpEnd::NotStarted(failure),
            Self::Barred(why) => OpEnd::Barred(why),
            Self::HeldBack(why) => OpEnd::HeldBack(why?),
            Self::Unknown(reason) => OpEnd::Unknown(reason),
        })
    }
}

/// One sending of one op of a task.
#[derive(Clone, Copy)]
pub(super) struct OpId<'a> {
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    pub(super) pass: u32,
    pub(super) index: u16,
    pub(super) op: &'a Op,
}

impl OpId<'_> {
    /// Its name: one directory on the host where it runs.
    fn id(self, shared: &Shared) -> LaunchId {
        launch_id(&shared.run, self.sent())
    }

    fn sent(self) -> SentOp {
        let Self { task, attempt, pass, index, .. } = self;
        SentOp { task, attempt, pass, op: index }
    }

    /// Whether a secret is sent with it, so that what it says may hold one.
    pub(super) fn is_given_a_secret(self) -> bool {
        self.op.is_given_a_secret()
    }

    /// The digest of what its launcher receives, with the names of secrets in the place of their values.
    pub(super) fn digest(self, shared: &Shared) -> String {
        let host = self.task.host;
        let stdin = Secrets::none().resolve(&self.op.stdin, |symbol| match symbol.strip_prefix("secret:") {
            Some(name) => secret_symbol(name),
            None => public_value(shared, host, symbol),
        });
        sent_digest(&Op { stdin, ..public_parts(shared, host, self.op) })
    }

    /// The file of its output, in the run's directory; empty where nothing is kept.
    pub(super) fn file(self, shared: &Shared) -> String {
        match &shared.output {
            Some(_) => format!("{OUTPUT_DIR}/{}", self.file_name(shared, &self.id(shared))),
            None => String::new(),
        }
    }

    fn file_name(self, shared: &Shared, id: &LaunchId) -> String {
        format!("{}.{}.log", shared.name(self.task.host), id.op)
    }

    /// Takes its output. Read again from its beginning, the output takes the place of what was there.
    fn output(self, shared: &Shared, id: &LaunchId) -> OpOutput {
        let name = self.file_name(shared, id);
        let listener =
            shared.listener.clone().map(|event_sender| Listener::new(event_sender, self.task.host));
        let output = OpOutput::new(shared.output.as_ref(), &shared.redactor, &name, listener);
        // The host keeps it no longer.
        if self.is_given_a_secret() { output.durable() } else { output }
    }
}

/// The name of an op of a run.
pub(super) fn launch_id(run: &str, sent: SentOp) -> LaunchId {
    let SentOp { task: TaskId { phase, host, index }, attempt, pass, op } = sent;
    LaunchId { run: run.to_owned(), op: format!("{phase}-{}-{index}-{attempt}-{pass}-{op}", host.0) }
}

/// Where an op runs, with a connection to it.
pub(super) struct LaunchSite<'s> {
    pool: &'s Pool,
    name: HostName,
    session: Rc<dyn Session>,
    /// Where kubectl runs, on a host of the plan.
    pub(super) kube_host: Option<HostId>,
}

/// Chooses where a new op runs.
pub(super) async fn place(shared: &Shared, host: HostId, site: Site) -> Result<LaunchSite<'_>, Failure> {
    if site == Site::Kube {
        let (kube_host, name, session) = await_kube_session(shared, host).await?;
        return Ok(LaunchSite { pool: shared.kube_pool(), name, session, kube_host });
    }
    let (pool, name) = match site {
        Site::Controller => (&*shared.controller, controller_name()),
        _ => (&*shared.pool, shared.name(host).clone()),
    };
    let reached = shared.reach(pool, &name, Duration::ZERO).await;
    let session = reached.map_err(|error| pool_failure(&error))?;
    Ok(LaunchSite { pool, name, session, kube_host: None })
}

/// Sends an op and follows it to its end. Where that takes several tries, `may_begin` is asked before each.
pub(super) async fn send<E>(
    shared: &Shared,
    place: LaunchSite<'_>,
    sending: OpId<'_>,
    may_begin: impl AsyncFn() -> Result<(), E>,
) -> OpEnd<E> {
    let op = resolved(shared, sending.task.host, sending.op);
    let id = sending.id(shared);
    let mut output = sending.output(shared, &id);
    let launch = Launch { id, op: &op, over: &shared.over };
    let rule = place.pool.reconnects(&place.name);
    let mut unasked = 0;
    loop {
        return match place.session.launch(&launch, &mut output).await {
            Ok(result) => OpEnd::Ended(shared.redactor.op_result(result), output.finish()),
            Err(SessionError::Lost(reason)) => {
                place.pool.forget(&place.name, &place.session).await;
                let lost = LostOp { pool: place.pool, name: &place.name, sending, launch: &launch };
                settle(shared, lost, &reason, may_begin).await
            }
            // Nobody was asked, so nothing runs: again, when this machine may have what it takes, and still has the lock.
            Err(SessionError::Here(_)) if unasked < rule.attempts => {
                unasked += 1;
                sleep(rule.pause(unasked).to_std()).await;
                if let Err(why) = may_begin().await {
                    return OpEnd::HeldBack(why);
                }
                match shared.may_send().await {
                    Ok(()) => continue,
                    Err(why) => OpEnd::Barred(why),
                }
            }
            // Words that cannot be read prove nothing of the op.
            Err(error @ SessionError::Protocol(_)) => OpEnd::Unknown(format!("{}: {error}", place.name)),
            // The launcher said no before the op began, or was not asked at all: nothing runs.
            Err(error) => OpEnd::NotStarted(session_failure(&place.name, &error)),
        };
    }
}

/// Takes up an op that an earlier process sent, or was about to send.
pub(super) async fn take_up<E>(
    shared: &Shared,
    sending: OpId<'_>,
    sent: &OpRun,
    may_begin: impl AsyncFn() -> Result<(), E>,
) -> OpEnd<E> {
    let op = resolved(shared, sending.task.host, sending.op);
    let launch = Launch { id: sending.id(shared), op: &op, over: &shared.over };
    let Some((pool, name)) = place_of(shared, sending, sent.on) else {
        return OpEnd::Unknown(ELSEWHERE.to_owned());
    };
    let lost = LostOp { pool, name: &name, sending, launch: &launch };
    settle(shared, lost, "the run stopped before its end was known", may_begin).await
}

/// Asks again for the result of an op whose end is in the journal, or says why its host cannot tell.
pub(super) async fn recall(shared: &Shared, sending: OpId<'_>, sent: &OpRun) -> Result<OpResult, String> {
    let (pool, name) = place_of(shared, sending, sent.on).ok_or(ELSEWHERE)?;
    let reached = shared.reach(pool, &name, Duration::ZERO).await;
    let session = reached.map_err(|error| error.to_string())?;
    let id = sending.id(shared);
    let mut output = sending.output(shared, &id);
    match session.attach(&id, sending.op.r#become, &mut output).await {
        Ok(Attached::Ended(result)) => Ok(shared.redactor.op_result(result)),
        Ok(Attached::NeverStarted) => Err(format!("{name} has no record of it any more")),
        Err(error) => Err(error.to_string()),
    }
}

/// Empties what an op said on its host, whose end is in the journal. Where that does not work now, the sweep does it.
pub(super) async fn hush(shared: &Shared, sending: OpId<'_>, on: Option<HostId>) {
    let Some((pool, name)) = place_of(shared, sending, on) else { return };
    if let Ok(session) = pool.session(&name).await
        && session.hush(&sending.id(shared), sending.op.r#become).await.is_err()
    {
        pool.forget(&name, &session).await;
    }
}

/// Why an op that ran on the controller cannot be found.
const ELSEWHERE: &str = "it ran on the machine that the run was started from, and this is another one";

/// Where an op was sent; `None` where that was a controller that this is not.
fn place_of<'s>(shared: &'s Shared, sending: OpId<'_>, on: Option<HostId>) -> Option<(&'s Pool, HostName)> {
    match (sending.op.site, on) {
        (Site::Subject, _) => Some((&*shared.pool, shared.name(sending.task.host).clone())),
        (Site::Kube, Some(host)) => Some((shared.kube_pool(), shared.name(host).clone())),
        (Site::Kube | Site::Controller, _) if shared.moved => None,
        (Site::Kube | Site::Controller, _) => Some((&*shared.controller, controller_name())),
    }
}

/// An op whose link was lost, or whose controller.
#[derive(Clone, Copy)]
struct LostOp<'a> {
    pool: &'a Pool,
    name: &'a HostName,
    sending: OpId<'a>,
    launch: &'a Launch<'a>,
}

/// The link was lost while the op was starting or running. Its directory on the host knows; the same launch sent
/// again attaches to it, and starts it only where it never began.
async fn settle<E>(
    shared: &Shared,
    LostOp { pool, name, sending, launch }: LostOp<'_>,
    reason: &str,
    may_begin: impl AsyncFn() -> Result<(), E>,
) -> OpEnd<E> {
    let mut reason = reason.to_owned();
    // A machine takes its time to come back from a reboot.
    let at_least = match launch.op.kind {
        OpKind::Reboot => launch.op.timeout,
        _ => Duration::ZERO,
    };
    let rule = pool.reconnects(name);
    let began = Instant::now();
    let mut lost = 0;
    // Minutes may have passed since it was about to be sent, or days.
    let mut is_asked = false;
    loop {
        let session = match shared.reach(pool, name, at_least).await {
            Ok(session) => session,
            Err(error) => return OpEnd::Unknown(format!("{}; {error}", reason.trim_end_matches('.'))),
        };
        let attached = Instant::now();
        let mut is_link_whole = false;
        let mut output = sending.output(shared, &launch.id);
        match session.attach(&launch.id, launch.op.r#become, &mut output).await {
            Ok(Attached::Ended(result)) => {
                return OpEnd::Ended(shared.redactor.op_result(result), output.finish());
            }
            Ok(Attached::NeverStarted) if !is_asked => match may_begin().await {
                Ok(()) => {
                    is_asked = true;
                    continue;
                }
                Err(why) => return OpEnd::HeldBack(why),
            },
            Ok(Attached::NeverStarted) if !shared.may_send_now() => match shared.may_send().await {
                Ok(()) => continue,
                Err(why) => return OpEnd::Barred(why),
            },
            Ok(Attached::NeverStarted) => match session.launch(launch, &mut output).await {
                Ok(result) => return OpEnd::Ended(shared.redactor.op_result(result), output.finish()),
                Err(SessionError::Lost(error)) => reason = error,
                // What was sent before may begin yet, so only its host can say that it has not.
                Err(error @ SessionError::Here(_)) => {
                    is_link_whole = true;
                    reason = error.to_string();
                }
                // Words that cannot be read prove nothing of the op.
                Err(error @ SessionError::Protocol(_)) => return OpEnd::Unknown(format!("{name}: {error}")),
                Err(error) => return OpEnd::NotStarted(session_failure(name, &error)),
            },
            Err(error @ (SessionError::NotBegun(_) | SessionError::Busy(_))) => {
                return OpEnd::NotStarted(session_failure(name, &error));
            }
            Err(error) => {
                is_link_whole = matches!(error, SessionError::Here(_));
                reason = error.to_string();
            }
        }
        if !is_link_whole {
            pool.forget(name, &session).await;
        }
        is_asked = false;
        // A link that held for a while was mended: what comes now is another outage.
        lost = if attached.elapsed() > rule.max_delay.to_std() { 1 } else { lost + 1 };
        if lost > rule.attempts && began.elapsed() >= at_least.to_std() {
            return OpEnd::Unknown(reason);
        }
        sleep(rule.pause(lost).to_std()).await;
    }
}

/// The op with its symbols resolved. Secrets go into stdin only; loading refused them anywhere else.
fn resolved(shared: &Shared, host: HostId, op: &Op) -> Op {
    let stdin = shared.secrets.resolve(&op.stdin, |symbol| public_value(shared, host, symbol));
    Op { stdin, ..public_parts(shared, host, op) }
}

/// All of it but stdin.
fn public_parts(shared: &Shared, host: HostId, op: &Op) -> Op {
    let text = |text: &String| shared.public_text(host, text);
    let kind = match &op.kind {
        OpKind::Exec { argv } => OpKind::Exec { argv: argv.iter().map(text).collect() },
        OpKind::Write { path, mode, owner } => {
            OpKind::Write { path: text(path), mode: mode.clone(), owner: owner.clone() }
        }
        OpKind::Reboot => OpKind::Reboot,
    };
    let env: BTreeMap<String, String> =
        op.env.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    Op { kind, env, ..op.clone() }
}

/// What a symbol of stdin that is no secret stands for.
fn public_value(shared: &Shared, host: HostId, symbol: &str) -> String {
    shared.public_text(host, &format!("{SYMBOL_OPEN}{symbol}{SYMBOL_CLOSE}"))
}
