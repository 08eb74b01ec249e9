//! A parameter's text in a script: refused where a shell would read it as code, one word behind `quote`.

use std::process::Command;

use super::language::{Files, phase};

const TOP: &str = "params:\n  reason: { type: string, default: x }\n  count: { type: int, default: 1 }\n  \
    list: { type: list, items: string, default: [a] }\n  target: { type: version, default: 1.31.4 }";

fn judged(steps: &str) -> (i32, String) {
    let files = Files::new(TOP, &phase(steps));
    let outcome = files.rollbook("validate", &[]);
    (outcome.code, outcome.stderr)
}

/// Steps that let a text become code, and what the message or hint says of it.
const REFUSED: &[(&str, &str)] = &[
    ("- script: 'logger {{ params.reason }}'", "{{ params.reason | quote }}"),
    ("- script: 'logger \"for {{ params.reason }}\"'", "outside of the quotes"),
    ("- script: |\n    logger 'for {{ params.reason }}'", "outside of the quotes"),
    ("- script: 'logger \"for {{ params.reason | quote }}\"'", "its own quotes end"),
    ("- script: '{{ params.reason }}'", "reads the text of `params.reason` as code"),
    ("- script: 'echo {{ params.reason | upper }}'", "params.reason | upper | quote"),
    ("- script: 'echo {{ params.reason ~ params.count }}'", "(params.reason ~ params.count) | quote"),
    ("- script: 'eval {{ params.reason | quote }}'", "runs the text"),
    ("- script: 'sh -c {{ params.reason | quote }}'", "runs the text"),
    ("- script: |\n    cat <<EOF\n    {{ params.reason }}\n    EOF", "line break"),
    ("- script: |\n    # {{ params.reason | quote }}\n    true", "protect nothing"),
    ("- script: '{% for item in params.list %}echo {{ item }}; {% endfor %}'", "{{ item | quote }}"),
    ("- script: 'echo {{ host.vars.team }}'", "host.vars.team | quote"),
    ("- script: 'echo {{ host.labels.role }}'", "host.labels.role | quote"),
    ("- script: { interpreter: [python3], text: 'print(\"{{ params.reason }}\")' }", "sys.argv[1]"),
    ("- script: { interpreter: [/usr/bin/perl], text: 'print {{ params.reason | quote }}' }", "for shells"),
    ("- command: [sh, -c, 'logger {{ params.reason }}']", "params.reason | quote"),
    ("- command: [sudo, /bin/bash, -ec, 'logger {{ params.reason }}']", "params.reason | quote"),
    ("- command: { argv: [ls], unless: [sh, -c, 'test {{ params.reason }}'] }", "params.reason | quote"),
    ("- command: { argv: [ls], only_if: [bash, -o, pipefail, -c, 'test {{ params.reason }}'] }", "quote"),
    ("- script: { text: ls, check: [sh, -c, 'test {{ params.reason }}'] }", "params.reason | quote"),
    ("- wait: { command: [sh, -c, 'test {{ params.reason }}'] }", "params.reason | quote"),
];

const TAKEN: &[&str] = &[
    "- script: 'logger {{ params.reason | quote }}'",
    "- script: 'logger \"for \"{{ params.reason | quote }}'",
    "- script: 'logger \"$(basename {{ params.reason | quote }})\"'",
    "- script: 'logger {{ params.count }} \"{{ params.target }}\" {{ params.target | minor }}'",
    "- script: 'logger {{ host.name }} {{ host.address }} {{ run.id }}'",
    "- script: '{% for item in params.list %}echo {{ item | quote }}; {% endfor %}'",
    "- script: { text: 'logger \"$1\"', args: ['{{ params.reason }}'] }",
    "- script: 'logger \"$REASON\"'\n  env: { REASON: '{{ params.reason }}' }",
    "- script: { interpreter: [python3], text: 'print({{ params.count }})' }",
    "- command: [logger, '{{ params.reason }}']",
    "- command: [sh, -c, 'logger \"$1\"', sh, '{{ params.reason }}']",
];

#[test]
fn a_text_is_not_read_as_code() {
    for (steps, words) in REFUSED {
        let (code, said) = judged(steps);
        assert_eq!(code, 65, "{steps}\n{said}");
        assert!(said.contains("RB0730") && said.contains(words), "{steps}\n{said}");
    }
}

#[test]
fn quoted_texts_and_plain_values_are_taken() {
    for steps in TAKEN {
        let (code, said) = judged(steps);
        assert_eq!(code, 0, "{steps}\n{said}");
    }
}

/// The first text with this key.
fn find<'j>(json: &'j serde_json::Value, key: &str) -> Option<&'j str> {
    match json {
        serde_json::Value::Object(map) => {
            let own = map.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
            own.or_else(|| map.values().find_map(|value| find(value, key)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn a_quoted_text_is_one_word_of_a_real_shell() {
    let hostile =
        ["x; reboot", "it's", "$(id)", "`id`", "a\nb", "", "-n", "\"", "\\", "*", "~", "=ls", "a b", "#x"];
    for text in hostile {
        let reason = serde_json::to_string(text).unwrap();
        let top = format!("params: {{ reason: {{ type: string, default: {reason} }} }}");
        let files =
            Files::new(&top, &phase("- script: 'printf %s {{ params.reason | quote }}'\n  effect: reads"));
        let plan = files.rollbook("plan", &["--offline", "--format", "json"]).exits(0).stdout;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        let stdin = find(&plan, "stdin").unwrap();
        let ran = Command::new("sh").args(["-c", stdin]).output().unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), text, "{stdin}");
    }
}
