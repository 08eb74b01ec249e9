//! Every error code explains itself: its example provokes it, and what stands beside the example does not. Its page in the
//! reference is what `explain` prints, with what is said of the example; `UPDATE_DOCS=1` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use rollbook::lint::RULES;
use rollbook::source::Code;
use rollbook::source::codes::{self, CODES, CodeInfo};
use rollbook::source::examples::{Example, Shape, example};

use crate::support::rollbook::Rollbook;

/// Codes that only facts of machines provoke, as `identity.rs` does, and how it names them.
const ELSEWHERE: [(Code, &str); 2] =
    [(codes::NOT_THE_MACHINE, "codes::NOT_THE_MACHINE"), (codes::SHARED_MACHINE, "codes::SHARED_MACHINE")];

const RUNBOOK: &str = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\n";
const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\n";
const PHASES: &str = "phases:\n  - name: roll\n    hosts: all\n    steps:\n      - command: [ls]\n";
const FLEET: &str = "hosts: { \"cp[1:3]\": {}, \"w[1:3]\": { labels: { zone: a } } }\ngroups: { control_plane: { select: \"cp*\" }, workers: { select: \"w*\" } }\n";

/// A directory with what examples name.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: String| fs::write(dir.path().join(name), text).expect("written");
    fs::create_dir(dir.path().join("steps")).expect("made");
    write("steps/tools.yaml", "apiVersion: rollbook/v1\nkind: Steps\nsteps: [command: [ls]]\n".to_owned());
    write("inventory.yaml", format!("{INVENTORY}{FLEET}"));
    write(
        "single.yaml",
        format!(
            "{INVENTORY}hosts: {{ cp1: {{}}, w1: {{}} }}\ngroups: {{ control_plane: {{ hosts: [cp1] }} }}\n"
        ),
    );
    write("up.yaml", format!("{RUNBOOK}{PHASES}"));
    let bracket = "phases:\n  - name: roll\n    hosts: all\n    steps:\n      - apt_mark: { unhold: [jq] }\n        \
                   tags: packages\n      - apt_mark: { hold: [jq] }\n";
    write("bracket.yaml", format!("{RUNBOOK}{bracket}"));
    let reads = "phases:\n  - name: roll\n    hosts: all\n    steps:\n      - command: [uname, -r]\n        id: kernel\n      \
                 - command: [tell, \"{{ steps.kernel.stdout }}\"]\n        id: told\n";
    write("reads.yaml", format!("{RUNBOOK}{reads}"));
    write("workers.yaml", format!("{RUNBOOK}{}", PHASES.replace("all", "workers")));
    write(
        "param.yaml",
        format!("{RUNBOOK}params: {{ target: {{ type: version, required: true }} }}\n{PHASES}"),
    );
    write(
        "bastion.yaml",
        format!("{INVENTORY}hosts: {{ bastion: {{ connection: {{ transport: local }} }} }}\n"),
    );
    write("patch.yaml", format!("{RUNBOOK}{}", PHASES.replace("command: [ls]", "reboot: {}")));
    write("here.yaml", format!("{RUNBOOK}{PHASES}        run_on: controller\n"));
    let apply = "[kubeadm: { upgrade: apply, version: 1.31.4 }]";
    write(
        "apply.yaml",
        format!(
            "{RUNBOOK}kube: {{ via: control_plane }}\nphases: [{{ name: p, hosts: control_plane, steps: {apply} }}]\n"
        ),
    );
    dir
}

/// The whole file that an example is a part of.
fn file(shape: Shape, text: &str) -> String {
    match shape {
        Shape::File => format!("{text}\n"),
        Shape::Inventory => format!("{INVENTORY}{text}\n"),
        Shape::Runbook if text.contains("phases:") => format!("{RUNBOOK}{text}\n"),
        Shape::Runbook => format!("{RUNBOOK}{text}\n{PHASES}"),
        Shape::Steps => {
            let steps = format!("      {}\n", text.replace('\n', "\n      "));
            let head = "phases:\n  - name: roll\n    hosts: workers\n    steps:\n";
            format!("{RUNBOOK}kube: {{ via: control_plane }}\n{head}{steps}")
        }
        Shape::Shell => unreachable!("a command line is no file"),
    }
}

/// Whether it works, and everything that is said.
fn tried(dir: &Path, shape: Shape, text: &str) -> (bool, String) {
    if shape == Shape::Shell {
        let binary = Path::new(env!("CARGO_BIN_EXE_rollbook")).parent().expect("a directory");
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
        let script = format!("set -e; {}", text.replace("; ", "\n"));
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(dir).env("PATH", path).output().expect("sh");
        return (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned());
    }
    fs::write(dir.join("example.yaml"), file(shape, text)).expect("written");
    let rollbook = |args: &[&str]| Rollbook::new(args.iter().copied()).dir(dir).run();
    let validated = rollbook(&["validate", "example.yaml", "-i", "inventory.yaml"]);
    if validated.code != 0
        || shape == Shape::Inventory
        || text.contains("kind: Inventory")
        || text.contains("kind: Scenario")
    {
        return (validated.code == 0, validated.stderr);
    }
    let planned = rollbook(&["plan", "example.yaml", "-i", "inventory.yaml", "--offline"]);
    (planned.code == 0, validated.stderr + &planned.stderr)
}

#[test]
fn every_code_is_provoked_by_its_example_and_not_by_what_to_write_instead() {
    let mut wrong = Vec::new();
    for info in CODES {
        let code = info.code.to_string();
        let Some(Example { shape, wrong: provokes, right, .. }) = example(info.code) else {
            // Those of rules are tried beside the rules.
            let is_rule = RULES.iter().any(|rule| rule.code == info.code);
            assert!(is_rule || info.text.starts_with("No longer given"), "{code} has no example");
            continue;
        };
        let dir = directory();
        let (works, said) = tried(dir.path(), *shape, provokes);
        if let Some((_, test)) = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == info.code) {
            assert!(works && include_str!("../identity.rs").contains(test), "{code} is provoked nowhere");
        } else if !said.contains(&format!("[{code}]")) || works != said.contains(&format!("warning[{code}]"))
        {
            wrong.push(format!("== {code} is not provoked by\n{provokes}\n-- said:\n{said}"));
        }
        let dir = directory();
        let (works, said) = tried(dir.path(), *shape, right);
        if !works || said.contains(&code) {
            wrong.push(format!(
                "== {code}: this is to be written instead, and does not work\n{right}\n-- said:\n{said}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_code_is_explained_however_it_is_typed() {
    for typed in ["RB0103", "rb0103", "103", "duplicate-key"] {
        Rollbook::new(["explain", typed]).run().exits(0).shows("# RB0103 duplicate-key").shows("name: two");
    }
    let list = Rollbook::new(["explain"]).run().exits(0).stdout;
    assert_eq!(list.lines().count(), CODES.len(), "{list}");
    Rollbook::new(["explain", "duplicate-kye"]).run().exits(64).says("did you mean `duplicate-key`?");
}

#[test]
fn a_name_of_a_host_is_explained_with_what_it_overrules() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write(
        "hosts.yaml",
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\nvars: { site: eu }\nhosts:\n  \
         w[1:2]: { labels: { zone: b } }\n  w3: { vars: { site: own } }\ngroups:\n  \
         slow: { select: \"w*\", vars: { site: eu1, disk: hdd } }\nparams: { wait: 20m }\n",
    );
    write("more.yaml", "wait: 30m\n");
    write(
        "up.yaml",
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\nparams:\n  wait: { type: duration, default: 10m }\n\
         secrets:\n  db: { env: DB }\nvars: { file: \"/x/{{ params.wait }}\" }\nphases:\n  - name: roll\n    hosts: slow\n    \
         steps:\n      - command: [ls]\n        id: look\n        when: host.name != 'w2'\n      \
         - wait: { node: ready }\n        id: here\nkube: { via: controller }\n",
    );
    let explain = |name: &str, host: &str, more: &[&str]| {
        let args = [&["explain", name, "--host", host, "-i", "hosts.yaml"], more].concat();
        Rollbook::new(args).dir(dir.path()).env("DB", "hunter2hunter2").run()
    };
    let runbook = ["--runbook", "up.yaml"];
    let given = ["--runbook", "up.yaml", "--params-file", "more.yaml", "-p", "wait=40m"];
    for (name, host, more, expected) in [
        (
            "site",
            "w1",
            &[][..],
            "host.vars.site = eu1  for w1\n  eu1  hosts.yaml:9  a variable of the group slow\n  eu   hosts.yaml:4  a variable of every host, overruled\n",
        ),
        (
            "host.vars.site",
            "w3",
            &[],
            "host.vars.site = own  for w3\n  own  hosts.yaml:7  a variable of the host\n  eu1  hosts.yaml:9  a variable of the group slow, overruled\n  eu   hosts.yaml:4  a variable of every host, overruled\n",
        ),
        ("zone", "w2", &[], "host.labels.zone = b  for w2\n  b  hosts.yaml:6  a label of the host\n"),
        ("host.labels", "w2", &[], "host.labels.zone = b  for w2\n  b  hosts.yaml:6  a label of the host\n"),
        (
            "slow",
            "w2",
            &[],
            "groups.slow = the host is in it  for w2\n  \"w*\"  hosts.yaml:9  the group's hosts\n  3 hosts in all\n",
        ),
        (
            "wait",
            "w1",
            &runbook,
            "params.wait = 20m  for w1\n  20m  hosts.yaml:10  params of the inventory\n  10m  up.yaml:5      default, overruled\n",
        ),
        (
            "params.wait",
            "w1",
            &given,
            "params.wait = 40m  for w1\n  40m                 -p\n  30m  more.yaml:1    --params-file, overruled\n  20m  hosts.yaml:10  params of the inventory, overruled\n  10m  up.yaml:5      default, overruled\n",
        ),
        ("file", "w1", &runbook, "vars.file = /x/20m  for w1\n"),
        ("look", "w2", &runbook, "does not run here: `when` is false\n"),
        (
            "steps.look",
            "w1",
            &runbook,
            "steps.look = ls  for w1\n  command  up.yaml:13  a step\n  phase roll\n",
        ),
        ("here", "w1", &runbook, "steps.here = wait for w1 to be Ready  for w1\n"),
        ("db", "w1", &runbook, "read from the environment variable DB"),
    ] {
        let outcome = explain(name, host, more);
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.stderr);
        assert!(outcome.stdout.contains(expected), "{name}:\n{}\nexpected\n{expected}", outcome.stdout);
        assert!(!outcome.stdout.contains("hunter2"), "{name} shows a secret");
    }
    explain("sitee", "w1", &[]).exits(64).says("did you mean `host.vars.site`?");
    explain("wait", "w1", &[]).exits(64).says("--runbook");
    explain("site", "w9", &[]).exits(65).says("no host `w9`");
    Rollbook::new(["explain", "site", "--runbook", "up.yaml"]).dir(dir.path()).run().exits(64).says("--host");
}

/// What is said of the example of a code: the diagnostics of that code, as a terminal shows them.
fn said(info: &CodeInfo) -> Option<String> {
    let dir = directory();
    let said = match (example(info.code), RULES.iter().find(|rule| rule.code == info.code)) {
        (Some(example), _) => tried(dir.path(), example.shape, example.wrong).1,
        (None, Some(rule)) => {
            let phases = rule.bad.lines().fold(String::new(), |text, line| text + "  " + line + "\n");
            let head = format!("{RUNBOOK}params: {{ target: {{ type: version, required: true }} }}\n");
            let text = format!("{head}kube: {{ via: control_plane }}\nphases:\n{phases}");
            fs::write(dir.path().join("example.yaml"), text).expect("written");
            let args = ["plan", "example.yaml", "-i", "inventory.yaml", "-p", "target=1.31.4", "--offline"];
            Rollbook::new(args).dir(dir.path()).run().stderr
        }
        (None, None) => return None,
    };
    let code = format!("[{}]", info.code);
    let mut parts: Vec<String> = Vec::new();
    for line in said.lines().filter(|line| !line.starts_with("`rollbook explain")) {
        if line.starts_with("error") || line.starts_with("warning") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    // What is told when the file is loaded may be told again when the plan is made.
    let mut told = BTreeSet::new();
    let of_code = parts.iter().filter(|part| part.lines().next().is_some_and(|line| line.contains(&code)));
    let parts: Vec<&str> = of_code.map(|part| part.trim_end()).filter(|part| told.insert(*part)).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The page of a code.
fn page(info: &CodeInfo) -> String {
    let explained = Rollbook::new(["explain", &info.code.to_string()]).run().exits(0).stdout;
    let Some(said) = said(info) else { return explained };
    let (before, after) = ["\nFix:\n"]
        .iter()
        .find_map(|instead| {
            explained.split_once(instead).map(|(before, after)| (before, format!("{instead}{after}")))
        })
        .unwrap_or((&explained, String::new()));
    format!("{before}\nError:\n\n```text\n{said}\n```\n{after}")
}

#[test]
fn the_page_of_every_code_is_fresh() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/errors");
    for info in CODES {
        super::reference::check(&pages.join(format!("{}.md", info.code)), &page(info));
    }
    super::contents::update();
    let count = fs::read_dir(pages).expect("there").count();
    assert_eq!(count, CODES.len() + 1, "a page of a code that is gone stands in docs/reference/errors");
}

#[test]
fn what_is_told_of_an_example_stands_on_its_page() {
    let told = CODES.iter().filter(|info| page(info).contains("Error:")).count();
    // Those that only machines provoke, and those that are no longer given, have nothing to tell.
    assert!(told + 5 > CODES.len(), "{told} of {}", CODES.len());
}
