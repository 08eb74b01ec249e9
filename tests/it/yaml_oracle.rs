//! Our reader of YAML against an independent one: for every document that both accept, the same tree.
//!
//! Known differences, all on purpose:
//! - a key that is written twice is a mistake to us, and the oracle takes the last one or refuses;
//! - `<<` is resolved by us, and for the oracle once it is asked to; a merge inside of what is merged it leaves alone;
//! - `[?a]` is the text `?a` in YAML 1.2, and a mapping in 1.1;
//! - U+0085, U+2028 and U+2029 end lines in YAML 1.1, the oracle's, and are characters in 1.2, ours;
//! - plain scalars are text to us until a type is asked for: `1.30` stays so, and is the number 1.3 to the oracle.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rollbook::source::{Diagnostics, Limits, Node, NodeKind, ScalarStyle, SourceMap, parse};
use serde_yaml::Value;

use super::support::rollbook::Rollbook;

/// Our tree, where the text is accepted without a word.
fn ours(text: &str) -> Option<Node> {
    let mut sources = SourceMap::default();
    let file = sources.add("a.yaml", text);
    let mut diagnostics = Diagnostics::default();
    parse(&sources, file, Limits::default(), &mut diagnostics).filter(|_| diagnostics.items().is_empty())
}

/// The oracle's tree, merge keys resolved.
fn theirs(text: &str) -> Option<Value> {
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return None;
    }
    let mut value: Value = serde_yaml::from_str(text).ok()?;
    value.apply_merge().ok()?;
    (!has_merge(&value)).then_some(value)
}

fn has_merge(value: &Value) -> bool {
    match value {
        Value::Sequence(items) => items.iter().any(has_merge),
        Value::Mapping(entries) => entries.contains_key("<<") || entries.values().any(has_merge),
        _ => false,
    }
}

/// What is different, and where.
fn difference(ours: &Node, theirs: &Value, at: &str) -> Option<String> {
    match (&ours.kind, theirs) {
        (NodeKind::Null, Value::Null) => None,
        (NodeKind::Scalar { text, style }, value) => {
            (!same_scalar(text, *style, value)).then(|| format!("{at}: {text:?} and {value:?}"))
        }
        (NodeKind::Seq(ours), Value::Sequence(theirs)) if ours.len() == theirs.len() => {
            let pairs = ours.iter().zip(theirs).enumerate();
            pairs.into_iter().find_map(|(n, (ours, theirs))| difference(ours, theirs, &format!("{at}[{n}]")))
        }
        (NodeKind::Map(ours), Value::Mapping(theirs)) if ours.len() == theirs.len() => {
            ours.iter().find_map(|entry| {
                let key = &entry.key.value;
                let at = format!("{at}.{key}");
                let found = theirs.iter().find(|(other, _)| same_key(key, other));
                found.map_or(Some(format!("{at} is missing")), |(_, value)| {
                    difference(&entry.value, value, &at)
                })
            })
        }
        _ => Some(format!("{at}: {:?} and {theirs:?}", ours.kind)),
    }
}

fn same_key(text: &str, value: &Value) -> bool {
    [ScalarStyle::Plain, ScalarStyle::Quoted].into_iter().any(|style| same_scalar(text, style, value))
}

/// Text is text; what the oracle made a number, a boolean or nothing of has to be plain and to look like that.
fn same_scalar(text: &str, style: ScalarStyle, value: &Value) -> bool {
    let plain = style == ScalarStyle::Plain;
    match value {
        Value::String(theirs) => theirs == text,
        Value::Bool(theirs) => plain && text.eq_ignore_ascii_case(&theirs.to_string()),
        Value::Null => plain && text.eq_ignore_ascii_case("null"),
        Value::Number(theirs) => plain && same_number(text, theirs),
        _ => false,
    }
}

fn same_number(text: &str, theirs: &serde_yaml::Number) -> bool {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let based = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(prefix, base)| {
        i128::from_str_radix(&format!("{sign}{}", digits.strip_prefix(prefix)?), base).ok()
    });
    let number = match (digits.to_ascii_lowercase().as_str(), based) {
        (_, Some(number)) => return theirs.to_string() == number.to_string(),
        (".inf", _) => format!("{sign}inf").parse(),
        (".nan", _) => return theirs.is_nan(),
        _ => format!("{sign}{digits}").parse::<f64>(),
    };
    number.ok() == theirs.as_f64()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn every_document_of_the_repository_is_read_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("inventory.example.yaml")];
    for dir in ["runbooks", "scenarios", "docs", "tests"] {
        files(&root.join(dir), &mut found);
    }
    let mut compared = 0;
    for path in found {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let (Some(ours), Some(theirs)) = (ours(&text), theirs(&text)) else { continue };
        assert_eq!(difference(&ours, &theirs, ""), None, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 100, "only {compared} documents");
}

#[test]
fn the_known_differences_are_these() {
    assert!(ours("a: 1\na: 2\n").is_none(), "a key that is written twice");
    assert_eq!(theirs("a: 1.30\n"), theirs("a: 1.3\n"));
    let version = ours("a: 1.30\n").expect("a tree");
    assert!(matches!(&version.kind, NodeKind::Map(entries)
        if matches!(&entries[0].value.kind, NodeKind::Scalar { text, .. } if text == "1.30")));
    let merged = "a: &a {k: 1, l: 2}\nb: {<<: *a, l: 3}\n";
    assert_eq!(difference(&ours(merged).expect("ours"), &theirs(merged).expect("theirs"), ""), None);
    // The comparison itself can fail.
    for (left, right) in [
        ("a: 1", "a: 2"),
        ("a: b", "a: \"c\""),
        ("[a]", "[a, b]"),
        ("a: 'no'", "a: [no]"),
        ("a: '1'", "a: 1"),
    ] {
        assert!(
            difference(&ours(left).expect(left), &theirs(right).expect(right), "").is_some(),
            "{left} {right}"
        );
    }
}

#[test]
fn a_host_is_shown_as_the_same_data_in_both_languages() {
    let shown = |format: &[&str]| {
        let args = ["inventory", "show", "cp1.example.com", "-i", "inventory.example.yaml"];
        Rollbook::new(args.iter().chain(format)).run().exits(0).stdout.clone()
    };
    let json: serde_json::Value = serde_json::from_str(&shown(&[])).expect("JSON");
    let yaml = shown(&["-o", "yaml"]);
    assert!(yaml.starts_with("name: cp1.example.com\n"), "{yaml}");
    assert_eq!(serde_yaml::from_str::<serde_json::Value>(&yaml).expect("YAML"), json);
}

/// A document in block and flow style, with scalars of every style, comments, anchors and aliases.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "[a-z][a-z0-9 ._/-]{0,8}[a-z0-9]",
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?",
        "'[a-zA-Z0-9 :#,{}\\[\\]\"&*!|>%@`-]{0,10}'",
        "\"[a-zA-Z0-9 :#,'é]{0,6}(\\\\n|\\\\t|\\\\u00e9|\\\\\\\\)?[a-z]{0,3}\"",
        "true|false|null|~|no|yes|1.30|0777|0x1f|1e3|\\.5|1_000|2026-11-30|1:30|&a x|\\*a",
        "[a-zA-Z0-9:#,{}\\[\\]\"'&*!|>%@`=<~ -]{0,6}",
    ]
    .boxed();
    let flow = scalar.clone().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec(("[a-z]{1,3}|\"[a-z ]{1,3}\"", inner), 0..3).prop_map(|entries| {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    });
    let literal = "[|>][+-]?";
    let line = prop_oneof![
        6 => flow.prop_map(|value| format!(" {value}\n")),
        1 => (literal, "[a-z #:]{1,8}", "[a-z ]{0,8}").prop_map(|(style, first, second)| {
            format!(" {style}\n@a{first}\n\n@a{second}\n")
        }),
        1 => "[a-z]{1,4}\n@[a-z]{1,4}".prop_map(|text| format!(" {}\n", text.replace('@', "@a"))),
        1 => Just(" # nothing\n".to_owned()),
    ];
    let block = line.prop_recursive(3, 24, 4, |inner| {
        let indented = inner.prop_map(|text| text.replace('@', "@  "));
        prop_oneof![
            proptest::collection::vec(indented.clone(), 1..4).prop_map(|items| "\n".to_owned()
                + &items.iter().map(|item| format!("@-{item}")).collect::<Vec<_>>().concat()),
            proptest::collection::vec(("[a-z]{1,4}|'[a-z]{1,2}'|1\\.30|<<", indented), 1..4).prop_map(
                |entries| {
                    "\n".to_owned()
                        + &entries
                            .iter()
                            .map(|(key, value)| format!("@{key}:{value}"))
                            .collect::<Vec<_>>()
                            .concat()
                }
            ),
        ]
    });
    block.prop_map(|text| text.replace("@a", "  ").replace('@', ""))
}

/// The same documents every time: a difference between two versions of YAML that nobody has met yet is no news of a change.
fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn generated_documents_are_read_alike() {
    let compared = std::cell::Cell::new(0);
    let result = runner(4000).run(&document(), |text| {
        if let (Some(ours), Some(theirs)) = (ours(&text), theirs(&text)) {
            compared.set(compared.get() + 1);
            prop_assert_eq!(difference(&ours, &theirs, ""), None, "{}", text);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(compared.get() > 1000, "only {} documents are YAML to both", compared.get());
}

#[test]
fn what_we_write_is_read_alike() {
    let data =
        proptest::collection::btree_map(any::<String>(), proptest::collection::vec(".{0,12}", 0..3), 0..4);
    let result = runner(300).run(&data, |data| {
        let text = rollbook::value::to_yaml(&data);
        if let (Some(ours), Some(theirs)) = (ours(&text), theirs(&text)) {
            prop_assert_eq!(difference(&ours, &theirs, ""), None, "{}", text);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
