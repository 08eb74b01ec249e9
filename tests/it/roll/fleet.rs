//! A few throwaway hosts with an inventory, and the log that each host keeps of what was done to it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rollbook::engine::Stamped;

use crate::support::announced::unannounced_in;
use crate::support::rollbook::Rollbook;
use crate::support::sent::untrue_in;
use crate::support::sshd::Sshd;

/// Hosts `h1`, `h2` and so on, a directory for what a test writes, and a state directory.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<Sshd>,
    pub(crate) dir: tempfile::TempDir,
    /// Where hosts keep the records of ops; the launcher refuses directories below /tmp.
    records: tempfile::TempDir,
    /// More of what the inventory says of connections.
    pub(crate) connection: String,
    /// How root is reached.
    pub(crate) r#become: &'static str,
}

/// One line of a host's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Nanoseconds since 1970.
    pub(crate) at: u128,
    pub(crate) step: String,
    pub(crate) begins: bool,
}

/// Writes down that it began, works for some seconds, and writes down that it ended.
const WORK: &str = "#!/bin/sh\n\
    # work HOST STEP SECONDS\n\
    log=$(dirname \"$0\")/log/$1\n\
    echo \"$(date +%s%N) $2 begin\" >>\"$log\"\n\
    sleep \"$3\"\n\
    echo \"$(date +%s%N) $2 end\" >>\"$log\"\n";

impl Fleet {
    /// So many hosts.
    pub(crate) fn of(count: usize) -> Self {
        // The directory is short, because control sockets of ssh lie below it.
        let dir = tempfile::Builder::new().prefix("rb-").tempdir_in("/tmp").unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let records = tempfile::Builder::new().prefix("rollbook-test-").tempdir_in("/var/lib").unwrap();
        let hosts = (0..count).map(|_| Sshd::start_machine("MaxStartups 100")).collect();
        let fleet =
            Self { hosts, dir, records, connection: ", connect_timeout: 5s".to_owned(), r#become: "none" };
        fleet.file("work", WORK);
        fleet.write_inventory();
        fleet
    }

    /// Writes the inventory again, after the hosts changed.
    pub(crate) fn write_inventory(&self) {
        let mut text = format!(
            "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: throwaway }}\n\
             connection: {{ ssh_config: /dev/null{} }}\n\
             become: {{ method: {} }}\nhosts:\n",
            self.connection, self.r#become
        );
        for (number, sshd) in (1..).zip(&self.hosts) {
            writeln!(
                text,
                "  h{number}: {{ address: 127.0.0.1, connection: {{ port: {}, identity_file: {}, known_hosts: {}, \
                 remote_dir: {} }} }}",
                sshd.port,
                sshd.path("user_key").display(),
                sshd.path("known_hosts").display(),
                self.records(number).display(),
            )
            .unwrap();
        }
        self.file("inventory.yaml", &text);
    }

    /// Where a host keeps the records of ops.
    pub(crate) fn records(&self, host: usize) -> PathBuf {
        self.records.path().join(format!("h{host}"))
    }

    /// A path below the fleet's directory, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file below the fleet's directory.
    pub(crate) fn file(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Makes a named pipe below the fleet's directory: who reads it waits for who writes it.
    pub(crate) fn fifo(&self, name: &str) {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, self.path(name), mode).unwrap();
    }

    /// Writes `up.yaml`: a runbook of one phase over all hosts. `@` stands for the fleet's directory.
    pub(crate) fn runbook(&self, top: &str, rollout: &str, steps: &str) {
        let steps = steps.trim_end().lines().fold(String::new(), |text, line| text + "      " + line + "\n");
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: up }}\n{top}\nphases:\n  - name: roll\n    \
             hosts: all\n    rollout: {{ {rollout} }}\n    steps:\n{steps}"
        );
        self.file("up.yaml", &text.replace('@', &self.path("")));
    }

    /// `rollbook VERB up.yaml -i inventory.yaml` and these arguments.
    pub(crate) fn rollbook(&self, verb: &str, more: &[&str]) -> Rollbook {
        self.rollbook_on(verb, "up.yaml", &[&["-i", "inventory.yaml"], more].concat())
    }

    /// `rollbook run up.yaml -i inventory.yaml --yes` and these arguments.
    pub(crate) fn run(&self, more: &[&str]) -> Rollbook {
        self.rollbook("run", &[&["--yes", "--state-dir", "state"], more].concat())
    }

    /// `rollbook VERB FILE` and these arguments, in the fleet's directory.
    pub(crate) fn rollbook_on(&self, verb: &str, file: &str, more: &[&str]) -> Rollbook {
        // Control sockets of ssh lie where a test finds them.
        let args = [&[verb, file], more].concat();
        Rollbook::new(args).dir(self.dir.path()).env("XDG_RUNTIME_DIR", self.dir.path())
    }

    /// What a host wrote down, in order.
    pub(crate) fn log(&self, host: usize) -> Vec<Line> {
        let text = fs::read_to_string(self.path(&format!("log/h{host}"))).unwrap_or_default();
        text.lines().filter_map(Line::parse).collect()
    }

    /// The steps that a host began and ended, such as `["a begin", "a end"]`.
    pub(crate) fn steps(&self, host: usize) -> Vec<String> {
        let show = |line: Line| format!("{} {}", line.step, if line.begins { "begin" } else { "end" });
        self.log(host).into_iter().map(show).collect()
    }

    /// From a host's first line to its last.
    pub(crate) fn span(&self, host: usize) -> (u128, u128) {
        let log = self.log(host);
        let (Some(first), Some(last)) = (log.first(), log.last()) else { panic!("h{host} wrote nothing") };
        (first.at, last.at)
    }

    /// Waits until a host has written so many lines.
    pub(crate) fn await_lines(&self, host: usize, count: usize) {
        eventually(&format!("h{host} writes {count} lines"), || self.log(host).len() >= count);
    }

    /// The directory of the only run.
    pub(crate) fn run_dir(&self) -> PathBuf {
        let runs: Vec<_> =
            fs::read_dir(self.path("state/runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [run] = runs.as_slice() else { panic!("not one run but {runs:?}") };
        run.clone()
    }

    /// The events of the only run.
    pub(crate) fn journal(&self) -> Vec<Stamped> {
        let path = Utf8PathBuf::from_path_buf(self.run_dir().join("journal.jsonl")).unwrap();
        rollbook::journal::read(&path).unwrap()
    }
}

/// Whatever a test was about: no run did what its plan had called "nothing to do", and the journal tells truly what was
/// sent.
impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let folders = |path: &std::path::Path| {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
        };
        for record in folders(self.dir.path()).iter().flat_map(|state| folders(&state.join("runs"))) {
            assert_eq!(unannounced_in(&record), [""; 0], "{}", record.display());
            assert_eq!(untrue_in(&record), [""; 0], "{}", record.display());
        }
    }
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [at, step, what] = words.as_slice() else { return None };
        Some(Self { at: at.parse().ok()?, step: (*step).to_owned(), begins: *what == "begin" })
    }
}

/// How many of the spans lie over one moment, at most.
pub(crate) fn most_at_once(spans: &[(u128, u128)]) -> usize {
    let at = |moment: u128| spans.iter().filter(|(from, to)| (*from..=*to).contains(&moment)).count();
    spans.iter().map(|(from, _)| at(*from)).max().unwrap_or(0)
}

/// Waits until something is so; fails after a minute.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
