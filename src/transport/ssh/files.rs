//! Files of this machine that a connection names: ssh goes on without one that is not there, and blames something else.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::inventory::{Connection, HostKeyPolicy, TransportKind};

/// The key that names the user's configuration.
pub(super) const SSH_CONFIG: &str = "ssh_config";
/// The key that names a private key.
pub(super) const IDENTITY_FILE: &str = "identity_file";
/// The key that names the known hosts.
pub(super) const KNOWN_HOSTS: &str = "known_hosts";

/// What is wrong with the files that a connection names, each with its key in the inventory.
pub(crate) fn missing(connection: &Connection) -> Vec<(&'static str, String)> {
    let Connection { ssh_config, identity_file, known_hosts, host_key, transport, .. } = connection;
    if *transport != TransportKind::Ssh {
        return Vec::new();
    }
    // A file that keys are to be added to may begin to exist with the first.
    let known_hosts = known_hosts.as_ref().filter(|_| *host_key == HostKeyPolicy::Strict);
    let named = [
        (SSH_CONFIG, ssh_config.as_ref()),
        (IDENTITY_FILE, identity_file.as_ref()),
        (KNOWN_HOSTS, known_hosts),
    ];
    let wrong = |(key, path): (&'static str, Option<&camino::Utf8PathBuf>)| {
        let path = path?;
        // The private half may be an agent's.
        let is_agents = key == IDENTITY_FILE && unreadable(&format!("{path}.pub")).is_none();
        let why = unreadable(path.as_str()).filter(|_| !is_agents)?;
        Some((key, format!("`{key}` names {path}, which {why}")))
    };
    named.into_iter().filter_map(wrong).collect()
}

/// Why this user cannot read a file; `None` where they can, and where ssh makes another name of the path.
fn unreadable(path: &str) -> Option<String> {
    // ssh's own tokens, variables and patterns.
    if path.contains(['%', '$', '*', '?', '[']) {
        return None;
    }
    let place = match path.strip_prefix("~/") {
        Some(rest) => Path::new(&std::env::var_os("HOME")?).join(rest),
        None if path.starts_with('~') => return None,
        None => PathBuf::from(path),
    };
    match File::open(&place) {
        Ok(file) => file.metadata().is_ok_and(|found| found.is_dir()).then(|| "is a directory".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("does not exist".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_that_is_not_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| camino::Utf8Path::from_path(place.path()).unwrap().join(name);
        std::fs::write(path("there"), "").unwrap();
        std::fs::write(path("agent.pub"), "").unwrap();
        let told = |connection: &Connection| -> Vec<String> {
            missing(connection)
                .into_iter()
                .map(|(_, words)| words.replace(place.path().to_str().unwrap(), "@"))
                .collect()
        };
        let usual = Connection::default();
        assert_eq!(told(&usual), [""; 0]);
        let all = |name: &str| Connection {
            ssh_config: Some(path(name)),
            identity_file: Some(path(name)),
            known_hosts: Some(path(name)),
            ..Connection::default()
        };
        assert_eq!(told(&all("there")), [""; 0]);
        let three = ["ssh_config", "identity_file", "known_hosts"];
        assert_eq!(told(&all("no")), three.map(|key| format!("`{key}` names @/no, which does not exist")));
        assert_eq!(told(&all(".")), three.map(|key| format!("`{key}` names @/., which is a directory")));
        let added = Connection { host_key: HostKeyPolicy::AcceptNew, ..all("no") };
        assert_eq!(told(&added).len(), 2, "the first key makes the file");
        assert_eq!(told(&Connection { transport: TransportKind::Local, ..all("no") }), [""; 0]);
        for elsewhere in ["%d/key", "~root/key", "agent"] {
            let path = if elsewhere == "agent" { path(elsewhere) } else { elsewhere.into() };
            assert_eq!(
                told(&Connection { identity_file: Some(path), ..usual.clone() }),
                [""; 0],
                "{elsewhere}"
            );
        }
    }
}
