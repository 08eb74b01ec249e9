//! Files of other kinds, recognised by their beginning, so that nobody reads a dozen errors about one wrong name. Pure.

use super::Code;
use super::codes::{NOT_A_RUNBOOK, NOT_AN_INVENTORY};

/// What a file is.
pub(super) struct Foreign {
    pub(super) code: Code,
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

/// Nothing but names, one on a line: two of them at least, and one with a digit or a dot, as hosts have.
fn are_names(text: &str) -> bool {
    let lines =
        || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let is_name = |line: &str| {
        line.starts_with(|c: char| c.is_ascii_alphanumeric())
            && line.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let is_host = |line: &str| line.contains(|c: char| c.is_ascii_digit() || c == '.');
    lines().count() > 1 && lines().all(is_name) && lines().any(is_host)
}

/// What a file is, where it is none of ours that people write.
pub(super) fn recognise(text: &str) -> Option<Foreign> {
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    if text.starts_with('{') {
        return json(text);
    }
    if is_ini(text) {
        return Some(Foreign {
            code: NOT_AN_INVENTORY,
            message: "this is an inventory of Ansible, in INI form",
            hint: "write it as YAML with `apiVersion: rollbook/v1` and `kind: Inventory`; docs/guide/from-ansible.md shows how",
        });
    }
    if are_names(text) {
        return Some(Foreign {
            code: NOT_AN_INVENTORY,
            message: "this is a list of host names, one on each line",
            hint: "write an inventory: `apiVersion: rollbook/v1`, `kind: Inventory`, and each name as `NAME: {}` below `hosts:`",
        });
    }
    if text.starts_with("#!") {
        return Some(Foreign {
            code: NOT_A_RUNBOOK,
            message: "this is a script",
            hint: "name a file that begins with `apiVersion: rollbook/v1`; a step `script` runs a script's text",
        });
    }
    None
}

fn json(text: &str) -> Option<Foreign> {
    let beginning: String = text.chars().filter(|c| !c.is_whitespace()).take(200).collect();
    let is_plan = beginning.starts_with("{\"digest\":") || beginning.starts_with("{\"plan\":");
    if is_plan {
        return Some(Foreign {
            code: NOT_A_RUNBOOK,
            message: "this is a saved plan",
            hint: "`rollbook run FILE` runs it, `rollbook plan RUNBOOK --diff FILE` compares with it; to rehearse, name the runbook",
        });
    }
    None
}

/// Lines of `[group]` and `host key=value`, as the first that say anything.
fn is_ini(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with(';'));
    let is_name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:[]".contains(c))
    };
    let is_section = |line: &str| {
        let inside = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        inside.is_some_and(|inside| is_name(inside) && !inside.contains(['[', ']']))
    };
    let is_host = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().is_some_and(is_name);
        let mut variables = words.peekable();
        name && variables.peek().is_some() && variables.all(|word| word.contains('='))
    };
    let Some(first) = lines.next() else { return false };
    match lines.next() {
        Some(second) => {
            is_section(first)
                && (is_host(second) || is_name(second) || is_section(second) || second.contains('='))
                || is_host(first) && (is_host(second) || is_section(second) || is_name(second))
        }
        None => is_host(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_known_by_their_beginning() {
        let cases = [
            ("[masters]\ncp1 ansible_host=10.0.0.1\n", Some("INI")),
            ("# ours\n\n[all:vars]\nansible_user=ops\n", Some("INI")),
            ("w1 ansible_host=10.0.0.1 ansible_user=ops\nw2\n", Some("INI")),
            ("[workers]\nw[1:3]\n", Some("INI")),
            ("[workers]\n[workers:children]\na\n", Some("INI")),
            ("{\"digest\":\"sha256:5b\",\"plan\":{}}", Some("saved plan")),
            ("{\n  \"digest\": \"sha256:5b\"}", Some("saved plan")),
            ("#!/bin/sh\nset -e\n", Some("script")),
            ("# ours\nw1\nw2.example.com\n", Some("list of host names")),
            ("one\ntwo\n", None),
            ("w1\n", None),
            ("apiVersion: rollbook/v1\nkind: Runbook\n", None),
            ("[a, b]\n", None),
            ("[a]\n- b\n", None),
            ("{ a: b }\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = recognise(text).map(|found| found.message);
            match expected {
                Some(word) => assert!(found.is_some_and(|found| found.contains(word)), "{text}: {found:?}"),
                None => assert_eq!(found, None, "{text}"),
            }
        }
    }
}
