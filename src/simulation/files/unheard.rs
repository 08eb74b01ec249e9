//! Files of which nobody knows anything: a rehearsal takes what a step reads to be there.

use super::super::command::Invocation;
use super::super::process::{Output, ProcessStep};
use super::super::world::World;
use super::{BINARIES, FileTree};
use crate::value::escape;

/// Where a file that is not there is known not to be there.
const KEPT_WHOLE: [&str; 10] = [
    "/etc/apt",
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/manifests",
    "/proc",
    "/run/reboot-required",
    "/var/cache/apt/archives",
    "/var/lib/kubelet/instance-config.yaml",
    "/var/run/reboot-required",
    "/var/run/reboot-required.pkgs",
];

/// `cat`, `test`, `stat` and the like. A rehearsal takes a file that a step reads to be there, where nobody knows better.
pub(in super::super) fn program(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    super::refresh(world, command.host);
    let reads = !["mkdir", "install", "rm", "touch", "["].contains(&command.program());
    if !(world.assumed.is_on && !command.probe && reads) {
        return super::program(world, command, out);
    }
    let unheard = unheard_paths(world, command);
    for path in &unheard {
        out.assume(format!("{} is there", escape(path)));
    }
    let rest: Vec<String> = command.argv.iter().filter(|word| !unheard.contains(word)).cloned().collect();
    let rest = command.with_argv(&rest);
    if !unheard.is_empty() && !rest.args().iter().any(|arg| arg.starts_with('/')) {
        return ProcessStep::Exit(0);
    }
    let next = super::program(world, &rest, out);
    if out.stderr.trim_end().ends_with("No such file or directory") {
        out.stderr.truncate(out.stderr.trim_end().len());
        out.complain(" on the simulated host: where real ones have it, a scenario says so under `files`");
    }
    next
}

/// Paths that a command reads and of which nobody knows anything. That one is not there is no question to take to hold.
fn unheard_paths(world: &World, command: &Invocation) -> Vec<String> {
    let args = command.args();
    if args.first().is_some_and(|arg| arg == "!") {
        return Vec::new();
    }
    let files = &world.hosts[command.host].files;
    let made = |path: &str| world.answers.makes(path);
    let is_missing = |path: &&String| {
        path.starts_with('/')
            && path.as_str() != "/sys/fs/cgroup"
            && !super::exists(world, command.host, path)
            && is_unheard(files, &super::canonical(path))
            && !made(path)
    };
    args.iter().filter(is_missing).cloned().collect()
}

/// Whether nothing is known of a path: it lies where the simulation does not keep all that a real host has.
fn is_unheard(files: &FileTree, path: &str) -> bool {
    let is_below = |directory: &str| path == directory || path.starts_with(&format!("{directory}/"));
    !KEPT_WHOLE.iter().any(|kept| is_below(kept))
        && !BINARIES.iter().any(|(_, binary)| *binary == path)
        && !files.removed.iter().any(|removed| is_below(removed))
}
