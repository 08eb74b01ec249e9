//! One conversation with a host: a command line is started, a script is said, marks and output are heard. Knows what a
//! channel is, not how it is made.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use super::frame::{FramePiece, Splitter};
use super::wire::{Privilege, Wire};
use super::words::on_one_line;
use super::{ConnectError, SessionError, Stream};

/// How much of what nobody asked for is kept to explain a failure.
const NOISE_LIMIT: usize = 4096;

/// How long a finished command may take to go away, and a host to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// Goes at a command line that the host does not start now, each a little later.
const OPENS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(20);

/// A way to start command lines on one host.
#[async_trait(?Send)]
pub(crate) trait Link {
    /// Starts one that reads `text`.
    async fn open(&self, wire: Wire, text: &str) -> Result<Channel, SessionError>;

    /// Whether the host still answers; the error says why not.
    async fn check(&self) -> Result<(), String>;

    /// Connects again, after the host was away.
    async fn reconnect(&self) -> Result<(), ConnectError>;
}

/// A running command line.
pub(crate) struct Channel {
    /// Says what it did not read yet. A host that stops reading says why on its output, or the link is lost: either is
    /// noticed there.
    pub(crate) say: Pin<Box<dyn Future<Output = ()>>>,
    /// Its standard output.
    pub(crate) stdout: Box<dyn AsyncRead + Unpin>,
    /// Its standard error.
    pub(crate) stderr: Box<dyn AsyncRead + Unpin>,
    /// How it ends: an exit code, or why there is none. To be waited for when its output has ended.
    pub(crate) end: Pin<Box<dyn Future<Output = Result<i32, NoCode>>>>,
}

/// Why a command line has no exit code.
pub(crate) enum NoCode {
    /// The host did not start it now.
    Refused(String),
    /// It was cut off.
    CutOff(String),
}

/// What is heard between the first mark and the last.
pub(crate) enum WireEvent<'a> {
    /// Output.
    Output(Stream, &'a [u8]),
    /// A line of output has ended; its newline may not be output.
    LineEnd(Stream),
    /// A mark.
    Mark(Stream, &'a str),
}

/// Says `lines` on a new channel after a nonce line, and hears it to its end mark, whose words are the result.
pub(crate) async fn talk(
    link: &dyn Link,
    wire: Wire,
    lines: &str,
    hear: &mut dyn FnMut(WireEvent<'_>),
) -> Result<String, SessionError> {
    let nonce = Uuid::now_v7().simple().to_string();
    let text = [&nonce, "\n", lines].concat();
    let hear = RefCell::new(hear);
    let mut tries = 0;
    loop {
        let Channel { say, stdout, stderr, end } = link.open(wire, &text).await?;
        let ((), out, err) = tokio::join!(
            say,
            listen(stdout, Stream::Stdout, &nonce, &hear),
            listen(stderr, Stream::Stderr, &nonce, &hear),
        );
        // With both end marks everything is known; waiting only frees the session before the next one is opened.
        let ended = tokio::time::timeout(PATIENCE, end).await;
        let ended = ended.unwrap_or_else(|_| Err(NoCode::CutOff("it does not end".to_owned())));
        match (out.end, err.end, ended) {
            (Some(words), Some(_), _) => return Ok(words),
            // A slot on the host is freed later than here, so a refusal is not an answer yet.
            (_, _, Err(NoCode::Refused(_))) if tries < OPENS => tries += 1,
            (_, _, Err(NoCode::Refused(why))) => return Err(SessionError::Lost(on_one_line(why.as_bytes()))),
            (_, _, Err(NoCode::CutOff(why))) => return Err(explain_cut(link, &why).await),
            (_, _, Ok(code)) => return Err(explain(wire.right, code, out.begun, &err.noise)),
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
}

/// What one stream gave besides output.
#[derive(Default)]
struct Listened {
    begun: bool,
    end: Option<String>,
    noise: Vec<u8>,
}

async fn listen(
    mut from: Box<dyn AsyncRead + Unpin>,
    stream: Stream,
    nonce: &str,
    hear: &RefCell<&mut dyn FnMut(WireEvent<'_>)>,
) -> Listened {
    let mut heard = Listened::default();
    let mut splitter = Splitter::new(nonce);
    let mut buffer = vec![0; 16 * 1024];
    let mut tell = |piece: FramePiece<'_>| match piece {
        FramePiece::Noise(bytes) => {
            heard.noise.extend_from_slice(bytes);
            let excess = heard.noise.len().saturating_sub(NOISE_LIMIT);
            heard.noise.drain(..excess);
        }
        FramePiece::Data(bytes) => (hear.borrow_mut())(WireEvent::Output(stream, bytes)),
        FramePiece::LineEnd => (hear.borrow_mut())(WireEvent::LineEnd(stream)),
        FramePiece::Mark("begin") => heard.begun = true,
        FramePiece::Mark(words) => match words.strip_prefix("end") {
            Some(rest) => heard.end = Some(rest.trim_start().to_owned()),
            None => (hear.borrow_mut())(WireEvent::Mark(stream, words)),
        },
    };
    // To the end of the stream, not to the end mark: what the shell says while it dies must not meet a closed pipe.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        splitter.feed(&buffer[..count], &mut tell);
    }
    splitter.finish(&mut tell);
    heard
}

/// Why a conversation without an end has no exit code either.
async fn explain_cut(link: &dyn Link, why: &str) -> SessionError {
    match tokio::time::timeout(PATIENCE, link.check()).await {
        Ok(Ok(())) => SessionError::Lost(format!("the session ended early: {why}")),
        Ok(Err(gone)) => SessionError::Lost(gone),
        Err(_) => SessionError::Lost("the host does not answer".to_owned()),
    }
}

/// Why a conversation that ended with an exit code has no end.
fn explain(right: Privilege, code: i32, begun: bool, noise: &[u8]) -> SessionError {
    let said = on_one_line(noise);
    if begun {
        SessionError::Lost("the session's shell was ended".to_owned())
    } else if right != Privilege::Login && !said.is_empty() {
        SessionError::Privilege(format!("{said} (exit code {code})"))
    } else if said.is_empty() {
        SessionError::Protocol(format!("nothing, and exit code {code}; is the login shell a shell?"))
    } else {
        SessionError::Launcher(format!("{said} (exit code {code})"))
    }
}
