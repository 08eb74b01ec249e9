//! Deeds of commands that people wrote themselves.

use super::{Deed, Verb, What, files, is_unit_file, minor_of, packages};
use crate::lint::command::{Command, Word};
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

pub(super) fn deeds(step: &Step, command: &Command, sources: &SourceMap, found: &mut Vec<Deed>) {
    let mut add = |what: What, word: &Word| found.push(Deed { what, span: word.span(step, sources) });
    if let Some((minor, word)) = repository(command) {
        add(What::Repository(Some(minor)), word);
    }
    if !command.acts {
        return;
    }
    if let Some(word) = snapshot(command) {
        add(What::Snapshot, word);
    }
    packages::deeds(command, &mut add);
    files::deeds(command, &mut add);
    match command.program() {
        "kubeadm" => kubeadm(command, &mut add),
        "kubectl" => kubectl(command, &mut add),
        "systemctl" | "service" => units(command, &mut add),
        "pkill" | "killall" => {
            let names = command.operands().map(|word| word.text.clone()).collect();
            add(What::Restart(names), command.first());
        }
        program if restarts(program, command) => add(What::Reboot, command.first()),
        program => {
            if let Some(word) = written_unit(program, command) {
                add(What::Unit(word.text.clone()), word);
            }
        }
    }
}

fn kubeadm(command: &Command, add: &mut impl FnMut(What, &Word)) {
    if command.is_trial() {
        return;
    }
    if command.says(&["upgrade", "apply"]) {
        let version = command.operands().nth(2).map(|word| word.text.clone());
        add(What::Upgrade { verb: Verb::Apply, version }, command.first());
    } else if command.says(&["upgrade", "node"]) {
        add(What::Upgrade { verb: Verb::Node, version: None }, command.first());
    } else if command.says(&["init"]) || command.says(&["join"]) {
        add(What::Join, command.first());
    } else if command.says(&["reset"]) {
        add(What::Leave, command.first());
    } else if renews(command) {
        add(What::Renew, command.first());
    }
}

/// Whether certificates are renewed that a server reads when it starts; those of people's kubeconfigs are none.
fn renews(command: &Command) -> bool {
    let mut names = command.operands().map(|word| word.text.as_str()).skip_while(|word| *word == "alpha");
    let is_renewal = names.next() == Some("certs") && names.next() == Some("renew");
    let name = names.next();
    is_renewal
        && command.flag("--csr-only").is_none()
        && name.is_some_and(|name| !["admin.conf", "super-admin.conf"].contains(&name))
}

fn kubectl(command: &Command, add: &mut impl FnMut(What, &Word)) {
    let says = |verbs: &[&str]| verbs.iter().any(|verb| command.says(&[verb]));
    let removed = |kinds: &[&str]| kinds.iter().any(|kind| command.says(&["delete", kind]));
    if says(&["wait", "get", "rollout"]) {
        add(What::Look(None), command.first());
    }
    if command.is_trial() {
        return;
    }
    if command.drains() {
        add(What::Drain, command.first());
    } else if says(&["cordon"]) {
        add(What::Cordon, command.first());
    } else if says(&["uncordon"]) {
        add(What::Uncordon, command.first());
    } else if removed(&["node", "nodes"]) {
        add(What::Leave, command.first());
    } else if removed(&["pod", "pods", "po"]) {
        add(What::StaticPods, command.first());
    }
}

/// `systemctl restart kubelet`, `service kubelet restart`.
fn units(command: &Command, add: &mut impl FnMut(What, &Word)) {
    let mut words: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
    if command.program() == "service" {
        words.reverse();
    }
    let Some((verb, names)) = words.split_first() else { return };
    let names = || names.iter().map(|name| (*name).to_owned()).collect();
    let what = match *verb {
        "daemon-reload" => What::Reload,
        "restart" | "try-restart" | "reload-or-restart" => What::Restart(names()),
        "start" | "reload" => What::Start(names()),
        "enable" | "reenable" if command.flag("--now").is_some() => What::Start(names()),
        "stop" => What::Stop(names()),
        _ => return,
    };
    add(what, command.first());
}

fn restarts(program: &str, command: &Command) -> bool {
    let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    command_power_cycles(program, &args)
}

/// A file of systemd's units that a command writes.
fn written_unit<'c>(program: &str, command: &'c Command) -> Option<&'c Word> {
    let args = command.args();
    if !READERS.contains(&program) {
        return args.iter().find(|word| is_unit_file(&word.text));
    }
    let redirected =
        args.windows(2).find(|pair| pair[0].text.starts_with('>') && is_unit_file(&pair[1].text));
    redirected.map(|pair| &pair[1])
}

/// The minor in an address of the community's package repository.
fn repository(command: &Command) -> Option<(String, &Word)> {
    // One key has signed them all, so the key's address says nothing of the repository's.
    let mut words = command.words().iter().filter(|word| !word.text.ends_with("Release.key"));
    words.find_map(|word| Some((minor_of(&word.text)?.to_owned(), word)))
}

/// `etcdctl snapshot save`, also inside a pod.
fn snapshot(command: &Command) -> Option<&Word> {
    let words = command.words();
    let apart = words.windows(2).find(|pair| pair[0].text == "snapshot" && pair[1].text == "save");
    let together = || words.iter().find(|word| word.text.contains("snapshot save"));
    apart.map(|pair| &pair[0]).or_else(together)
}
