//! What stands in the way of a restart: /proc/locks, the processes that hold locks, and logind's inhibitors.

use std::fmt::Write as _;

use super::command::Invocation;
use super::host::SimulatedMachine;
use super::process::{Output, ProcessStep};
use super::world::{Millis, World};

/// Somebody who has asked logind to be told of a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SimulatedInhibitor {
    /// Who.
    pub(super) who: String,
    /// It blocks the shutdown, instead of delaying it for some seconds.
    pub(super) blocks: bool,
    /// When it goes.
    pub(super) until: Millis,
}

/// The lock files that every host has, with their inodes.
pub(super) const LOCK_FILES: [(&str, u32); 3] =
    [("/var/lib/dpkg/lock-frontend", 131), ("/var/lib/dpkg/lock", 132), ("/var/lib/apt/lists/lock", 133)];

/// The device that they lie on, as `stat` and as the kernel write it.
pub(super) const DEVICE: &str = "fe01";
const KERNEL_DEVICE: &str = "fe:01";

/// The inode of a file.
pub(super) fn inode(path: &str) -> u32 {
    LOCK_FILES.iter().find(|(known, _)| *known == path).map_or(4096, |(_, inode)| *inode)
}

/// Who holds which lock file now.
fn holders(host: &SimulatedMachine, now: Millis) -> Vec<(u32, (u32, String))> {
    let dpkg = host.lock.as_ref().map(|lock| (131, lock));
    let lists = host.lists_lock.as_ref().map(|lock| (133, lock));
    let held = dpkg.into_iter().chain(lists).filter(|(_, lock)| lock.until > now);
    held.map(|(inode, lock)| (inode, process(&lock.holder))).collect()
}

/// The id and the name in `process 4321 (unattended-upgr)`.
fn process(holder: &str) -> (u32, String) {
    let parts = holder.strip_prefix("process ").and_then(|rest| rest.split_once(' '));
    let named = parts.and_then(|(pid, name)| Some((pid.parse().ok()?, name.trim_matches(['(', ')']))));
    named.map_or_else(|| (4321, holder.to_owned()), |(pid, name)| (pid, name.to_owned()))
}

/// /proc/locks.
pub(super) fn proc_locks(host: &SimulatedMachine, now: Millis) -> String {
    let lines = (1..).zip(holders(host, now)).map(|(number, (inode, (pid, _)))| {
        format!("{number}: POSIX  ADVISORY  WRITE {pid} {KERNEL_DEVICE}:{inode} 0 EOF\n")
    });
    lines.collect()
}

/// `ps -e -o pid=,comm=`: init, and who holds locks.
pub(super) fn processes(world: &World, command: &Invocation, out: &mut Output) -> ProcessStep {
    out.line("      1 systemd");
    for (_, (pid, name)) in holders(&world.hosts[command.host], world.now) {
        out.line(format!("{pid:>7} {name}"));
    }
    ProcessStep::Exit(0)
}

/// `busctl call … ListInhibitors`.
pub(super) fn inhibitors(world: &World, command: &Invocation, out: &mut Output) -> ProcessStep {
    if !command.has("ListInhibitors") {
        out.complain("Unknown command verb");
        return ProcessStep::Exit(1);
    }
    let here = &world.hosts[command.host].active_faults.inhibitors;
    let now: Vec<&SimulatedInhibitor> = here.iter().filter(|inhibitor| inhibitor.until > world.now).collect();
    let mut line = format!("a(ssssuu) {}", now.len());
    for SimulatedInhibitor { who, blocks, .. } in now {
        let mode = if *blocks { "block" } else { "delay" };
        // Writing to a String cannot fail.
        let _ = write!(line, " \"shutdown\" {who:?} \"at work\" \"{mode}\" 0 4400");
    }
    out.line(line);
    ProcessStep::Exit(0)
}
