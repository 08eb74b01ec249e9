//! `apt-get install`, `remove`, `upgrade`, `download`: what would change, whether it may, and the change itself.

use super::super::command::Invocation;
use super::super::files::FileTree;
use super::super::host::{CONTAINERD, PackageLock, REPOSITORY, SimulatedMachine};
use super::super::kubelet;
use super::super::package::{ARCHIVE_BYTES, Packages};
use super::super::package_version::{compare, glob};
use super::super::process::{Output, ProcessStep};
use super::super::world::{Millis, World};
use super::preferences::{self, Wanted};
use super::{AptCall, preamble};

/// Whether a package asks for a reboot, by its maintainer scripts.
fn wants_reboot(name: &str) -> bool {
    name == "systemd" || name.starts_with("linux-image")
}

/// One package that changes.
#[derive(Clone, Debug)]
struct Move {
    name: String,
    /// Empty where it is new.
    before: String,
    after: String,
    held: bool,
}

impl Move {
    fn archive(&self) -> String {
        // The colon of an epoch is escaped in file names.
        format!("{}_{}_amd64.deb", self.name, self.after.replace(':', "%3a"))
    }

    fn is_downgrade(&self) -> bool {
        !self.before.is_empty() && compare(&self.before, &self.after).is_gt()
    }
}

/// `apt-get install PACKAGE[=VERSION]…`.
pub(super) fn install(world: &mut World, call: AptCall, out: &mut Output) -> ProcessStep {
    if call.simulate || call.print_uris {
        return plan_install(world, &call, out);
    }
    locked(world, call, out, Box::new(|world, call, out| plan_install(world, &call, out)))
}

fn plan_install(world: &mut World, call: &AptCall, out: &mut Output) -> ProcessStep {
    preamble(out);
    let mut moves = Vec::new();
    for operand in &call.operands {
        match resolve(world, call, operand, out) {
            Ok(Some(change)) => moves.push(change),
            Ok(None) => {}
            Err(error) => {
                out.complain(error);
                return ProcessStep::Exit(100);
            }
        }
    }
    carry_out(world, call, moves, out)
}

/// Name and version of an operand, where one is given.
fn name_and_version(operand: &str) -> (&str, Option<&str>) {
    operand.split_once('=').map_or((operand, None), |(name, pattern)| (name, Some(pattern)))
}

/// Takes it that what a call asks for is on offer, where nobody knows better.
pub(in super::super) fn suppose(packages: &mut Packages, argv: &[String]) {
    let is_apt = argv.first().is_some_and(|program| program.rsplit('/').next() == Some("apt-get"));
    if let Some(call) = is_apt.then(|| AptCall::read(&Invocation::of(argv))).flatten()
        && matches!(call.verb.as_str(), "install" | "download")
    {
        for operand in &call.operands {
            let (name, pattern) = name_and_version(operand);
            packages.suppose(name, pattern, &call.lists);
        }
    }
}

/// What an operand changes; nothing where it is there already.
fn resolve(
    world: &mut World,
    call: &AptCall,
    operand: &str,
    out: &mut Output,
) -> Result<Option<Move>, String> {
    let (name, pattern) = name_and_version(operand);
    let assumes = world.assumed.is_on;
    let machine = &mut world.hosts[call.host];
    if assumes {
        machine.packages.suppose(name, pattern, &call.lists);
    }
    let packages = &machine.packages;
    let installed = packages.installed(name).map(|installed| installed.version.clone());
    let candidates = packages.candidates(name, &call.lists);
    if candidates.is_none() && installed.is_none() {
        return Err(format!("E: Unable to locate package {name}"));
    }
    let offered = candidates.unwrap_or_default();
    let mut versions = offered.iter().map(|candidate| candidate.version).chain(installed.as_deref());
    let wanted = match pattern {
        Some(pattern) => versions
            .find(|version| glob(pattern, version))
            .ok_or_else(|| format!("E: Version '{pattern}' for '{name}' was not found"))?,
        None if installed.is_some() && (call.no_upgrade || offered.is_empty()) => return Ok(None),
        None => {
            let pinned = preferred(&machine.files, packages, name, &call.lists, out);
            versions
                .find(|version| pinned.as_deref() == Some(*version))
                .ok_or_else(|| format!("E: Package '{name}' has no installation candidate"))?
        }
    };
    if installed.is_none() && call.only_upgrade {
        out.line(format!("Skipping {name}, it is not installed and only upgrades are requested."));
        return Ok(None);
    }
    if installed.as_deref() == Some(wanted) {
        out.line(format!("{name} is already the newest version ({wanted})."));
        return Ok(None);
    }
    let after = wanted.to_owned();
    if packages.is_supposed(name, &after) {
        out.assume(format!("package {name} {after} is in a repository"));
    }
    Ok(Some(Move {
        name: name.to_owned(),
        before: installed.unwrap_or_default(),
        after,
        held: packages.is_held(name),
    }))
}

/// The version that apt wants of a package; what its pins say that nobody can judge is taken to change nothing.
fn preferred(
    files: &FileTree,
    packages: &Packages,
    name: &str,
    lists: &str,
    out: &mut Output,
) -> Option<String> {
    let Wanted { version, is_unheard } = preferences::wanted(files, packages, name, lists);
    if is_unheard {
        out.assume(format!("apt's pins by release change nothing for {name}"));
    }
    version
}

/// `apt-get upgrade [PATTERN/now…]`: everything that is neither on hold nor wanted as it is.
pub(super) fn upgrade(world: &mut World, call: AptCall, out: &mut Output) -> ProcessStep {
    if call.simulate || call.print_uris {
        return plan_upgrade(world, &call, out);
    }
    locked(world, call, out, Box::new(|world, call, out| plan_upgrade(world, &call, out)))
}

fn plan_upgrade(world: &mut World, call: &AptCall, out: &mut Output) -> ProcessStep {
    preamble(out);
    out.line("Calculating upgrade...");
    let SimulatedMachine { packages, files, .. } = &world.hosts[call.host];
    let mut newer: Vec<Move> = Vec::new();
    for (name, installed) in packages.all() {
        let wanted = preferred(files, packages, name, &call.lists, out);
        if let Some(after) = wanted.filter(|wanted| *wanted != installed.version) {
            let before = installed.version.clone();
            newer.push(Move { name: name.to_owned(), before, after, held: packages.is_held(name) });
        }
    }
    let stays =
        |change: &Move| change.held || call.operands.iter().any(|wanted| is_now(wanted, &change.name));
    let (kept, moves): (Vec<Move>, Vec<Move>) = newer.into_iter().partition(stays);
    if !kept.is_empty() {
        let names: Vec<&str> = kept.iter().map(|change| change.name.as_str()).collect();
        out.line(format!("The following packages have been kept back:\n  {}", names.join(" ")));
    }
    carry_out(world, call, moves, out)
}

/// Whether an operand asks for the version of this package that is installed.
fn is_now(operand: &str, name: &str) -> bool {
    let pattern = operand.strip_suffix("/now").map(|pattern| pattern.trim_start_matches("?installed"));
    pattern.is_some_and(|pattern| pattern == format!("?exact-name({name})") || pattern == name)
}

type Locked = Box<dyn FnOnce(&mut World, AptCall, &mut Output) -> ProcessStep>;

/// Takes dpkg's lock, waiting for it as long as the call says.
fn locked(world: &mut World, call: AptCall, out: &mut Output, then: Locked) -> ProcessStep {
    let now = world.now;
    let running = world.running();
    let number = running.map_or(1, |pid| 2000 + world.process(pid).number % 30_000);
    let host = &mut world.hosts[call.host];
    if let Some(lock) = host.lock.as_ref().filter(|lock| lock.until > now) {
        let holder = &lock.holder;
        if call.lock_timeout <= 0 {
            let path = "/var/lib/dpkg/lock-frontend";
            out.complain(format!("E: Could not get lock {path}. It is held by {holder}"));
            out.complain(
                "N: Be aware that removing the lock file is not a solution and may break your system.",
            );
            out.complain(format!(
                "E: Unable to acquire the dpkg frontend lock ({path}), is another process using it?"
            ));
            return ProcessStep::Exit(100);
        }
        let call = AptCall { lock_timeout: call.lock_timeout - 1000, ..call };
        return ProcessStep::after(1000, move |world, out| locked(world, call, out, then));
    }
    if host.packages.interrupted.is_some() {
        out.complain(
            "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
        );
        return ProcessStep::Exit(100);
    }
    let holder = format!("process {number} (apt-get)");
    host.lock = Some(PackageLock { holder, pid: running, until: Millis::MAX });
    then(world, call, out)
}

fn carry_out(world: &mut World, call: &AptCall, moves: Vec<Move>, out: &mut Output) -> ProcessStep {
    let held: Vec<&str> =
        moves.iter().filter(|change| change.held).map(|change| change.name.as_str()).collect();
    let down: Vec<&str> =
        moves.iter().filter(|change| change.is_downgrade()).map(|change| change.name.as_str()).collect();
    if !held.is_empty() {
        out.line("The following held packages will be changed:");
        out.line(format!("  {}", held.join(" ")));
    }
    let names = |new: bool| -> Vec<&str> {
        let of = moves.iter().filter(|change| change.before.is_empty() == new);
        of.map(|change| change.name.as_str()).collect()
    };
    let (new, upgraded) = (names(true), names(false));
    for (title, names) in [("NEW packages will be installed", &new), ("packages will be upgraded", &upgraded)]
    {
        if !names.is_empty() {
            out.line(format!("The following {title}:\n  {}", names.join(" ")));
        }
    }
    out.line(format!(
        "{} upgraded, {} newly installed, 0 to remove and 0 not upgraded.",
        upgraded.len(),
        new.len()
    ));
    if !held.is_empty() && !call.allow_change_held {
        out.complain("E: Held packages were changed and -y was used without --allow-change-held-packages.");
        return ProcessStep::Exit(100);
    }
    if !down.is_empty() && !call.allow_downgrades {
        out.complain("E: Packages were downgraded and -y was used without --allow-downgrades.");
        return ProcessStep::Exit(100);
    }
    if call.print_uris {
        print_uris(world, call, &moves, out);
        return ProcessStep::Exit(0);
    }
    if call.simulate {
        simulate(&moves, out);
        return ProcessStep::Exit(0);
    }
    if moves.is_empty() {
        return ProcessStep::Exit(0);
    }
    fetch(world, call, moves, out)
}

fn print_uris(world: &World, call: &AptCall, moves: &[Move], out: &mut Output) {
    let archives = &world.hosts[call.host].packages.archives;
    for change in moves.iter().filter(|change| !archives.contains(&change.archive())) {
        let archive = change.archive();
        out.line(format!(
            "'{REPOSITORY}deb/amd64/{archive}' {archive} {ARCHIVE_BYTES} SHA256:{:064x}",
            archive.len()
        ));
    }
}

fn simulate(moves: &[Move], out: &mut Output) {
    for change in moves {
        let before = if change.before.is_empty() { String::new() } else { format!(" [{}]", change.before) };
        out.line(format!("Inst {}{before} ({} simulated:1 [amd64])", change.name, change.after));
    }
    for change in moves {
        out.line(format!("Conf {} ({} simulated:1 [amd64])", change.name, change.after));
    }
}

/// Fetches what is not in the cache yet, then unpacks and configures.
fn fetch(world: &mut World, call: &AptCall, moves: Vec<Move>, out: &mut Output) -> ProcessStep {
    let host = &mut world.hosts[call.host];
    let missing = moves.iter().filter(|change| !host.packages.archives.contains(&change.archive())).count();
    if missing > 0 && host.active_faults.mirror_dead {
        for change in &moves {
            let url = format!("{REPOSITORY}deb/amd64/{}", change.archive());
            out.complain(format!(
                "E: Failed to fetch {url}  Could not connect to mirror: Connection timed out"
            ));
        }
        out.complain("E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?");
        return ProcessStep::after(30_000, |_, _| ProcessStep::Exit(100));
    }
    let time = if missing == 0 { 0 } else { host.random.secs(6, 14) };
    let (host, download_only) = (call.host, call.download_only);
    ProcessStep::after(time, move |world, out| {
        let archives = moves.iter().map(Move::archive);
        world.hosts[host].packages.archives.extend(archives);
        if download_only {
            out.line("Download complete and in download only mode");
            return ProcessStep::Exit(0);
        }
        unpack(world, host, moves, out)
    })
}

fn unpack(world: &mut World, host: usize, moves: Vec<Move>, out: &mut Output) -> ProcessStep {
    for change in &moves {
        out.line(format!("Preparing to unpack .../{} ...", change.archive()));
        let over =
            if change.before.is_empty() { String::new() } else { format!(" over ({})", change.before) };
        out.line(format!("Unpacking {} ({}){over} ...", change.name, change.after));
    }
    let machine = &mut world.hosts[host];
    // Whatever ends apt from here on leaves the packages half-configured.
    machine.packages.interrupted = moves.first().map(|change| change.name.clone());
    let time = machine.random.secs(8, 20);
    ProcessStep::after(time, move |world, out| {
        let now = world.now;
        let packages = &mut world.hosts[host].packages;
        packages.interrupted = None;
        for change in &moves {
            out.line(format!("Setting up {} ({}) ...", change.name, change.after));
            packages.put(&change.name, &change.after, now);
            // `--allow-change-held-packages` leaves the package unheld (kubernetes/website#30135).
            packages.unhold(&change.name);
        }
        let wants = moves.iter().filter(|change| wants_reboot(&change.name));
        let wants: Vec<&str> = wants.map(|change| change.name.as_str()).collect();
        world.hosts[host].want_reboot(&wants, now);
        let machine = &mut world.hosts[host];
        if moves.iter().any(|change| CONTAINERD.contains(&change.name.as_str())) {
            machine.runtime = None;
        }
        if let Some(node) = machine.node {
            // The kubelet asks its runtime for its version now and then, without a restart.
            world.cluster.nodes[node].runtime = machine.runtime();
            world.cluster.touch(node);
            kubelet::try_again(world, host);
        }
        ProcessStep::Exit(0)
    })
}

/// `apt-get remove PACKAGE…`.
pub(super) fn remove(world: &mut World, call: AptCall, out: &mut Output) -> ProcessStep {
    preamble(out);
    let packages = &world.hosts[call.host].packages;
    let mut gone: Vec<(String, String)> = Vec::new();
    for name in &call.operands {
        match packages.installed(name) {
            Some(installed) => gone.push((name.clone(), installed.version.clone())),
            None => out.line(format!("Package '{name}' is not installed, so not removed")),
        }
    }
    out.line(format!("0 upgraded, 0 newly installed, {} to remove and 0 not upgraded.", gone.len()));
    if call.no_remove && !gone.is_empty() {
        out.complain("E: Packages need to be removed but remove is disabled.");
        return ProcessStep::Exit(100);
    }
    if call.simulate {
        for (name, version) in &gone {
            out.line(format!("Remv {name} [{version}]"));
        }
        return ProcessStep::Exit(0);
    }
    if gone.is_empty() {
        return ProcessStep::Exit(0);
    }
    locked(
        world,
        call,
        out,
        Box::new(move |world, call, _| {
            let time = world.hosts[call.host].random.secs(3, 8);
            ProcessStep::after(time, move |world, out| {
                for (name, version) in &gone {
                    out.line(format!("Removing {name} ({version}) ..."));
                    world.hosts[call.host].packages.remove(name);
                }
                ProcessStep::Exit(0)
            })
        }),
    )
}

/// `apt-get download PACKAGE[=VERSION]…`: into the working directory, which nobody looks at.
pub(super) fn download(world: &mut World, call: &AptCall, out: &mut Output) -> ProcessStep {
    for operand in &call.operands {
        if let Err(error) = resolve(world, call, operand, out) {
            out.complain(error);
            return ProcessStep::Exit(100);
        }
    }
    let host = &mut world.hosts[call.host];
    let dead = host.active_faults.mirror_dead;
    let time = host.random.secs(6, 14);
    ProcessStep::after(time, move |_, _| ProcessStep::Exit(if dead { 100 } else { 0 }))
}
