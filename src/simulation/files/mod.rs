//! Files of a simulated host, and the programs that read and make them. A flat map: directories exist where something
//! lies below them.

pub(super) mod unheard;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::command::Invocation;
use super::host::ControlGroups;
use super::process::{Output, ProcessStep};
use super::world::{Millis, World};
use super::{obstacle, sockets};

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SimulatedFile {
    /// Its content.
    pub(super) text: String,
    /// Permission bits in octal without leading zero: `644`.
    pub(super) mode: String,
    /// Its user.
    pub(super) user: String,
    /// Its group.
    pub(super) group: String,
    /// When it was written.
    pub(super) at: Millis,
}

/// Files by absolute path.
#[derive(Clone, Debug, Default)]
pub(super) struct FileTree {
    files: BTreeMap<String, SimulatedFile>,
    /// What somebody took away, so that nobody takes it to be there.
    removed: BTreeSet<String>,
}

impl FileTree {
    /// Writes a file of root's.
    pub(super) fn put(&mut self, path: &str, text: String, mode: &str, at: Millis) {
        let mode = mode.trim_start_matches('0').to_owned();
        let (user, group) = ("root".to_owned(), "root".to_owned());
        self.removed.remove(path);
        self.files.insert(path.to_owned(), SimulatedFile { text, mode, user, group, at });
    }

    /// Gives a file to a `user` or `user:group`.
    pub(super) fn chown(&mut self, path: &str, owner: &str) {
        let Some(file) = self.files.get_mut(path) else { return };
        let (user, group) = owner.split_once(':').unwrap_or((owner, owner));
        user.clone_into(&mut file.user);
        group.clone_into(&mut file.group);
    }

    /// A file.
    pub(super) fn get(&self, path: &str) -> Option<&SimulatedFile> {
        self.files.get(path)
    }

    /// A file's content.
    pub(super) fn read(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Takes a file away, or all below a directory.
    pub(super) fn remove(&mut self, path: &str) {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.files.retain(|known, _| known != path && !known.starts_with(&below));
        self.removed.insert(path.trim_end_matches('/').to_owned());
    }

    /// Whether something lies below the path.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        USUAL_DIRECTORIES.contains(&path.trim_end_matches('/')) || self.below(&below).next().is_some()
    }

    /// Files whose path begins so.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a SimulatedFile)> {
        let from = self.files.range(prefix.to_owned()..);
        from.take_while(move |(path, _)| path.starts_with(prefix)).map(|(path, file)| (path.as_str(), file))
    }
}

/// Directories of every Debian, whether or not the simulation keeps files there.
const USUAL_DIRECTORIES: [&str; 16] = [
    "",
    "/boot",
    "/etc",
    "/etc/apt",
    "/etc/apt/keyrings",
    "/etc/apt/sources.list.d",
    "/etc/systemd/system",
    "/etc/sysctl.d",
    "/home",
    "/opt",
    "/root",
    "/run",
    "/tmp",
    "/usr/local/bin",
    "/var/backups",
    "/var/lib",
];

/// `cat`, `test`, `stat` and the like, by what is known of files.
fn program(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let code = match command.program() {
        "cat" => {
            sockets::heard(&world.hosts[command.host], command, out);
            each(world, command, out, &[], |_, file, out| out.stdout.push_str(&file.text))
        }
        "sha256sum" => each(world, command, out, &[], |path, file, out| {
            let digest = Sha256::digest(file.text.as_bytes());
            for byte in digest {
                // Writing to a String cannot fail.
                let _ = write!(out.stdout, "{byte:02x}");
            }
            out.line(format!("  {path}"));
        }),
        "stat" => stat(world, command, out),
        "ls" => list(world, command, out),
        "head" => head(world, command, out),
        "find" => super::find::find(world, command, out),
        "test" | "[" => {
            out.unheard = true;
            i32::from(!test(world, command))
        }
        "readlink" => {
            let path = command.operands(&[]).last().copied().unwrap_or_default().to_owned();
            let there = exists(world, command.host, &path);
            if there {
                out.line(path);
            }
            i32::from(!there)
        }
        _ => make(world, command, out),
    };
    ProcessStep::Exit(code)
}

/// Files of /proc and binaries whose content or time follows the host's state.
fn refresh(world: &mut World, host: usize) {
    let uptime = (world.now - world.hosts[host].booted_at) / 1000;
    let boot_id = format!("{}\n", world.hosts[host].boot_id);
    let locks = obstacle::proc_locks(&world.hosts[host], world.now);
    let machine = &mut world.hosts[host];
    machine.files.put("/proc/locks", locks, "444", machine.booted_at);
    machine.files.put("/proc/uptime", format!("{uptime}.00 {uptime}.00\n"), "444", machine.booted_at);
    machine.files.put("/proc/sys/kernel/random/boot_id", boot_id, "444", machine.booted_at);
    for (package, path) in BINARIES {
        match machine.packages.installed(package).cloned() {
            Some(installed) if machine.files.get(path).is_none_or(|file| file.at != installed.at) => {
                let content = format!("{package} {}\n", installed.version);
                machine.files.put(path, content, "755", installed.at);
            }
            Some(_) => {}
            None => machine.files.remove(path),
        }
    }
}

/// Binaries, units and the package that brings them.
const BINARIES: [(&str, &str); 9] = [
    ("kubeadm", "/usr/bin/kubeadm"),
    ("kubelet", "/usr/bin/kubelet"),
    ("kubelet", "/usr/lib/systemd/system/kubelet.service"),
    ("kubelet", "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"),
    ("kubectl", "/usr/bin/kubectl"),
    ("containerd", "/usr/bin/containerd"),
    ("containerd", "/usr/lib/systemd/system/containerd.service"),
    ("runc", "/usr/sbin/runc"),
    ("openssl", "/usr/bin/openssl"),
];

/// Debian's /lib and /bin are links into /usr.
pub(super) fn canonical(path: &str) -> String {
    ["/lib/", "/bin/", "/sbin/"]
        .iter()
        .find(|link| path.starts_with(**link))
        .map_or_else(|| path.to_owned(), |_| format!("/usr{path}"))
}

fn exists(world: &World, host: usize, path: &str) -> bool {
    let path = canonical(path);
    world.hosts[host].files.get(&path).is_some() || world.hosts[host].files.is_directory(&path)
}

fn readable(file: &SimulatedFile, command: &Invocation) -> bool {
    command.root || file.mode.ends_with(['4', '5', '6', '7'])
}

/// Reads each operand's file; 1 when one is not there.
fn each(
    world: &World,
    command: &Invocation,
    out: &mut Output,
    takes_value: &[&str],
    mut read: impl FnMut(&str, &SimulatedFile, &mut Output),
) -> i32 {
    let (program, files) = (command.program(), &world.hosts[command.host].files);
    let mut code = 0;
    for path in command.operands(takes_value) {
        let trouble = match files.get(&canonical(path)) {
            Some(file) if readable(file, command) => {
                read(path, file, out);
                continue;
            }
            Some(_) => "Permission denied",
            None if files.is_directory(&canonical(path)) => "Is a directory",
            None => "No such file or directory",
        };
        out.unheard |= trouble.starts_with("No such");
        out.complain(format!("{program}: {path}: {trouble}"));
        code = 1;
    }
    code
}

/// `head -c N FILE…`.
fn head(world: &World, command: &Invocation, out: &mut Output) -> i32 {
    let bytes = command.option("-c").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
    each(world, command, out, &["-c", "-n"], |_, file, out| {
        let end = file.text.floor_char_boundary(bytes.min(file.text.len()));
        out.stdout.push_str(&file.text[..end]);
    })
}

fn stat(world: &World, command: &Invocation, out: &mut Output) -> i32 {
    let (format, newline) = match (command.option("--printf"), command.option("--format")) {
        (Some(format), _) => (format.replace("\\n", "\n").replace("\\t", "\t"), ""),
        (None, Some(format)) => (format.to_owned(), "\n"),
        (None, None) => (format_flag(command), "\n"),
    };
    let files = &world.hosts[command.host].files;
    let mut code = 0;
    for path in command.operands(&["-c", "-fc", "-Lc", "--format", "--printf"]) {
        if path == "/sys/fs/cgroup" {
            let is_v2 = world.hosts[command.host].control_groups == ControlGroups::V2;
            out.line(if is_v2 { "cgroup2fs" } else { "tmpfs" });
            continue;
        }
        let resolved = canonical(path);
        let file = files.get(&resolved);
        if file.is_none() && !files.is_directory(&resolved) {
            out.complain(format!("stat: cannot statx '{path}': No such file or directory"));
            code = 1;
            continue;
        }
        let directory = SimulatedFile {
            text: String::new(),
            mode: "755".to_owned(),
            user: "root".to_owned(),
            group: "root".to_owned(),
            at: super::host::LONG_AGO,
        };
        let text = expand(&format, path, file.unwrap_or(&directory), file.is_none(), |at| {
            world.unix(command.host, at)
        });
        out.stdout.push_str(&text);
        out.stdout.push_str(newline);
    }
    code
}

/// The format after `-c`, also where `-c` stands at the end of other letters.
fn format_flag(command: &Invocation) -> String {
    let args = command.args();
    let at = args.iter().position(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.ends_with('c'));
    at.and_then(|at| args.get(at + 1)).cloned().unwrap_or_else(|| "%n".to_owned())
}

fn expand(
    format: &str,
    path: &str,
    file: &SimulatedFile,
    directory: bool,
    clock: impl Fn(Millis) -> i64,
) -> String {
    let mut text = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let kind = if directory { "directory" } else { "regular file" };
        match rest.next() {
            Some('a') => text.push_str(&file.mode),
            Some('U') => text.push_str(&file.user),
            Some('G') => text.push_str(&file.group),
            Some('u') => text.push(if file.user == "root" { '0' } else { '1' }),
            Some('g') => text.push(if file.group == "root" { '0' } else { '1' }),
            Some('s') => text.push_str(&file.text.len().to_string()),
            Some('n') => text.push_str(path),
            Some('D') => text.push_str(obstacle::DEVICE),
            Some('i') => text.push_str(&obstacle::inode(path).to_string()),
            Some('F') => text.push_str(kind),
            Some('Y' | 'Z' | 'X' | 'W') => text.push_str(&clock(file.at).to_string()),
            Some(other) => text.push(other),
            None => text.push(c),
        }
    }
    text
}

fn list(world: &World, command: &Invocation, out: &mut Output) -> i32 {
    let host = &world.hosts[command.host];
    let mut code = 0;
    for path in command.operands(&[]) {
        let below = format!("{}/", path.trim_end_matches('/'));
        if host.files.get(path).is_some() {
            out.line(path);
        } else if path.trim_end_matches('/') == "/var/cache/apt/archives" {
            for name in &host.packages.archives {
                out.line(name);
            }
        } else if host.files.is_directory(path) {
            let mut names: Vec<&str> = host
                .files
                .below(&below)
                .filter_map(|(known, _)| known[below.len()..].split('/').next())
                .collect();
            names.dedup();
            for name in names {
                out.line(name);
            }
        } else {
            out.complain(format!("ls: cannot access '{path}': No such file or directory"));
            code = 2;
        }
    }
    code
}

fn test(world: &World, command: &Invocation) -> bool {
    let args: Vec<&str> = command.args().iter().map(String::as_str).filter(|arg| *arg != "]").collect();
    let host = &world.hosts[command.host];
    let (negated, args) = match args.split_first() {
        Some((&"!", rest)) => (true, rest),
        _ => (false, args.as_slice()),
    };
    let holds = match args {
        ["-e", path] => exists(world, command.host, path) || archive(host, path),
        ["-f", path] => host.files.get(&canonical(path)).is_some() || archive(host, path),
        ["-s", path] => host.files.get(&canonical(path)).is_some_and(|file| !file.text.is_empty()),
        ["-r", path] => host.files.get(&canonical(path)).is_some_and(|file| readable(file, command)),
        ["-x", path] => host.files.get(&canonical(path)).is_some_and(|file| file.mode.starts_with('7')),
        ["-d", path] => host.files.is_directory(path),
        ["-n", text] | [text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        _ => false,
    };
    holds != negated
}

fn archive(host: &super::host::SimulatedMachine, path: &str) -> bool {
    path.strip_prefix("/var/cache/apt/archives/").is_some_and(|name| host.packages.archives.contains(name))
}

/// `mkdir`, `install`, `rm`: only as far as later reads can tell.
fn make(world: &mut World, command: &Invocation, out: &mut Output) -> i32 {
    let now = world.now;
    let program = command.program().to_owned();
    let paths: Vec<String> = command
        .operands(&["-m", "-o", "-g", "--mode", "--owner", "--group"])
        .into_iter()
        .map(str::to_owned)
        .collect();
    let system = ["/etc", "/var", "/usr", "/opt", "/root", "/boot"];
    if let Some(path) =
        paths.iter().find(|path| !command.root && system.iter().any(|directory| path.starts_with(directory)))
    {
        out.complain(format!("{program}: cannot change '{path}': Permission denied"));
        return 1;
    }
    let files = &mut world.hosts[command.host].files;
    let directories =
        program == "mkdir" || command.has("-d") || command.args().iter().any(|arg| arg == "-dm");
    for path in &paths {
        if program == "rm" {
            files.remove(path);
        } else if program == "touch" {
            let text = files.read(path).unwrap_or_default().to_owned();
            files.put(path, text, "644", now);
        } else if directories {
            files.put(&format!("{}/.", path.trim_end_matches('/')), String::new(), "755", now);
        }
    }
    if let ("install", false, [from, to]) = (program.as_str(), directories, paths.as_slice()) {
        let text = if from == "/dev/stdin" {
            Some(command.stdin.clone())
        } else {
            files.read(from).map(str::to_owned)
        };
        let Some(text) = text else {
            out.complain(format!("install: cannot stat '{from}': No such file or directory"));
            return 1;
        };
        files.put(to, text, command.option("-m").unwrap_or("755"), now);
    }
    0
}
