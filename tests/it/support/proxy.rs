//! A wire between ssh and sshd that a test can hold and cut: answers wait while the requests still arrive.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Listens on a port of its own and passes on what comes, both ways.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    holds_answers: bool,
    /// Answers are held once so many more bytes were asked.
    holds_after: Option<usize>,
    refuses: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// In front of this port of this machine.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), wire: Arc::default() };
        let wire = Arc::clone(&proxy.wire);
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A refused client sees its connection closed before a greeting.
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                wire.join(&client, &server);
            }
        });
        proxy
    }

    /// From now on nothing that the host says arrives, until the wire is cut.
    pub(crate) fn hold_answers(&self) {
        self.wire.state.lock().unwrap().holds_answers = true;
    }

    /// The same, from when the next long request has arrived: what opens a session is short, a launcher is long.
    pub(crate) fn hold_answers_to_a_long_request(&self) {
        self.wire.state.lock().unwrap().holds_after = Some(6000);
    }

    /// Cuts every connection. New ones are let through, unless they are refused.
    pub(crate) fn cut(&self) {
        let mut state = self.wire.state.lock().unwrap();
        state.holds_answers = false;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.wire.changed.notify_all();
    }

    /// Whether somebody is connected.
    pub(crate) fn is_open(&self) -> bool {
        !self.wire.state.lock().unwrap().open.is_empty()
    }

    /// Whether new connections are closed at once.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.wire.state.lock().unwrap().refuses = refuses;
    }
}

impl Wire {
    fn join(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) {
        let mut state = self.state.lock().unwrap();
        if state.refuses {
            return;
        }
        let both = || (client.try_clone().unwrap(), server.try_clone().unwrap());
        let ((client, server), (to_cut, also_to_cut)) = (both(), both());
        state.open.extend([to_cut, also_to_cut]);
        let (requests, host) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let wire = Arc::clone(self);
        thread::spawn(move || wire.pass_requests(requests, host));
        let wire = Arc::clone(self);
        thread::spawn(move || wire.pass_answers(server, client));
    }

    fn pass_requests(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 12];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut state = self.state.lock().unwrap();
            if let Some(left) = &mut state.holds_after {
                *left = left.saturating_sub(count);
                if *left == 0 {
                    state.holds_after = None;
                    state.holds_answers = true;
                }
            }
            drop(state);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn pass_answers(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let state = self.state.lock().unwrap();
            drop(self.changed.wait_while(state, |state| state.holds_answers).unwrap());
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
