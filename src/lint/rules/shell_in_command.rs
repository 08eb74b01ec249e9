//! A command is a program with its arguments: no shell reads it.

use crate::lint::command::{CommandLine, CommandWord};
use crate::lint::context::LintContext;
use crate::lint::report::Report;
use crate::lint::rule::Rule;
use crate::lint::values::is_open;
use crate::op::is_shell;
use crate::source::{Severity, Span, codes};

pub(in crate::lint) const RULE: Rule = Rule {
    code: codes::SHELL_IN_COMMAND,
    severity: Severity::Warning,
    needs_values: false,
    why: "\
`command` starts a program with exactly these arguments. A `|`, a `>` or `&&` is an argument like any other, which the
program takes for a file or an unknown word; and `[systemctl restart kubelet]` is one word, the name of a program that no
host has. A `*`, `?` or `[a-z]` in the name of a file stays what it is, and so do the quotation marks “ and ” of a text that was
copied from a page. A line that needs a shell is the step `script`.",
    bad: "\
- name: save
  hosts: control_plane
  steps:
    - command: [crictl, ps, '>', /var/backups/containers]
      effect: changes
",
    good: "\
- name: save
  hosts: control_plane
  steps:
    - script: crictl ps >/var/backups/containers
      effect: changes
",
    check,
};

/// Words that only a shell understands.
const OPERATORS: [&str; 15] =
    ["|", "||", "&&", "&", ";", ">", ">>", "<", "<<", "<<<", "2>", "2>>", "2>&1", "&>", "|&"];

/// Programs for which such a word is an argument that means something.
const TAKE_THEM: [&str; 8] = ["[", "test", "expr", "find", "awk", "jq", "yq", "echo"];

/// What a shell does by itself, and no program of this name does.
const BUILTINS: [&str; 9] = ["cd", "export", "source", ".", "set", "unset", "alias", "ulimit", "eval"];

/// Programs whose arguments are names of files, and no patterns.
const TAKE_FILES: [&str; 26] = [
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "du",
    "gunzip",
    "gzip",
    "head",
    "install",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mv",
    "realpath",
    "rm",
    "rmdir",
    "sha256sum",
    "stat",
    "tail",
    "touch",
    "truncate",
    "wc",
    "xz",
    "zcat",
];

/// Flags of these whose value is a pattern or a format.
const TAKE_PATTERNS: [&str; 7] = ["-I", "--ignore", "--hide", "--exclude", "-c", "--format", "--printf"];

/// A name of files that a shell would look up, and that the program takes word for word.
fn glob(command: &CommandLine) -> Option<&CommandWord> {
    if !TAKE_FILES.contains(&command.program()) {
        return None;
    }
    let mut before = "";
    command.args().iter().find(|word| {
        let text = word.text.as_str();
        let is_value = TAKE_PATTERNS.contains(&std::mem::replace(&mut before, text));
        let set = text.split_once('[').is_some_and(|(_, rest)| rest.find(']').is_some_and(|end| end > 0));
        !is_value && !text.starts_with('-') && (set || text.contains(['*', '?']))
    })
}

/// Quotation marks of a page around a word, which are none to YAML and to a shell.
fn is_dressed(text: &str) -> bool {
    const MARKS: [char; 6] = ['\u{201C}', '\u{201D}', '\u{201E}', '\u{2018}', '\u{2019}', '\u{00AB}'];
    let value = text.split_once('=').filter(|(flag, _)| !flag.contains(' ')).map_or(text, |(_, value)| value);
    text.starts_with(MARKS) || value.starts_with(MARKS)
}

/// A variable or a home directory, alone or before a path.
fn is_expanded_by_shell(text: &str) -> bool {
    let name = text.strip_prefix("${").or_else(|| text.strip_prefix('$'));
    text.starts_with("~/") || name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn check(cx: &LintContext<'_>, report: &mut Report) {
    // In a script a shell does read them.
    for (step, command) in cx.commands().filter(|(_, command)| command.script.is_none()) {
        let first = command.first();
        if first.text.trim().contains(char::is_whitespace) && !is_open(&first.text) {
            let words: Vec<&str> = first.text.split_whitespace().collect();
            let message =
                format!("`{}` is one word, and no program has this name", first.text.escape_debug());
            report
                .say(step, first.span(step, cx.sources), message)
                .hint(format!("write each word as an item: `[{}]`", words.join(", ")));
        }
        if BUILTINS.contains(&first.text.as_str()) {
            let message = format!("`{}` is a word of the shell, not a program", first.text);
            report
                .say(step, first.span(step, cx.sources), message)
                .hint("write the line as the step `script`; `chdir` and `env` of a step are for what its own command needs");
            continue;
        }
        if let Some(word) =
            std::iter::once(command.first()).chain(command.args()).find(|word| is_dressed(&word.text))
        {
            let message = format!(
                "the quotation marks of `{}` are part of the word: nothing takes them off",
                word.text
            );
            report
                .say(step, word.span(step, cx.sources), message)
                .hint("write plain quotes, `\"` or `'`, or none");
        }
        if let Some(word) = glob(command) {
            let message = format!("`{}` is the name of one file here: no shell looks for others", word.text);
            report
                .say(step, at_quote(word.span(step, cx.sources), cx), message)
                .hint("name each file, or write the line as the step `script`");
        }
        if takes_operators(command) {
            continue;
        }
        if let Some(word) = command.args().iter().find(|word| is_expanded_by_shell(&word.text)) {
            let message = format!("`{}` stays as it is: no shell reads it", word.text);
            report
                .say(step, at_quote(word.span(step, cx.sources), cx), message)
                .hint("write the line as the step `script`, or the value itself");
        }
        let operator = command.args().iter().find(|word| is_operator(&word.text));
        if let Some(word) = operator {
            let text = &word.text;
            let message =
                format!("`{text}` is an argument of `{}` here: no shell reads it", command.program());
            report
                .say(step, at_quote(word.span(step, cx.sources), cx), message)
                .hint("write the line as the step `script`");
        }
    }
}

/// The place of an item of a list, its opening quote included.
fn at_quote(span: Span, cx: &LintContext<'_>) -> Span {
    let Some(before) = span.start.checked_sub(1) else { return span };
    let quote = Span { start: before, end: span.start, ..span };
    if matches!(cx.sources.slice(quote), "\"" | "'") { Span { start: before, ..span } } else { span }
}

fn is_operator(text: &str) -> bool {
    OPERATORS.contains(&text)
        || [">", ">>", "2>", "2>>", "&>"]
            .iter()
            .any(|mark| text.strip_prefix(mark).is_some_and(|file| file.starts_with(['/', '.', '$'])))
        || text.starts_with("$(") && text.ends_with(')')
}

fn takes_operators(command: &CommandLine) -> bool {
    let program = command.program();
    TAKE_THEM.contains(&program)
        || is_shell(program)
        || command.args().iter().any(|word| is_shell(&word.text))
}
