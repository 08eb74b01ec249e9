//! Small programs of the base system, shells, and everything the simulation does not know.

use super::assumed;
use super::command::Invocation;
use super::kubelet;
use super::process::{Output, ProcessStep};
use super::world::World;

/// Package managers of other systems.
const FOREIGN: [&str; 10] =
    ["apk", "brew", "dnf", "emerge", "microdnf", "pacman", "rpm", "tdnf", "yum", "zypper"];

/// Bytes of the only file system.
const TOTAL: u64 = 42_949_672_960;
/// Those of them that are free, where nobody says otherwise.
pub(super) const FREE: u64 = 28_633_115_306;

/// The rest of the programs.
pub(super) fn program(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let host = &world.hosts[command.host];
    match command.program() {
        "true" | ":" | "sync" | "chmod" | "chown" => {}
        // Both are there; what they talk to is not.
        "curl" | "crictl" => out.assume(match command.option("--url") {
            Some(url) => format!("{} answers", assumed::shown(&[url.to_owned()])),
            None => format!("`{}` succeeds", assumed::shown(&command.argv)),
        }),
        "false" => return ProcessStep::Exit(1),
        "echo" => out.line(command.args().join(" ")),
        "printf" => out.stdout.push_str(&command.args().join(" ").replace("\\n", "\n")),
        "id" => out.line(if command.root { "0" } else { "1000" }),
        "whoami" => out.line(if command.root { "root" } else { "ops" }),
        "hostname" => out.line(&host.hostname),
        "uname" => out.line(uname(command, &host.hostname, host.kernel())),
        "arch" => out.line("x86_64"),
        "getconf" => out.line("4"),
        "uptime" => out.line("up"),
        "date" => date(world, command, out),
        "df" => df(command, host.free, out),
        "swapoff" => {
            let header =
                world.hosts[command.host].files.read("/proc/swaps").and_then(|text| text.lines().next());
            let text = format!("{}\n", header.unwrap_or_default());
            let now = world.now;
            world.hosts[command.host].files.put("/proc/swaps", text, "444", now);
            kubelet::try_again(world, command.host);
        }
        "sleep" => {
            let secs: f64 =
                command.args().first().and_then(|arg| arg.trim_end_matches('s').parse().ok()).unwrap_or(0.0);
            let wait = std::time::Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or_default();
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4);
            return ProcessStep::after(millis, |_, _| ProcessStep::Exit(0));
        }
        "containerd" if command.has("--version") => {
            let version =
                host.packages.installed("containerd").map_or("", |installed| installed.version.as_str());
            out.line(format!("containerd github.com/containerd/containerd {version}"));
        }
        // Whatever a probe asks of a program that is not here, a host without it would answer this.
        other if command.probe => {
            out.complain(format!("simulated host: no such program: {other}"));
            return ProcessStep::Exit(127);
        }
        // What is not Debian's is not there, and taking it to succeed would rehearse nothing.
        other if FOREIGN.contains(&other) => {
            out.complain(format!(
                "simulated host: no such program: {other}. Simulated hosts are Debian with apt; a scenario can say how \
                 it answers: `commands: - {{ match: {other}, installs: {{ kubelet: 1.31.4 }} }}`"
            ));
            return ProcessStep::Exit(127);
        }
        // Commands and scripts of the runbook itself: nobody can know what they do, but they take their time.
        _ => {
            let shown = assumed::shown_command(command);
            out.assume(format!("`{shown}` succeeds, prints nothing, and does what its step says"));
            return ProcessStep::after(assumed::OPAQUE, |_, _| ProcessStep::Exit(0));
        }
    }
    ProcessStep::Exit(0)
}

fn uname(command: &Invocation, hostname: &str, kernel: &str) -> String {
    let words = [("-s", "Linux"), ("-n", hostname), ("-r", kernel), ("-m", "x86_64")];
    let flags: String = command.args().iter().filter_map(|arg| arg.strip_prefix('-')).collect();
    let asked = |flag: &str| flags.contains(&flag[1..]) || flags.contains('a');
    let parts: Vec<&str> = words.iter().filter(|(flag, _)| asked(flag)).map(|(_, word)| *word).collect();
    if parts.is_empty() { "Linux".to_owned() } else { parts.join(" ") }
}

fn date(world: &World, command: &Invocation, out: &mut Output) {
    let now = world.unix(command.host, world.now);
    let format = command.args().iter().find_map(|arg| arg.strip_prefix('+'));
    let text = match format {
        Some("%s") => now.to_string(),
        Some(format) => jiff::Timestamp::from_second(now)
            .map(|stamp| stamp.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string())
            .unwrap_or_default(),
        None => jiff::Timestamp::from_second(now)
            .map(|stamp| {
                stamp.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %b %e %H:%M:%S UTC %Y").to_string()
            })
            .unwrap_or_default(),
    };
    out.line(text);
}

/// One file system, whatever the path: of 40 GB, or of as much as is free.
fn df(command: &Invocation, free: u64, out: &mut Output) {
    let total = TOTAL.max(free);
    if let Some(columns) = command.option("--output") {
        out.line(columns.to_uppercase());
        for path in command.operands(&[]) {
            let cell = |column: &str| match column {
                "file" => path.to_owned(),
                "size" => total.to_string(),
                "avail" => free.to_string(),
                "used" => (total - free).to_string(),
                "target" => "/".to_owned(),
                _ => "-".to_owned(),
            };
            out.line(columns.split(',').map(cell).collect::<Vec<_>>().join(" "));
        }
        return;
    }
    let unit = if command.has("-B1") || command.has("--block-size=1") { 1 } else { 1024 };
    let header = if unit == 1 { "1-blocks" } else { "1024-blocks" };
    out.line(format!("Filesystem        {header}        Used   Available Capacity Mounted on"));
    let (total, free) = (total / unit, free / unit);
    let used = total - free;
    // Every path lies on the root file system, and df says so once for each.
    for _ in command
        .operands(&["--block-size"])
        .iter()
        .chain(std::iter::once(&"").filter(|_| command.operands(&[]).is_empty()))
    {
        out.line(format!("/dev/vda1       {total} {used} {free}      34% /"));
    }
}
