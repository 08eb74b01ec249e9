//! What a rehearsal takes to hold because the simulation has never heard of it, and the list of it that people read.

use std::collections::{BTreeMap, BTreeSet};

use super::apt;
use super::command::Invocation;
use super::process::{Output, ProcessStep};
use super::world::{Millis, World};
use crate::op::show_symbols;
use crate::value::escape;

/// What was taken to hold so far.
#[derive(Debug, Default)]
pub(super) struct Assumed {
    /// Whether anything is: in a rehearsal, but not in a test that asks what a host knows.
    pub(super) is_on: bool,
    /// In words, with the hosts.
    taken: BTreeMap<String, BTreeSet<String>>,
}

impl Assumed {
    /// All of it.
    pub(super) fn all(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.taken
    }
}

/// Remembers that something was taken to hold on a host.
pub(super) fn note(world: &mut World, host: usize, what: String) {
    let name = world.hosts[host].name.as_str().to_owned();
    world.assumed.taken.entry(what).or_default().insert(name);
}

/// Before a host is looked at: what looks ask apt for is on offer, where nobody knows better.
pub(super) fn before_looks<'q>(world: &mut World, host: usize, looks: impl Iterator<Item = &'q Vec<String>>) {
    if world.assumed.is_on {
        looks.for_each(|argv| apt::suppose(&mut world.hosts[host].packages, argv));
    }
}

/// A program that is simulated is asked for what it does not play here: a rehearsal takes an op to succeed.
pub(super) fn beyond(
    world: &World,
    command: &Invocation,
    out: &mut Output,
    complaint: &str,
    code: i32,
) -> ProcessStep {
    if world.assumed.is_on && !command.probe {
        out.assume(succeeds(command));
        return ProcessStep::after(OPAQUE, |_, _| ProcessStep::Exit(0));
    }
    out.unheard = true;
    out.complain(complaint);
    ProcessStep::Exit(code)
}

/// What is taken to hold of a command line.
pub(super) fn succeeds(command: &Invocation) -> String {
    format!("`{}` succeeds", shown(&command.argv))
}

/// Time that a script or an unknown program takes.
pub(super) const OPAQUE: Millis = 1000;

/// Longest command line that the list shows.
const SHOWN: usize = 80;

/// A command line as people read it, whatever it holds, and not all of a long one.
pub(super) fn shown(argv: &[String]) -> String {
    let quoted = |word: &String| {
        if argv.len() > 1 && word.contains(' ') { format!("'{word}'") } else { word.clone() }
    };
    // How kubectl finds its cluster is the runbook's, and not what is assumed.
    let finds = ["--kubeconfig=", "--context=", "--request-timeout="];
    let words = argv.iter().filter(|word| !finds.iter().any(|flag| word.starts_with(flag)));
    let line = escape(&show_symbols(&words.map(quoted).collect::<Vec<_>>().join(" ")));
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// What a look asks for, as something that is so.
pub(super) fn comes(argv: &[String]) -> String {
    match argv {
        [program, flag, path] if program == "test" && flag == "-e" => format!("{} is there", escape(path)),
        _ => format!("`{}` holds", shown(argv)),
    }
}

/// The same of a command: of a script that a shell is given, its first line that says something.
pub(super) fn shown_command(command: &Invocation) -> String {
    let reads_script = command.args().first().is_some_and(|arg| arg == "-s" || arg == "-");
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', '}']) && !line.starts_with("set -");
    // What only opens a block says nothing.
    let mut lines = command.stdin.lines().map(|line| line.trim_start_matches(['{', ':', ';', ' ']).trim());
    match lines.find(says).filter(|_| reads_script) {
        Some(line) => format!("{} …", shown(&[line.to_owned()])),
        None => shown(&command.argv),
    }
}
