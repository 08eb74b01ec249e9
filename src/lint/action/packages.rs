//! What commands do to packages.

use super::{ActionKind, Package};
use crate::lint::command::{CommandLine, CommandWord};

pub(super) fn actions(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    if command.is_trial() {
        return;
    }
    match command.program() {
        "apt" | "apt-get" => apt(command, add),
        "yum" | "dnf" | "microdnf" | "zypper" => rpm(command, add),
        "unattended-upgrade" | "unattended-upgrades" | "do-release-upgrade" => {
            add(ActionKind::UpgradeAll, command.first());
        }
        "apt-mark" => {
            if let Some(names) = command.operands_of("unhold") {
                add(ActionKind::Unhold(texts(names)), command.first());
            } else if let Some(names) = command.operands_of("hold") {
                add(ActionKind::Hold(texts(names)), command.first());
            }
        }
        // The names come on its standard input.
        "dpkg" if command.flag("--set-selections").is_some() => {
            add(ActionKind::Hold(Vec::new()), command.first());
        }
        _ => {}
    }
}

fn texts<'w>(words: impl Iterator<Item = &'w CommandWord>) -> Vec<String> {
    words.take_while(|word| !word.text.starts_with(['<', '>'])).map(|word| word.text.clone()).collect()
}

fn apt(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    let is_fetched = command.short('d') || command.flag("--download-only").is_some();
    let takes_held = command.flag("--allow-change-held-packages");
    if !is_fetched && upgrades_all(command, &["upgrade", "dist-upgrade", "full-upgrade"]) {
        add(ActionKind::UpgradeAll, command.first());
        if let Some(flag) = takes_held {
            add(ActionKind::Unhold(Vec::new()), flag);
        }
    }
    for word in command.operands_of("install").into_iter().flatten() {
        let (name, version) = split(&word.text, '=');
        install(name, version, is_fetched, word, add);
        // apt takes the hold off a package that it moves all the same.
        if takes_held.is_some() && !is_fetched {
            add(ActionKind::Unhold(vec![name.to_owned()]), word);
        }
    }
}

/// Verbs of yum, dnf and zypper that move every package, where none is named.
const RPM_ALL: [&str; 7] = ["upgrade", "update", "distro-sync", "dist-upgrade", "dup", "up", "patch"];

fn rpm(command: &CommandLine, add: &mut impl FnMut(ActionKind, &CommandWord)) {
    let is_fetched = ["--downloadonly", "--download-only"].iter().any(|flag| command.flag(flag).is_some());
    if !is_fetched && upgrades_all(command, &RPM_ALL) {
        add(ActionKind::UpgradeAll, command.first());
    }
    for verb in ["install", "update", "upgrade", "downgrade"] {
        for word in command.operands_of(verb).into_iter().flatten() {
            let (name, version) = split(&word.text, '-');
            install(name, version, is_fetched, word, add);
        }
    }
    let names = |verb: &str| command.operands_of(verb).map(texts);
    let lock = names("versionlock").map(|names| match names.split_first() {
        Some((verb, names)) if verb == "delete" => ActionKind::Unhold(names.to_vec()),
        Some((verb, _)) if verb == "clear" => ActionKind::Unhold(Vec::new()),
        Some((verb, names)) if verb == "add" => ActionKind::Hold(names.to_vec()),
        _ => ActionKind::Hold(names),
    });
    let removed = || names("removelock").or(names("rl")).map(ActionKind::Unhold);
    let added = || names("addlock").or(names("al")).map(ActionKind::Hold);
    if let Some(what) = lock.or_else(removed).or_else(added) {
        add(what, command.first());
    }
}

/// Whether every package goes up: a verb for all of them, and no name behind it.
fn upgrades_all(command: &CommandLine, verbs: &[&str]) -> bool {
    let mut operands = command.operands().filter(|word| !word.text.starts_with(['<', '>', '2']));
    operands.next().is_some_and(|word| verbs.contains(&word.text.as_str()))
        && operands.next().is_none_or(|word| word.text.starts_with('/'))
}

fn install(
    name: &str,
    version: Option<&str>,
    only_fetched: bool,
    word: &CommandWord,
    add: &mut impl FnMut(ActionKind, &CommandWord),
) {
    let Some(package) = Package::named(name) else { return };
    let version = version.map(str::to_owned);
    let what = if only_fetched {
        ActionKind::Download { package, version }
    } else {
        ActionKind::Install { package, version }
    };
    add(what, word);
}

/// `kubelet` and `1.31.4-*` of `kubelet=1.31.4-*`.
fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    }
}
