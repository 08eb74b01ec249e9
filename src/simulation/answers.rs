//! What a simulation is told of commands that it cannot know: those of the runbook itself. A scenario says how they
//! answer; where nobody does, a rehearsal takes it that they do what their step says.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::assumed;
use super::command::{self, Invocation};
use super::process::{Output, ProcessStep};
use super::world::{Millis, World};
use crate::value::Duration;

/// How a command answers, whoever asks: a step's own command, or its probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedCommand {
    /// Hosts by their inventory names; every host where it is empty.
    pub hosts: Vec<String>,
    /// Text in the command line or in its standard input.
    pub text: String,
    /// Exit code.
    pub exit: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it takes.
    pub takes: Duration,
    /// A file that is there after it ended with 0.
    pub creates: Option<String>,
    /// Text of a command that must have ended well on the host before; until then this one says nothing and exits 1.
    pub needs: Option<String>,
    /// Packages and the versions that they have after it ended with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installs: Vec<(String, String)>,
}

/// What a rehearsal takes as true of a step whose command the simulation cannot know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumption {
    /// Files that are there once it ran.
    pub creates: Vec<String>,
    /// Probes that fail before it ran, where the simulation does not know them, and hold afterwards.
    pub holds_after: Vec<Vec<String>>,
    /// Probes that hold where the simulation does not know them.
    pub holds: Vec<Vec<String>>,
    /// All looks by which the step sees whether there is something to do.
    pub looks: Vec<Vec<String>>,
}

/// All that was told.
#[derive(Debug, Default)]
pub(super) struct ScriptedAnswers {
    commands: Vec<SimulatedCommand>,
    /// By the beginning of the launch's name, which is its task's: phase, host, index.
    assumed: HashMap<[u32; 3], Leaves>,
    /// Probes to answer where no program does, and how.
    unknown: HashMap<Vec<String>, i32>,
    /// Looks that somebody waits for: what they ask for comes about, where the simulation has never heard of it.
    awaited: HashSet<Vec<String>>,
    /// Looks that tell a step whether there is something to do: they come about by what it does, and not by themselves.
    goals: HashSet<Vec<String>>,
}

impl ScriptedAnswers {
    /// Whether some step makes a file, as far as that is assumed or told.
    pub(super) fn makes(&self, path: &str) -> bool {
        let assumed = self.assumed.values().flat_map(|leaves| &leaves.files);
        assumed.chain(self.commands.iter().filter_map(|told| told.creates.as_ref())).any(|made| made == path)
    }
}

/// What a command that ended well leaves on its host.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaves {
    files: Vec<String>,
    holds: Vec<Vec<String>>,
    done: Vec<String>,
    packages: Vec<(String, String)>,
}

impl Leaves {
    /// And this, too.
    pub(super) fn add(&mut self, more: Self) {
        let Self { files, holds, done, packages } = more;
        self.files.extend(files);
        self.holds.extend(holds);
        self.done.extend(done);
        self.packages.extend(packages);
    }
}

/// What such commands left on a host so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    holds: HashSet<Vec<String>>,
    done: BTreeSet<String>,
}

/// Tells how a command answers. Of several that fit, the first one told counts.
pub(super) fn tell(world: &mut World, command: SimulatedCommand) {
    world.answers.commands.push(command);
}

/// Tells what is assumed of a task: its phase, its host's number in the plan, its index.
pub(super) fn assume(world: &mut World, task: [u32; 3], assumption: Assumption) {
    let Assumption { creates, holds_after, holds, looks } = assumption;
    let answers = &mut world.answers;
    answers.goals.extend(looks);
    answers.unknown.extend(holds.into_iter().map(|probe| (probe, 0)));
    answers.unknown.extend(holds_after.iter().map(|probe| (probe.clone(), 1)));
    answers.assumed.insert(task, Leaves { files: creates, holds: holds_after, ..Leaves::default() });
}

/// Tells that these looks are waited for, and that what they ask for comes about.
pub(super) fn await_looks(world: &mut World, commands: Vec<Vec<String>>) {
    world.answers.awaited.extend(commands);
}

/// Whether somebody waits for what this command asks for.
pub(super) fn is_awaited(world: &World, command: &Invocation) -> bool {
    let answers = &world.answers;
    command.probe && answers.awaited.contains(&command.argv) && !answers.goals.contains(&command.argv)
}

/// What the op of a launch leaves behind, as far as it is assumed.
pub(super) fn assumed(world: &World, launch: &str) -> Option<Leaves> {
    let mut parts = launch.split('-').map(str::parse);
    let mut next = || parts.next()?.ok();
    world.answers.assumed.get(&[next()?, next()?, next()?]).cloned()
}

/// A command that somebody told the answer of.
pub(super) fn planned(world: &mut World, command: &Invocation, out: &mut Output) -> Option<ProcessStep> {
    if world.answers.commands.is_empty() {
        return None;
    }
    let text = format!("{}\n{}", command.argv.join(" "), command.stdin);
    if !command.probe {
        note(world, &text);
    }
    let host = &world.hosts[command.host];
    let fits = |told: &&SimulatedCommand| {
        text.contains(&told.text)
            && (told.hosts.is_empty() || told.hosts.iter().any(|name| name == host.name.as_str()))
    };
    let told = world.answers.commands.iter().find(fits)?;
    if told.needs.as_ref().is_some_and(|needs| !host.learnt.done.contains(needs)) {
        return Some(ProcessStep::Exit(1));
    }
    out.stdout.push_str(&told.stdout);
    out.stderr.push_str(&told.stderr);
    let (exit, takes) = (told.exit, Millis::try_from(told.takes.as_millis()).unwrap_or(Millis::MAX / 4));
    let (creates, installs) = (told.creates.clone(), told.installs.clone());
    if !command.probe && (creates.is_some() || !installs.is_empty()) {
        leave_later(world, |leaves| {
            leaves.files.extend(creates);
            leaves.packages.extend(installs);
        });
    }
    Some(ProcessStep::after(takes, move |_, _| ProcessStep::Exit(exit)))
}

/// Remembers that a command ran which others wait for, once it has ended well.
fn note(world: &mut World, text: &str) {
    let waited_for = world.answers.commands.iter().filter_map(|told| told.needs.as_ref());
    let done: Vec<String> = waited_for.filter(|needs| text.contains(needs.as_str())).cloned().collect();
    if !done.is_empty() {
        leave_later(world, |leaves| leaves.done.extend(done));
    }
}

/// Adds to what the running process leaves behind.
fn leave_later(world: &mut World, add: impl FnOnce(&mut Leaves)) {
    let Some(pid) = world.running() else { return };
    let mut leaves = Leaves::default();
    add(&mut leaves);
    world.on_success(pid, leaves);
}

/// Puts in place what a command left that ended well.
pub(super) fn leave(world: &mut World, host: usize, leaves: Leaves) {
    let now = world.now;
    let host = &mut world.hosts[host];
    for path in &leaves.files {
        if host.files.get(path).is_none() {
            host.files.put(path, String::new(), "644", now);
        }
    }
    for (name, version) in &leaves.packages {
        host.packages.put(name, version, now);
    }
    host.learnt.holds.extend(leaves.holds);
    host.learnt.done.extend(leaves.done);
}

/// Runs a command; a probe of the runbook that no program answers is answered as a rehearsal assumes.
pub(super) fn run(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    if command.probe && world.hosts[command.host].learnt.holds.contains(&command.argv) {
        return ProcessStep::Exit(0);
    }
    let next = command::run(world, command, out);
    let unheard = std::mem::take(&mut out.unheard);
    match next {
        ProcessStep::Exit(code) if code != 0 && command.probe => {
            let of_program = world.answers.unknown.get(&command.argv).copied().filter(|_| code == 127);
            let awaited = (unheard || code == 127) && is_awaited(world, command);
            let assumed = of_program.or(awaited.then_some(0));
            if assumed.is_some() {
                out.stderr.clear();
            }
            if assumed == Some(0) {
                out.assume(assumed::comes(&command.argv));
            }
            ProcessStep::Exit(assumed.unwrap_or(code))
        }
        next => next,
    }
}
