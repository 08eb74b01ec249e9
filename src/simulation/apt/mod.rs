//! `apt-get`, `apt-cache` and `apt-mark` on a simulated host, as apt 2.6 speaks with `LC_ALL=C`.

mod ahead;
mod install;
mod lists;
mod mark;
mod preferences;

use super::assumed;
use super::command::Invocation;
use super::process::{Output, ProcessStep};
use super::world::{Millis, World};

pub(super) use ahead::{is_look as is_look_ahead, look as look_ahead};
pub(super) use install::suppose;
pub(super) use lists::cache;
pub(super) use mark::mark;

/// Options of apt-get whose value is an argument of its own.
const TAKES_VALUE: [&str; 6] = ["-o", "--option", "-c", "-t", "--target-release", "-a"];

/// What an apt-get call asks for.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of apt-get, as it is written")]
struct AptCall {
    host: usize,
    verb: String,
    operands: Vec<String>,
    simulate: bool,
    print_uris: bool,
    download_only: bool,
    allow_change_held: bool,
    allow_downgrades: bool,
    only_upgrade: bool,
    no_upgrade: bool,
    no_remove: bool,
    /// `DPkg::PackageLock::Timeout`, in milliseconds.
    lock_timeout: Millis,
    /// `APT::Update::Error-Mode=any`.
    strict_update: bool,
    /// `Dir::State::lists`, where it is not the host's own.
    lists: String,
    /// `Dir::Etc::sourcelist`, where it is not the host's own.
    sources: Option<String>,
    /// The file that `APT::Update::Post-Invoke-Success` touches.
    stamp: Option<String>,
}

impl AptCall {
    fn read(command: &Invocation) -> Option<Self> {
        let mut operands = command.operands(&TAKES_VALUE).into_iter().map(str::to_owned);
        let verb = operands.next()?;
        let setting = |name: &str| settings(command).find_map(|(key, value)| (key == name).then_some(value));
        let any = |flags: &[&str]| flags.iter().any(|flag| command.has(flag));
        let stamp = setting("apt::update::post-invoke-success::");
        Some(Self {
            host: command.host,
            verb,
            operands: operands.collect(),
            simulate: any(&["-s", "--simulate", "--dry-run", "--just-print", "--no-act"]),
            print_uris: command.has("--print-uris"),
            download_only: any(&["-d", "--download-only"]),
            allow_change_held: command.has("--allow-change-held-packages"),
            allow_downgrades: command.has("--allow-downgrades"),
            only_upgrade: command.has("--only-upgrade"),
            no_upgrade: command.has("--no-upgrade"),
            no_remove: command.has("--no-remove"),
            lock_timeout: setting("dpkg::lock::timeout")
                .and_then(|secs| secs.parse::<i64>().ok())
                .unwrap_or(0)
                * 1000,
            strict_update: setting("apt::update::error-mode").is_some_and(|mode| mode == "any"),
            lists: setting("dir::state::lists").unwrap_or_default().to_owned(),
            sources: setting("dir::etc::sourcelist").map(str::to_owned),
            stamp: stamp.and_then(|hook| hook.strip_prefix("touch ")).map(str::to_owned),
        })
    }
}

/// Settings given by `-o Name=value`, names in lower case as apt compares them.
fn settings(command: &Invocation) -> impl Iterator<Item = (String, &str)> {
    let args = command.args();
    let written = args.iter().enumerate().filter_map(|(index, arg)| match arg.as_str() {
        "-o" | "--option" => args.get(index + 1).map(String::as_str),
        arg => arg.strip_prefix("-o").or_else(|| arg.strip_prefix("--option=")),
    });
    written
        .filter_map(|setting| setting.split_once('='))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
}

/// `apt-get`.
pub(super) fn get(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let Some(call) = AptCall::read(command) else { return ProcessStep::Exit(0) };
    if call.verb == "indextargets" {
        return lists::index_targets(world, command, out);
    }
    let looks = call.simulate || call.print_uris;
    if !looks && !command.root && call.verb != "download" {
        out.complain(
            "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)",
        );
        out.complain(
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?",
        );
        return ProcessStep::Exit(100);
    }
    match call.verb.as_str() {
        "update" => lists::update(world, call, out),
        "install" => install::install(world, call, out),
        "remove" | "purge" => install::remove(world, call, out),
        "upgrade" | "dist-upgrade" | "full-upgrade" => install::upgrade(world, call, out),
        "download" => install::download(world, &call, out),
        "clean" | "autoclean" | "distclean" => {
            if !looks {
                world.hosts[call.host].packages.archives.clear();
            }
            ProcessStep::Exit(0)
        }
        "autoremove" | "autopurge" | "check" => {
            preamble(out);
            out.line("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.");
            ProcessStep::Exit(0)
        }
        other => not_played(world, command, other, &GET_NOT_PLAYED, out),
    }
}

/// Operations of the real programs that are not played here; others are none.
const GET_NOT_PLAYED: [&str; 8] =
    ["build-dep", "changelog", "dselect-upgrade", "markauto", "reinstall", "satisfy", "source", "unmarkauto"];

/// What is no operation of a program is refused as by it.
fn not_played(
    world: &World,
    command: &Invocation,
    verb: &str,
    known: &[&str],
    out: &mut Output,
) -> ProcessStep {
    let complaint = format!("E: Invalid operation {verb}");
    if known.contains(&verb) {
        return assumed::beyond(world, command, out, &complaint, 100);
    }
    out.complain(complaint);
    ProcessStep::Exit(100)
}

/// `apt`, for people: the verbs of the others under one name.
pub(super) fn apt(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    match command.operands(&TAKES_VALUE).first().copied().unwrap_or_default() {
        "policy" | "madison" => cache(world, command, out),
        verb @ ("depends" | "edit-sources" | "help" | "list" | "moo" | "rdepends" | "search" | "show"
        | "showsrc" | "why" | "why-not") => not_played(world, command, verb, &[verb], out),
        _ => get(world, command, out),
    }
}

fn preamble(out: &mut Output) {
    out.line("Reading package lists...");
    out.line("Building dependency tree...");
    out.line("Reading state information...");
}
