//! Files that daemons read when they start, who writes them, and what stops the containers that were started from them.

use super::ActionKind;
use crate::lint::command::{CommandLine, CommandWord};
use crate::op::base_name;

/// A file, or everything in a directory, and the unit that reads it when it starts.
const CONFIGS: [(&str, &str); 10] = [
    ("/var/lib/kubelet/config.yaml", "kubelet"),
    ("/var/lib/kubelet/kubeadm-flags.env", "kubelet"),
    ("/etc/default/kubelet", "kubelet"),
    ("/etc/sysconfig/kubelet", "kubelet"),
    ("/etc/kubernetes/kubelet.conf", "kubelet"),
    ("/etc/containerd/config.toml", "containerd"),
    ("/etc/containerd/conf.d/", "containerd"),
    ("/etc/crio/crio.conf", "crio"),
    ("/etc/crio/crio.conf.d/", "crio"),
    ("/etc/docker/daemon.json", "docker"),
];

/// The unit that reads a file when it starts.
pub(super) fn reader_of(path: &str) -> Option<&'static str> {
    let is_it = |known: &str| path == known || known.ends_with('/') && path.starts_with(known);
    CONFIGS.iter().find(|(known, _)| is_it(known)).map(|(_, unit)| *unit)
}

/// Where kubelet finds the static pods of a control plane.
const MANIFESTS: &str = "/manifests";

pub(super) fn actions(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    for word in written(command) {
        if let Some(unit) = reader_of(&word.text) {
            add(ActionKind::Config { unit, path: word.text.clone() }, word);
        }
    }
    if command.program() == "kubeadm" && command.says(&["upgrade", "node", "phase", "kubelet-config"]) {
        let path = CONFIGS[0].0.to_owned();
        add(ActionKind::Config { unit: CONFIGS[0].1, path }, command.first());
    }
    if let Some(directory) = restored_into(command) {
        add(ActionKind::Restore(directory.text.clone()), directory);
    }
    if stops_static_pods(command) {
        add(ActionKind::StaticPods, command.first());
    }
}

/// The files that a command certainly writes.
fn written(command: &CommandLine) -> impl Iterator<Item = &CommandWord> {
    let args = command.args();
    let redirected = args.windows(2).filter(|pair| pair[0].text.starts_with('>')).map(|pair| &pair[1]);
    let in_place = || {
        command.short('i')
            || args.iter().any(|word| word.text.starts_with("--in-place") || word.text.starts_with("-i"))
    };
    let named: &[CommandWord] = match command.program() {
        "tee" | "truncate" => args,
        "sed" | "perl" | "yq" if in_place() => args,
        "cp" | "mv" | "install" | "ln" => args.last().map_or(&[], std::slice::from_ref),
        _ => &[],
    };
    redirected.chain(named)
}

/// `etcdctl snapshot restore … --data-dir DIRECTORY`, also inside of a container.
fn restored_into(command: &CommandLine) -> Option<&CommandWord> {
    let words = command.words();
    let is_tool = |word: &CommandWord| {
        let program = base_name(&word.text);
        ["etcdctl", "etcdutl"].contains(&program)
    };
    let tool = words.iter().position(is_tool)?;
    let restores =
        words[tool..].windows(2).any(|pair| pair[0].text == "snapshot" && pair[1].text == "restore");
    let apart = || words.windows(2).find(|pair| pair[0].text == "--data-dir").map(|pair| &pair[1]);
    let together = || words.iter().find(|word| word.text.starts_with("--data-dir="));
    if restores { together().or_else(apart) } else { None }
}

fn stops_static_pods(command: &CommandLine) -> bool {
    const LEAVE_THEM: [&str; 11] =
        ["cat", "diff", "echo", "find", "grep", "less", "ls", "stat", "test", "[", "mkdir"];
    const VERBS: [&str; 8] = ["rm", "rmp", "stop", "stopp", "restart", "kill", "pause", "down"];
    let says = |word: &str| command.args().iter().any(|arg| arg.text == word);
    match command.program() {
        "crictl" | "docker" | "nerdctl" | "podman" | "ctr" => VERBS.iter().any(|verb| says(verb)),
        "docker-compose" => true,
        "pkill" | "killall" => true,
        program if LEAVE_THEM.contains(&program) => false,
        _ => command.args().iter().any(|word| word.text.contains(MANIFESTS)),
    }
}
