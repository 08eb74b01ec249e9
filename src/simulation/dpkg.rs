//! `dpkg-query` and `dpkg` on a simulated host.

use super::assumed;
use super::command::Invocation;
use super::package::InstalledPackage;
use super::package_version::glob;
use super::process::{Output, ProcessStep};
use super::world::World;

/// `dpkg-query -W [-f FORMAT] PACKAGE…`, and `-l`, `-s` as far as scripts use them.
pub(super) fn query(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    if let Some(next) = files_of_packages(world, command, out) {
        return next;
    }
    let assumes = world.assumed.is_on && !command.probe;
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
        if assumes && packages.is_unheard(name) {
            out.assume(format!("package {name} is installed"));
            continue;
        }
        out.complain(format!("dpkg-query: no packages found matching {name}"));
        code = 1;
    }
    ProcessStep::Exit(code)
}

/// Which files a package has, and whose a file is: nobody here knows.
fn files_of_packages(world: &World, command: &Invocation, out: &mut Output) -> Option<ProcessStep> {
    let asks = ["-L", "-S", "--listfiles", "--search", "-c", "--control-list", "--control-show"];
    let complaint = format!("{}: the simulated packages have no files", command.program());
    asks.iter().any(|flag| command.has(flag)).then(|| assumed::beyond(world, command, out, &complaint, 1))
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
    if command.has("-l") || command.has("--list") || command.has("--get-selections") {
        return list(world, command, out);
    }
    let assumes = world.assumed.is_on && !command.probe;
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
                let want = if packages.is_held(name) { "hold" } else { "install" };
                let version = &installed.version;
                out.line(format!("Package: {name}\nStatus: {want} ok installed\nVersion: {version}"));
            } else if assumes && packages.is_unheard(name) {
                out.assume(format!("package {name} is installed"));
            } else {
                out.complain(format!("dpkg-query: package '{name}' is not installed"));
                code = 1;
            }
        }
        return ProcessStep::Exit(code);
    }
    let complaint = "dpkg: error: the simulated dpkg knows --audit, --configure, --get-selections, -l, -s and \
                     --print-architecture";
    assumed::beyond(world, command, out, complaint, 2)
}

/// `-l [PATTERN…]` and `--get-selections`.
fn list(world: &World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let packages = &world.hosts[command.host].packages;
    let patterns = command.operands(&[]);
    let matches = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, name));
    let selections = command.has("--get-selections");
    for (name, installed) in packages.all().filter(|(name, _)| matches(name)) {
        let held = packages.is_held(name);
        if selections {
            out.line(format!("{name}\t\t\t\t\t{}", if held { "hold" } else { "install" }));
        } else {
            let state = if held { "hi" } else { "ii" };
            out.line(format!("{state}  {name}  {}  amd64  simulated package", installed.version));
        }
    }
    let mut code = 0;
    for pattern in patterns.iter().filter(|pattern| !packages.all().any(|(name, _)| glob(pattern, name))) {
        if world.assumed.is_on && !command.probe && packages.is_unheard(pattern) {
            out.assume(format!("package {pattern} is installed"));
        } else {
            out.complain(format!("dpkg-query: no packages found matching {pattern}"));
            code = 1;
        }
    }
    ProcessStep::Exit(code)
}
