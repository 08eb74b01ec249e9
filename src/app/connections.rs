//! Puts the parts together: transports, pools, the clock, the state directory.

use std::path::PathBuf;
use std::rc::Rc;

use async_trait::async_trait;
use camino::Utf8PathBuf;

use crate::executor::Pool;
use crate::inventory::{Become, Connection, Host, HostName, Inventory, TransportKind};
use crate::transport::{ConnectError, LocalTransport, Session, SshTransport, Target, Transport};
use crate::value::Timestamp;

/// Connections to hosts, and the controller as a host of its own.
pub(crate) struct Connections {
    pub(crate) pool: Rc<Pool>,
    pub(crate) controller: Rc<Pool>,
}

impl Connections {
    /// Over SSH, or locally where the inventory says so.
    pub(crate) fn real(targets: Vec<Target>) -> anyhow::Result<Self> {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let ssh = SshTransport::new(&base).map_err(|error| {
            anyhow::Error::from(error).context("cannot make a directory for ssh's control sockets")
        })?;
        Ok(Self::over(Rc::new(ByKind { ssh, local: LocalTransport }), targets, Rc::new(LocalTransport)))
    }

    /// Over a transport that reaches the hosts, with this one for the controller.
    pub(crate) fn over(
        transport: Rc<dyn Transport>,
        targets: Vec<Target>,
        controller: Rc<dyn Transport>,
    ) -> Self {
        let controller = Pool::new(controller, [controller_target()]);
        Self { pool: Rc::new(Pool::new(transport, targets)), controller: Rc::new(controller) }
    }

    /// Ends every connection.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
        self.controller.close().await;
    }
}

/// Each host by the transport that its inventory entry names.
struct ByKind {
    ssh: SshTransport,
    local: LocalTransport,
}

#[async_trait(?Send)]
impl Transport for ByKind {
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError> {
        match target.connection.transport {
            TransportKind::Ssh => self.ssh.connect(target).await,
            TransportKind::Local => self.local.connect(target).await,
        }
    }

    async fn close(&self) {
        self.ssh.close().await;
        self.local.close().await;
    }
}

/// The machine that runs Rollbook, as a host.
fn controller_target() -> Target {
    Target {
        host: HostName::parse("controller").expect("invariant: a good host name"),
        address: "localhost".to_owned(),
        connection: Connection::default(),
        r#become: Become::None,
    }
}

/// Every host of an inventory as transports see it.
pub(crate) fn targets(inventory: &Inventory) -> Vec<Target> {
    inventory.hosts.values().map(target).collect()
}

fn target(host: &Host) -> Target {
    Target {
        host: host.name.clone(),
        address: host.address.clone(),
        connection: host.connection.clone(),
        r#become: host.r#become,
    }
}

/// `--state-dir`, or the place that the XDG specification gives.
pub(crate) fn state_dir(given: Option<&Utf8PathBuf>) -> anyhow::Result<Utf8PathBuf> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| value.starts_with('/'));
    if let Some(state) = variable("XDG_STATE_HOME") {
        return Ok(Utf8PathBuf::from(state).join("rollbook"));
    }
    let home = variable("HOME")
        .ok_or_else(|| anyhow::anyhow!("neither XDG_STATE_HOME nor HOME is set; use --state-dir"))?;
    Ok(Utf8PathBuf::from(home).join(".local/state/rollbook"))
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// The machine id of this machine, or nothing where it has none.
pub(crate) fn machine() -> String {
    std::fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// In a pod: the node that it runs on, by the downward API; empty elsewhere.
pub(crate) fn own_node() -> String {
    std::env::var("ROLLBOOK_NODE_NAME").unwrap_or_default()
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Who types, for others to find: `ops@bastion`.
pub(crate) fn who() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = named.filter(|name| !name.is_empty());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", hostname())
}

/// A new run's id: when it began, and enough to tell two of one second apart.
pub(crate) fn run_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let random = uuid::Uuid::now_v7().as_u128();
    format!("{now}-{:04x}", random & 0xffff)
}

/// One thread: the executor's workers share state without locks.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
