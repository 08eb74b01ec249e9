//! Transports: how a host is reached. They know ops and probes, never steps, plans or events.

pub(crate) mod clip;
mod frame;
mod host;
mod local;
mod script;

mod ssh;
mod talk;
mod wire;
mod words;

use std::rc::Rc;

use async_trait::async_trait;

pub(crate) use clip::{End, is_note as is_clip_note};
pub use local::LocalTransport;
pub use ssh::SshTransport;
pub(crate) use ssh::missing_files;

use crate::inventory::{Become, Connection, HostName};
use crate::op::{Exit, Op, Probe, ProbeOutput};

/// Bytes of output per stream that an op keeps in the controller's memory.
pub const OUTPUT_LIMIT: usize = 64 * 1024;

/// Bytes per stream of an answer to a query. What is beyond is cut out, and then cannot be parsed: an error, never a
/// shorter cluster.
pub const ANSWER_LIMIT: usize = 16 << 20;

/// Makes sessions. One per run; single-threaded, as the whole executor is.
#[async_trait(?Send)]
pub trait Transport {
    /// Connects to a host. Cheap to call again after a session was lost.
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError>;

    /// Ends every connection and removes what was left on the controller. Sessions are useless afterwards.
    async fn close(&self);
}

/// A host as transports see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub host: HostName,
    /// What is connected to.
    pub address: String,
    /// How.
    pub connection: Connection,
    /// How root is reached.
    pub r#become: Become,
}

/// A connection to a host. Several probes and ops may run on it at the same time.
#[async_trait(?Send)]
pub trait Session {
    /// Runs the queries of a probe, one after the other, in one round trip. One answer per query, in order.
    async fn probe(&self, probe: &Probe) -> Result<Vec<ProbeOutput>, SessionError>;

    /// Starts an op under the launcher and follows it to its end, in one round trip when nothing breaks. Sending the
    /// same launch again never runs the op twice: it attaches to the first one.
    async fn launch(
        &self,
        launch: &Launch<'_>,
        output: &mut dyn OutputSink,
    ) -> Result<OpResult, SessionError>;

    /// Follows an op that was started before, also by another process, from the beginning of its output.
    async fn attach(
        &self,
        id: &LaunchId,
        r#become: bool,
        output: &mut dyn OutputSink,
    ) -> Result<Attached, SessionError>;

    /// Ends the whole process tree of an op that was started before.
    async fn stop(&self, id: &LaunchId, r#become: bool) -> Result<(), SessionError>;

    /// Empties the output of an op that has ended, on its host; its result stays. A transport whose hosts keep no records
    /// has nothing to do.
    async fn hush(&self, id: &LaunchId, r#become: bool) -> Result<(), SessionError> {
        let _ = (id, r#become);
        Ok(())
    }

    /// Removes the host's records of these runs, but of none that goes on. They must be over: an op whose record is gone
    /// looks like one that never began. A transport whose hosts keep no records has nothing to do.
    async fn prune(&self, runs: &[&str], r#become: bool) -> Result<(), SessionError> {
        let _ = (runs, r#become);
        Ok(())
    }
}

/// Names one attempt at one op of a run; also the name of its directory on the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaunchId {
    /// The run's id: `[0-9a-z-]` only.
    pub run: String,
    /// `PHASE-TASK-ATTEMPT-OP`, such as `2-7-1-0`: digits and hyphens only.
    pub op: String,
}

/// An op to start; its symbols are resolved.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Its name.
    pub id: LaunchId,
    /// What to run.
    pub op: &'a Op,
    /// Runs that were given up: from this launch on, the host refuses whatever they send.
    pub over: &'a [String],
}

/// Where output goes while it comes.
pub trait OutputSink {
    /// A piece of output: raw bytes, cut anywhere.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// The line that the stream is in has ended. Whether its newline is the stream's own is known when more comes, or
    /// when the stream ends.
    fn line_ended(&mut self, _stream: Stream) {}
}

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Its place in an array of both.
    pub(crate) fn index(self) -> usize {
        usize::from(self == Self::Stderr)
    }
}

/// How an op ended, by the launcher's own record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpResult {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output, at most [`OUTPUT_LIMIT`] bytes, lossily decoded.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
}

/// What [`Session::attach`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// It ended, before or meanwhile.
    Ended(OpResult),
    /// It was never started on this host.
    NeverStarted,
}

/// A host could not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No route, refused, timed out.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host.
        host: HostName,
        /// ssh's own words, escaped.
        reason: String,
    },
    /// This machine has not what a connection takes, such as file descriptors. Nothing is known of the host.
    #[error("this machine cannot connect to {host}: {reason}")]
    Here {
        /// The host.
        host: HostName,
        /// What it lacks, escaped.
        reason: String,
    },
    /// A file of this machine that the inventory names for its connection cannot be read.
    #[error("cannot connect to {host}: {reason}")]
    File {
        /// The host.
        host: HostName,
        /// The key of the inventory, the file, and why.
        reason: String,
    },
    /// Its key is unknown or has changed.
    #[error("the host key of {host} is not trusted: {reason}")]
    HostKey {
        /// The host.
        host: HostName,
        /// ssh's own words, escaped.
        reason: String,
    },
    /// No key of ours was accepted.
    #[error("{host} does not let us in: {reason}")]
    Authentication {
        /// The host.
        host: HostName,
        /// ssh's own words, escaped.
        reason: String,
    },
}

/// Something went wrong on a connected host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The link was lost. What was started goes on.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// This machine has not what a conversation takes, such as file descriptors. The host was asked nothing, and the link is
    /// as it was.
    #[error("this machine cannot ask: {0}")]
    Here(String),
    /// `sudo -n` does not give root.
    #[error("cannot become root: {0}")]
    Privilege(String),
    /// By the host's own record the op never ran, and never will: it was stopped before, or its run was given up.
    #[error("it did not begin: {0}")]
    NotBegun(String),
    /// It never ran: an op of another run goes on there.
    #[error("it did not begin: run `{0}` is working on this host; wait for it, or stop it, and resume")]
    Busy(String),
    /// The launcher could not do its own part: no space, no /bin/sh.
    #[error("the launcher failed: {0}")]
    Launcher(String),
    /// The answer was not in the launcher's format.
    #[error("the host answered something else: {0}")]
    Protocol(String),
}
