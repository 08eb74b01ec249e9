//! Generated reference pages are what the code says.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rollbook::source::{self, Diagnostics, Limits, SourceMap};

use crate::support::rollbook::Rollbook;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference")
}

pub(crate) fn check(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, expected).expect("written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run `just docs`", path.display());
}

#[test]
fn pages_of_step_kinds_are_fresh() {
    let mut index = String::from("# Step kinds\n\n");
    for kind in rollbook::step::all() {
        let page = Rollbook::new(["steps", kind.name()]).run().exits(0).stdout;
        check(&reference().join(format!("steps/{}.md", kind.name())), &page);
        writeln!(index, "- [`{0}`]({0}.md): {1}", kind.name(), kind.doc().summary).unwrap();
    }
    check(&reference().join("steps/README.md"), &index);
    super::contents::update();
    let pages = std::fs::read_dir(reference().join("steps")).expect("there").count();
    assert_eq!(
        pages,
        rollbook::step::all().len() + 1,
        "a page of a kind that is gone stands in docs/reference/steps"
    );
}

#[test]
fn generated_pages_are_fresh() {
    for (path, page) in rollbook::cli::reference_pages() {
        check(&reference().join(path), &page);
    }
}

#[test]
fn schemas_are_fresh_and_the_command_prints_them() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    for (file, schema) in rollbook::cli::schemas() {
        check(&dir.join(&file), &schema);
        let kind = file.strip_suffix(".schema.json").expect("the name of a kind");
        let printed = Rollbook::new(["schema", kind]).run().exits(0).stdout;
        assert!(printed == schema, "`rollbook schema {kind}` prints something else");
    }
    let files = std::fs::read_dir(&dir).expect("there").count();
    assert_eq!(files, rollbook::cli::schemas().len(), "docs/schema has a schema of no kind of file");
}

/// Every event with its fields, from the definition itself.
fn events() -> String {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/event.rs"))
        .expect("there");
    let mut out = String::from(
        "# Events\n\nWhat becomes true in a run, in order. The journal of a run holds one event per line as JSON, and so does `--events FILE`. \
         `seq` counts from 1 without a gap, `at` is the controller's clock in milliseconds since 1970, and `event` is one of these, \
         by its `type`. Fields are never given another meaning; new ones may come.\n\n```json\n",
    );
    for line in sample() {
        writeln!(out, "{line}").unwrap();
    }
    out.push_str("```\n\nHosts, tasks, phases and batches are named by their index in the plan that lies beside the journal.\n");
    let body =
        source.split("pub enum Event {").nth(1).expect("the list").split("\n}\n").next().expect("its end");
    let (mut doc, mut fields) = (String::new(), false);
    for line in body.lines() {
        let text = line.trim();
        if let Some(more) = text.strip_prefix("///") {
            let more =
                more.trim().replace("[`Event::", "`").replace("[`crate::plan::", "`").replace("`]", "`");
            if !doc.is_empty() {
                doc.push(' ');
            }
            doc.push_str(&more);
        } else if let Some((name, ty)) = text
            .strip_suffix(',')
            .and_then(|text| text.split_once(": "))
            .filter(|_| line.starts_with("        "))
        {
            let optional = if ty.starts_with("Option<") { "; may be missing" } else { "" };
            writeln!(
                out,
                "{}- `{name}`: {}{optional}",
                if fields { "" } else { "\n" },
                doc.trim_end_matches('.')
            )
            .unwrap();
            (doc, fields) = (String::new(), true);
        } else if line.starts_with("    ") && text.starts_with(char::is_uppercase) {
            let name = text.trim_end_matches([' ', '{', ',']);
            writeln!(out, "\n## {}\n\n{doc}", snake(name)).unwrap();
            (doc, fields) = (String::new(), false);
        }
    }
    out
}

/// `TaskStarted` is `task_started` in a file.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The first events of a rehearsal, at a fixed time.
fn sample() -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("events.jsonl");
    let args = [
        "rehearse",
        "runbooks/kubeadm-upgrade.yaml",
        "-i",
        "inventory.example.yaml",
        "-p",
        "target=1.31.4",
        "--quiet",
    ];
    let more = ["--events".into(), file.clone().into_os_string()];
    Rollbook::new(args.into_iter().map(std::ffi::OsString::from).chain(more)).run().exits(0);
    let text = std::fs::read_to_string(file).expect("written");
    let mut events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for event in &mut events {
        event["at"] = 1_767_650_400_000_i64.into();
        let event = &mut event["event"];
        for (key, fixed) in [("digest", "sha256:…"), ("version", "0.1.0")] {
            if event.get(key).is_some() {
                event[key] = fixed.into();
            }
        }
    }
    let shown =
        ["run_started", "phase_started", "batch_started", "host_started", "task_started", "task_ended"];
    let first = |kind| events.iter().find(|event| event["event"]["type"] == kind).expect("it happens");
    shown.map(|kind| first(kind).to_string()).to_vec()
}

#[test]
fn the_page_of_events_is_fresh() {
    let page = events();
    assert!(page.matches("\n## ").count() > 20, "{page}");
    check(&reference().join("events.md"), &page);
}

/// The examples of a page, each with its line.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "```yaml" {
            let block =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect::<Vec<_>>();
            found.push((number + 2, block.join("\n") + "\n"));
        }
    }
    found
}

#[test]
fn every_example_of_a_reference_page_loads_and_rehearses() {
    let pages = rollbook::cli::reference_pages();
    let (_, fleet) = pages.iter().find(|(path, _)| *path == "inventory.md").expect("a page");
    let (_, fleet) = blocks(fleet).remove(0);
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("hosts.yaml"), &fleet).expect("written");
    let rollbook = |args: &[&str]| Rollbook::new(args.iter().copied()).dir(dir.path()).run();
    let mut count = 0;
    // The examples of errors are parts of files; `explain` tries them.
    for (path, page) in pages.iter().filter(|(path, _)| !path.starts_with("errors/")) {
        for (line, block) in blocks(page) {
            let place = format!("{path}:{line}");
            count += 1;
            std::fs::write(dir.path().join("block.yaml"), &block).expect("written");
            if block.contains("kind: Steps") {
                let around = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\nkube: { via: control_plane }\nphases:\n  - name: p\n    hosts: w13.example.com\n    \
                              steps: [include: { file: block.yaml, with: { unit: kubelet } }]\n";
                std::fs::write(dir.path().join("around.yaml"), around).expect("written");
                let outcome = rollbook(&["rehearse", "around.yaml", "-i", "hosts.yaml"]);
                assert_eq!(outcome.code, 0, "{place}:\n{}", outcome.stderr);
                continue;
            }
            let outcome = rollbook(&["validate", "block.yaml", "-i", "hosts.yaml"]);
            assert_eq!(outcome.code, 0, "{place}:\n{}", outcome.stderr);
            if block.contains("kind: Runbook") {
                let given: &[&str] = if block.contains("reason:") { &["-p", "reason=CHG-1"] } else { &[] };
                let outcome = rollbook(&[&["rehearse", "block.yaml", "-i", "hosts.yaml"], given].concat());
                assert_eq!(outcome.code, 0, "{place}:\n{}", outcome.stderr);
            }
        }
    }
    assert!(count >= 4, "{count} examples");
}

#[test]
fn the_page_of_lint_rules_is_fresh() {
    let mut page = String::from(LINT);
    for rule in rollbook::lint::RULES {
        let level = rule.severity.word();
        writeln!(page, "\n## {} ({}, {level})\n\n{}. {}", rule.name(), rule.code, rule.title(), rule.text())
            .unwrap();
        writeln!(page, "\n{}\n\nNot so:\n\n```yaml\n{}```", rule.why, rule.bad).unwrap();
        writeln!(page, "\nBut so:\n\n```yaml\n{}```", rule.good).unwrap();
    }
    page.push_str("\n## Checked elsewhere\n\n| what | where |\n|---|---|\n");
    for (what, place) in rollbook::lint::ELSEWHERE {
        writeln!(page, "| {what} | {place} |").unwrap();
    }
    check(&reference().join("lint.md"), &page);
}

/// The head of the page; what follows comes from the rules.
const LINT: &str = "\
# Lint rules

`rollbook validate` says what experienced people would say about an upgrade before it begins; `plan`, `run` and
`rehearse` say it again with every value that they know. A rule speaks only where it is certain: what depends on a parameter
is judged when the parameter has a value, what depends on the hosts when there is an inventory, and what only a host can
tell not at all. Steps of fragments are judged where they are included, and shown where they are written.

An error ends the command with exit code 65. A warning ends nothing, unless `validate --strict` is asked for.
`--format json` has the rule's name as `name`.

**Opting out.** A rule that is broken on purpose is allowed by name, with the reason, for a runbook or for one step:

```yaml
policy:
  allow: { no-etcd-snapshot: \"etcd is saved every hour by its operator\" }
```

```yaml
- script: { text: \"…\" }
  lint: { allow: { drain-without-timeout: \"the script watches it\" } }
```

A name that is no rule is an error; an opt-out that nothing needs is a warning of `validate`.
";

#[test]
fn the_help_names_every_exit_code_of_the_table() {
    let table = std::fs::read_to_string(reference().join("exit-codes.md")).expect("there");
    let help = Rollbook::new(["--help"]).run().exits(0).stdout;
    let line =
        help.split("Exit codes:").nth(1).expect("a list").split_whitespace().collect::<Vec<_>>().join(" ");
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    let mut count = 0;
    for code in rows {
        assert!(format!("· {line}").contains(&format!("· {code} ")), "{code} is not in --help: {line}");
        count += 1;
    }
    assert_eq!(count, line.split('·').count(), "{line}");
}

#[test]
fn the_page_of_scenarios_is_fresh() {
    let page = rollbook::scenario::page();
    check(&reference().join("scenario.md"), &page);
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let (mut sources, mut found) = (SourceMap::default(), Diagnostics::default());
    let file = sources.add("example.yaml", example);
    let tree = source::parse(&sources, file, Limits::default(), &mut found).expect("YAML");
    let scenario = rollbook::scenario::parse(&tree, &mut found);
    assert!(scenario.is_some(), "{}", found.render(&sources, false));
}
