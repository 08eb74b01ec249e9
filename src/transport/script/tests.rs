//! What is refused, and what the text is made of.

use super::*;

fn op(kind: OpKind) -> Op {
    Op { r#become: true, timeout: Duration::from_secs(1), ..Op::new("", kind) }
}

fn exec(argv: &[&str]) -> Op {
    op(OpKind::Exec { argv: argv.iter().map(|word| (*word).to_owned()).collect() })
}

fn compose(op: &Op) -> Result<String, ScriptError> {
    let id = LaunchId { run: "r1".to_owned(), op: "1-2-1-0".to_owned() };
    launch(&Launch { id, op, over: &[] }, &RecordDir::new(None, true))
}

#[test]
fn a_value_is_always_one_single_quoted_word() {
    for (value, word) in
        [("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("'", r"''\'''"), ("$x`y`\\\n", "'$x`y`\\\n'")]
    {
        assert_eq!(quote(value, "it").unwrap(), word);
        // An implementation that we did not write reads it back.
        assert_eq!(shlex::split(word).unwrap(), [value]);
    }
    assert_eq!(quote("a\0b", "it"), Err(ScriptError::Nul("it")));
}

#[test]
fn what_a_host_would_misread_is_refused() {
    for (argv, error) in [
        (&[][..], ScriptError::NoProgram),
        (&[""], ScriptError::Program(String::new())),
        (&["-x"], ScriptError::Program("-x".to_owned())),
        (&["A=b", "c"], ScriptError::Program("A=b".to_owned())),
        (&["a", "b\0"], ScriptError::Nul("the argument vector")),
    ] {
        assert_eq!(compose(&exec(argv)).unwrap_err(), error, "{argv:?}");
    }
    let mut odd = exec(&["true"]);
    odd.env.insert("A;B".to_owned(), String::new());
    assert_eq!(compose(&odd), Err(ScriptError::Variable("A;B".to_owned())));
    for (path, mode, owner) in [
        ("etc/x", "0644", ""),
        ("/etc/", "0644", ""),
        ("/etc/x", "0888", ""),
        ("/etc/x", "u=rw", ""),
        ("/etc/x", "0644", "-R"),
        ("/etc/x", "0644", "a b"),
    ] {
        let write =
            op(OpKind::Write { path: path.to_owned(), mode: mode.to_owned(), owner: owner.to_owned() });
        assert!(matches!(compose(&write), Err(ScriptError::File { .. })), "{path} {mode} {owner}");
    }
    for run in ["", "../x", "a b", "-x", "A", "a/b"] {
        let id = LaunchId { run: run.to_owned(), op: "1".to_owned() };
        assert_eq!(attach(&id, &RecordDir::new(None, true)), Err(ScriptError::Id(run.to_owned())));
    }
}

#[test]
fn the_directory_is_never_below_one_that_anybody_may_write_to() {
    for (path, good) in [
        ("/var/lib/x", true),
        ("/tmpfiles", true),
        ("/tmp", false),
        ("/tmp/x", false),
        ("/var/tmp/x", false),
        ("/dev/shm/x", false),
        ("/srv/../tmp", false),
        ("relative", false),
        ("/", false),
        ("/a b", false),
    ] {
        assert_eq!(RecordDir::new(Some(path), true).expression().is_ok(), good, "{path}");
    }
}

#[test]
fn the_script_is_one_group_without_comments() {
    let script = compose(&exec(&["true"])).unwrap();
    assert!(script.starts_with("{\n") && script.ends_with("\n}\n"));
    assert!(script.lines().all(|line| !line.trim_start().starts_with('#')));
    assert!(script.len() < 13_000, "{} bytes with every op", script.len());
}
