//! Hosts and groups as the rest of Rollbook sees them: every range expanded, every variable resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::source::{Node, Span, Spanned};
use crate::value::{Duration, Value};

/// A host's name in the inventory: ASCII letters, digits, `.`, `-` and `_`, beginning with a letter or digit, at most
/// 253 characters. Nothing that a shell, an ssh command line, a path or a terminal could mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Arc<str>);

impl HostName {
    /// Reads a name; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        match text.bytes().next() {
            None => Err("a host name is not empty".to_owned()),
            Some(first) if !first.is_ascii_alphanumeric() => {
                Err("a host name begins with a letter or a digit".to_owned())
            }
            _ if text.len() > 253 => Err("a host name has at most 253 characters".to_owned()),
            _ if !text.bytes().all(clean) => {
                Err("a host name holds only letters, digits, `.`, `-` and `_`".to_owned())
            }
            _ => Ok(Self(Arc::from(text))),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Sound because the derived hash and equality are those of the text.
impl std::borrow::Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// Whether a path lies where anybody may write: another user of the host could be there before us.
pub(crate) fn is_open_to_all(path: &str) -> bool {
    let below =
        |open: &&str| path.strip_prefix(*open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ["/tmp", "/var/tmp", "/dev/shm"].iter().any(below)
}

/// How a host is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// ssh, or the controller itself.
    pub transport: TransportKind,
    /// Remote user; ssh's own configuration decides where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Port; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Jump host or hosts, separated by commas, as ssh's ProxyJump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// Private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<Utf8PathBuf>,
    /// Configuration read instead of ~/.ssh/config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_config: Option<Utf8PathBuf>,
    /// Known-hosts file read instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<Utf8PathBuf>,
    /// What to do with a host whose key is not known.
    pub host_key: HostKeyPolicy,
    /// For connecting.
    pub connect_timeout: Duration,
    /// How a connection that was lost is made again.
    #[serde(default, skip_serializing_if = "Reconnect::is_usual")]
    pub reconnect: Reconnect,
    /// Where the launcher keeps its records on the host; `/var/lib/rollbook` with become, else below the user's home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_dir: Option<String>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            transport: TransportKind::Ssh,
            user: None,
            port: None,
            jump: None,
            identity_file: None,
            ssh_config: None,
            known_hosts: None,
            host_key: HostKeyPolicy::Strict,
            connect_timeout: Duration::from_secs(10),
            reconnect: Reconnect::default(),
            remote_dir: None,
        }
    }
}

/// How a connection that a run has lost is made again: at once, then with pauses that double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// So many in a row may fail before the host counts as unreachable; 1 at least.
    pub attempts: u32,
    /// The longest pause between two of them.
    pub max_delay: Duration,
}

impl Default for Reconnect {
    /// Some three minutes, besides what the attempts themselves take: a switch, a bastion or a small host restarts in
    /// that.
    fn default() -> Self {
        Self { attempts: 16, max_delay: Duration::from_secs(15) }
    }
}

impl Reconnect {
    /// The pause after so many attempts that failed.
    pub fn pause(&self, failed: u32) -> Duration {
        let doubled = 1_u64.checked_shl(failed.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_secs(1).saturating_mul(doubled).min(self.max_delay)
    }

    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// By what means a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// The system's ssh.
    Ssh,
    /// This machine, without ssh.
    Local,
}

/// What to do with a host whose key is not known. There is no "off".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyPolicy {
    /// Refuse.
    Strict,
    /// Remember it; refuse a changed one.
    AcceptNew,
}

/// How root is reached on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Become {
    /// `sudo -n`.
    Sudo,
    /// The connection's user is root already, or nothing of the runbook needs root.
    None,
}

/// One machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// What ssh connects to; the name unless written.
    pub address: String,
    /// Its node's name; found by machine id, or the name, unless written.
    pub node_name: Option<String>,
    /// How it is reached.
    pub connection: Connection,
    /// How root is reached on it.
    pub r#become: Become,
    /// Labels, its own and its groups'.
    pub labels: BTreeMap<String, String>,
    /// Variables, its own and its groups'.
    pub vars: IndexMap<String, Value>,
    /// Groups it is in, in the inventory's order.
    pub groups: Vec<String>,
    /// Where it was written.
    pub span: Span,
}

/// A named set of hosts.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: Spanned<String>,
    /// Its hosts, in the inventory's order: slices count in it.
    pub hosts: Vec<HostName>,
    /// The same in the order in which the group lists them; in the inventory's where it selects them.
    pub listed: Vec<HostName>,
}

/// `kube.etcd`: an etcd on hosts of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdHosts {
    /// The hosts of its members.
    pub hosts: Vec<HostName>,
    /// Certificate of the authority; empty where etcd speaks plain HTTP.
    pub cacert: String,
    /// A client's certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// Everything of an inventory file.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// `metadata.name`.
    pub name: String,
    /// By name, in written order with ranges expanded.
    pub hosts: IndexMap<HostName, Host>,
    /// By name, in written order. `all` always exists.
    pub groups: IndexMap<String, Group>,
    /// The etcd on hosts of its own, if there is one.
    pub etcd: Option<EtcdHosts>,
    /// Parameter values of this fleet, as written; the runbook knows their types.
    pub params: Vec<(Spanned<String>, Node)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_connects_double_up_to_the_longest() {
        let usual = Reconnect::default();
        let pauses: Vec<u64> = (1..usual.attempts).map(|failed| usual.pause(failed).as_secs()).collect();
        assert_eq!(pauses[..6], [1, 2, 4, 8, 15, 15]);
        assert_eq!(pauses.iter().sum::<u64>(), 180, "three minutes in all");
        let long = Reconnect { attempts: 1000, max_delay: Duration::from_secs(3600) };
        assert_eq!(long.pause(900), Duration::from_secs(3600));
    }
}
