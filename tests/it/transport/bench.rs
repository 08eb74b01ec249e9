//! A host to try things on, and the few words in which the tests speak of it.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use rollbook::inventory::{Become, Connection, HostName, TransportKind};
use rollbook::op::{Op, Probe, ProbeOutput, Query, Site};
use rollbook::transport::{
    Launch, LaunchId, LocalTransport, OpResult, OutputSink, Session, SessionError, SshTransport, Stream,
    Target, Transport,
};
use rollbook::value::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::support::sshd::Sshd;

/// By what the host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Local,
    Ssh,
}

/// One host, as the user who runs the tests.
pub(crate) struct Bench {
    pub(crate) session: Rc<dyn Session>,
    pub(crate) transport: Rc<dyn Transport>,
    pub(crate) target: Target,
    pub(crate) sshd: Option<Sshd>,
    scratch: TempDir,
    control: TempDir,
}

impl Bench {
    pub(crate) async fn new(kind: Kind) -> Self {
        let control = tempfile::tempdir().unwrap();
        let sshd = (kind == Kind::Ssh).then(|| Sshd::start(""));
        let (transport, connection): (Rc<dyn Transport>, _) = match &sshd {
            None => (
                Rc::new(LocalTransport),
                Connection { transport: TransportKind::Local, ..Connection::default() },
            ),
            Some(sshd) => (Rc::new(SshTransport::new(control.path()).unwrap()), connection_to(sshd)),
        };
        // The launcher refuses directories below /tmp.
        let home = std::env::var_os("HOME").expect("HOME is set");
        let base = if rustix::process::geteuid().is_root() { "/var/lib".into() } else { home };
        let scratch = tempfile::Builder::new().prefix("rollbook-test-").tempdir_in(base).unwrap();
        let remote_dir = Some(scratch.path().join("root").to_str().unwrap().to_owned());
        let target = Target {
            host: HostName::parse("h1").unwrap(),
            address: "127.0.0.1".to_owned(),
            connection: Connection { remote_dir, ..connection },
            r#become: Become::None,
        };
        let session = transport.connect(&target).await.unwrap();
        Self { session, transport, target, sshd, scratch, control }
    }

    /// A path on the host.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The directory of an op's record.
    pub(crate) fn record(&self, op: &str) -> PathBuf {
        self.path("root").join("run-1").join(op)
    }

    pub(crate) async fn launch(&self, op: &Op) -> OpResult {
        self.try_launch("1", op, &mut Seen::default()).await.unwrap()
    }

    pub(crate) async fn try_launch(
        &self,
        id: &str,
        op: &Op,
        seen: &mut Seen,
    ) -> Result<OpResult, SessionError> {
        self.session.launch(&Launch { id: launch_id(id), op, over: &[] }, seen).await
    }

    pub(crate) async fn ask(&self, queries: &[&[&str]], timeout: Duration) -> Vec<ProbeOutput> {
        self.session.probe(&probe(queries, timeout)).await.unwrap()
    }

    /// Kills the ssh master of the connection, as a crash of the client would. Nothing to kill without ssh.
    pub(crate) fn kill_client(&self) {
        let Some(pid) = self.master_pid() else { return };
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    fn master_pid(&self) -> Option<rustix::process::Pid> {
        self.sshd.as_ref()?;
        let inside = |dir: &Path, prefix: &str| {
            let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).last()
        };
        let run = inside(self.control.path(), "rollbook-").unwrap();
        let socket = inside(&run, ".ssh-connection").unwrap().join("master");
        let said = std::process::Command::new("ssh")
            .arg("-S")
            .arg(socket)
            .args(["-O", "check", "x"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        let pid = text
            .split("pid=")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .unwrap_or_else(|| panic!("{text}"));
        rustix::process::Pid::from_raw(pid.parse().unwrap())
    }
}

/// How a throwaway sshd is reached.
pub(crate) fn connection_to(sshd: &Sshd) -> Connection {
    let utf8 = |name: &str| sshd.path(name).to_str().unwrap().into();
    Connection {
        port: Some(sshd.port),
        identity_file: Some(utf8("user_key")),
        known_hosts: Some(utf8("known_hosts")),
        ssh_config: Some("/dev/null".into()),
        ..Connection::default()
    }
}

/// Output as it came.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) came: Rc<Notify>,
}

impl OutputSink for Seen {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
        self.came.notify_one();
    }
}

pub(crate) fn launch_id(op: &str) -> LaunchId {
    LaunchId { run: "run-1".to_owned(), op: op.to_owned() }
}

pub(crate) fn exec(argv: &[&str]) -> Op {
    Op::exec("try", argv.iter().copied())
}

pub(crate) fn sh(script: &str) -> Op {
    exec(&["sh", "-c", script])
}

pub(crate) fn probe(queries: &[&[&str]], timeout: Duration) -> Probe {
    let query = |argv: &&[&str]| Query {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        ..Query::default()
    };
    Probe { site: Site::Subject, queries: queries.iter().map(query).collect(), r#become: false, timeout }
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}
