//! Mistakes in expressions are found when the file is loaded, where they stand, in words of ours, once; and the file is
//! taken when the hint is followed.

use super::language::{Files, phase};

const TOP: &str = "kube: { via: all }\nparams:\n  target: { type: version, default: 1.31.4 }\n  text: { type: string, default: a }\n  \
    count: { type: int, default: 1 }\n  flag: { type: bool, default: true }\n  wait: { type: duration, default: 5m }\n  \
    list: { type: list, items: string, default: [a] }\n";

/// An expression, what is wrong in it, and what the hint says to write instead.
const MENDED: &[(&str, &str, &str)] = &[
    ("facts.kubelet == 1.31.4", "1.31.4", "'1.31.4'"),
    ("params.target >= v1.31.4-rc.1 and params.flag", "v1.31.4-rc.1", "'v1.31.4-rc.1'"),
    ("facts.kubelet is version('>=5')", "version('>=5')", "facts.kubelet >= '5.0'"),
    ("facts.kubelet is version('1.31.4', '>=')", "version('1.31.4', '>=')", "facts.kubelet >= '1.31.4'"),
    ("host.vars.v is version('1.31', 'lt')", "version('1.31', 'lt')", "host.vars.v | version < '1.31'"),
    ("params.flag and not facts.swap_total", "facts.swap_total", "facts.swap_total == 0"),
    ("params.text or params.flag", "params.text", "params.text == 'text'"),
    ("params.count + '1' == 31", "params.count + '1'", "`1` without quotes"),
    ("-facts.clock > -params.flag", "-params.flag", "`not params.flag`"),
    ("params.wait > 5m", "5m", "'5m'"),
    ("params.count > 20%", "20%", "'20%'"),
    ("'{{ params.text }}' == 'x'", "'{{ params.text }}'", "params.text"),
    ("params.target > 1.31", "params.target > 1.31", "'1.31'"),
    ("facts.kubelet >= '5'", "facts.kubelet >= '5'", "'5.0'"),
    ("params.list[0:1] == 'a'", "params.list[0:1] == 'a'", "'a' in params.list[0:1]"),
    ("3 in params.list", "3 in params.list", "'3'"),
    (
        "facts.packages.kubelet == '1.31.4'",
        "facts.packages.kubelet == '1.31.4'",
        "facts.packages.kubelet.version",
    ),
    ("facts == 'x'", "facts == 'x'", "facts.os"),
    (
        "params.text == 'a' and facts.packages.kubelet.verson == 'x'",
        "facts.packages.kubelet.verson",
        "facts.packages.kubelet.version",
    ),
    ("params.wait | lower(1) == '5m'", "lower(1)", "`lower` without parentheses"),
    ("params.flag and", "and", "remove it"),
    ("params..count == 1", "..count", "such as `facts.os`"),
    ("params.flag else params.flag", "else", "if condition else"),
    ("facts.os == ‘debian’", "‘", "plain quotes"),
    ("params.flag; true", "; true", "`and`"),
    ("{% if params.flag %}x{% endif %}", "{%", "the condition alone"),
    ("params.count / 0 == 1", "0 ==", "another number"),
    ("params.count | join(',') == ''", "params.count", "leave `join` out"),
    ("params.flag == not params.flag", "not", "parentheses around it"),
];

#[test]
fn each_mistake_is_told_once_where_it_stands() {
    for (expression, wrong, right) in MENDED {
        // The second line of a folded text: places are found there, too.
        let files =
            Files::new(TOP, &phase(&format!("- command: [ls]\n  when: >-\n    true and\n    {expression}")));
        let outcome = files.rollbook("validate", &[]);
        let said = &outcome.stderr;
        assert_eq!(outcome.code, 65, "{expression}\n{said}");
        assert_eq!(said.matches("error[").count(), 1, "{expression}\n{said}");
        let column = expression.find(wrong).unwrap();
        let column = 11 + expression[..column].chars().count();
        assert!(said.contains(&format!("up.yaml:20:{column}\n")), "{expression} at {column}\n{said}");
        assert!(said.contains("hint") && said.contains(right), "{expression}: {right}\n{said}");
    }
}

#[test]
fn what_the_hints_say_to_write_is_taken() {
    for expression in [
        "facts.kubelet == '1.31.4'",
        "facts.kubelet >= '5.0'",
        "host.vars.v | version < '1.31'",
        "params.flag and not facts.swap_total == 0",
        "params.text == 'text' or params.flag",
        "params.count + 1 == 31",
        "params.wait > '5m'",
        "params.text == 'x'",
        "'a' in params.list[0:1]",
        "'3' in params.list",
        "facts.packages.kubelet.version == '1.31.4'",
        "facts.disks['/var'].free >= '2GiB' and facts.units.kubelet.active == 'active'",
        "facts.os == 'debian'",
        "params.wait | lower == '5m'",
        "params.flag == (not params.flag)",
        "(params.list | first) == 'a' and params.list | join(',') != '' and params.target | minor >= '1.30'",
        "host.vars.any == 3 or host.vars.any is matching 'x*' and host.labels.zone in ['a', 'b']",
        "params.text is version and params.text | version < params.target",
        "(params.count if params.flag else 2) * 2 > 1 and -params.count < 0 and params.count % 2 == 1",
        "params.text + 'b' == 'ab' or params.text ~ params.count == 'a1'",
        "facts.kubelet == none or facts.kubelet != none",
    ] {
        let files = Files::new(TOP, &phase(&format!("- command: [ls]\n  when: >-\n    {expression}")));
        let outcome = files.rollbook("validate", &[]);
        assert_eq!(outcome.code, 0, "{expression}\n{}", outcome.stderr);
    }
}

#[test]
fn a_name_without_a_value_is_told_at_its_line_of_a_block() {
    let steps = "- copy:\n    dest: /etc/x\n    content: |\n      one\n      two {{ params.text }} {{ host.vars.slow }}\n- command: [ls]\n  \
        when: >-\n    params.flag\n    and host.vars.fast == 1";
    let files = Files::new(TOP, &phase(steps));
    let outcome = files.rollbook("plan", &["--offline"]).exits(65);
    assert!(outcome.stderr.contains("up.yaml:21:38\n"), "{}", outcome.stderr);
    let files = Files::new(TOP, &phase(&steps.replace("host.vars.slow", "'x'")));
    let outcome = files.rollbook("plan", &["--offline"]).exits(65);
    assert!(outcome.stderr.contains("up.yaml:25:15\n"), "{}", outcome.stderr);
}

#[test]
fn texts_and_their_conditions_are_checked_too() {
    let block = "- copy:\n    dest: /etc/x\n    content: |\n      one\n      {% if params.count %}a{% endif %}\n      {{ params.list | upper }}";
    let outcome = Files::new(TOP, &phase(block)).rollbook("validate", &[]).exits(65);
    for (place, words) in [
        ("up.yaml:21:19\n", "`params.count` is a number, where true or false is needed"),
        ("up.yaml:22:16\n", "`upper` needs a text"),
    ] {
        assert!(outcome.stderr.contains(place) && outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}
