//! Deeds of commands that people wrote themselves.

use super::{Deed, Package, Verb, What, is_unit_file, minor_of};
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
    match command.program() {
        "apt" | "apt-get" => {
            let only_fetched = command.flag("-d").or_else(|| command.flag("--download-only")).is_some();
            for word in command.operands_of("install").into_iter().flatten() {
                let (name, version) = split(&word.text, '=');
                add_package(name, version, only_fetched, word, &mut add);
            }
        }
        "yum" | "dnf" | "zypper" => {
            for word in command.operands_of("install").into_iter().flatten() {
                let (name, version) = split(&word.text, '-');
                add_package(name, version, false, word, &mut add);
            }
        }
        "kubeadm" if command.says(&["upgrade", "apply"]) => {
            let version = command.operands().nth(2).map(|word| word.text.clone());
            add(What::Upgrade { verb: Verb::Apply, version }, command.first());
        }
        "kubeadm" if command.says(&["upgrade", "node"]) => {
            add(What::Upgrade { verb: Verb::Node, version: None }, command.first());
        }
        "kubectl" if command.drains() => add(What::Drain, command.first()),
        "kubectl" if command.says(&["uncordon"]) => add(What::Uncordon, command.first()),
        "kubectl" if ["wait", "get", "rollout"].iter().any(|verb| command.says(&[verb])) => {
            add(What::Look(None), command.first());
        }
        "systemctl" if command.says(&["daemon-reload"]) => add(What::Reload, command.first()),
        "systemctl"
            if ["restart", "try-restart", "reload-or-restart"].iter().any(|verb| command.says(&[verb])) =>
        {
            let units = command.operands().skip(1).map(|word| word.text.clone()).collect();
            add(What::Restart(units), command.first());
        }
        program if restarts(program, command) => add(What::Reboot, command.first()),
        program => {
            if let Some(word) = written_unit(program, command) {
                add(What::Unit(word.text.clone()), word);
            }
        }
    }
}

fn restarts(program: &str, command: &Command) -> bool {
    let args: Vec<&str> = command.args().iter().map(|word| word.text.as_str()).collect();
    command_power_cycles(program, &args)
}

fn add_package(
    name: &str,
    version: Option<&str>,
    only_fetched: bool,
    word: &Word,
    add: &mut impl FnMut(What, &Word),
) {
    let Some(package) = Package::named(name) else { return };
    let version = version.map(str::to_owned);
    let what =
        if only_fetched { What::Download { package, version } } else { What::Install { package, version } };
    add(what, word);
}

/// `kubelet` and `1.31.4-*` of `kubelet=1.31.4-*`.
fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    }
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
