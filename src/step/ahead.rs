//! The look at packages as they will be once other package sources are in place, which changes nothing on the host:
//! what is sent, and what comes back. The host's own apt does it, in a directory of its own (`ahead/ahead.sh`). Pure.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::op::{Probe, ProbeOutput, Query};
use crate::value::Duration;

/// What a step has to do with a host's package sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcesUse {
    /// Nothing.
    Nothing,
    /// It reads the packages that they offer.
    Reads,
    /// It makes a file of theirs what is given here.
    Sets(PackageSource),
    /// It may change them in a way that nobody can foresee.
    MayChange,
}

/// A file of apt's sources as it will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSource {
    /// The file that it will be.
    pub(super) file: String,
    /// Its lines. Where a key comes with it, they name it by [`PRIVATE`] and [`KEY_NAME`].
    pub(super) lines: Vec<String>,
    /// The key that the step brings along, ASCII-armored.
    pub(super) key: Option<String>,
}

/// Stands in a line for the directory that exists only while the look lasts.
const PRIVATE: &str = "@private@/";
/// What the simulated host knows this look by; also its name in a list of processes.
const NAME: &str = "rollbook-look-ahead";
/// How long fetching the lists may take; the rest of the look reads what was fetched.
const FETCH_LIMIT: Duration = Duration::from_secs(90);
/// How long all of it may take.
pub const LIMIT: Duration = Duration::from_secs(150);

/// Without its comments: it is sent to every host.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("ahead/ahead.sh").lines().map(str::trim_start);
    lines.filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#").fold(
        String::new(),
        |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        },
    )
});

impl PackageSource {
    /// The path of the step's own key while the look lasts. One file has one key at most.
    pub(super) fn key_path(file: &str) -> String {
        format!("{PRIVATE}{}", Self::key_name(file))
    }

    /// Whether both are about one file: the later one replaces the earlier.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.file == other.file
    }

    fn key_name(file: &str) -> String {
        format!("{}.asc", file.rsplit('/').next().unwrap_or_default())
    }
}

/// The look at these probes' queries with these sources in place. `env` is that of the step that will fetch the lists.
pub fn query<'p>(
    sources: &[PackageSource],
    env: impl IntoIterator<Item = (&'p str, &'p str)>,
    probes: &[&Probe],
) -> Query {
    let mut stdin = String::new();
    for source in sources {
        if let Some(key) = &source.key {
            let lines: Vec<&str> = key.lines().collect();
            record(&mut stdin, "key", lines.len(), &PackageSource::key_name(&source.file), &lines);
        }
        let lines: Vec<&str> = source.lines.iter().map(String::as_str).collect();
        record(&mut stdin, "source", lines.len(), &source.file, &lines);
    }
    for query in probes.iter().flat_map(|probe| &probe.queries) {
        let words: Vec<&str> = query.argv.iter().map(String::as_str).collect();
        record(&mut stdin, "run", words.len(), "", &words);
    }
    let mut argv: Vec<String> = Vec::new();
    let mut assignments = env.into_iter().map(|(name, value)| format!("{name}={value}")).peekable();
    if assignments.peek().is_some() {
        argv.push("env".to_owned());
        argv.extend(assignments);
    }
    let limit = FETCH_LIMIT.as_secs().to_string();
    argv.extend(["sh", "-c", &SCRIPT, NAME, &limit].map(str::to_owned));
    Query { argv, stdin, ..Query::default() }
}

fn record(out: &mut String, what: &str, count: usize, name: &str, lines: &[&str]) {
    let _ = writeln!(out, "{}", format!("{what} {count} {name}").trim_end());
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

/// What a look gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagedLists {
    /// The lists were fetched: the answers to the probes' queries, in order.
    Answers(Vec<ProbeOutput>),
    /// The sources cannot be used from this host, in apt's own words.
    Unusable(String),
    /// It cannot be told, and why.
    Unknown(String),
}

/// Reads the answer to [`query`], whose probes have so many queries in all.
pub fn read(answer: &ProbeOutput, queries: usize) -> StagedLists {
    let mut lines = answer.stdout.lines();
    let Some(update) = next_answer(&mut lines) else {
        return StagedLists::Unknown(match answer.rc {
            127 => "the host has no apt".to_owned(),
            124 | 137 | 143 => "fetching the package lists took too long".to_owned(),
            90 => format!("no private directory can be made on the host: {}", answer.stderr.trim()),
            code => format!("the look ended with {code}: {}", answer.stderr.trim()),
        });
    };
    if update.rc == 124 || update.rc == 137 {
        return StagedLists::Unknown("fetching the package lists took too long".to_owned());
    }
    let failures = failures(&update);
    if !failures.is_empty() {
        return StagedLists::Unusable(failures.join("; "));
    }
    if !update.ok() {
        return StagedLists::Unknown(format!("apt-get update ended with {}", update.rc));
    }
    let answers: Option<Vec<ProbeOutput>> = (0..queries).map(|_| next_answer(&mut lines)).collect();
    answers.map_or_else(|| StagedLists::Unknown("the look was cut off".to_owned()), StagedLists::Answers)
}

/// One `@ CODE OUT ERR` with its lines.
fn next_answer<'l>(lines: &mut impl Iterator<Item = &'l str>) -> Option<ProbeOutput> {
    let mut words = lines.next()?.strip_prefix("@ ")?.split(' ');
    let mut number = || words.next()?.parse::<i32>().ok();
    let (rc, out, err) = (number()?, number()?, number()?);
    let mut take = |count: i32| {
        (0..count).try_fold(String::new(), |mut text, _| {
            text.push_str(lines.next()?);
            text.push('\n');
            Some(text)
        })
    };
    Some(ProbeOutput { rc, stdout: take(out)?, stderr: take(err)? })
}

/// Why the lists could not be fetched. Versions of apt before `Error-Mode` only warn, and go on without the lists.
fn failures(update: &ProbeOutput) -> Vec<String> {
    let told = |line: &&str| {
        line.starts_with("E: ")
            || ["W: Failed to fetch", "W: GPG error"].iter().any(|warning| line.starts_with(warning))
    };
    let mut found: Vec<String> = Vec::new();
    for line in update.stderr.lines().filter(told) {
        let words = line[3..].split_whitespace().collect::<Vec<_>>().join(" ");
        // It only says that there was an error, which stands before it.
        let echo = words.starts_with("Some index files failed to download");
        if !echo && !found.contains(&words) {
            found.push(words);
        }
    }
    found
}

#[cfg(test)]
mod tests;
