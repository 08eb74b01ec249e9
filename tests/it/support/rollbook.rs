//! The binary through one builder: its own HOME, its own state directory, no colour, nobody at the keyboard.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

/// A command line of the built binary.
pub(crate) struct Rollbook {
    home: tempfile::TempDir,
    args: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    programs: Option<PathBuf>,
}

/// What it did.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Rollbook {
    pub(crate) fn new<I: IntoIterator<Item = S>, S: Into<OsString>>(args: I) -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary directory"),
            args: args.into_iter().map(Into::into).collect(),
            dir: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            env: Vec::new(),
            programs: None,
        }
    }

    /// Where it runs; the repository's root if not said.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = dir.to_path_buf();
        self
    }

    /// A variable of its environment, which is empty but for what it needs.
    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Programs that come before all others on the machine that it runs on: commands get a fixed PATH, so the directory
    /// is mounted where that begins. Root is needed.
    pub(crate) fn programs(mut self, dir: impl Into<PathBuf>) -> Self {
        self.programs = Some(dir.into());
        self
    }

    pub(crate) fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_rollbook");
        let mut command = match &self.programs {
            None => Command::new(binary),
            Some(dir) => {
                // Every program is replaced by the next, so that the child is rollbook itself.
                let script = "mount --bind \"$1\" /usr/local/sbin && shift && exec \"$@\"";
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", script, "sh"]).arg(dir).arg(binary);
                command
            }
        };
        command
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_STATE_HOME", self.home.path().join("state"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(self) -> Outcome {
        self.command().output().expect("the binary starts").into()
    }

    /// Starts it and goes on.
    pub(crate) fn start(self) -> Running {
        let child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running { child: child.expect("the binary starts"), _home: self.home }
    }
}

/// A running rollbook.
pub(crate) struct Running {
    child: Child,
    _home: tempfile::TempDir,
}

impl Running {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Lets it have no more than so many files from now on; how many that were before. Those that are open stay open.
    pub(crate) fn limit_files(&self, current: Option<u64>) -> Option<u64> {
        let pid = Some(Pid::from_child(&self.child));
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(pid, Resource::Nofile, Rlimit { current, maximum }).expect("it runs").current
    }

    /// Closes the pipes that it writes to.
    pub(crate) fn close_pipes(&mut self) {
        self.child.stdout = None;
        self.child.stderr = None;
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Outcome {
        self.child.wait_with_output().expect("it ends").into()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// Fails with everything that was printed when the exit code is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails when stderr does not say `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr does not say {text:?}:\n{}", self.stderr);
        self
    }

    /// Fails when stdout does not show `text`.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout does not show {text:?}:\n{}", self.stdout);
        self
    }
}
