//! `dpkg-query` and `dpkg` on a simulated host.

use super::command::Invocation;
use super::package::InstalledPackage;
use super::process::{Output, ProcessStep};
use super::world::World;

/// `dpkg-query -W [-f FORMAT] PACKAGE…`, and `-l`, `-s` as far as scripts use them.
pub(super) fn query(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let packages = &world.hosts[command.host].packages;
    let names = command.operands(&["-f", "--showformat"]);
    let format = showformat(command);
    let shown: Vec<(&str, &InstalledPackage)> = if names.is_empty() {
        packages.all().collect()
    } else {
        names.iter().filter_map(|name| Some((*name, packages.installed(name)?))).collect()
    };
    for (name, installed) in &shown {
        let broken = packages.interrupted.as_deref() == Some(*name);
        let want = if packages.is_held(name) { "hold" } else { "install" };
        let state = if broken { "half-configured" } else { "installed" };
        out.stdout.push_str(&expand(&format, name, &installed.version, want, state));
    }
    let mut code = 0;
    for name in names.iter().filter(|name| packages.installed(name).is_none()) {
        out.complain(format!("dpkg-query: no packages found matching {name}"));
        code = 1;
    }
    ProcessStep::Exit(code)
}

fn showformat(command: &Invocation) -> String {
    let attached =
        command.args().iter().find_map(|arg| arg.strip_prefix("-f").filter(|rest| !rest.is_empty()));
    let format = attached.map(|format| format.strip_prefix('=').unwrap_or(format));
    let format = format.or_else(|| command.option("--showformat")).or_else(|| command.option("-f"));
    format.unwrap_or("${binary:Package}\\t${Version}\\n").to_owned()
}

/// Fields as `${Name}`, `\n` and `\t` as dpkg-query itself reads them.
fn expand(format: &str, name: &str, version: &str, want: &str, state: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let (field, tail) = after.split_once('}').unwrap_or((after, ""));
        // `${Name;-30}` asks for a width, which nobody reads back.
        match field.split(';').next().unwrap_or_default() {
            "Package" | "binary:Package" => text.push_str(name),
            "Version" => text.push_str(version),
            "Architecture" => text.push_str("amd64"),
            "db:Status-Status" => text.push_str(state),
            "db:Status-Want" => text.push_str(want),
            "db:Status-Eflag" => text.push_str("ok"),
            "db:Status-Abbrev" => {
                text.push(if want == "hold" { 'h' } else { 'i' });
                text.push_str(if state == "installed" { "i " } else { "F " });
            }
            "Status" => text.extend([want, " ok ", state]),
            _ => {}
        }
        rest = tail;
    }
    text.push_str(rest);
    text.replace("\\n", "\n").replace("\\t", "\t")
}

/// `dpkg --audit`, `--configure -a`, `--print-architecture`, `-s`.
pub(super) fn dpkg(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let packages = &mut world.hosts[command.host].packages;
    if command.has("--audit") || command.has("-C") {
        if let Some(name) = &packages.interrupted {
            out.line("The following packages are only half configured, probably due to problems");
            out.line("configuring them the first time.  The configuration should be retried using");
            out.line("dpkg --configure <package> or the configure menu option in dselect:");
            out.line(format!(" {name:<20} simulated package"));
        }
        return ProcessStep::Exit(0);
    }
    if command.has("--configure") {
        let host = command.host;
        return ProcessStep::after(5000, move |world, out| {
            if let Some(name) = world.hosts[host].packages.interrupted.take() {
                out.line(format!("Setting up {name} ..."));
            }
            ProcessStep::Exit(0)
        });
    }
    if command.has("--print-architecture") {
        out.line("amd64");
        return ProcessStep::Exit(0);
    }
    if command.has("-s") || command.has("--status") {
        let mut code = 0;
        for name in command.operands(&[]) {
            if let Some(installed) = packages.installed(name) {
                out.line(format!("Package: {name}\nVersion: {}", installed.version));
            } else {
                out.complain(format!("dpkg-query: package '{name}' is not installed"));
                code = 1;
            }
        }
        return ProcessStep::Exit(code);
    }
    out.complain("dpkg: error: the simulated dpkg knows --audit, --configure, --print-architecture and -s");
    ProcessStep::Exit(2)
}
