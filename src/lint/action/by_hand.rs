//! Deeds of commands that people wrote themselves.

use super::{ActionKind, StepAction, UpgradeVerb, files, is_unit_file, minor_of, packages};
use crate::lint::command::{CommandLine, CommandWord};
use crate::runbook::Step;
use crate::source::SourceMap;
use crate::step::command_power_cycles;

/// Programs that leave the files alone that they are given, whatever else they do.
const READERS: [&str; 17] = [
    "[",
    "[[",
    "cat",
    "chmod",
    "chown",
    "diff",
    "echo",
    "find",
    "grep",
    "less",
    "ls",
    "mkdir",
    "printf",
    "sha256sum",
    "stat",
    "systemctl",
    "test",
];

pub(super) fn actions(step: &Step, command: &CommandLine, sources: &SourceMap, found: &mut Vec<StepAction>) {
    let mut add = |what: ActionKind, word: &CommandWord| {
        found.push(StepAction { what, span: word.span(step, sources) });
    };
    if let Some((minor, word)) = repository(command) {
        add(ActionKind::Repository(Some(minor)), word);
    }
    if !command.acts {
        return;
    }
    if let Some(word) = snapshot(command) {
        add(ActionKind::Snapshot, word);
    }
    packages::actions(command, &mut add);
    files::actions(command, &mut add);
    match command.program() {
        "kubeadm" => kubeadm(command, &mut add),
        "kubectl" => kubectl(command, &mut add),
        "systemctl" | "service" => units(command, &mut add),
        "pkill" | "killall" => {
            let names = command.operands().map(|word| word.text.clone()).collect();
            add(ActionKind::Restart(names), command.first());
        }
        program if restarts(program, command) => add(ActionKind::Reboot, command.first()),
        program => {
            if let Some(word) = written_unit(program, command) {
                add(ActionKind::Unit(word.text.clone()), word);
            }
        }
    }
}

fn kubeadm(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    if command.is_trial() {
        return;
    }
    if command.says(&["upgrade", "apply"]) {
        let version = command.operands().nth(2).map(|word| word.text.clone());
        add(ActionKind::Upgrade { verb: UpgradeVerb::Apply, version }, command.first());
    } else if command.says(&["upgrade", "node"]) {
        add(ActionKind::Upgrade { verb: UpgradeVerb::Node, version: None }, command.first());
    } else if command.says(&["init"]) || command.says(&["join"]) {
        add(ActionKind::Join, command.first());
    } else if command.says(&["reset"]) {
        add(ActionKind::Leave, command.first());
    } else if renews(command) {
        add(ActionKind::Renew, command.first());
    }
}

/// Whether certificates are renewed that a server reads when it starts; those of people's kubeconfigs are none.
fn renews(command: &CommandLine) -> bool {
    let mut names = command.operands().map(|word| word.text.as_str()).skip_while(|word| *word == "alpha");
    let is_renewal = names.next() == Some("certs") && names.next() == Some("renew");
    let name = names.next();
    is_renewal
        && command.flag("--csr-only").is_none()
        && name.is_some_and(|name| !["admin.conf", "super-admin.conf"].contains(&name))
}

fn kubectl(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    let says = |verbs: &[&str]| verbs.iter().any(|verb| command.says(&[verb]));
    let removed = |kinds: &[&str]| kinds.iter().any(|kind| command.says(&["delete", kind]));
    if says(&["wait", "get", "rollout"]) {
        add(ActionKind::Look(None), command.first());
    }
    if command.is_trial() {
        return;
    }
    if command.drains() {
        add(ActionKind::Drain, command.first());
    } else if says(&["cordon"]) {
        add(ActionKind::Cordon, command.first());
    } else if says(&["uncordon"]) {
        add(ActionKind::Uncordon, command.first());
    } else if removed(&["node", "nodes"]) {
        add(ActionKind::Leave, command.first());
    } else if removed(&["pod", "pods", "po"]) {
        add(ActionKind::StaticPods, command.first());
    }
}

/// `systemctl restart kubelet`, `service kubelet restart`.
fn units(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    let mut words: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
    if command.program() == "service" {
        words.reverse();
    }
    let Some((verb, names)) = words.split_first() else { return };
    let names = || names.iter().map(|name| (*name).to_owned()).collect();
    let what = match *verb {
        "daemon-reload" => ActionKind::Reload,
        "restart" | "try-restart" | "reload-or-restart" => ActionKind::Restart(names()),
        "start" | "reload" => ActionKind::Start(names()),
        "enable" | "reenable" if command.flag("--now").is_some() => ActionKind::Start(names()),
        "stop" => ActionKind::Stop(names()),
        _ => return,
    };
    add(what, command.first());
}

fn restarts(program: &str, command: &CommandLine) -> bool {
    let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    command_power_cycles(program, &args)
}

/// A file of systemd's units that a command writes.
fn written_unit<'c>(program: &str, command: &'c CommandLine) -> Option<&'c CommandWord> {
    let args = command.args();
    if !READERS.contains(&program) {
        return args.iter().find(|word| is_unit_file(&word.text));
    }
    let redirected =
        args.windows(2).find(|pair| pair[0].text.starts_with('>') && is_unit_file(&pair[1].text));
    redirected.map(|pair| &pair[1])
}

/// The minor in an address of the community's package repository.
fn repository(command: &CommandLine) -> Option<(String, &CommandWord)> {
    // One key has signed them all, so the key's address says nothing of the repository's.
    let mut words = command.words().iter().filter(|word| !word.text.ends_with("Release.key"));
    words.find_map(|word| Some((minor_of(&word.text)?.to_owned(), word)))
}

/// `etcdctl snapshot save`, also inside a pod.
fn snapshot(command: &CommandLine) -> Option<&CommandWord> {
    let words = command.words();
    let apart = words.windows(2).find(|pair| pair[0].text == "snapshot" && pair[1].text == "save");
    let together = || words.iter().find(|word| word.text.contains("snapshot save"));
    apart.map(|pair| &pair[0]).or_else(together)
}
