//! A command line on a simulated host, and which program answers it. The same argument vectors arrive here that real
//! hosts get; a program that the simulation does not know is not there for a probe, and succeeds for an op.

use std::collections::BTreeMap;

use super::process::{Output, ProcessStep};
use super::world::World;
use super::{apt, dpkg, etcd, etcd_host, files, kubeadm, kubectl, obstacle, system, unit};

/// A command line with what surrounds it.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    /// Index of the host.
    pub(super) host: usize,
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// Environment beyond the usual.
    pub(super) env: BTreeMap<String, String>,
    /// Standard input.
    pub(super) stdin: String,
    /// Whether it runs as root.
    pub(super) root: bool,
    /// Whether it is a probe's, which may not change anything.
    pub(super) probe: bool,
}

impl Invocation {
    /// A command line by itself, to read what it asks for.
    pub(super) fn of(argv: &[String]) -> Self {
        let (argv, env, stdin) = (argv.to_vec(), BTreeMap::new(), String::new());
        Self { host: 0, argv, env, stdin, root: true, probe: true }
    }

    /// The program's name without its directory.
    pub(super) fn program(&self) -> &str {
        let first = self.argv.first().map_or("", String::as_str);
        first.rsplit('/').next().unwrap_or(first)
    }

    /// The arguments after the program.
    pub(super) fn args(&self) -> &[String] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// The same surroundings around another command line.
    pub(super) fn with_argv(&self, argv: &[String]) -> Self {
        Self { argv: argv.to_vec(), ..self.clone() }
    }

    /// The arguments that are no options. `takes_value` names the options whose value is an argument of its own.
    pub(super) fn operands<'a>(&'a self, takes_value: &[&str]) -> Vec<&'a str> {
        let mut operands = Vec::new();
        let mut args = self.args().iter().map(String::as_str);
        while let Some(arg) = args.next() {
            match arg {
                "--" => operands.extend(args.by_ref()),
                _ if !arg.starts_with('-') || arg.len() == 1 => operands.push(arg),
                _ if takes_value.contains(&arg) => drop(args.next()),
                _ => {}
            }
        }
        operands
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.args().iter().take_while(|arg| *arg != "--").any(|arg| arg == flag)
    }

    /// The value of an option, as `--name=value`, `--name value`, `-n value`.
    pub(super) fn option<'a>(&'a self, name: &str) -> Option<&'a str> {
        let args = self.args();
        args.iter().take_while(|arg| *arg != "--").enumerate().find_map(|(index, arg)| {
            let rest = arg.strip_prefix(name)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => args.get(index + 1).map(String::as_str),
                None => None,
            }
        })
    }
}

/// Starts a command and runs it up to its first sleep.
pub(super) fn run(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    match command.program() {
        "apt" => apt::apt(world, command, out),
        "apt-get" => apt::get(world, command, out),
        "apt-cache" => apt::cache(world, command, out),
        "apt-mark" => apt::mark(world, command, out),
        "dpkg-query" => dpkg::query(world, command, out),
        "dpkg" => dpkg::dpkg(world, command, out),
        "systemctl" => unit::systemctl(world, command, out),
        "kubeadm" => kubeadm::kubeadm(world, command, out),
        "kubectl" => kubectl::kubectl(world, command, out),
        "kubelet" => kubeadm::kubelet(world, command, out),
        "sh" if apt::is_look_ahead(command) => apt::look_ahead(command),
        "sh" if etcd::is_snapshot(command) => etcd::snapshot(world, command, out),
        "timeout" | "env" | "sudo" | "nice" | "ionice" | "setsid" | "stdbuf" => wrapped(world, command, out),
        "etcdctl" => etcd_host::etcdctl(world, command, out),
        "ps" => obstacle::processes(world, command, out),
        "busctl" => obstacle::inhibitors(world, command, out),
        "cat" | "head" | "test" | "[" | "stat" | "sha256sum" | "mkdir" | "install" | "rm" | "ls"
        | "readlink" | "find" | "touch" => files::unheard::program(world, command, out),
        _ => system::program(world, command, out),
    }
}

/// A program that runs another one: its own options, assignments and numbers are skipped.
fn wrapped(world: &mut World, command: &Invocation, out: &mut Output) -> ProcessStep {
    let own_value = ["-k", "-s", "-n", "-c", "-u", "-o", "-e", "--kill-after", "--signal"];
    // `sudo -n` takes no value, `nice -n` does.
    let sudo = command.program() == "sudo";
    let args = command.args();
    let mut index = 0;
    while let Some(arg) = args.get(index) {
        let skips_value = own_value.contains(&arg.as_str()) && !(sudo && arg == "-n");
        if skips_value {
            index += 2;
        } else if arg == "--" {
            index += 1;
            break;
        } else if arg.starts_with('-') || arg.contains('=') || is_duration(arg) {
            index += 1;
        } else {
            break;
        }
    }
    match args.get(index..) {
        Some(rest) if !rest.is_empty() => run(world, &command.with_argv(rest), out),
        _ => ProcessStep::Exit(0),
    }
}

fn is_duration(arg: &str) -> bool {
    let digits = arg.trim_end_matches(['s', 'm', 'h', 'd']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whether a command line may change anything, for the log. Errs towards yes.
pub(super) fn changes(command: &Invocation) -> bool {
    let verb = || {
        let operands = command.operands(&["-o", "-n", "-p", "-f", "--property", "--output", "-c"]);
        operands.first().copied().unwrap_or_default()
    };
    match command.program() {
        "apt" if ["list", "policy", "show", "search"].contains(&verb()) => false,
        "apt" | "apt-get" => {
            !(verb() == "indextargets"
                || command.has("--print-uris")
                || command.has("-s")
                || command.has("--simulate")
                || command.has("--dry-run"))
        }
        "apt-mark" => matches!(verb(), "hold" | "unhold" | "auto" | "manual"),
        "dpkg" => command.has("--configure") || command.has("-i") || command.has("-P") || command.has("-r"),
        "systemctl" => unit::changes(verb()),
        "kubeadm" => verb() == "upgrade" || command.has("renew"),
        "kubectl" => kubectl::changes(command),
        "sh" => !apt::is_look_ahead(command) && !etcd::is_look(command),
        "mkdir" | "install" | "rm" | "bash" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Invocation {
        Invocation::of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn probes_are_told_from_changes() {
        let cases = [
            ("apt-get -s install kubelet=1.31.0-1.1", false),
            ("apt-get install -y kubelet=1.31.0-1.1", true),
            ("apt-mark showhold", false),
            ("apt-mark unhold kubelet", true),
            ("systemctl show -p Id kubelet.service", false),
            ("systemctl restart kubelet", true),
            ("kubeadm version -o short", false),
            ("kubeadm upgrade node", true),
            ("kubectl --kubeconfig=/etc/kubernetes/admin.conf get nodes", false),
            ("kubectl --kubeconfig=/etc/kubernetes/admin.conf drain w1", true),
            ("cat /etc/os-release", false),
        ];
        for (line, expected) in cases {
            assert_eq!(changes(&command(line)), expected, "{line}");
        }
    }

    #[test]
    fn operands_and_options_are_told_apart() {
        let command = command("systemctl show -p Id --property ActiveState kubelet.service -- -odd.service");
        assert_eq!(command.operands(&["-p", "--property"]), ["show", "kubelet.service", "-odd.service"]);
        assert_eq!(command.option("-p"), Some("Id"));
        assert!(!command.has("-odd.service"));
    }
}
