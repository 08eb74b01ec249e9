//! Ports of loopback for servers that tests start.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the kernel gives to whatever connects or asks for any port, and to services of Kubernetes.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port where nobody listens, given to one asker only: a port that the kernel chose and that was let go again may be
/// somebody else's before a server listens there.
pub(crate) fn unused_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Another process that runs tests begins elsewhere.
    let begin = std::process::id() * 97;
    for _ in 0..COUNT {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + begin.wrapping_add(given) % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("something listens on every port of loopback from {FIRST} on");
}
