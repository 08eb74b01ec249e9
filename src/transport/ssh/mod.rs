//! Hosts over the system's own ssh: one master connection per host, one mux session per conversation. The facts about
//! OpenSSH that shape this file are in `docs/design/launcher.md`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{DirEntry, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openssh::{ControlPersist, KnownHosts, SessionBuilder};
use rustix::io::Errno;
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::host::HostSession;
use super::talk::{Channel, Link, NoCode};
use super::wire::Wire;
use super::words::on_one_line;
use super::{ConnectError, Session, SessionError, Target, Transport};
use crate::inventory::HostKeyPolicy;
use classify::{connect_error, was_dropped};
pub(crate) use files::missing as missing_files;
use mux::{Asked, SessionEnd};

mod classify;
mod config;
mod files;
mod mux;

/// sshd allows ten sessions per connection, and a slot is freed later than its command ends.
const SESSIONS: usize = 6;
/// sshd drops handshakes at random when more than ten are under way.
const HANDSHAKES: usize = 8;
/// Tries where sshd turned us away without looking.
const TRIES: u32 = 6;
/// A master without sessions goes away by itself: nobody ends it after a controller that was killed.
/// One that went away between two steps is made again, which costs a handshake.
const IDLE: NonZeroUsize = NonZeroUsize::new(60).expect("invariant: not zero");
/// The longest control directory: a socket's path holds 108 bytes, of which ssh and the crate need the rest.
const DIRECTORY_LIMIT: usize = 61;

/// Connects with ssh.
pub struct SshTransport {
    shared: Rc<SshShared>,
}

/// What all connections of a run share.
struct SshShared {
    /// Private, short, one per run; taken by `close`.
    directory: RefCell<Option<TempDir>>,
    /// Locked for as long as this process lives.
    _owned: File,
    /// Configuration files by their text.
    configs: RefCell<HashMap<String, PathBuf>>,
    /// Handshakes under way by jump host; without one, all hosts together.
    handshakes: RefCell<HashMap<String, Arc<Semaphore>>>,
    masters: RefCell<Vec<Rc<Master>>>,
}

/// One ssh master.
struct Master {
    session: openssh::Session,
    slots: Arc<Semaphore>,
}

/// A file in a control directory that its controller locks.
const OWNED: &str = "owned";
/// What the name of a control directory begins with.
const PREFIX: &str = "rollbook-";

/// A new control directory, and the lock that says that its controller lives. Those of controllers that were killed go:
/// masters of theirs end by themselves.
fn own_directory(base: &Path) -> std::io::Result<(TempDir, File)> {
    for entry in std::fs::read_dir(base)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_left(&entry) {
            // Somebody else may be doing the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
    let unnamed = directory.path().join("new");
    let owned = File::create(&unnamed)?;
    // Locked before it has its name, so that nobody takes the directory for one that was left.
    owned.try_lock()?;
    std::fs::rename(unnamed, directory.path().join(OWNED))?;
    Ok((directory, owned))
}

/// Whether a control directory is this user's and nobody's any more.
fn is_left(entry: &DirEntry) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    let is_ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == ours);
    is_ours && File::open(entry.path().join(OWNED)).is_ok_and(|owned| owned.try_lock().is_ok())
}

impl SshTransport {
    /// Keeps control sockets in a fresh private directory below `base`, such as `$XDG_RUNTIME_DIR`. Where that would be
    /// too long for a socket's path, below `/tmp`.
    pub fn new(base: &Path) -> std::io::Result<Self> {
        let (mut directory, mut owned) = own_directory(base)?;
        if directory.path().as_os_str().len() > DIRECTORY_LIMIT {
            (directory, owned) = own_directory(Path::new("/tmp"))?;
        }
        let shared = SshShared {
            directory: RefCell::new(Some(directory)),
            _owned: owned,
            configs: RefCell::default(),
            handshakes: RefCell::default(),
            masters: RefCell::default(),
        };
        Ok(Self { shared: Rc::new(shared) })
    }
}

#[async_trait(?Send)]
impl Transport for SshTransport {
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError> {
        let master = self.shared.connect(target).await?;
        let link =
            SshLink { shared: self.shared.clone(), target: target.clone(), master: RefCell::new(master) };
        Ok(Rc::new(HostSession::new(link, target.r#become, target.connection.remote_dir.clone())))
    }

    async fn close(&self) {
        for master in self.shared.masters.take() {
            // A session that is still held keeps its master until it is dropped, or idle.
            if let Ok(master) = Rc::try_unwrap(master) {
                let _ = master.session.close().await;
            }
        }
        self.shared.directory.take();
    }
}

/// The error, or the file whose absence explains it.
fn named(error: ConnectError, missing: &[(&'static str, String)]) -> ConnectError {
    let (key, host) = match &error {
        ConnectError::Authentication { host, .. } => (files::IDENTITY_FILE, host),
        ConnectError::HostKey { host, .. } => (files::KNOWN_HOSTS, host),
        _ => return error,
    };
    let found = missing.iter().find(|(named, _)| *named == key);
    found.map_or_else(
        || error.clone(),
        |(_, reason)| ConnectError::File { host: host.clone(), reason: reason.clone() },
    )
}

impl SshShared {
    /// Makes a master, trying again where sshd dropped the handshake.
    async fn connect(&self, target: &Target) -> Result<Rc<Master>, ConnectError> {
        let host = &target.host;
        let unreachable = |reason: String| ConnectError::Unreachable { host: host.clone(), reason };
        let missing = missing_files(&target.connection);
        // Without it, ssh would go somewhere else, or there as somebody else.
        if let Some((_, reason)) = missing.iter().find(|(key, _)| *key == files::SSH_CONFIG) {
            return Err(ConnectError::File { host: host.clone(), reason: reason.clone() });
        }
        let (builder, address) = self.builder(target).map_err(unreachable)?;
        let handshakes = self.handshakes(target);
        let mut tries = 0;
        loop {
            let permit = handshakes.acquire().await.expect("invariant: the semaphore is never closed");
            // ConnectTimeout does not bound a jump host's part, nor a host that is frozen after its banner.
            let limit = Duration::from_millis(target.connection.connect_timeout.as_millis()) * 2
                + Duration::from_secs(5);
            let made = tokio::time::timeout(limit, builder.connect_mux(&address)).await;
            drop(permit);
            let said = match made {
                Ok(Ok(session)) => {
                    let master = Rc::new(Master { session, slots: Arc::new(Semaphore::new(SESSIONS)) });
                    self.masters.borrow_mut().push(master.clone());
                    return Ok(master);
                }
                Ok(Err(error)) => words(&error),
                Err(_) => return Err(unreachable("connecting takes too long".to_owned())),
            };
            tries += 1;
            if tries == TRIES || !was_dropped(&said) {
                return Err(named(connect_error(host, &said), &missing));
            }
            tokio::time::sleep(Duration::from_millis(150) * 2_u32.pow(tries)).await;
        }
    }

    fn handshakes(&self, target: &Target) -> Arc<Semaphore> {
        let jump = target.connection.jump.clone().unwrap_or_default();
        let mut all = self.handshakes.borrow_mut();
        all.entry(jump).or_insert_with(|| Arc::new(Semaphore::new(HANDSHAKES))).clone()
    }

    fn builder(&self, target: &Target) -> Result<(SessionBuilder, String), String> {
        let connection = &target.connection;
        if target.address.is_empty() || target.address.starts_with('-') {
            return Err(format!("`{}` is not an address", target.address.escape_debug()));
        }
        let directory = self.directory.borrow();
        let directory = directory.as_ref().ok_or("the transport is closed")?.path();
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(match connection.host_key {
                HostKeyPolicy::Strict => KnownHosts::Strict,
                HostKeyPolicy::AcceptNew => KnownHosts::Add,
            })
            .control_directory(directory)
            .control_persist(ControlPersist::IdleFor(IDLE))
            .config_file(self.config_file(target, directory)?);
        if let Some(user) = &connection.user {
            builder.user(user.clone());
        }
        if let Some(port) = connection.port {
            builder.port(port);
        }
        if let Some(path) = &connection.identity_file {
            builder.keyfile(path);
        }
        if let Some(jump) = &connection.jump {
            builder.jump_hosts(jump.split(',').map(str::trim));
        }
        Ok((builder, target.address.clone()))
    }

    fn config_file(&self, target: &Target, directory: &Path) -> Result<PathBuf, String> {
        let text = config::config(&target.connection)?;
        let mut configs = self.configs.borrow_mut();
        if let Some(path) = configs.get(&text) {
            return Ok(path.clone());
        }
        let path = directory.join(format!("config-{}", configs.len()));
        std::fs::write(&path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        configs.insert(text, path.clone());
        Ok(path)
    }

    fn forget(&self, master: &Rc<Master>) {
        self.masters.borrow_mut().retain(|other| !Rc::ptr_eq(other, master));
    }
}

/// One host.
struct SshLink {
    shared: Rc<SshShared>,
    target: Target,
    master: RefCell<Rc<Master>>,
}

impl SshLink {
    fn master(&self) -> Rc<Master> {
        self.master.borrow().clone()
    }
}

#[async_trait(?Send)]
impl Link for SshLink {
    async fn open(&self, wire: Wire, text: &str) -> Result<Channel, SessionError> {
        let master = self.master();
        let slot =
            master.slots.clone().acquire_owned().await.expect("invariant: the semaphore is never closed");
        let asked = mux::ask(master.session.control_socket(), &wire.line(), text.as_bytes());
        let asked = asked.map_err(|error| not_asked(&error))?;
        Ok(channel(asked, master, slot))
    }

    async fn check(&self) -> Result<(), String> {
        self.master().session.check().await.map_err(|error| on_one_line(words(&error).as_bytes()))
    }

    async fn reconnect(&self) -> Result<(), ConnectError> {
        self.shared.forget(&self.master());
        let master = self.shared.connect(&self.target).await?;
        self.master.replace(master);
        Ok(())
    }
}

impl Drop for SshLink {
    fn drop(&mut self) {
        self.shared.forget(&self.master());
    }
}

/// A channel that holds its master, and its place among the sessions on it.
fn channel(asked: Asked, master: Rc<Master>, slot: OwnedSemaphorePermit) -> Channel {
    let Asked { unsaid, stdout, stderr, ending } = asked;
    Channel {
        say: Box::pin(unsaid.say()),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        end: Box::pin(async move {
            let ended = ending.wait().await;
            drop((slot, master));
            match ended {
                Ok(SessionEnd::Code(code)) => Ok(code),
                Ok(SessionEnd::Refused(why)) => Err(NoCode::Refused(why)),
                Ok(SessionEnd::CutOff) => Err(NoCode::CutOff("ssh tells no exit code".to_owned())),
                Err(error) => Err(NoCode::CutOff(error.to_string())),
            }
        }),
    }
}

/// Why a master was not asked for a session: it is gone, or this machine lacks what asking takes. Another connection would
/// take more of that.
fn not_asked(error: &std::io::Error) -> SessionError {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::TOOMANYREFS | Errno::NOMEM | Errno::NOBUFS) => {
            SessionError::Here(error.to_string())
        }
        _ => SessionError::Lost(format!("the ssh master is gone: {error}")),
    }
}

/// An error and its causes.
fn words(error: &openssh::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_no_lost_link() {
        for (error, is_here) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::TOOMANYREFS, true),
            (Errno::NOMEM, true),
            (Errno::NOBUFS, true),
            (Errno::NOENT, false),
            (Errno::CONNREFUSED, false),
            (Errno::PIPE, false),
        ] {
            let told = not_asked(&error.into());
            assert_eq!(matches!(told, SessionError::Here(_)), is_here, "{told:?}");
            assert_eq!(matches!(told, SessionError::Lost(_)), !is_here, "{told:?}");
        }
    }
}
