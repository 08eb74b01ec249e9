//! Values that were never filled in.

use crate::lint::action::{ActionKind, StepAction};
use crate::lint::command::{CommandLine, CommandWord};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::lint::shell;
use crate::runbook::Step;
use crate::source::{Severity, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::PLACEHOLDER,
    severity: Severity::Error,
    needs_values: true,
    why: "\
Looked at are the arguments of commands, versions of packages, and addresses. Text that is only printed or searched for
(`echo`, `grep`, `sed`) is left alone. In a `command` no shell sees `$VERSION`, so it stays what it is; in a `script`, a
variable in an address must be set in the script or by `env:`.",
    bad: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubectl, label, node, \"<node-name>\", upgraded=yes]
",
    good: "\
- name: workers
  hosts: workers
  steps:
    - command: [kubectl, label, node, \"{{ host.name }}\", upgraded=yes]
",
    check,
};

/// Programs whose arguments are text, not values.
const TEXT: [&str; 13] = [
    "helm", "echo", "printf", "logger", "grep", "egrep", "sed", "awk", "python", "python3", "perl", "jq",
    "xmllint",
];

fn check(cx: &LintContext<'_>, report: &mut Report) {
    for (step, command) in cx.commands() {
        // Markup has its own angle brackets, and a text its own words.
        if TEXT.contains(&command.program()) {
            continue;
        }
        for word in command.words() {
            if let Some((message, hint)) = wrong(word, command, step) {
                report.say(step, word.span(step, cx.sources), message).hint(hint);
            }
        }
    }
    for (step, action) in cx.every_action() {
        version(step, action, report);
    }
}

/// `kubelet: "1.31.x-00"` of the step `apt`; the words of commands are looked at as words.
fn version(step: &Step, action: &StepAction, report: &mut Report) {
    let (ActionKind::Install { version: Some(text), .. } | ActionKind::Download { version: Some(text), .. }) =
        &action.what
    else {
        return;
    };
    if step.kind.name() == "apt" && (has_x(text) || angle(text).is_some()) {
        report
            .say(step, action.span, format!("`{text}` is a placeholder"))
            .hint("write a version, such as `1.31.4-*`");
    }
}

/// What is wrong with a word, and what to do.
fn wrong(word: &CommandWord, command: &CommandLine, step: &Step) -> Option<(String, String)> {
    let text = word.text.as_str();
    if text.contains(char::is_whitespace) {
        return None;
    }
    if let Some(name) = angle(text).filter(|name| !is_markup(name, command)) {
        return Some((
            format!("`{name}` is a placeholder"),
            "write the value, or a template such as `{{ host.name }}`".to_owned(),
        ));
    }
    if has_x(text) {
        let message = format!("`{}` is a placeholder", crate::op::show_symbols(text));
        return Some((message, "write a version, such as `1.31.4`".to_owned()));
    }
    let (_, address) = text.split_once("://")?;
    if let Some(name) = variables(address).find(|name| !is_set(name, command, step)) {
        let why = match &command.script {
            Some(_) => format!("nothing sets `${name}`, so the address has a hole in it"),
            None => format!("no shell reads a `command`, so `${name}` stays in the address"),
        };
        return Some((why, "write a template such as `{{ params.target | minor }}`".to_owned()));
    }
    let hole = address.contains("stable:/v/");
    hole.then(|| {
        ("the address has no version in it".to_owned(), "write `v` and a minor, such as `v1.31`".to_owned())
    })
}

/// What guides have people fill in. kubectl prints `<none>` and `<unknown>`, which scripts compare with.
const FILLED_IN: [&str; 20] = [
    "addr",
    "address",
    "cluster",
    "cp",
    "fqdn",
    "host",
    "hostname",
    "ip",
    "kubernetes",
    "name",
    "namespace",
    "node",
    "path",
    "pod",
    "region",
    "server",
    "target",
    "token",
    "version",
    "your",
];

/// A `<like-this>` in a text.
fn angle(text: &str) -> Option<&str> {
    let at = text.find('<')?;
    let length = shell::placeholder(&text[at..])?;
    let name = &text[at..at + length];
    let mut words = name[1..length - 1].split(['-', '_']);
    words.any(|word| FILLED_IN.contains(&word.to_ascii_lowercase().as_str())).then_some(name)
}

/// Whether somewhere there is the tag that ends this one.
fn is_markup(name: &str, command: &CommandLine) -> bool {
    let end = name.replacen('<', "</", 1);
    let script = command.script.as_deref().unwrap_or_default();
    script.contains(&end) || command.words().iter().any(|word| word.text.contains(&end))
}

/// `1.31.x`, `v1.xx.0-00`: a number, and an x where the next belongs.
fn has_x(text: &str) -> bool {
    let text = text.rsplit('=').next().unwrap_or(text);
    let text = text.strip_prefix('v').unwrap_or(text);
    let parts: Vec<&str> = text.split(['-', '~']).next().unwrap_or_default().split('.').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_x = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'x' || byte == b'X');
    parts.len() >= 2
        && parts.first().is_some_and(|part| is_number(part))
        && parts[1..].iter().any(|part| is_x(part))
        && parts[1..].iter().all(|part| is_x(part) || is_number(part))
}

/// Names of variables in a text: `$V`, `${V}`. One with a default, `${V:-x}`, is never empty.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|behind| {
        let (inside, braced) = behind.strip_prefix('{').map_or((behind, false), |inside| (inside, true));
        let length = inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let name = &inside[..length];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let plain = !braced || inside[length..].starts_with('}');
        (is_name && plain).then_some(name)
    })
}

/// Whether something gives a variable its value.
fn is_set(name: &str, command: &CommandLine, step: &Step) -> bool {
    let Some(script) = command.script.as_deref() else { return false };
    let inherited = ["HOME", "HOSTNAME", "PATH", "USER", "PWD", "UID", "RANDOM", "OSTYPE", "HOSTTYPE"];
    if step.env.contains_key(name) || inherited.contains(&name) {
        return true;
    }
    // A file that is read in may set anything.
    let reads_file = shell::commands(script)
        .iter()
        .any(|words| words.iter().any(|word| matches!(word.text.as_str(), "." | "source" | "eval")));
    reads_file || assigns(script, name)
}

fn assigns(script: &str, name: &str) -> bool {
    let boundary = |at: usize| {
        script[..at].chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_')
    };
    script.match_indices(name).any(|(at, _)| {
        let behind = &script[at + name.len()..];
        let before = script[..at].trim_end();
        let read_or_loop =
            ["for", "read", "-r", "local", "export", "declare"].iter().any(|word| before.ends_with(word));
        boundary(at)
            && !before.ends_with('$')
            && (behind.starts_with('=') || behind.starts_with(":=") || read_or_loop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_x_in_the_place_of_a_number_is_a_placeholder() {
        for (text, expected) in [
            ("1.31.x-00", true),
            ("v1.xx.0", true),
            ("kubelet=1.31.x-*", true),
            ("1.x", true),
            ("1.31.4-1.1", false),
            ("python3.x", false),
            ("0x1f", false),
            ("x.1", false),
            ("1.31.fix", false),
        ] {
            assert_eq!(has_x(text), expected, "{text}");
        }
    }

    #[test]
    fn what_kubectl_prints_is_no_placeholder() {
        for (text, expected) in [
            ("<node-to-drain>", Some("<node-to-drain>")),
            ("https://<your_registry>/v2", Some("<your_registry>")),
            ("<NODE>", Some("<NODE>")),
            ("<none>", None),
            ("<unknown>", None),
            ("a<b", None),
        ] {
            assert_eq!(angle(text), expected, "{text}");
        }
    }

    #[test]
    fn a_variable_is_set_where_the_script_sets_it() {
        for (script, expected) in [
            ("V=1\ncurl https://a/$V", true),
            ("for V in 1 2; do curl https://a/$V; done", true),
            ("read -r V\ncurl https://a/$V", true),
            ("export V=1", true),
            (": ${V:=1}", true),
            ("AV=1\ncurl https://a/$V", false),
            ("curl https://a/$V", false),
        ] {
            assert_eq!(assigns(script, "V"), expected, "{script:?}");
        }
    }

    #[test]
    fn variables_with_a_default_are_never_empty() {
        let found: Vec<_> = variables("pkgs/$A/${B}/${C:-1}/$1/$$").collect();
        assert_eq!(found, ["A", "B"]);
    }
}
