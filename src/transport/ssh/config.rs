//! The configuration file that each ssh is started with: what we insist on, then the user's own, then the system's.
//! Pure. ssh takes the first value it reads, so ours come first and everything else stays as the user wrote it.

use std::fmt::Write as _;

use crate::inventory::{Connection, HostKeyPolicy};

/// What is ours whatever the user's configuration says. `docs/design/launcher.md` lists each with its reason.
const FIXED: &str = "\
Host *
BatchMode yes
LogLevel INFO
RemoteCommand none
RequestTTY no
PermitLocalCommand no
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
EscapeChar none
ServerAliveInterval 5
ServerAliveCountMax 3
ConnectionAttempts 1
VisualHostKey no
UpdateHostKeys no
";

/// The text of the file for a connection.
pub(super) fn config(connection: &Connection) -> Result<String, String> {
    let mut text = FIXED.to_owned();
    let policy = match connection.host_key {
        HostKeyPolicy::Strict => "yes",
        HostKeyPolicy::AcceptNew => "accept-new",
    };
    let seconds = connection.connect_timeout.as_millis().div_ceil(1000).max(1);
    let _ = writeln!(text, "StrictHostKeyChecking {policy}\nConnectTimeout {seconds}");
    if let Some(path) = &connection.known_hosts {
        let _ = writeln!(text, "UserKnownHostsFile {}\nGlobalKnownHostsFile none", word(path.as_str())?);
    }
    let own = connection.ssh_config.as_ref().map_or("~/.ssh/config", |path| path.as_str());
    // ssh wants an included file to be owned like one, which the usual name of nothing is not.
    if own != "/dev/null" {
        let _ = writeln!(text, "Include {}", word(own)?);
    }
    // An included file may end inside a block of its own, but then the block ends with it.
    text.push_str("Include /etc/ssh/ssh_config\n");
    // A name with a minus takes back what was listed before, so this one comes last.
    text.push_str("Host *\nSendEnv -*\n");
    Ok(text)
}

/// A quoted argument of a configuration line; the format has no escape that all versions know.
fn word(path: &str) -> Result<String, String> {
    if path.contains(['"', '\n', '\r', '\0', '\\']) {
        return Err(format!("`{}` cannot stand in an ssh configuration", path.escape_debug()));
    }
    Ok(format!("\"{path}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_before_the_users_and_the_users_before_the_systems() {
        let text = config(&Connection::default()).unwrap();
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} in {text}"));
        let order = [
            "BatchMode yes",
            "StrictHostKeyChecking yes",
            "~/.ssh/config",
            "/etc/ssh/ssh_config",
            "SendEnv -*",
        ];
        assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{text}");
    }

    #[test]
    fn a_configuration_of_its_own_replaces_only_the_users() {
        let connection = Connection { ssh_config: Some("/srv/ssh config".into()), ..Connection::default() };
        let text = config(&connection).unwrap();
        assert!(!text.contains("~/.ssh/config"));
        assert!(
            text.contains("Include \"/srv/ssh config\"\n") && text.contains("Include /etc/ssh/ssh_config\n")
        );
    }

    #[test]
    fn a_path_cannot_become_a_directive() {
        for path in ["/a\nProxyCommand evil", "/a\" \"/b", "a\\b"] {
            let connection = Connection { known_hosts: Some(path.into()), ..Connection::default() };
            assert!(config(&connection).is_err(), "{path:?}");
        }
    }
}
