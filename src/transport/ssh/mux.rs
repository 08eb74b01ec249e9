//! A session on a master's connection, by OpenSSH's multiplexing protocol (PROTOCOL.mux in its sources), as far as a
//! conversation needs it. Knows sockets and pipes; what travels through them is others' business.
//!
//! Every op is one such session, so what it costs here and in the master is what an op costs. All that a session needs is
//! said at once, and what the master says is read when the session is over: it wakes nobody up for news of its progress.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, connect, send, sendmsg, socket_with,
};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

/// The protocol's version, the only one there ever was in use.
const VERSION: u32 = 4;

const HELLO: u32 = 0x0000_0001;
const NEW_SESSION: u32 = 0x1000_0002;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const EXIT_MESSAGE: u32 = 0x8000_0004;
const SESSION_OPENED: u32 = 0x8000_0006;

/// No character escapes anything.
const NO_ESCAPE: u32 = u32::MAX;
/// The longest message of a master that is believed: they hold a few numbers, or a sentence.
const LONGEST: usize = 64 * 1024;

/// A session that was asked for. Whether there is one, its ending says.
pub(super) struct Asked {
    /// What was not said yet: a pipe holds 64 KiB, which a launch is seldom longer than.
    pub(super) unsaid: Unsaid,
    pub(super) stdout: Receiver,
    pub(super) stderr: Receiver,
    pub(super) ending: Ending,
}

/// The rest of standard input.
pub(super) struct Unsaid(Option<(Sender, Vec<u8>)>);

/// A master's answers about one session.
pub(super) struct Ending(UnixStream);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// With this exit code.
    Code(i32),
    /// Without one: the connection broke, or a signal ended the command.
    CutOff,
    /// It never began, in the master's words.
    Refused(String),
}

/// Asks the master behind `control` for a session that runs `line` and reads `text`. Where that fails, none has begun: a
/// master waits for the last of the three streams, and nothing here can fail after that.
pub(super) fn ask(control: &Path, line: &str, text: &[u8]) -> io::Result<Asked> {
    // Non-blocking at both ends, as the master would make its own otherwise.
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (stdin, to_stdin) = pipe_with(flags)?;
    let (from_stdout, stdout) = pipe_with(flags)?;
    let (from_stderr, stderr) = pipe_with(flags)?;
    let unsaid = say(to_stdin, text)?;
    let stdout_heard = Receiver::from_owned_fd_unchecked(from_stdout)?;
    let stderr_heard = Receiver::from_owned_fd_unchecked(from_stderr)?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    connect(&socket, &SocketAddrUnix::new(control)?)?;
    // The master reads one message at a time, and never into what follows it.
    let request = [message(&[HELLO, VERSION], &[]), new_session(line)].concat();
    if send(&socket, &request, SendFlags::NOSIGNAL)? < request.len() {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "the ssh master does not take a request"));
    }
    for stream in [&stdin, &stdout, &stderr] {
        pass(&socket, stream.as_fd())?;
    }
    Ok(Asked { unsaid, stdout: stdout_heard, stderr: stderr_heard, ending: Ending(UnixStream::from(socket)) })
}

/// Says what the pipe holds; nobody has to read yet.
fn say(to: OwnedFd, text: &[u8]) -> io::Result<Unsaid> {
    let said = match rustix::io::write(&to, text) {
        Ok(said) => said,
        Err(rustix::io::Errno::AGAIN) => 0,
        Err(error) => return Err(error.into()),
    };
    let rest = &text[said..];
    if rest.is_empty() {
        return Ok(Unsaid(None));
    }
    Ok(Unsaid(Some((Sender::from_owned_fd_unchecked(to)?, rest.to_vec()))))
}

fn pass(socket: &OwnedFd, stream: BorrowedFd<'_>) -> io::Result<()> {
    let streams = [stream];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&streams));
    sendmsg(socket, &[io::IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

impl Unsaid {
    /// Says it. A host that stops reading says why on its output, or the link is lost: either is noticed there.
    pub(super) async fn say(self) {
        if let Some((mut to, rest)) = self.0 {
            let _ = to.write_all(&rest).await;
        }
    }
}

impl Ending {
    /// Waits for it. To be asked when the streams have ended: mostly all of the answers lie there then.
    pub(super) async fn wait(mut self) -> io::Result<SessionEnd> {
        let mut answers = vec![0; 256];
        let mut heard = match self.0.read(&mut answers) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if let Some(ended) = read_answers(&answers[..heard])? {
            return Ok(ended);
        }
        let mut socket = tokio::net::UnixStream::from_std(self.0)?;
        loop {
            if heard == answers.len() {
                answers.resize(2 * heard, 0);
            }
            match socket.read(&mut answers[heard..]).await {
                // A master that was killed closes its connections, or resets them.
                Ok(0) => return Ok(SessionEnd::CutOff),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(SessionEnd::CutOff);
                }
                Ok(count) => heard += count,
                Err(error) => return Err(error),
            }
            if let Some(ended) = read_answers(&answers[..heard])? {
                return Ok(ended);
            }
        }
    }
}

/// A message: its length, its type and other numbers, then strings.
fn message(numbers: &[u32], strings: &[&str]) -> Vec<u8> {
    let mut body: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    for string in strings {
        body.extend(length(string.len()));
        body.extend(string.as_bytes());
    }
    [&length(body.len()), body.as_slice()].concat()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("invariant: a command line is constant and short").to_be_bytes()
}

fn new_session(line: &str) -> Vec<u8> {
    let request = 0;
    let reserved = 0;
    let (terminal, x11, agent, subsystem) = (0, 0, 0, 0);
    let numbers = [NEW_SESSION, request, reserved, terminal, x11, agent, subsystem, NO_ESCAPE];
    message(&numbers, &["", line])
}

/// What the answers so far come to; `None` where the end is still to come.
fn read_answers(mut answers: &[u8]) -> io::Result<Option<SessionEnd>> {
    let strange =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the ssh master answers {what}"));
    while let Some((size, rest)) = number(answers) {
        let size =
            usize::try_from(size).ok().filter(|size| *size <= LONGEST).ok_or_else(|| strange("too much"))?;
        let Some((answer, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        answers = rest;
        let (kind, answer) = number(answer).ok_or_else(|| strange("nothing"))?;
        let second = number(answer).map(|(_, rest)| rest).unwrap_or_default();
        match kind {
            HELLO if number(answer).is_some_and(|(version, _)| version != VERSION) => {
                return Err(strange("in a version of its protocol that is not known"));
            }
            HELLO | SESSION_OPENED => {}
            EXIT_MESSAGE => {
                let (code, _) = number(second).ok_or_else(|| strange("without an exit code"))?;
                return Ok(Some(SessionEnd::Code(i32::try_from(code).unwrap_or(255))));
            }
            FAILURE | PERMISSION_DENIED => {
                let reason = number(second).map(|(_, reason)| reason).unwrap_or_default();
                return Ok(Some(SessionEnd::Refused(String::from_utf8_lossy(reason).into_owned())));
            }
            other => return Err(strange(&format!("with a message of the unknown type {other:#x}"))),
        }
    }
    Ok(None)
}

/// A number, and what follows it.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Vec<u8> {
        [message(&[HELLO, VERSION], &[]), message(&[SESSION_OPENED, 0, 3], &[])].concat()
    }

    #[test]
    fn a_session_ends_as_its_master_says_however_its_words_are_cut() {
        let refusal = "Session open refused by peer";
        for (last, expected) in [
            (message(&[EXIT_MESSAGE, 3, 0], &[]), SessionEnd::Code(0)),
            (message(&[EXIT_MESSAGE, 3, 255], &[]), SessionEnd::Code(255)),
            (message(&[FAILURE, 0], &[refusal]), SessionEnd::Refused(refusal.to_owned())),
            (message(&[PERMISSION_DENIED, 0], &["no"]), SessionEnd::Refused("no".to_owned())),
        ] {
            let answers = [opened(), last].concat();
            for cut in 0..answers.len() {
                assert_eq!(read_answers(&answers[..cut]).unwrap(), None, "{cut} of {answers:?}");
            }
            assert_eq!(read_answers(&answers).unwrap(), Some(expected));
        }
    }

    #[test]
    fn what_no_master_says_is_an_error() {
        for answer in [
            message(&[HELLO, 5], &[]),
            message(&[0x8000_00ff], &[]),
            message(&[], &[]),
            message(&[EXIT_MESSAGE, 3], &[]),
            vec![0xff; 8],
        ] {
            assert!(read_answers(&answer).is_err(), "{answer:?}");
        }
    }

    #[test]
    fn a_request_is_what_the_protocol_says() {
        let request = new_session("ls");
        let strings = [&[0, 0, 0, 0][..], &[0, 0, 0, 2], b"ls"].concat();
        let numbers = [&[0x10, 0, 0, 2][..], &[0; 24], &[0xff; 4]].concat();
        assert_eq!(request, [&[0, 0, 0, 42][..], &numbers, &strings].concat());
    }
}
