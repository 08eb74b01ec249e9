//! What arguments mean, and where their mistakes are shown.

use super::*;
use crate::source::{Diagnostics, Limits, Node, SourceMap, parse};
use crate::template::{NameType, Names};
use crate::value::{Duration, Field, Version};

fn names() -> Names {
    let params = [
        ("target", Type::Version),
        ("flag", Type::Bool),
        ("list", Type::List(Box::new(Type::Str))),
        ("wait", Type::Duration),
    ];
    let params = params.map(|(name, ty)| (name.to_owned(), NameType::Value(ty)));
    let roots = [("params", NameType::Closed(params.into_iter().collect())), ("host", NameType::Open)];
    Names { roots: roots.map(|(name, ty)| (name.to_owned(), ty)).into_iter().collect(), ..Names::default() }
}

fn scope() -> Scope {
    let mut scope = Scope::new();
    let params = [
        ("target", Value::Version(Version::parse("1.31.4").expect("valid"))),
        ("flag", Value::Bool(true)),
        ("list", Value::List(vec![Value::Str("a".to_owned())])),
        ("wait", Value::Duration(Duration::from_secs(90))),
    ];
    scope.set(
        "params",
        Value::Map(params.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()),
    );
    scope
}

fn compile(yaml: &str, ty: &Type) -> Result<Arg, String> {
    let mut sources = SourceMap::default();
    let file = sources.add("a.yaml", yaml);
    let mut diagnostics = Diagnostics::default();
    let root: Node = parse(&sources, file, Limits::default(), &mut diagnostics).expect("valid YAML");
    let arg = compile_arg(&root, ty, &names(), &mut diagnostics);
    assert_eq!(arg.is_none(), diagnostics.has_errors(), "{yaml}");
    arg.ok_or_else(|| diagnostics.render(&sources, false))
}

fn list(inner: Type) -> Type {
    Type::List(Box::new(inner))
}

fn many(inner: Type) -> Type {
    Type::OneOrMany(Box::new(inner))
}

fn record() -> Type {
    Type::Record(vec![
        Field::required("version", Type::Version, "The version to reach."),
        Field::with_default("for", Type::Duration, Value::Duration(Duration::from_secs(5)), "How long."),
        Field::optional("when", Type::Expr, "Whether."),
    ])
}

#[test]
fn arguments_render_to_their_type() {
    let cases = [
        ("1.30", Type::Version, "1.30"),
        ("1.30", Type::Str, "1.30"),
        ("no", Type::Str, "no"),
        ("true", Type::Bool, "true"),
        ("\"{{ params.target }}\"", Type::Version, "1.31.4"),
        ("\"{{ params.target }}-*\"", Type::Str, "1.31.4-*"),
        ("\"{{ params.target | minor }}.9\"", Type::Version, "1.31.9"),
        ("\"{{ params.list }}\"", many(Type::Str), "[a]"),
        ("\"{{ params.target }}\"", many(Type::Str), "[1.31.4]"),
        ("x", many(Type::Str), "[x]"),
        ("[x, \"{{ params.wait }}\"]", list(Type::Str), "[x, 1m30s]"),
        ("{a: 1, b: \"{{ params.target }}\"}", Type::Map(Box::new(Type::Str)), "{a: 1, b: 1.31.4}"),
        (
            "params.flag and params.target > '1.30'",
            Type::Expr,
            "{text: params.flag and params.target > '1.30', value: true}",
        ),
        ("true", Type::Expr, "{text: true, value: true}"),
        (
            "{version: 1.30, when: params.flag}",
            record(),
            "{version: 1.30, for: 5s, when: {text: params.flag, value: true}}",
        ),
        ("{a: [1, yes, ~]}", Type::Any, "{a: [1, yes, null]}"),
        ("all", Type::OneOf(vec![Type::Amount, Type::Enum(vec!["all".to_owned()])]), "all"),
        ("25%", Type::OneOf(vec![Type::Amount, Type::Enum(vec!["all".to_owned()])]), "25%"),
    ];
    for (yaml, ty, expected) in cases {
        let arg = compile(yaml, &ty).unwrap_or_else(|shown| panic!("{yaml}\n{shown}"));
        assert_eq!(arg.render(&scope()).map(|value| value.to_string()).as_deref(), Ok(expected), "{yaml}");
    }
}

#[test]
fn arguments_survive_a_plan() {
    let cases = [
        ("1.30", Type::Version),
        ("\"{{ params.target }}\"", Type::Version),
        ("\"a{{ params.target }}\"", Type::Str),
        ("params.flag", Type::Expr),
        ("[x, \"{{ params.wait }}\"]", many(Type::Str)),
        ("{version: \"{{ params.target }}\", when: params.flag}", record()),
        ("[\"{{ params.wait }}\"]", Type::OneOf(vec![Type::Str, list(Type::Duration)])),
        ("{version: \"{{ params.target }}\"}", Type::OneOf(vec![Type::Str, record()])),
        ("{b: 1, a: [\"{{ params.wait }}\"]}", Type::Any),
    ];
    for (yaml, ty) in cases {
        let arg = compile(yaml, &ty).unwrap_or_else(|shown| panic!("{yaml}\n{shown}"));
        let stored = serde_json::to_string(&arg.to_source()).expect("plain data");
        let stored = serde_json::from_str(&stored).expect("just written");
        let read = Arg::from_source(&stored, &ty).expect(yaml);
        assert_eq!(read.to_source(), arg.to_source(), "{yaml}");
        assert_eq!(read.render(&scope()), arg.render(&scope()), "{yaml}");
        assert_eq!(read.references(), arg.references(), "{yaml}");
    }
    for damaged in
        ["1", "{}", "{\"const\": 1}", "{\"text\": \"{{\"}", "{\"map\": [[1, 2]]}", "{\"x\": 1, \"y\": 2}"]
    {
        let json = serde_json::from_str(damaged).expect(damaged);
        assert!(Arg::from_source(&json, &Type::Any).is_err(), "{damaged}");
    }
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let amount_or_all = Type::OneOf(vec![Type::Amount, Type::Enum(vec!["all".to_owned()])]);
    let cases = [
        ("\"v{{ params.tarrget }}\"", Type::Str, "1:6", "did you mean `params.target`?"),
        ("target == 1", Type::Expr, "1:1", "did you mean `params.target`?"),
        ("params.flag and parms.x", Type::Expr, "1:17", "unknown name `parms.x`"),
        ("|\n  echo a\n\n  echo {{ params.x }}\n", Type::Str, "4:11", "unknown name `params.x`"),
        (
            "\"{{ params.flag }}\"",
            Type::Version,
            "1:5",
            "expected a version such as 1.31.4, but `params.flag` is true or false",
        ),
        ("\"a{{ params.flag }}\"", Type::Str, "1:6", "cannot stand inside a text"),
        ("params.target", Type::Expr, "1:1", "expected true or false, but `params.target` is a version"),
        ("\"{{ params.flag }}\"", Type::Expr, "1:1", "write it without braces: `params.flag`"),
        ("\"{{ params.target | minro }}\"", Type::Version, "1:21", "did you mean `minor`?"),
        ("\"{{ params.target\"", Type::Version, "1:2", "never closed"),
        ("yes", Type::Bool, "1:1", "write `true`"),
        ("True", Type::Bool, "1:1", "in lower case"),
        ("\"true\"", Type::Bool, "1:1", "without quotes"),
        ("\"5\"", Type::Int, "1:1", "without quotes"),
        ("1_000", Type::Int, "1:1", "write digits only"),
        ("10", Type::Duration, "1:1", "`10s` for seconds"),
        ("1h 30m", Type::Duration, "1:1", "without spaces"),
        ("1.x", Type::Version, "1:1", "expected a version such as 1.31.4, found `1.x`"),
        ("~", Type::Str, "1:1", "found nothing"),
        ("[a]", Type::Str, "1:1", "expected a text, found a list"),
        ("a", list(Type::Str), "1:1", "write a list: `[a]`"),
        ("{version: 1.30, fro: 5s}", record(), "1:17", "did you mean `for`?"),
        ("{for: 5s}", record(), "1:1", "the key `version` is missing"),
        (
            "{\"{{ params.target }}\": 1}",
            Type::Map(Box::new(Type::Int)),
            "1:2",
            "a key cannot hold a template",
        ),
        ("al", amount_or_all.clone(), "1:1", "a count or a percentage, such as 2 or 25%, or `all`"),
        ("{for: 5}", Type::OneOf(vec![Type::Str, record()]), "1:7", "needs a unit"),
        ("\"{% for params in params.list %}x{% endfor %}\"", Type::Str, "1:9", "hides the namespace"),
        ("\"{{.Names}}\"", Type::Str, "1:4", "write braces literally"),
    ];
    for (yaml, ty, place, part) in cases {
        let shown = compile(yaml, &ty).expect_err(yaml);
        assert!(shown.contains(&format!("a.yaml:{place}\n")), "{yaml} at {place}:\n{shown}");
        assert!(shown.contains(part), "{yaml} with {part:?}:\n{shown}");
    }
}

#[test]
fn all_mistakes_of_an_argument_are_reported_at_once() {
    let shown = compile("{version: x, for: 5, when: params.y}", &record()).expect_err("three mistakes");
    assert_eq!(shown.matches("error[").count(), 3, "{shown}");
}

#[test]
fn a_value_that_turns_out_wrong_is_named_by_its_expression() {
    let arg = compile("\"{{ host.vars.x }}\"", &Type::Version).expect("not known yet");
    let mut scope = Scope::new();
    let vars = Value::Map([("x".to_owned(), Value::Str("hunter2".to_owned()))].into_iter().collect());
    scope.set("host", Value::Map([("vars".to_owned(), vars)].into_iter().collect()));
    let error = arg.render(&scope).expect_err("no version");
    assert_eq!(error.message, "`host.vars.x`: expected a version such as 1.31.4, found a string");
}

#[test]
fn people_read_arguments_as_they_are_written() {
    for (yaml, ty, written) in [
        ("1.30", Type::Version, "1.30"),
        ("\"{{ params.target }}\"", Type::Version, "{{ params.target }}"),
        ("\"a{{ params.target }}\"", Type::Str, "a{{ params.target }}"),
        ("params.flag", Type::Expr, "params.flag"),
        ("[x, \"{{ params.wait }}\"]", many(Type::Str), "[x, {{ params.wait }}]"),
        ("{b: 1, a: [\"{{ params.wait }}\"]}", Type::Any, "{b: 1, a: [{{ params.wait }}]}"),
    ] {
        let arg = compile(yaml, &ty).unwrap_or_else(|shown| panic!("{yaml}\n{shown}"));
        assert_eq!(as_written(&arg.to_source()), written, "{yaml}");
    }
}
