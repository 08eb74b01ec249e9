//! A new runbook validates and rehearses as it is written, and nothing that exists is touched.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::rollbook::{Outcome, Rollbook};

fn new(dir: &Path, args: &[&str]) -> Outcome {
    let mut all = vec!["new", "--dir", dir.to_str().unwrap()];
    all.extend(args);
    Rollbook::new(all).run()
}

/// What CI would run.
fn check(dir: &Path) -> Outcome {
    let binary = env!("CARGO_BIN_EXE_rollbook");
    Command::new(dir.join("check.sh")).env("ROLLBOOK", binary).output().expect("it starts").into()
}

#[test]
fn every_kind_validates_and_rehearses_as_it_is_written() {
    for args in [
        &["kubeadm-upgrade"][..],
        &[
            "kubeadm-upgrade",
            "--name",
            "eu1",
            "--control-planes",
            "cp1",
            "--hosts",
            "w[1:2], x9",
            "--target",
            "1.30.8",
        ],
        &["os-patch"],
        &["os-patch", "--name", "nights", "--control-planes", "cp1", "--hosts", "w1,w2"],
        &["os-patch-hosts", "--hosts", "web[01:12].example.com"],
        &["service-restart"],
        &["service-restart", "--service", "foo@bar", "--hosts", "web[01:03].example.com", "--user", "ops"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("deep/er");
        new(&made, args).exits(0).says("./check.sh");
        let checked = check(&made);
        assert_eq!(checked.code, 0, "{args:?}:\n{}{}", checked.stdout, checked.stderr);
        for file in walk(&made) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("docs/schema"), "{} names a file of Rollbook's own", file.display());
            // What its first line names is there.
            if let Some(schema) = text.lines().next().and_then(|line| line.split("$schema=").nth(1)) {
                let path = file.parent().unwrap().join(schema);
                assert!(path.exists() || schema.starts_with("http"), "{}: {schema}", file.display());
            }
        }
    }
}

/// What a terminal shows on which somebody types `typed` and then leaves; and how it ended.
fn on_a_terminal(dir: &Path, typed: &str) -> (String, Option<i32>) {
    let line = format!("{} new --dir {}", env!("CARGO_BIN_EXE_rollbook"), dir.display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn on_a_terminal_it_asks_for_what_no_flag_says() {
    let dir = tempfile::tempdir().unwrap();
    // A wrong answer is asked for again; an empty one takes what stands in brackets.
    let (shown, code) = on_a_terminal(dir.path(), "patches\n2\n../x\nnights\ncp1\nw[1:3]\nops\n");
    assert_eq!(code, Some(0), "{shown}");
    for words in
        ["os-patch-hosts", "write its number or its word", "Name of the runbook [os-patch]:", "small letters"]
    {
        assert!(shown.contains(words), "{words:?} is missing in {shown}");
    }
    let inventory = fs::read_to_string(dir.path().join("inventory.yaml")).unwrap();
    for words in ["\n  cp1:\n    labels:\n", "\n  w[1:3]:\n", "connection:\n  user: ops\n"] {
        assert!(inventory.contains(words), "{words:?} is missing in {inventory}");
    }
    assert_eq!(check(dir.path()).code, 0);
}

#[test]
fn who_leaves_before_the_last_question_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (shown, code) = on_a_terminal(dir.path(), "service-restart\nedge\n");
    assert_eq!(code, Some(64), "{shown}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_exists_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("inventory.yaml"), "mine").unwrap();
    new(dir.path(), &["service-restart"]).exits(64).says("nothing is written").says("inventory.yaml");
    assert_eq!(fs::read_to_string(dir.path().join("inventory.yaml")).unwrap(), "mine");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn wishes_that_cannot_be_met_are_told() {
    for (args, words) in [
        (&[][..], "nobody is there to ask"),
        (&["service-restart", "--name", "../x"], "--name"),
        (&["service-restart", "--hosts", " , "], "at least one host"),
        (&["service-restart", "--hosts", "w[3:1]"], "--hosts"),
        (&["service-restart", "--hosts", "w1,w1"], "named twice"),
        (&["service-restart", "--user", "a b"], "--user"),
        (&["service-restart", "--service=-x"], "--service"),
        (&["service-restart", "--target", "1.31.4"], "no meaning"),
        (&["kubeadm-upgrade", "--target", "1.31"], "with its patch"),
        (&["os-patch", "--target", "1.31.4"], "no meaning"),
        (&["os-patch-hosts", "--control-planes", "cp1"], "no meaning"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        new(dir.path(), args).exits(64).says(words);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{args:?}");
    }
}
