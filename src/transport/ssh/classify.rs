//! What ssh's own words mean. Pure; the words are OpenSSH's messages, tried against 9.2.

use super::super::ConnectError;
use super::super::words::on_one_line;
use crate::inventory::HostName;

/// The cause of a connection that did not come about.
pub(super) fn connect_error(host: &HostName, said: &str) -> ConnectError {
    let host = host.clone();
    let reason =
        if said.trim().is_empty() { "ssh says nothing".to_owned() } else { on_one_line(said.as_bytes()) };
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&[
        "Host key verification failed",
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "host key is known for",
        "no matching host key type",
    ]) {
        ConnectError::HostKey { host, reason }
    } else if says(&[
        "Permission denied",
        "Too many authentication failures",
        "No supported authentication methods",
    ]) {
        ConnectError::Authentication { host, reason }
    } else if says(&LACKS) {
        ConnectError::Here { host, reason }
    } else {
        ConnectError::Unreachable { host, reason }
    }
}

/// What the system says where this machine has not what a connection takes.
const LACKS: [&str; 5] = [
    "Too many open files",
    "Too many references",
    "Cannot allocate memory",
    "No buffer space available",
    "Resource temporarily unavailable",
];

/// Whether sshd (or the jump host's) dropped the handshake before it began, as past `MaxStartups`: worth another try.
pub(super) fn was_dropped(said: &str) -> bool {
    ["kex_exchange_identification", "ssh_exchange_identification", "banner exchange", "Connection reset by"]
        .iter()
        .any(|word| said.contains(word))
        && !said.contains("timed out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_ssh_name_the_cause() {
        let host = HostName::parse("w1").unwrap();
        for (said, cause, again) in [
            ("ssh: connect to host w1 port 22: Connection refused", "Unreachable", false),
            ("connect to host w1 port 22: Connection timed out", "Unreachable", false),
            ("Could not resolve hostname w1: Name or service not known", "Unreachable", false),
            ("No ED25519 host key is known for w1 and you have requested strict checking.", "HostKey", false),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "HostKey", false),
            ("Host key verification failed.", "HostKey", false),
            ("ops@w1: Permission denied (publickey).", "Authentication", false),
            ("Received disconnect: Too many authentication failures", "Authentication", false),
            ("kex_exchange_identification: Connection closed by remote host", "Unreachable", true),
            ("kex_exchange_identification: read: Connection reset by peer", "Unreachable", true),
            ("Connection timed out during banner exchange", "Unreachable", false),
            ("the ssh master could not be started: Too many open files (os error 24)", "Here", false),
            ("socket: Too many open files in system", "Here", false),
            ("fork: Cannot allocate memory", "Here", false),
            ("", "Unreachable", false),
        ] {
            let error = connect_error(&host, said);
            assert!(format!("{error:?}").starts_with(cause), "{said}: {error:?}");
            assert_eq!(was_dropped(said), again, "{said}");
        }
    }
}
