//! Package lists: `apt-get update`, and what `apt-cache` reads from them.

use std::fmt::Write as _;

use super::super::command::Invocation;
use super::super::host::SimulatedMachine;
use super::super::process::{Output, ProcessStep};
use super::super::releases;
use super::super::sources::{self, SuiteSource};
use super::super::world::World;
use super::{AptCall, TAKES_VALUE, not_played, preferences, settings};

/// Fetches the lists of all sources.
pub(super) fn update(world: &mut World, call: AptCall, out: &mut Output) -> ProcessStep {
    let host = &mut world.hosts[call.host];
    if let Some(holder) = lists_lock_holder(host, world.now) {
        // DPkg::Lock::Timeout does not cover this lock: apt fails at once (measured).
        out.complain(format!("E: Could not get lock /var/lib/apt/lists/lock. It is held by {holder}"));
        out.complain("E: Unable to lock directory /var/lib/apt/lists/");
        return ProcessStep::Exit(100);
    }
    let time = host.random.secs(3, 8);
    ProcessStep::after(time, move |world, out| {
        let now = world.now;
        let host = &mut world.hosts[call.host];
        let sources = sources::read(&host.files, call.sources.as_deref());
        if host.active_faults.mirror_dead {
            return dead_mirror(&sources, call.strict_update, out);
        }
        let unknown = |source: &&SuiteSource| source.minor.is_some_and(|minor| !releases::has_minor(minor));
        for (index, source) in sources.iter().enumerate() {
            out.line(format!("Get:{} {} {} [1186 B]", index + 1, source.uri, source.suite));
        }
        if let Some(source) = sources.iter().find(unknown) {
            out.complain(format!(
                "E: The repository '{}  Release' does not have a Release file.",
                source.uri
            ));
            return ProcessStep::Exit(100);
        }
        out.line("Reading package lists...");
        host.packages.fetched(call.lists, sources);
        if let Some(stamp) = &call.stamp {
            host.files.put(stamp, String::new(), "644", now);
        }
        ProcessStep::Exit(0)
    })
}

/// `apt-get indextargets --format … 'Created-By: Packages'`: suites whose lists are there, one line each.
pub(super) fn index_targets(world: &World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let host = &world.hosts[command.host];
    let format = command.option("--format").unwrap_or("$(REPO_URI) $(RELEASE)");
    for source in sources::read(&host.files, None) {
        if host.packages.has_lists_of("", &source) {
            let release = if source.suite == "/" { "" } else { source.suite.as_str() };
            out.line(format.replace("$(REPO_URI)", &source.uri).replace("$(RELEASE)", release));
        }
    }
    ProcessStep::Exit(0)
}

fn lists_lock_holder(host: &SimulatedMachine, now: i64) -> Option<String> {
    let lock = host.lists_lock.as_ref()?;
    (lock.until > now).then(|| lock.holder.clone())
}

/// With a mirror that does not answer apt goes on with the old lists and exits 0, unless told otherwise (measured).
fn dead_mirror(sources: &[SuiteSource], strict: bool, out: &mut Output) -> ProcessStep {
    let level = if strict { "E" } else { "W" };
    for (index, source) in sources.iter().enumerate() {
        let url = format!("{}InRelease", source.uri);
        out.line(format!("Err:{} {url}", index + 1));
        out.complain(format!(
            "{level}: Failed to fetch {url}  Could not connect to mirror: Connection timed out"
        ));
    }
    if strict {
        out.complain(
            "E: Some index files failed to download. They have been ignored, or old ones used instead.",
        );
        return ProcessStep::Exit(100);
    }
    out.complain("W: Some index files failed to download. They have been ignored, or old ones used instead.");
    ProcessStep::Exit(0)
}

/// As `GET_NOT_PLAYED`.
const CACHE_NOT_PLAYED: [&str; 13] = [
    "depends",
    "dotty",
    "dump",
    "dumpavail",
    "gencaches",
    "pkgnames",
    "rdepends",
    "search",
    "show",
    "showpkg",
    "showsrc",
    "stats",
    "unmet",
];

/// `apt-cache madison|policy PACKAGE…`.
pub(in super::super) fn cache(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let operands = command.operands(&TAKES_VALUE);
    let Some((verb, names)) = operands.split_first() else { return ProcessStep::Exit(0) };
    let directory = settings(command).find_map(|(key, value)| (key == "dir::state::lists").then_some(value));
    let lists = directory.unwrap_or_default();
    if !["madison", "policy"].contains(verb) {
        return not_played(world, command, verb, &CACHE_NOT_PLAYED, out);
    }
    let host = &world.hosts[command.host];
    for name in names {
        match *verb {
            "madison" => madison(host, name, lists, out),
            "policy" => policy(host, name, lists, out),
            _ => {}
        }
    }
    ProcessStep::Exit(0)
}

fn madison(host: &SimulatedMachine, name: &str, lists: &str, out: &mut Output) {
    let Some(candidates) = host.packages.candidates(name, lists) else {
        // As apt: a note, and exit code 0.
        out.complain(format!("N: Unable to locate package {name}"));
        return;
    };
    for candidate in candidates {
        let (version, origin) = (candidate.version, candidate.origin);
        // Writing to a String cannot fail.
        let _ = writeln!(out.stdout, "{name:>10} | {version:>10} | {origin}");
    }
}

fn policy(host: &SimulatedMachine, name: &str, lists: &str, out: &mut Output) {
    let candidates = host.packages.candidates(name, lists).unwrap_or_default();
    let installed = host.packages.installed(name);
    if candidates.is_empty() && installed.is_none() {
        return;
    }
    let current = installed.map_or("(none)", |installed| installed.version.as_str());
    let newest = preferences::wanted(&host.files, &host.packages, name, lists).version;
    let newest = newest.as_deref().unwrap_or("(none)");
    // A package on hold keeps its version as the candidate.
    let candidate = if host.packages.is_held(name) { current } else { newest };
    out.line(format!("{name}:\n  Installed: {current}\n  Candidate: {candidate}\n  Version table:"));
    for offered in &candidates {
        let mark = if offered.version == current { "***" } else { "   " };
        out.line(format!(" {mark} {} 500\n        500 {}", offered.version, offered.origin));
    }
    if installed.is_some() && !candidates.iter().any(|candidate| candidate.version == current) {
        out.line(format!(" *** {current} 100\n        100 /var/lib/dpkg/status"));
    }
}
