//! What templates and expressions give, and what they refuse.

use super::*;
use crate::value::{Duration, Percent, Size, Version};

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn version(text: &str) -> Value {
    Value::Version(Version::parse(text).expect(text))
}

fn scope() -> Scope {
    let mut scope = Scope::new();
    scope.set(
        "params",
        map([
            ("target", version("1.31.4")),
            ("text", text("1.9")),
            ("newer", text("1.31")),
            ("flag", Value::Bool(true)),
            ("none", Value::Null),
            ("wait", Value::Duration(Duration::from_secs(90))),
            ("size", Value::Size(Size(2 << 30))),
            ("share", Value::Percent(Percent::new(25).expect("at most 100"))),
            ("count", Value::Int(3)),
            ("list", Value::List(vec![text("b"), text("a"), text("b")])),
            ("versions", Value::List(vec![version("1.31"), version("1.9"), version("1.30.1")])),
            ("word", text("no")),
        ]),
    );
    scope.set("facts", map([("kubelet", version("1.30.2"))]));
    scope.set("host", map([("vars", map([("disk", text("sda"))])), ("labels", map([("a-b", text("c"))]))]));
    scope.set("secrets", map([("db", text("\u{F0000}secret:db\u{F0001}"))]));
    scope
}

fn render(source: &str) -> Result<String, String> {
    let template = Template::compile(source).map_err(|error| error.message)?;
    template.render(&scope()).map_err(|error| error.message)
}

fn eval(source: &str) -> Result<Value, String> {
    let expression = Expression::compile(source).map_err(|error| error.message)?;
    expression.eval(&scope()).map_err(|error| error.message)
}

#[test]
fn texts_are_rendered() {
    let cases = [
        ("plain", "plain"),
        ("v{{ params.target }}-*", "v1.31.4-*"),
        ("v{{ params.target | minor }}", "v1.31"),
        ("{{ params.wait }} {{ params.size }} {{ params.share }} {{ params.count }}", "1m30s 2GiB 25% 3"),
        ("{{ host.labels['a-b'] ~ '!' }}", "c!"),
        ("a\n{{ params.count }}\n", "a\n3\n"),
        ("a  {{- params.count -}}  b", "a3b"),
        ("{# nothing #}x", "x"),
        ("{{ '{{' }}.Names{{ '}}' }}", "{{.Names}}"),
        ("{% if params.flag %}yes{% else %}no{% endif %}\n", "yes\n"),
        ("{% for x in params.list | unique %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "b,a"),
        ("{% if params.target >= '1.31' %}new{% endif %}", "new"),
        ("{{ host.vars.none | default('sdb') }}", "sdb"),
        ("<{{ secrets.db }}>", "<\u{F0000}secret:db\u{F0001}>"),
        ("{{ 'a' ~ secrets.db }}", "a\u{F0000}secret:db\u{F0001}"),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    let cases = [
        ("x{{ params.flag }}", "`params.flag` is a boolean, which cannot stand inside a text"),
        ("x{{ params.none }}", "`params.none` is nothing, which cannot stand inside a text"),
        ("x{{ params.list }}", "`params.list` is a list, which cannot stand inside a text"),
        ("x{{ params.list | sort }}", "`params.list | sort` is a list, which cannot stand inside a text"),
        ("x{{ params }}", "`params` is a mapping, which cannot stand inside a text"),
        ("x{{ params.nothing }}", "`params.nothing` is not defined"),
        ("x{{ nothing.at.all ~ 'a' }}", "`nothing.at.all` is not defined"),
        ("{% if true %}{{ params.flag }}{% endif %}", "a boolean, which cannot stand inside a text"),
        ("{% if true %}{{ params.nothing }}{% endif %}", "is not defined"),
    ];
    for (source, expected) in cases {
        let error = render(source).expect_err(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn expressions_keep_types() {
    let cases = [
        ("params.target", version("1.31.4")),
        ("params.target | minor", version("1.31")),
        ("params.target | major", Value::Int(1)),
        ("params.text | version", version("1.9")),
        ("'10m' | duration", Value::Duration(Duration::from_secs(600))),
        ("params.count + 1", Value::Int(4)),
        ("7 // 2", Value::Int(3)),
        ("params.list | sort", Value::List(vec![text("a"), text("b"), text("b")])),
        ("params.versions | sort | last", version("1.31")),
        ("params.versions | sort | first", version("1.9")),
        ("params.list | join('-')", text("b-a-b")),
        ("'a,b' | split(',')", Value::List(vec![text("a"), text("b")])),
        ("params.list | length", Value::Int(3)),
        ("params.list | glob('a*')", Value::List(vec![text("a")])),
        ("'5' | int", Value::Int(5)),
        ("params.target | string", text("1.31.4")),
        ("host.vars", map([("disk", text("sda"))])),
        ("params.missing | default(params.count)", Value::Int(3)),
        ("'a' if params.flag else 'b'", text("a")),
        ("'A-b' | lower | replace('-', '_')", text("a_b")),
    ];
    for (source, expected) in cases {
        assert_eq!(eval(source), Ok(expected), "{source}");
    }
}

#[test]
fn comparisons_know_what_they_compare() {
    let cases = [
        ("facts.kubelet < params.target", true),
        ("facts.kubelet >= '1.9'", true),
        ("'1.9' < facts.kubelet", true),
        ("params.target == 'v1.31.4'", true),
        ("params.text | version > '1.31'", false),
        ("params.wait > '1m'", true),
        ("params.share == '25%'", true),
        ("params.size >= '1GiB'", true),
        ("params.count in [1, 3]", true),
        ("params.versions == ['1.31', 'v1.9', '1.30.1']", true),
        ("'a' not in params.list", false),
        ("params.target in ['1.31.4', '1.30.0']", true),
        ("'disk' in host.vars", true),
        ("'x' < 'y'", true),
        ("params.none == none", true),
        ("facts.kubelet != none", true),
        ("host.vars.disk is defined and host.vars.other is not defined", true),
        ("host.vars.disk is matching('sd*')", true),
        ("params.text is version", true),
        ("not (params.flag and params.count == 4)", true),
        ("params.missing is defined and params.missing > 1", false),
        ("params.count > 2 if params.flag else false", true),
    ];
    for (source, expected) in cases {
        let expression = Expression::compile(source).expect(source);
        assert_eq!(expression.eval_bool(&scope()), Ok(expected), "{source}");
    }
}

#[test]
fn comparisons_that_would_mislead_are_errors() {
    let cases = [
        ("'1.9' > '1.31'", "| version"),
        ("params.text > params.newer", "`params.text` and `params.newer` are both text"),
        ("'9' < '10'", "| int"),
        ("params.target > 1.30", "write the version in quotes"),
        ("params.target == 'latest'", "is not a version"),
        ("params.count == '3'", "one is a number, the other a string"),
        ("params.flag == 'true'", "one is a boolean, the other a string"),
        ("params.wait < params.target", "one is a duration, the other a version"),
        ("params.nothing == 1", "`params.nothing` is not defined"),
        ("params.word and params.flag", "`params.word` is a string, where true or false is needed"),
        ("not params.word", "`params.word` is a string, where true or false is needed"),
        ("1 < params.count < 5", "cannot be chained"),
        ("secrets.db == 'x'", "known only while it runs"),
        ("params.flag in params.count", "has no items"),
    ];
    for (source, expected) in cases {
        let error = eval(source).expect_err(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn a_condition_must_be_a_boolean() {
    let expression = Expression::compile("params.word").expect("valid");
    let error = expression.eval_bool(&scope()).expect_err("a string");
    assert_eq!(error.message, "`params.word` is a string, where true or false is needed");
}

#[test]
fn a_secret_is_passed_on_whole_or_not_at_all() {
    for source in [
        "{{ secrets.db | upper }}",
        "{{ secrets.db | replace('s', 'x') }}",
        "{{ secrets.db[0:3] }}",
        "{{ secrets.db[::-1] }}",
        "{{ secrets.db | split(':') | first }}",
        "{{ secrets.db | length }}",
        "{% if secrets.db is matching('*') %}x{% endif %}",
    ] {
        let error = render(source).expect_err(source);
        assert!(error.contains("known only while it runs"), "{source}: {error}");
    }
}

#[test]
fn errors_hold_no_values() {
    for source in [
        "host.vars.disk | int",
        "host.vars.disk | version",
        "host.vars.disk + 1",
        "host.vars.disk > params.target",
        "host.vars.disk / 2",
        "-host.vars.disk",
    ] {
        let error = eval(source).expect_err(source);
        assert!(!error.contains("sda"), "{source}: {error}");
    }
}

#[test]
fn mistakes_in_the_syntax_are_explained() {
    let cases = [
        ("{{ params.target", "never closed"),
        ("{{ }}", "is empty"),
        ("{{ params. }}", "`.` needs the name"),
        ("{{ a b }}", "nothing between them"),
        ("{% if params.flag %}x", "never closed"),
        ("{% extends 'x' %}", "does not exist here"),
        ("{{ params.target | minro }}", "did you mean `minor`?"),
    ];
    for (source, expected) in cases {
        let error = Template::compile(source).expect_err(source);
        assert!(error.message.contains(expected), "{source}: {error}");
    }
}

#[test]
fn rendering_is_bounded() {
    let mut scope = Scope::new();
    let items = Value::List(vec![text(&"x".repeat(100)); 1000]);
    scope.set("params", map([("list", items)]));
    for (source, expected) in [
        (
            "{% for a in params.list %}{% for b in params.list %}{% for c in params.list %}{% endfor %}{% endfor %}{% endfor %}",
            "too many steps",
        ),
        ("{% for a in params.list %}{{ a * 20 }}{% endfor %}", "too long"),
        ("{{ 'x' * 2000000 }}", "longer than"),
    ] {
        let error = Template::compile(source).expect(source).render(&scope).expect_err(source);
        assert!(error.message.contains(expected), "{source}: {error}");
    }
}

#[test]
fn no_nesting_overflows_the_stack() {
    for count in [240, 100_000] {
        let sources = [
            format!("{}1{}", "(".repeat(count), ")".repeat(count)),
            format!("{}true", "not ".repeat(count)),
            format!("{}1", "-".repeat(count)),
            format!("{}1", "1**".repeat(count)),
            format!("'a'{}", "|lower".repeat(count)),
            format!("params{}", "[0]".repeat(count)),
            format!("{}1", "1 if true else ".repeat(count)),
        ];
        for source in sources {
            let _ = Expression::compile(&source).map(|expression| expression.eval(&scope()));
        }
        let blocks = format!("{}{}", "{% if true %}".repeat(count), "{% endif %}".repeat(count));
        let _ = Template::compile(&blocks).map(|template| template.render(&scope()));
    }
}

#[test]
fn templates_can_be_sent_to_other_threads() {
    fn sendable<T: Send + Sync + Clone>() {}
    sendable::<Template>();
    sendable::<Expression>();
    sendable::<Scope>();
}

proptest::proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(source in "[ {}%#a-c.|'\"()\\[\\]<>=!,:0-9éinotrdfs-]{0,40}") {
        let _ = Template::compile(&source).map(|template| template.render(&scope()));
        let _ = Expression::compile(&source).map(|expression| expression.eval(&scope()));
    }
}
