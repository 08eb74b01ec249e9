//! A session with a host over any [`Link`]: probes and launches in terms of conversations. The protocol lives in
//! `script/`; nothing here knows whether there is a network.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::clip::Clip;
use super::script::{self, RecordDir, ScriptError};
use super::talk::{Link, WireEvent, talk};
use super::wire::{Privilege, Talk, Wire};
use super::{Attached, Launch, LaunchId, OpResult, OutputSink, Session, SessionError, Stream};
use crate::inventory::Become;
use crate::op::{Exit, OpKind, Probe, ProbeOutput};

/// Between two looks at a host that restarts.
const REBOOT_PAUSE: Duration = Duration::from_secs(1);

/// A host over a link.
pub(crate) struct HostSession<L> {
    link: L,
    method: Become,
    remote_dir: Option<String>,
    /// Instead of the kernel's own file, in tests.
    boot_id: Option<String>,
}

/// What an op's end mark says.
enum OpEndMark {
    Exit(Exit),
    Never,
    Busy(String),
    Over,
    Rebooting,
}

impl<L: Link> HostSession<L> {
    /// A host that is reached over `link`.
    pub(crate) fn new(link: L, method: Become, remote_dir: Option<String>) -> Self {
        Self { link, method, remote_dir, boot_id: None }
    }

    fn place(&self, root: bool) -> RecordDir<'_> {
        let mut place = RecordDir::new(self.remote_dir.as_deref(), root);
        if let Some(path) = &self.boot_id {
            place.boot_id = path;
        }
        place
    }

    fn wire(&self, root: bool, talk: Talk) -> Wire {
        Wire { right: Privilege::needed(root, self.method), talk }
    }

    /// Follows an op through one conversation.
    async fn follow(
        &self,
        root: bool,
        script: &str,
        output: &mut dyn OutputSink,
    ) -> Result<(OpEndMark, OpResult), SessionError> {
        let (mut out, mut err) = (Clip::for_output(), Clip::for_output());
        let mut hear = |heard: WireEvent<'_>| match heard {
            WireEvent::Output(stream, bytes) => {
                output.write(stream, bytes);
                match stream {
                    Stream::Stdout => out.push(bytes),
                    Stream::Stderr => err.push(bytes),
                }
            }
            WireEvent::LineEnd(stream) => output.line_ended(stream),
            WireEvent::Mark(..) => {}
        };
        let words = talk(&self.link, self.wire(root, Talk::Script), script, &mut hear).await?;
        let end = read_end(&words)?;
        let exit = if let OpEndMark::Exit(exit) = end { exit } else { Exit::Interrupted };
        Ok((end, OpResult { exit, stdout: out.into_text(), stderr: err.into_text() }))
    }

    /// Waits until a host that was asked to restart is back with another boot id.
    async fn await_reboot(&self, launch: &Launch<'_>) -> Result<OpResult, SessionError> {
        let script = script::attach(&launch.id, &self.place(launch.op.r#become))?;
        let result = |exit| OpResult { exit, stdout: String::new(), stderr: String::new() };
        let deadline = Instant::now() + Duration::from_millis(launch.op.timeout.as_millis());
        while Instant::now() < deadline {
            tokio::time::sleep(REBOOT_PAUSE).await;
            // Whatever a host in the middle of a restart answers is no result: no route, no login yet, a full disk.
            if self.link.check().await.is_err() && self.link.reconnect().await.is_err() {
                continue;
            }
            match self.follow(launch.op.r#become, &script, &mut Ignore).await {
                Ok((OpEndMark::Exit(exit), _)) => return Ok(result(exit)),
                Ok((OpEndMark::Never, _)) => return Err(never()),
                Ok((OpEndMark::Busy(run), _)) => return Err(busy(&run)),
                Ok((OpEndMark::Over, _)) => return Err(over()),
                Ok((OpEndMark::Rebooting, _)) | Err(_) => {}
            }
        }
        Ok(result(Exit::TimedOut))
    }
}

#[async_trait(?Send)]
impl<L: Link> Session for HostSession<L> {
    async fn probe(&self, probe: &Probe) -> Result<Vec<ProbeOutput>, SessionError> {
        let script = format!("{}\n{}", script::whole_seconds(probe.timeout), script::probe(probe)?);
        let mut answers = PendingAnswers::new();
        let words = talk(&self.link, self.wire(probe.r#become, Talk::Probe), &script, &mut |heard| {
            answers.hear(&heard);
        })
        .await?;
        answers.complete(probe.queries.len(), &words)
    }

    async fn launch(
        &self,
        launch: &Launch<'_>,
        output: &mut dyn OutputSink,
    ) -> Result<OpResult, SessionError> {
        let root = launch.op.r#become;
        let script = script::launch(launch, &self.place(root))?;
        let reboots = launch.op.kind == OpKind::Reboot;
        match self.follow(root, &script, output).await {
            Ok((OpEndMark::Exit(_), result)) => Ok(result),
            Ok((OpEndMark::Never, _)) => Err(never()),
            Ok((OpEndMark::Busy(run), _)) => Err(busy(&run)),
            Ok((OpEndMark::Over, _)) => Err(over()),
            Ok((OpEndMark::Rebooting, _)) => self.await_reboot(launch).await,
            // The host may have gone faster than its answer. Whether it was asked at all, it will say itself.
            Err(SessionError::Lost(_)) if reboots => self.await_reboot(launch).await,
            Err(error) => Err(error),
        }
    }

    async fn attach(
        &self,
        id: &LaunchId,
        r#become: bool,
        output: &mut dyn OutputSink,
    ) -> Result<Attached, SessionError> {
        let script = script::attach(id, &self.place(r#become))?;
        loop {
            match self.follow(r#become, &script, output).await? {
                (OpEndMark::Exit(_), result) => return Ok(Attached::Ended(result)),
                (OpEndMark::Never, _) => return Ok(Attached::NeverStarted),
                (OpEndMark::Busy(run), _) => return Err(busy(&run)),
                (OpEndMark::Over, _) => return Err(over()),
                (OpEndMark::Rebooting, _) => tokio::time::sleep(REBOOT_PAUSE).await,
            }
        }
    }

    async fn stop(&self, id: &LaunchId, r#become: bool) -> Result<(), SessionError> {
        let script = script::stop(id, &self.place(r#become))?;
        let words = talk(&self.link, self.wire(r#become, Talk::Script), &script, &mut |_| {}).await?;
        expect(&words, "stopped")
    }

    async fn hush(&self, id: &LaunchId, r#become: bool) -> Result<(), SessionError> {
        let script = script::hush(id, &self.place(r#become))?;
        let words = talk(&self.link, self.wire(r#become, Talk::Script), &script, &mut |_| {}).await?;
        expect(&words, "hushed")
    }

    async fn prune(&self, runs: &[&str], r#become: bool) -> Result<(), SessionError> {
        let script = script::prune(runs, &self.place(r#become))?;
        let words = talk(&self.link, self.wire(r#become, Talk::Script), &script, &mut |_| {}).await?;
        expect(&words, "pruned")
    }
}

struct Ignore;

impl OutputSink for Ignore {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

fn never() -> SessionError {
    SessionError::NotBegun("the op was stopped before it started".to_owned())
}

fn busy(run: &str) -> SessionError {
    SessionError::Busy(run.to_owned())
}

fn over() -> SessionError {
    SessionError::NotBegun("this run was given up, and another one works on this host".to_owned())
}

fn expect(words: &str, wanted: &str) -> Result<(), SessionError> {
    match words.strip_prefix("fail ") {
        _ if words == wanted => Ok(()),
        Some(why) => Err(SessionError::Launcher(why.to_owned())),
        None => Err(SessionError::Protocol(format!("`{words}` where `{wanted}` was expected"))),
    }
}

fn read_end(words: &str) -> Result<OpEndMark, SessionError> {
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    let number =
        || rest.parse::<i32>().map_err(|_| SessionError::Protocol(format!("`{words}` as the end of an op")));
    Ok(match word {
        "code" => OpEndMark::Exit(Exit::Code(number()?)),
        "signal" => OpEndMark::Exit(Exit::Signal(number()?)),
        "timeout" => OpEndMark::Exit(Exit::TimedOut),
        "interrupted" => OpEndMark::Exit(Exit::Interrupted),
        "never" => OpEndMark::Never,
        "busy" => OpEndMark::Busy(rest.to_owned()),
        "over" => OpEndMark::Over,
        "rebooting" => OpEndMark::Rebooting,
        "fail" => return Err(SessionError::Launcher(rest.to_owned())),
        _ => return Err(SessionError::Protocol(format!("`{words}` as the end of an op"))),
    })
}

impl From<ScriptError> for SessionError {
    fn from(error: ScriptError) -> Self {
        Self::Launcher(error.to_string())
    }
}

/// The answers of a probe while they come: on each stream they are in order, the streams are not in step.
struct PendingAnswers {
    out: Vec<Clip>,
    err: Vec<Clip>,
    codes: Vec<i32>,
    now_out: Clip,
    now_err: Clip,
}

impl PendingAnswers {
    fn new() -> Self {
        let (now_out, now_err) = (Clip::for_answer(), Clip::for_answer());
        Self { out: Vec::new(), err: Vec::new(), codes: Vec::new(), now_out, now_err }
    }

    fn hear(&mut self, heard: &WireEvent<'_>) {
        match heard {
            WireEvent::Output(Stream::Stdout, bytes) => self.now_out.push(bytes),
            WireEvent::Output(Stream::Stderr, bytes) => self.now_err.push(bytes),
            WireEvent::LineEnd(_) => {}
            WireEvent::Mark(Stream::Stdout, words) => {
                let code = words.strip_prefix("q ").and_then(|code| code.parse().ok());
                self.codes.push(code.unwrap_or(-1));
                self.out.push(std::mem::replace(&mut self.now_out, Clip::for_answer()));
            }
            WireEvent::Mark(Stream::Stderr, _) => {
                self.err.push(std::mem::replace(&mut self.now_err, Clip::for_answer()));
            }
        }
    }

    /// One answer per query; `words` is how the time limit's guard ended.
    fn complete(mut self, wanted: usize, words: &str) -> Result<Vec<ProbeOutput>, SessionError> {
        let timed_out = matches!(words, "124" | "137") && self.codes.len() < wanted;
        if timed_out {
            // The one that was cut off keeps what it had said; the later ones were never asked.
            self.out.push(std::mem::replace(&mut self.now_out, Clip::for_answer()));
            self.err.resize_with(self.codes.len(), Clip::for_answer);
            self.err.push(std::mem::replace(&mut self.now_err, Clip::for_answer()));
            self.codes.resize(wanted, 124);
            self.out.resize_with(wanted, Clip::for_answer);
            self.err.resize_with(wanted, Clip::for_answer);
        }
        if words == "127" && self.codes.is_empty() {
            return Err(SessionError::Launcher(
                "there is no `timeout` on this host; install coreutils".to_owned(),
            ));
        }
        if self.codes.len() != wanted || self.err.len() != wanted {
            let given = self.codes.len();
            return Err(SessionError::Protocol(format!("{given} answers to {wanted} questions ({words})")));
        }
        let streams = self.out.into_iter().zip(self.err);
        let answer = |(rc, (out, err)): (i32, (Clip, Clip))| ProbeOutput {
            rc,
            stdout: out.into_text(),
            stderr: err.into_text(),
        };
        Ok(self.codes.into_iter().zip(streams).map(answer).collect())
    }
}

#[cfg(test)]
mod tests;
