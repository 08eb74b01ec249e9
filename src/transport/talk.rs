//! One conversation with a host: a command line is started, a script is said, marks and output are heard. Knows what a
//! channel is, not how it is made.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use super::frame::{Piece, Splitter};
use super::wire::{Right, Wire};
use super::words::on_one_line;
use super::{ConnectError, SessionError, Stream};

/// How much of what nobody asked for is kept to explain a failure.
const NOISE_LIMIT: usize = 4096;

/// How long a finished command may take to go away, and a host to answer whether it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way to start command lines on one host.
#[async_trait(?Send)]
pub(crate) trait Link {
    /// Starts one.
    async fn open(&self, wire: Wire) -> Result<Channel, SessionError>;

    /// Whether the host still answers; the error says why not.
    async fn check(&self) -> Result<(), String>;

    /// Connects again, after the host was away.
    async fn reconnect(&self) -> Result<(), ConnectError>;
}

/// A running command line.
pub(crate) struct Channel {
    /// Its standard input.
    pub(crate) stdin: Box<dyn AsyncWrite + Unpin>,
    /// Its standard output.
    pub(crate) stdout: Box<dyn AsyncRead + Unpin>,
    /// Its standard error.
    pub(crate) stderr: Box<dyn AsyncRead + Unpin>,
    /// How it ends: an exit code, or why there is none.
    pub(crate) end: Pin<Box<dyn Future<Output = Result<i32, String>>>>,
}

/// What is heard between the first mark and the last.
pub(crate) enum Heard<'a> {
    /// Output.
    Output(Stream, &'a [u8]),
    /// A mark.
    Mark(Stream, &'a str),
}

/// Says `lines` on a new channel after a nonce line, and hears it to its end mark, whose words are the result.
pub(crate) async fn talk(
    link: &dyn Link,
    wire: Wire,
    lines: &str,
    hear: &mut dyn FnMut(Heard<'_>),
) -> Result<String, SessionError> {
    let nonce = Uuid::now_v7().simple().to_string();
    let Channel { mut stdin, stdout, stderr, end } = link.open(wire).await?;
    let hear = RefCell::new(hear);
    let text = format!("{nonce}\n{lines}");
    let say = async move {
        // A host that stops reading says why on its output, or the link is lost: either is noticed there.
        let _ = stdin.write_all(text.as_bytes()).await;
        let _ = stdin.shutdown().await;
    };
    let ((), out, err) = tokio::join!(
        say,
        listen(stdout, Stream::Stdout, &nonce, &hear),
        listen(stderr, Stream::Stderr, &nonce, &hear),
    );
    // With both end marks everything is known; waiting only frees the session before the next one is opened.
    let ended =
        tokio::time::timeout(PATIENCE, end).await.unwrap_or_else(|_| Err("it does not end".to_owned()));
    match (out.end, err.end) {
        (Some(words), Some(_)) => Ok(words),
        _ => Err(explain(link, wire.right, ended, out.begun, &err.noise).await),
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
    hear: &RefCell<&mut dyn FnMut(Heard<'_>)>,
) -> Listened {
    let mut heard = Listened::default();
    let mut splitter = Splitter::new(nonce);
    let mut buffer = vec![0; 16 * 1024];
    let mut tell = |piece: Piece<'_>| match piece {
        Piece::Noise(bytes) => {
            heard.noise.extend_from_slice(bytes);
            let excess = heard.noise.len().saturating_sub(NOISE_LIMIT);
            heard.noise.drain(..excess);
        }
        Piece::Data(bytes) => (hear.borrow_mut())(Heard::Output(stream, bytes)),
        Piece::Mark("begin") => heard.begun = true,
        Piece::Mark(words) => match words.strip_prefix("end") {
            Some(rest) => heard.end = Some(rest.trim_start().to_owned()),
            None => (hear.borrow_mut())(Heard::Mark(stream, words)),
        },
    };
    // To the end of the stream, not to the end mark: what the shell says while it dies must not meet a closed pipe.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        splitter.feed(&buffer[..count], &mut tell);
    }
    splitter.finish(&mut tell);
    heard
}

/// Why a conversation has no end.
async fn explain(
    link: &dyn Link,
    right: Right,
    ended: Result<i32, String>,
    begun: bool,
    noise: &[u8],
) -> SessionError {
    let said = on_one_line(noise);
    match ended {
        Err(why) => match tokio::time::timeout(PATIENCE, link.check()).await {
            Ok(Ok(())) => SessionError::Lost(format!("the session ended early: {why}")),
            Ok(Err(gone)) => SessionError::Lost(gone),
            Err(_) => SessionError::Lost("the host does not answer".to_owned()),
        },
        Ok(_) if begun => SessionError::Lost("the session's shell was ended".to_owned()),
        Ok(code) if right != Right::Login && !said.is_empty() => {
            SessionError::Privilege(format!("{said} (exit code {code})"))
        }
        Ok(code) if said.is_empty() => {
            SessionError::Protocol(format!("nothing, and exit code {code}; is the login shell a shell?"))
        }
        Ok(code) => SessionError::Launcher(format!("{said} (exit code {code})")),
    }
}
