//! Values from every source, by example.

use super::*;
use crate::source::{Limits, SourceMap};

struct Nothing;

impl crate::runbook::FileReader for Nothing {
    fn read(&self, _: &camino::Utf8Path, _: &str) -> Result<(camino::Utf8PathBuf, String), String> {
        Err("no such file".to_owned())
    }
}

/// Values of the parameters, or every message; `files` are an inventory's `params:` and two parameter files.
fn resolve(declared: &str, files: [&str; 3], flags: &[(&str, &str)]) -> Result<String, String> {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let phases = "phases: [{ name: p, hosts: all, steps: [reboot: {}] }]";
    let runbook = sources.add(
        "up.yaml",
        format!(
            "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nparams: {declared}\n{phases}\n"
        ),
    );
    let runbook = crate::runbook::parse(&mut sources, runbook, &Nothing, &mut diagnostics).unwrap();
    let mut tree = |text: String| {
        let file = sources.add("file.yaml", text);
        crate::source::parse(&sources, file, Limits::default(), &mut diagnostics).unwrap()
    };
    let inventory = tree(format!(
        "{{ apiVersion: rollbook/v1, kind: Inventory, metadata: {{ name: t }}, hosts: {{ w1: }}, params: {} }}",
        files[0]
    ));
    let trees = [tree(files[1].to_owned()), tree(files[2].to_owned())];
    let inventory = crate::inventory::parse(&inventory, &mut diagnostics).unwrap();
    let flags = flags.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let given =
        ParamSources { inventory: Some(&inventory), files: trees.iter().collect(), flags, incomplete: false };
    match resolve_params(&runbook, &given, &mut diagnostics) {
        Some(values) => Ok(Value::Map(values).to_string()),
        None => Err(diagnostics.items().iter().fold(String::new(), |out, item| out + &item.message + "\n")),
    }
}

#[test]
fn the_stronger_source_wins() {
    let declared = "{ a: { type: int, default: 0 }, b: { type: string } }";
    let none = "{}";
    for (files, flags, expected) in [
        ([none, none, none], vec![], "{a: 0, b: null}"),
        (["{ a: 1, of_another_runbook: 1 }", none, none], vec![], "{a: 1, b: null}"),
        (["{ a: 1 }", "{ a: 2 }", none], vec![], "{a: 2, b: null}"),
        (["{ a: 1 }", "{ a: 2 }", "{ a: 3 }"], vec![], "{a: 3, b: null}"),
        (
            ["{ a: 1 }", "{ a: 2 }", "{ a: 3 }"],
            vec![("a", "4"), ("b", "1.30"), ("a", "5")],
            "{a: 5, b: 1.30}",
        ),
    ] {
        assert_eq!(resolve(declared, files, &flags), Ok(expected.to_owned()), "{files:?} {flags:?}");
    }
}

#[test]
fn text_of_a_command_line_becomes_a_value_of_its_type() {
    for (ty, text, expected) in [
        ("type: bool", "true", Ok("true")),
        ("type: bool", "yes", Err("expected `true` or `false`, found `yes`")),
        ("type: int", "1.5", Err("expected a whole number, found `1.5`")),
        ("type: version", "1.30", Ok("1.30")),
        ("type: duration", "90s", Ok("1m30s")),
        ("type: percent", "25%", Ok("25%")),
        ("type: amount", "3", Ok("3")),
        ("type: list", "\"a, b\"", Ok("[a, b]")),
        ("type: list, items: int", "1,x", Err("expected a whole number, found `1,x`")),
        ("type: enum, values: [a, b]", "c", Err("expected one of `a`, `b`, found `c`")),
        ("type: host", "w1", Ok("w1")),
        ("type: host", "w2", Err("no host is named `w2`; did you mean `w1`?")),
        ("type: map", "a=1", Err("expected a mapping, which only a `--params-file` can give, found `a=1`")),
    ] {
        let found = resolve(&format!("{{ p: {{ {ty} }} }}"), ["{}"; 3], &[("p", text.trim_matches('"'))]);
        let expected = match expected {
            Ok(value) => Ok(format!("{{p: {value}}}")),
            Err(problem) => Err(format!("the parameter `p`: {problem}\n")),
        };
        assert_eq!(found, expected, "{ty} {text}");
    }
}

#[test]
fn everything_missing_and_unknown_is_listed_together() {
    let declared = "{ a: { type: int, required: true, description: how many }, b: { type: version, required: true }, \
                    c: { type: int, max: 3 } }";
    assert_eq!(
        resolve(declared, ["{ c: 4 }", "{ d: 1 }", "{}"], &[("bb", "1")]),
        Err("the parameter `c`: `4` is above the largest allowed, 3
the runbook has no parameter `d`
the runbook has no parameter `bb`
the parameter `a` has no value: how many
the parameter `b` has no value
"
        .to_owned())
    );
}
