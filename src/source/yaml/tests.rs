//! What files mean, and what is said of those that mean nothing.

use proptest::prelude::*;

use super::*;
use crate::source::NodeKind;

/// The tree as compact text, or what was reported.
fn read(text: &str) -> String {
    let (node, diagnostics, sources) = parsed(text, Limits::default());
    match node {
        Some(node) if diagnostics.items().is_empty() => show(&node),
        _ => diagnostics.render(&sources, false),
    }
}

fn parsed(text: &str, limits: Limits) -> (Option<Node>, Diagnostics, SourceMap) {
    let mut sources = SourceMap::default();
    let file = sources.add("a.yaml", text);
    let mut diagnostics = Diagnostics::default();
    let node = parse(&sources, file, limits, &mut diagnostics);
    (node, diagnostics, sources)
}

fn show(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "null".to_owned(),
        NodeKind::Scalar { text, style: crate::source::ScalarStyle::Plain } => text.clone(),
        NodeKind::Scalar { text, .. } => format!("{text:?}"),
        NodeKind::Seq(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        NodeKind::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", entry.key.value, show(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn trees_keep_raw_text_and_written_order() {
    let cases = [
        ("b: 1.30\na: no\n", "{b: 1.30, a: no}"),
        ("a:\nb: ~\nc: null\n", "{a: null, b: null, c: null}"),
        ("a: \"~\"\nb: '1'\nc: |\n  x\n  y\n", "{a: \"~\", b: \"1\", c: \"x\\ny\\n\"}"),
        ("- [1, {x: y}]\n- z\n", "[[1, {x: y}], z]"),
        ("\u{feff}a: é\r\nb: c\r\n", "{a: é, b: c}"),
        ("---\na: 1\n...\n", "{a: 1}"),
        ("a: \"\\e\"\n", "{a: \"\\u{1b}\"}"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn aliases_repeat_and_merge_keys_fill_in() {
    let cases = [
        ("a: &x {k: v}\nb: *x\n", "{a: {k: v}, b: {k: v}}"),
        ("a: &x {k: 1, l: 2}\nb: {l: 3, <<: *x}\n", "{a: {k: 1, l: 2}, b: {l: 3, k: 1}}"),
        ("b: {<<: [{k: 1}, {k: 2, l: 2}], m: 3}\n", "{b: {m: 3, k: 1, l: 2}}"),
        ("a: &k name\n*k : x\n", "{a: name, name: x}"),
        ("a: {'<<': 1}\n", "{a: {<<: 1}}"),
        ("a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn spans_cover_what_was_written() {
    let text = "top: &a\n  k: [1, 2]\n  l: \"x\"\n\nrest: *a\nnothing:\n";
    let (node, _, sources) = parsed(text, Limits::default());
    let NodeKind::Map(entries) = node.expect("valid").kind else { panic!("a mapping") };
    let slices: Vec<_> = entries.iter().map(|entry| sources.slice(entry.value.span)).collect();
    assert_eq!(slices, ["k: [1, 2]\n  l: \"x\"", "*a", "nothing"]);
}

#[test]
fn a_file_without_content_says_so() {
    for text in ["", "# only a comment\n", "\n\n", "\u{feff}"] {
        let (node, diagnostics, _) = parsed(text, Limits::default());
        assert!(node.is_none() && diagnostics.items()[0].code == EMPTY_FILE, "{text:?}");
    }
}

#[test]
fn every_duplicate_is_reported_with_the_first_one() {
    insta::assert_snapshot!(read("a: 1\nb: {c: 1, c: 2}\na: 2\n"), @r#"
    error[RB0103]: the key `c` is written twice
     --> a.yaml:2:11
      |
    2 | b: {c: 1, c: 2}
      |           ^
      |
    note: first defined here
     --> a.yaml:2:5
      |
    2 | b: {c: 1, c: 2}
      |     ^

    error[RB0103]: the key `a` is written twice
     --> a.yaml:3:1
      |
    3 | a: 2
      | ^
      |
    note: first defined here
     --> a.yaml:1:1
      |
    1 | a: 1
      | ^
    "#);
}

#[test]
fn an_unclosed_bracket_is_shown_where_it_opens() {
    insta::assert_snapshot!(read("hosts: [a, b\nname: c\n"), @r#"
    error[RB0100]: this `:` is out of place
     --> a.yaml:2:5
      |
    2 | name: c
      |     ^
      |
    note: inside this bracket, which is still open
     --> a.yaml:1:8
      |
    1 | hosts: [a, b
      |        ^
      = hint: is the closing bracket missing?
    "#);
}

#[test]
fn templates_without_quotes_are_recognised() {
    insta::assert_snapshot!(read("version: {{ params.target }}\n"), @r#"
    error[RB0104]: `{{` without quotes is a YAML mapping
     --> a.yaml:1:10
      |
    1 | version: {{ params.target }}
      |          ^^^^^^^^^^^^^^^^^^
      |
      = hint: put the whole value in quotes: "{{ … }}"
    "#);
    insta::assert_snapshot!(read("version: {{ params.target }}-1\n"), @r#"
    error[RB0104]: `{{` without quotes is a YAML mapping
     --> a.yaml:1:10
      |
    1 | version: {{ params.target }}-1
      |          ^^^^^^^^^^^^^^^^^^
      |
      = hint: put the whole value in quotes: "{{ … }}"
    "#);
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let cases = [
        ("a:\n\t- b\n", "2:1", "indent with spaces only"),
        ("<:\n\té", "2:1", "indent with spaces only"),
        ("a: \"x\ny: 1\n", "2:1", "is the closing quote missing above?"),
        ("a: b: c\n", "1:5", "quote text that holds `: `"),
        ("a: %x\n", "1:4", "put the text in quotes"),
        ("a: 1\nb\nc: 2\n", "2:1", "is the colon missing"),
        ("- a\nb: c\n", "2:1", "cannot be mixed"),
        ("a: *.example.com\n", "1:4", "such as a glob"),
        ("a: &base {}\nb: *bse\n", "2:4", "did you mean `*base`?"),
        ("a: &x [*x]\n", "1:8", "would never end"),
        ("a: !!str 1\n", "1:4", "quotes to make it text"),
        ("a: !vault x\n", "1:4", "remove it"),
        ("a: 1\n---\nb: 1\n", "2:1", "a file of its own"),
        ("%YAML 1.2\n---\na: 1\n", "1:1", "remove the line"),
        ("? [x]\n: 1\n", "1:3", "a plain word"),
        (": 1\n", "1:1", "a key is empty"),
        ("<<: 1\n", "1:5", "`<<` takes a mapping"),
        ("a: \u{1b}[0m\n", "1:4", "as an escape"),
        ("a: \u{202e}x\n", "1:4", "reorders"),
        ("a: \u{f0000}secret:x\u{f0001}\n", "1:4", "reserved"),
        ("a: \"\\U000F0000\"\n", "1:4", "no text may hold it"),
        ("a: \"\\0\"\n", "1:4", "no text may hold it"),
    ];
    for (text, place, part) in cases {
        let shown = read(text);
        assert!(shown.contains(&format!("a.yaml:{place}\n")), "{text:?} at {place}:\n{shown}");
        assert!(shown.contains(part), "{text:?} with {part:?}:\n{shown}");
    }
}

#[test]
fn limits_stop_bombs_before_they_cost_anything() {
    let bomb: Vec<_> = (1..12)
        .map(|level| format!("a{level}: &a{level} [{}]", format!("*a{}, ", level - 1).repeat(10)))
        .collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", bomb.join("\n"));
    let stairs: Vec<_> = (1..100).map(|level| format!("s{level}: &s{level} [*s{}]", level - 1)).collect();
    let stairs = format!("s0: &s0 [x]\n{}", stairs.join("\n"));
    let deep_block: Vec<_> = (0..200).map(|level| format!("{}a:", " ".repeat(level))).collect();
    let deep_block = deep_block.join("\n");
    for (name, text, part) in [
        ("alias bomb", bomb, "more than 2000000 values"),
        ("flow", "[".repeat(100_000), "deeper than 64"),
        ("block", deep_block, "deeper than 64"),
        ("aliases as stairs", stairs, "deeper than 64"),
    ] {
        let (node, diagnostics, sources) = parsed(&text, Limits::default());
        assert!(node.is_none(), "{name}");
        assert!(diagnostics.render(&sources, false).contains(part), "{name}");
    }
    let (node, diagnostics, _) = parsed("a: 12345", Limits { bytes: 4, ..Limits::default() });
    assert!(node.is_none() && diagnostics.items()[0].message.contains("more than the limit of 4"));
}

#[test]
fn a_hundred_thousand_lines_are_one_tree() {
    let lines: Vec<_> = (0..100_000).map(|line| format!("host{line}: {{ role: worker }}")).collect();
    let text = lines.join("\n");
    let (node, diagnostics, _) = parsed(&text, Limits::default());
    assert!(diagnostics.items().is_empty());
    let NodeKind::Map(entries) = node.expect("valid").kind else { panic!("a mapping") };
    assert_eq!(entries.len(), 100_000);
}

proptest! {
    #[test]
    fn any_bytes_give_a_tree_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = crate::source::read_utf8(bytes) {
            let (node, diagnostics, sources) = parsed(&text, Limits::default());
            prop_assert!(node.is_some() || diagnostics.has_errors());
            let _ = diagnostics.render(&sources, true);
        }
    }

    #[test]
    fn any_mess_of_yaml_marks_gives_a_tree_or_a_reason(text in "[ \\n\\t:\\-\\[\\]{},&*!|>'\"%@`#?<~a-cé\\\\]{0,60}") {
        let (node, diagnostics, sources) = parsed(&text, Limits { depth: 8, nodes: 50, bytes: 1000 });
        prop_assert!(node.is_some() || diagnostics.has_errors(), "{text:?}");
        prop_assert!(!diagnostics.render(&sources, false).contains('\t'));
        let _ = diagnostics.to_json(&sources);
    }
}
