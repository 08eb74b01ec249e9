//! Rollbook as an operator calls it: the built binary, in a home of its own, with a limit on its time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::lab::{Lab, Stage};

/// How long any run may take; a run that hangs fails the case.
const LIMIT: Duration = Duration::from_mins(25);

/// What a run did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    name: String,
}

/// A run that is under way.
pub(crate) struct Running {
    child: Child,
    /// Where its output and its record are.
    pub(crate) dir: PathBuf,
    name: String,
    stage: Stage,
    began: Instant,
}

/// What is rolled, and over which hosts.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) runbook: PathBuf,
    pub(crate) inventory: PathBuf,
    /// Arguments that this runbook always needs.
    pub(crate) always: &'static [&'static str],
}

impl Files {
    /// The upgrade as it is shipped, over the hosts of the lab.
    pub(crate) fn shipped(lab: &Lab) -> Self {
        Self {
            runbook: repository().join("runbooks").join(SHIPPED),
            inventory: lab.inventory(),
            always: OUR_MIRROR,
        }
    }

    /// The same but for these replacements in the runbook and its fragments, each of which must find something.
    pub(crate) fn but(lab: &Lab, replacements: &[(&str, &str)]) -> Self {
        let shipped = repository().join("runbooks");
        let files = [SHIPPED, "steps/tools.yaml", "steps/kubelet.yaml"];
        let mut texts = files.map(|file| fs::read_to_string(shipped.join(file)).unwrap());
        for (old, new) in replacements {
            assert!(texts.iter().any(|text| text.contains(old)), "{files:?} have no {old:?} any more");
            texts = texts.map(|text| text.replace(old, new));
        }
        let dir = lab.kept.join("runbooks");
        fs::create_dir_all(dir.join("steps")).unwrap();
        for (file, text) in files.iter().zip(texts) {
            fs::write(dir.join(file), text).unwrap();
        }
        Self { runbook: dir.join(SHIPPED), ..Self::shipped(lab) }
    }

    /// With short soaks, where a case is about something else.
    pub(crate) fn brisk(lab: &Lab) -> Self {
        Self::but(lab, BRISK)
    }

    /// The shipped runbook that patches the operating system.
    pub(crate) fn patch(lab: &Lab) -> Self {
        let runbook = repository().join("runbooks/os-patch.yaml");
        Self { runbook, inventory: lab.inventory(), always: &[] }
    }

    /// A runbook of the case's own.
    pub(crate) fn written(lab: &Lab, name: &str, text: &str) -> Self {
        let runbook = lab.kept.join(name).with_extension("yaml");
        fs::write(&runbook, text).unwrap();
        Self { runbook, inventory: lab.inventory(), always: &[] }
    }
}

const SHIPPED: &str = "kubeadm-upgrade.yaml";
const OUR_MIRROR: &[&str] = &["-p", "repo_base=http://repo:8081/core:/stable:/"];
/// What makes a roll brisk. Everything else stays as it is shipped.
pub(crate) const BRISK: &[(&str, &str)] =
    &[("soak: 1m", "soak: 5s"), ("stable_for: 30s", "stable_for: 5s"), ("stable_for: 20s", "stable_for: 5s")];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Calls `rollbook COMMAND` with these files and further arguments.
pub(crate) fn start_with(lab: &Lab, files: &Files, name: &str, command: &str, args: &[&str]) -> Running {
    let runbook = files.runbook.to_str().expect("UTF-8");
    let inventory = files.inventory.to_str().expect("UTF-8");
    let mut words = vec![command, runbook, "-i", inventory];
    words.extend_from_slice(files.always);
    words.extend_from_slice(args);
    call(lab, name, &words)
}

/// Calls `rollbook` with these arguments and nothing else. A name's second call goes on in the state directory of its
/// first.
pub(crate) fn call(lab: &Lab, name: &str, args: &[&str]) -> Running {
    let dir = lab.kept.join(name);
    fs::create_dir_all(&dir).unwrap();
    let (stdout, stderr) =
        (File::create(dir.join("stdout")).unwrap(), File::create(dir.join("stderr")).unwrap());
    let child = Command::new(env!("CARGO_BIN_EXE_rollbook"))
        .args(args)
        .current_dir(repository())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &dir)
        .env("XDG_STATE_HOME", &dir)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .expect("rollbook starts");
    Running { child, dir, name: name.to_owned(), stage: lab.stage.clone(), began: Instant::now() }
}

/// Rolls the upgrade to `target` and waits until it has ended.
pub(crate) fn run(lab: &Lab, name: &str, target: &str, args: &[&str]) -> Outcome {
    run_with(lab, &Files::shipped(lab), name, target, args)
}

/// The same with other files.
pub(crate) fn run_with(lab: &Lab, files: &Files, name: &str, target: &str, args: &[&str]) -> Outcome {
    roll(lab, files, name, target, args).wait()
}

/// Rolls the upgrade to `target`, and does not wait.
pub(crate) fn roll(lab: &Lab, files: &Files, name: &str, target: &str, args: &[&str]) -> Running {
    let target = format!("target={target}");
    let mut words = vec!["-p", target.as_str(), "--yes", "--verbose"];
    words.extend_from_slice(args);
    start_with(lab, files, name, "run", &words)
}

impl Running {
    /// Its end.
    pub(crate) fn wait(mut self) -> Outcome {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let read =
                    |file: &str| String::from_utf8(fs::read(self.dir.join(file)).unwrap()).expect("UTF-8");
                let outcome = Outcome {
                    code: status.code().unwrap_or(-1),
                    stdout: read("stdout"),
                    stderr: read("stderr"),
                    took: self.began.elapsed(),
                    name: self.name.clone(),
                };
                let (name, code, took) = (&outcome.name, outcome.code, outcome.took.as_secs());
                self.stage.says(&format!("{name}: exit {code} after {took} s"));
                let runs = fs::read_dir(self.dir.join("rollbook/runs")).into_iter().flatten().flatten();
                let unannounced: Vec<_> =
                    runs.flat_map(|run| crate::announced::unannounced_in(&run.path())).collect();
                assert!(unannounced.is_empty(), "{name}: ops that no plan announced: {unannounced:#?}");
                return outcome;
            }
            assert!(
                self.began.elapsed() < LIMIT,
                "{} still runs after {LIMIT:?}; see {}",
                self.name,
                self.dir.display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether stderr says `text` by now.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        fs::read_to_string(self.dir.join("stderr")).unwrap().contains(text)
    }

    /// Waits until stderr says `text`.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        while !self.has_said(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{} ended ({ended:?}) and never said {text:?}:\n{}",
                self.name,
                self.stderr()
            );
            assert!(self.began.elapsed() < LIMIT, "{} does not say {text:?}", self.name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends it a signal, as a terminal would.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Fails with the end of what it said when the exit code is another.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            code,
            "exit code of {}; it said:\n{}\n{}",
            self.name,
            self.stdout,
            self.last_lines(60)
        );
        self
    }

    /// Fails when none of the last lines says `text`.
    #[track_caller]
    pub(crate) fn ends_with(&self, text: &str) -> &Self {
        let last = self.last_lines(25);
        assert!(last.contains(text), "the last lines of {} do not say {text:?}:\n{last}", self.name);
        self
    }

    /// The end of what it said to people.
    pub(crate) fn last_lines(&self, count: usize) -> String {
        let lines: Vec<&str> = self.stderr.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// The commands that it names for bringing hosts back.
    pub(crate) fn commands_to_bring_back(&self) -> Vec<String> {
        let lines = self.stderr.lines().filter_map(|line| line.split_once("to bring it back: "));
        lines.map(|(_, command)| command.to_owned()).collect()
    }
}
