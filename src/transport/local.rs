//! The controller itself as a host: the same conversations with a child process instead of ssh.

use std::process::Stdio;
use std::rc::Rc;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::host::HostSession;
use super::talk::{Channel, Link, NoCode};
use super::wire::Wire;
use super::{ConnectError, Session, SessionError, Target, Transport};

/// Runs everything on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalTransport;

#[async_trait(?Send)]
impl Transport for LocalTransport {
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError> {
        let remote_dir = target.connection.remote_dir.clone();
        Ok(Rc::new(HostSession::new(LocalLink::default(), target.r#become, remote_dir)))
    }

    async fn close(&self) {}
}

/// Starts command lines here.
#[derive(Default)]
pub(crate) struct LocalLink {
    /// Instead of /bin/sh, in tests: a program and its first arguments.
    pub(crate) shell: Vec<String>,
}

#[async_trait(?Send)]
impl Link for LocalLink {
    async fn open(&self, wire: Wire, text: &str) -> Result<Channel, SessionError> {
        let [shell, words @ ..] = wire.argv();
        let (program, first) = match self.shell.split_first() {
            Some((program, first)) => (program.as_str(), first),
            None => (shell.as_str(), &[][..]),
        };
        let child = Command::new(program)
            .args(first)
            .args(words)
            // Its own process group: Ctrl-C on the controller's terminal is for the controller, which has ops to finish.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| SessionError::Launcher(format!("cannot start {program}: {error}")))?;
        Ok(channel(child, text.to_owned()))
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    async fn reconnect(&self) -> Result<(), ConnectError> {
        Ok(())
    }
}

fn channel(mut child: Child, text: String) -> Channel {
    let mut stdin = child.stdin.take().expect("invariant: stdin is piped");
    Channel {
        say: Box::pin(async move {
            let _ = stdin.write_all(text.as_bytes()).await;
        }),
        stdout: Box::new(child.stdout.take().expect("invariant: stdout is piped")),
        stderr: Box::new(child.stderr.take().expect("invariant: stderr is piped")),
        end: Box::pin(async move {
            let status = child.wait().await.map_err(|error| NoCode::CutOff(error.to_string()))?;
            status.code().ok_or_else(|| NoCode::CutOff("a signal ended the shell".to_owned()))
        }),
    }
}
