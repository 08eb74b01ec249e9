//! A new runbook validates and rehearses as it is written, and nothing that exists is touched.

use std::fs;
use std::path::Path;
use std::process::Command;

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
    ] {
        let dir = tempfile::tempdir().unwrap();
        new(dir.path(), args).exits(64).says(words);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{args:?}");
    }
}
