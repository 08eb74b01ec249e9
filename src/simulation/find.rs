//! `find` on a simulated host, as far as looks need it: times of files that may be there, and processes whose binary
//! was replaced.

use super::command::Invocation;
use super::process::Output;
use super::unit::package_of;
use super::world::{Millis, World};

/// `find [-H] PATH… [-maxdepth N] [-name exe -lname '… (deleted)'] -printf FORMAT`.
pub(super) fn find(world: &World, command: &Invocation, out: &mut Output) -> i32 {
    let args: Vec<&str> = command.args().iter().map(String::as_str).collect();
    let links = ["-H", "-L", "-P"];
    let paths: Vec<&str> = args
        .iter()
        .copied()
        .skip_while(|arg| links.contains(arg))
        .take_while(|arg| !arg.starts_with('-'))
        .collect();
    let value =
        |name: &str| args.iter().position(|arg| *arg == name).and_then(|at| args.get(at + 1)).copied();
    let format = value("-printf").unwrap_or("%p\\n");
    if value("-lname").is_some() {
        replaced(world, command.host, format, out);
        return 0;
    }
    let files = &world.hosts[command.host].files;
    let clock = |at| world.clock(command.host, at);
    let depth: usize = value("-maxdepth").and_then(|depth| depth.parse().ok()).unwrap_or(usize::MAX);
    let mut code = 0;
    for path in paths {
        let resolved = super::files::canonical(path);
        let below = format!("{}/", resolved.trim_end_matches('/'));
        if let Some(file) = files.get(&resolved) {
            print(&clock, format, path, file.at, out);
        } else if files.is_directory(&resolved) {
            let within: Vec<(&str, Millis)> = files
                .below(&below)
                .filter(|(known, _)| known[below.len()..].matches('/').count() < depth)
                .map(|(known, file)| (known, file.at))
                .collect();
            // A directory changes when something is put into it.
            let newest = within.iter().map(|(_, at)| *at).max().unwrap_or(super::host::LONG_AGO);
            print(&clock, format, path, newest, out);
            for (known, at) in within.into_iter().filter(|_| depth > 0) {
                let shown = format!("{}/{}", path.trim_end_matches('/'), &known[below.len()..]);
                print(&clock, format, &shown, at, out);
            }
        } else {
            out.complain(format!("find: '{path}': No such file or directory"));
            code = 1;
        }
    }
    code
}

fn print(clock: &impl Fn(Millis) -> i64, format: &str, path: &str, at: Millis, out: &mut Output) {
    let millis = clock(at);
    let epoch = format!("{}.{:03}0000000", millis.div_euclid(1000), millis.rem_euclid(1000));
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = [
        ("%C@", epoch.as_str()),
        ("%T@", &epoch),
        ("%p", path),
        ("%f", name),
        ("\\n", "\n"),
        ("\\t", "\t"),
        ("\\0", "\0"),
    ];
    let mut rest = format;
    while let Some(at) = rest.find(['%', '\\']) {
        let (before, directive) = rest.split_at(at);
        let (word, shown) = known
            .into_iter()
            .find(|(word, _)| directive.starts_with(word))
            .unwrap_or_else(|| (&directive[..1], &directive[..1]));
        out.stdout.push_str(before);
        out.stdout.push_str(shown);
        rest = &directive[word.len()..];
    }
    out.stdout.push_str(rest);
}

/// Main processes whose package was replaced after they were started: `/proc/PID/exe` shows as deleted.
fn replaced(world: &World, host: usize, format: &str, out: &mut Output) {
    let machine = &world.hosts[host];
    for (name, unit) in &machine.units {
        let Some((pid, started)) = unit.main_process() else { continue };
        let newer = machine.packages.installed(package_of(name)).is_some_and(|package| package.at > started);
        if newer {
            let text =
                format.replace("%h", &format!("/proc/{pid}")).replace("%p", &format!("/proc/{pid}/exe"));
            out.stdout.push_str(&text.replace("\\n", "\n"));
        }
    }
}
