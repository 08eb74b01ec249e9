//! What a process was started from, and whether any of it changed since. Pure.
//!
//! Everything must come from one round trip, so nothing may depend on the answer to something else: unit files are
//! looked for in the places that systemd.unit(5) fixes, not where `FragmentPath` points, and binaries that were replaced
//! are found through `/proc/PID/exe`, which the kernel marks as deleted, not through `ExecStart`.

use jiff::Timestamp;

use super::units::{UnitState, short_name};
use crate::op::{ProbeOutput, Query};
use crate::step::build::{argv, change, query_of, unreadable};
use crate::step::{AssessError, Change};

/// Where system units lie, as systemd.unit(5) says; `/lib` is a place of its own where /usr is not merged (Debian 11).
pub(super) const UNIT_PATH: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Configuration of daemons that Rollbook knows, read when they start. A directory stands for its files.
const KNOWN: [(&str, &[&str]); 4] = [
    (
        "kubelet.service",
        // kubeadm writes the first two (kubeadm documentation, "Configuring each kubelet in your cluster"); the others
        // are the environment files of its drop-in for deb and rpm.
        &[
            "/var/lib/kubelet/config.yaml",
            "/var/lib/kubelet/kubeadm-flags.env",
            "/etc/default/kubelet",
            "/etc/sysconfig/kubelet",
        ],
    ),
    ("containerd.service", &["/etc/containerd/config.toml"]),
    ("crio.service", &["/etc/crio/crio.conf", "/etc/crio/crio.conf.d"]),
    ("docker.service", &["/etc/docker/daemon.json"]),
];

/// The two queries: change times of files, and processes whose binary is gone.
pub(super) fn queries(units: &[&str], newer_than: &[String]) -> [Query; 2] {
    // -H: a unit that is a link counts with the time of its file. A directory counts itself (a drop-in was removed) and
    // its files (one was written).
    let mut files = argv(&["find", "-H"]);
    for unit in units {
        files.extend(paths_of(unit));
    }
    files.extend(newer_than.iter().cloned());
    files.extend(argv(&["-maxdepth", "1", "-printf", "%C@ %p\\n"]));
    // A program that was copied into memory never had a file (runc does this), so it was not replaced either.
    let replaced = argv(&[
        "find",
        "/proc",
        "-maxdepth",
        "2",
        "-name",
        "exe",
        "-lname",
        "/* (deleted)",
        "!",
        "-lname",
        "/memfd:*",
        "!",
        "-lname",
        "/memfd:*",
        "-printf",
        "%h\\n",
    ]);
    [query_of(files), query_of(replaced)]
}

/// Everything that a process of this unit was started from, apart from its binary.
fn paths_of(unit: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in UNIT_PATH {
        paths.push(format!("{folder}/{unit}"));
        paths.push(format!("{folder}/{unit}.d"));
        // Drop-ins of a template hold for all its instances.
        if let Some((template, instance)) = unit.split_once('@')
            && let Some((_, suffix)) = instance.rsplit_once('.')
        {
            paths.push(format!("{folder}/{template}@.{suffix}"));
            paths.push(format!("{folder}/{template}@.{suffix}.d"));
        }
    }
    paths.extend(configuration(unit).map(str::to_owned));
    paths
}

/// The configuration that a unit is known to read when it starts.
pub(super) fn configuration(unit: &str) -> impl Iterator<Item = &'static str> {
    KNOWN.iter().filter(move |(name, _)| *name == unit).flat_map(|(_, files)| *files).copied()
}

/// What [`queries`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources {
    files: Vec<(Timestamp, String)>,
    /// Processes whose binary was replaced or removed.
    replaced: Vec<u32>,
}

/// Reads the answers to [`queries`]. Both commands fail by habit: most places do not exist, kernel threads have no
/// binary, processes end meanwhile. What counts is what they found.
pub(super) fn parse(files: &ProbeOutput, replaced: &ProbeOutput) -> Result<Sources, AssessError> {
    for answer in [files, replaced] {
        if answer.rc > 1 {
            return Err(unreadable("find", "a list of files", answer));
        }
    }
    let file = |line: &str| {
        let (time, path) = line.split_once(' ')?;
        Some((parse_epoch(time)?, path.to_owned()))
    };
    let lines = files.stdout.lines();
    let files = lines.map(|line| file(line).ok_or_else(|| unreadable("find", "a time and a path", files)));
    let pid = |line: &str| line.strip_prefix("/proc/")?.parse().ok();
    Ok(Sources {
        files: files.collect::<Result<_, _>>()?,
        replaced: replaced.stdout.lines().filter_map(pid).collect(),
    })
}

/// `1795181181.0123456780`, seconds since the epoch with a fraction of any length.
fn parse_epoch(text: &str) -> Option<Timestamp> {
    let (secs, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Timestamp::new(secs.parse().ok()?, nanos.parse().ok()?).ok()
}

impl Sources {
    /// Why the process of a unit is older than something it was started from.
    pub(super) fn difference(&self, unit: &UnitState, newer_than: &[String]) -> Option<Change> {
        let name = short_name(&unit.name);
        if unit.active != "active" {
            return super::units::difference("start", unit);
        }
        if unit.main_pid != 0 && self.replaced.contains(&unit.main_pid) {
            return Some(change(name, "runs a binary that was replaced", "restarted"));
        }
        let Some(started) = unit.started else {
            return Some(change(name, "started at an unknown time", "restarted"));
        };
        let own = paths_of(&unit.name);
        let concerns = |path: &str| own.iter().chain(newer_than).any(|source| is_at_or_in(path, source));
        let newest = self.files.iter().filter(|(time, path)| *time > started && concerns(path)).max()?;
        Some(change(name, format!("started before {} changed", newest.1), "restarted"))
    }
}

fn is_at_or_in(path: &str, source: &str) -> bool {
    path.strip_prefix(source).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
