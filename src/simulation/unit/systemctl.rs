//! `systemctl` on a simulated host.

use super::super::command::Invocation;
use super::super::process::{Output, ProcessStep};
use super::super::world::{Millis, World};
use super::super::{assumed, kubelet};
use super::{SimulatedUnit, changes, full_name, suppose};

/// Verbs of the real systemctl that are not played here.
const NOT_PLAYED: [&str; 41] = [
    "add-requires",
    "add-wants",
    "bind",
    "cancel",
    "cat",
    "clean",
    "condrestart",
    "edit",
    "freeze",
    "get-default",
    "help",
    "import-environment",
    "isolate",
    "link",
    "list-automounts",
    "list-dependencies",
    "list-jobs",
    "list-machines",
    "list-paths",
    "list-sockets",
    "list-timers",
    "list-unit-files",
    "list-units",
    "log-level",
    "log-target",
    "mount-image",
    "preset",
    "preset-all",
    "reenable",
    "reload-or-try-restart",
    "revert",
    "service-log-level",
    "service-log-target",
    "set-default",
    "set-environment",
    "set-property",
    "show-environment",
    "thaw",
    "try-reload-or-restart",
    "unset-environment",
    "whoami",
];

/// `systemctl VERB UNIT…`.
pub(in super::super) fn systemctl(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let operands = command.operands(&["-p", "--property", "-t", "--type", "-n", "--lines", "--state"]);
    let Some((verb, units)) = operands.split_first() else { return ProcessStep::Exit(0) };
    let (verb, units): (String, Vec<String>) =
        ((*verb).to_owned(), units.iter().map(|unit| full_name(unit)).collect());
    if changes(&verb) && !command.root {
        out.complain(format!("Failed to {verb} units: Interactive authentication required."));
        return ProcessStep::Exit(1);
    }
    suppose(world, command, &verb, &units, out);
    out.unheard = units.iter().any(|unit| !world.hosts[command.host].units.contains_key(unit));
    match verb.as_str() {
        "show" => ProcessStep::Exit(show(world, command, &units, out)),
        "is-active" | "is-failed" => ProcessStep::Exit(is_active(world, command, &verb, &units, out)),
        "status" => ProcessStep::Exit(status(world, command.host, &units, out)),
        "is-enabled" => ProcessStep::Exit(is_enabled(world, command, &units, out)),
        "is-system-running" => {
            out.line("running");
            ProcessStep::Exit(0)
        }
        "daemon-reload" | "daemon-reexec" | "reset-failed" => {
            ProcessStep::after(300, |_, _| ProcessStep::Exit(0))
        }
        "enable" | "disable" | "mask" | "unmask" => {
            let code = set_state(world, command, &verb, &units, out);
            if code == 0 && command.has("--now") {
                let verb = if verb == "enable" { "start" } else { "stop" };
                return run_state(world, command.host, verb, units, out);
            }
            ProcessStep::Exit(code)
        }
        "reboot" => {
            let host = command.host;
            ProcessStep::after(1000, move |world, _| {
                kubelet::reboot(world, host);
                ProcessStep::Exit(0)
            })
        }
        "start" | "stop" | "restart" | "try-restart" | "reload" | "reload-or-restart" | "kill" => {
            run_state(world, command.host, &verb, units, out)
        }
        verb if NOT_PLAYED.contains(&verb) => {
            let complaint = format!("simulated host: `systemctl {verb}` is not played");
            assumed::beyond(world, command, out, &complaint, 1)
        }
        verb => {
            out.complain(format!("Unknown command verb {verb}."));
            ProcessStep::Exit(1)
        }
    }
}

/// `systemctl status UNIT…`: 3 where one does not run, 4 where there is none of that name.
fn status(world: &World, host: usize, units: &[String], out: &mut Output) -> i32 {
    let mut code = 0;
    for name in units {
        let Some(unit) = world.hosts[host].units.get(name) else {
            out.complain(format!("Unit {name} could not be found."));
            code = 4;
            continue;
        };
        let state = match unit.active {
            "active" => "active (running)",
            "activating" => "activating (auto-restart)",
            "failed" => "failed (Result: exit-code)",
            _ => "inactive (dead)",
        };
        out.line(format!("● {name} - simulated unit"));
        out.line(format!(
            "     Loaded: loaded (/lib/systemd/system/{name}; {}; preset: enabled)",
            unit.enabled
        ));
        let since = unit.started.map(|at| format!(" since {}", date(world, host, at, TimeStyle::Pretty)));
        out.line(format!("     Active: {state}{}", since.unwrap_or_default()));
        if unit.active == "active" {
            out.line(format!("   Main PID: {} ({})", unit.pid, name.trim_end_matches(".service")));
        } else if code == 0 {
            code = 3;
        }
    }
    code
}

fn run_state(
    world: &mut World,
    host: usize,
    verb: &str,
    units: Vec<String>,
    out: &mut Output,
) -> ProcessStep {
    if let Some(unknown) = units.iter().find(|name| !world.hosts[host].units.contains_key(*name)) {
        out.complain(format!("Failed to {verb} {unknown}: Unit {unknown} not found."));
        return ProcessStep::Exit(5);
    }
    if let Some(masked) =
        units.iter().find(|name| world.hosts[host].units[*name].enabled == "masked" && verb != "stop")
    {
        out.complain(format!("Failed to {verb} {masked}: Unit {masked} is masked."));
        return ProcessStep::Exit(1);
    }
    let verb = verb.to_owned();
    let wait = if matches!(verb.as_str(), "reload" | "kill") { 200 } else { 1300 };
    ProcessStep::after(wait, move |world, _| {
        for unit in &units {
            apply(world, host, &verb, unit);
        }
        ProcessStep::Exit(0)
    })
}

fn apply(world: &mut World, host: usize, verb: &str, name: &str) {
    let now = world.now;
    let is_kubelet = name == "kubelet.service";
    let Some(unit) = world.hosts[host].units.get_mut(name) else { return };
    let runs = unit.active == "active";
    match verb {
        "stop" if is_kubelet => kubelet::stop(world, host),
        "stop" => unit.stop(),
        "start" if runs => {}
        "try-restart" if !runs => {}
        "reload" | "kill" => {}
        _ if is_kubelet => kubelet::start(world, host, false),
        _ => unit.start(now),
    }
    if name == world.hosts[host].runtime_unit() {
        kubelet::runtime_changed(world, host);
    }
}

fn set_state(world: &mut World, command: &Invocation, verb: &str, units: &[String], out: &mut Output) -> i32 {
    for name in units {
        let Some(unit) = world.hosts[command.host].units.get_mut(name) else {
            out.complain(format!("Failed to {verb} unit: Unit file {name} does not exist."));
            return 1;
        };
        unit.enabled = match verb {
            "enable" | "unmask" => "enabled",
            "disable" => "disabled",
            _ => "masked",
        };
    }
    0
}

/// `is-active`, and `is-failed`: 0 where one of the units is so.
fn is_active(world: &World, command: &Invocation, verb: &str, units: &[String], out: &mut Output) -> i32 {
    let states = units
        .iter()
        .map(|name| world.hosts[command.host].units.get(name).map_or("inactive", SimulatedUnit::active));
    let states: Vec<&str> = states.collect();
    let quiet = command.has("-q") || command.has("--quiet");
    for state in states.iter().filter(|_| !quiet) {
        out.line(state);
    }
    match verb {
        "is-active" if states.contains(&"active") => 0,
        "is-failed" => i32::from(!states.contains(&"failed")),
        _ => 3,
    }
}

fn is_enabled(world: &World, command: &Invocation, units: &[String], out: &mut Output) -> i32 {
    let mut any = false;
    for name in units {
        match world.hosts[command.host].units.get(name) {
            Some(unit) => {
                out.line(unit.enabled);
                any |= unit.enabled == "enabled";
            }
            None => {
                out.complain(format!("Failed to get unit file state for {name}: No such file or directory"));
            }
        }
    }
    i32::from(!any)
}

/// `systemctl show`: one `ObjectKey=value` per line in systemd's own order, an empty line between units.
fn show(world: &World, command: &Invocation, units: &[String], out: &mut Output) -> i32 {
    let args = command.args();
    let mut wanted: Vec<&str> = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        let list = match arg
            .strip_prefix("--property=")
            .or_else(|| arg.strip_prefix("-p").filter(|v| !v.is_empty()))
        {
            Some(list) => Some(list),
            None if arg == "-p" || arg == "--property" => args.get(index + 1).map(String::as_str),
            None => None,
        };
        wanted.extend(list.into_iter().flat_map(|list| list.split(',')));
    }
    let style = match command.option("--timestamp") {
        Some("unix") => TimeStyle::Unix,
        Some("us+utc" | "µs+utc" | "us") => TimeStyle::Micros,
        _ => TimeStyle::Pretty,
    };
    for (index, name) in units.iter().enumerate() {
        if index > 0 {
            out.line("");
        }
        for (key, value) in properties(world, command.host, name, style) {
            if !wanted.is_empty() && !wanted.contains(&key) {
                continue;
            }
            if command.has("--value") {
                out.line(value);
            } else {
                out.line(format!("{key}={value}"));
            }
        }
    }
    0
}

fn properties(world: &World, host: usize, name: &str, style: TimeStyle) -> Vec<(&'static str, String)> {
    let machine = &world.hosts[host];
    let Some(unit) = machine.units.get(name) else {
        return vec![
            ("MainPID", "0".to_owned()),
            ("ExecMainStartTimestamp", String::new()),
            ("ExecMainStartTimestampMonotonic", "0".to_owned()),
            ("Id", name.to_owned()),
            ("LoadState", "not-found".to_owned()),
            ("ActiveState", "inactive".to_owned()),
            ("SubState", "dead".to_owned()),
            ("FragmentPath", String::new()),
            ("DropInPaths", String::new()),
            ("UnitFileState", String::new()),
            ("NeedDaemonReload", "no".to_owned()),
        ];
    };
    let short = name.trim_end_matches(".service");
    let running = unit.active == "active";
    let sub = match unit.active {
        "active" => "running",
        "activating" => "auto-restart",
        _ => "dead",
    };
    let since_boot = unit.started.map_or(0, |at| (at - machine.booted_at).max(0) * 1000);
    let stamp = unit.started.map_or_else(String::new, |at| date(world, host, at, style));
    let drop_ins =
        if short == "kubelet" { "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf" } else { "" };
    let binary = if short == "ssh" { "/usr/sbin/sshd".to_owned() } else { format!("/usr/bin/{short}") };
    vec![
        ("MainPID", if running { unit.pid } else { 0 }.to_string()),
        ("ExecMainStartTimestamp", stamp.clone()),
        ("ExecMainStartTimestampMonotonic", since_boot.to_string()),
        ("ExecStart", format!("{{ path={binary} ; argv[]={binary} ; ignore_errors=no }}")),
        ("Id", name.to_owned()),
        ("LoadState", if unit.enabled == "masked" { "masked" } else { "loaded" }.to_owned()),
        ("ActiveState", unit.active.to_owned()),
        ("SubState", sub.to_owned()),
        ("FragmentPath", format!("/lib/systemd/system/{name}")),
        ("DropInPaths", drop_ins.to_owned()),
        ("UnitFileState", unit.enabled.to_owned()),
        ("ActiveEnterTimestamp", stamp),
        ("ActiveEnterTimestampMonotonic", since_boot.to_string()),
        ("NeedDaemonReload", "no".to_owned()),
        ("NRestarts", "0".to_owned()),
        ("Result", "success".to_owned()),
    ]
}

/// How `systemctl show --timestamp=` writes times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeStyle {
    Pretty,
    Micros,
    Unix,
}

/// `Mon 2026-01-05 22:00:00 UTC`, as systemd shows times.
fn date(world: &World, host: usize, at: Millis, style: TimeStyle) -> String {
    let format = match style {
        TimeStyle::Unix => return format!("@{}", world.unix(host, at)),
        TimeStyle::Pretty => "%a %Y-%m-%d %H:%M:%S UTC",
        TimeStyle::Micros => "%a %Y-%m-%d %H:%M:%S.%6f UTC",
    };
    jiff::Timestamp::from_millisecond(world.clock(host, at))
        .map(|stamp| stamp.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string())
        .unwrap_or_default()
}
