//! The command line as people and scripts meet it: exit codes, streams, help.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::rollbook::Rollbook;

const SHIPPED: [&str; 5] =
    ["runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "-p", "target=1.31.4"];

fn with_shipped(verb: &str, more: &[&str]) -> Rollbook {
    Rollbook::new([verb].iter().chain(&SHIPPED).chain(more).copied())
}

#[test]
fn usage_errors_are_64_and_help_is_0() {
    Rollbook::new(["--help"]).run().exits(0).shows("Exit codes:");
    Rollbook::new(["--version"]).run().exits(0).shows("rollbook 0.");
    Rollbook::new(["fly"]).run().exits(64);
    Rollbook::new(["plan"]).run().exits(64);
    Rollbook::new(["plan", "x.yaml", "-i", "y.yaml", "-p", "novalue"]).run().exits(64).says("KEY=VALUE");
}

#[test]
fn an_unattended_run_without_yes_is_refused_before_anything_is_read() {
    with_shipped("run", &[]).run().exits(64).says("--yes");
}

#[test]
fn a_missing_file_is_the_controllers_own_trouble() {
    Rollbook::new(["validate", "nowhere.yaml"]).run().exits(1).says("cannot read nowhere.yaml");
}

#[test]
fn the_shipped_runbook_validates_against_the_shipped_inventory() {
    Rollbook::new([
        "validate",
        "runbooks/kubeadm-upgrade.yaml",
        "inventory.example.yaml",
        "-i",
        "inventory.example.yaml",
    ])
    .run()
    .exits(0)
    .says("no mistakes");
}

#[test]
fn an_offline_plan_touches_nothing_and_goes_to_stdout() {
    let plan = with_shipped("plan", &["--offline"]).run().exits(0);
    for expected in ["Phase 1/", "batch 1:", "max_unavailable 2", "Digest: sha256:"] {
        assert!(plan.stdout.contains(expected), "{expected:?} is missing:\n{}", plan.stdout);
    }
    let again = with_shipped("plan", &["--offline"]).run().exits(0);
    assert_eq!(plan.stdout, again.stdout, "the same input gives the same plan and digest");
}

#[test]
fn a_budget_above_what_the_runbook_allows_is_told() {
    let told = "--max-unavailable 50 is above what the runbook allows";
    with_shipped("plan", &["--offline", "--max-unavailable", "50"]).run().exits(0).shows(told);
    for amount in ["1", "2"] {
        let plan = with_shipped("plan", &["--offline", "--max-unavailable", amount]).run().exits(0);
        assert!(!plan.stdout.contains("above what the runbook"), "{}", plan.stdout);
    }
}

#[test]
fn a_file_that_cannot_be_rolled_is_told_before_anybody_is_asked_to_confirm() {
    let run = Rollbook::new(["run", "nosuch.yaml", "-i", "inventory.example.yaml"]).run();
    assert!(run.stderr.contains("nosuch.yaml"), "{}", run.stderr);
    assert!(!run.stderr.contains("confirmation required"), "{}", run.stderr);
    let undo = Rollbook::new(["runs", "undo", "20200101-000000-0000"]).run().exits(64);
    undo.says("there is no run `20200101-000000-0000`");
}

#[test]
fn a_missing_parameter_is_named_with_an_example() {
    Rollbook::new(["plan", "runbooks/kubeadm-upgrade.yaml", "-i", "inventory.example.yaml", "--offline"])
        .run()
        .exits(65)
        .says("target");
}

#[test]
fn a_limit_that_leaves_no_host_is_65() {
    with_shipped("plan", &["--offline", "--limit", "workers & control_plane"]).run().exits(65);
    with_shipped("plan", &["--offline", "--limit", "nobody"]).run().exits(65).says("--limit");
}

#[test]
fn every_step_kind_has_a_page() {
    let list = Rollbook::new(["steps"]).run().exits(0);
    for line in list.stdout.lines() {
        let kind = line.split_whitespace().next().expect("a name");
        Rollbook::new(["steps", kind]).run().exits(0).shows("## Example");
    }
    Rollbook::new(["steps", "drian"]).run().exits(64).says("did you mean `drain`?");
}

#[test]
fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        Rollbook::new(["completions", shell]).run().exits(0).shows("rollbook");
    }
    Rollbook::new(["man"]).run().exits(0).shows(".TH rollbook");
}

#[test]
fn without_a_terminal_there_is_no_colour_even_when_things_go_wrong() {
    let outcome = Rollbook::new(["validate", "tests/it/cases/invalid/duplicate_key.yaml"]).run().exits(65);
    assert!(!outcome.stderr.contains('\u{1b}'), "{}", outcome.stderr);
}

/// A directory with a runbook of these steps over one host, which is never connected to.
fn with_steps(steps: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let runbook = format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: t }}\nphases:\n  - name: roll\n    hosts: all\n    \
         steps:\n{steps}"
    );
    fs::write(dir.path().join("up.yaml"), runbook).unwrap();
    let inventory = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\nhosts: { h1: { address: 192.0.2.1 } }\n";
    fs::write(dir.path().join("hosts.yaml"), inventory).unwrap();
    dir
}

#[test]
fn commands_on_this_machine_have_to_be_allowed() {
    let dir = with_steps("      - command: { argv: [touch, here] }\n        run_on: controller\n");
    let rollbook = |args: &[&str]| Rollbook::new(args.iter().copied()).dir(dir.path());
    let plan = ["plan", "up.yaml", "-i", "hosts.yaml", "--offline"];
    rollbook(&plan).run().exits(65).says("--allow-commands").says("up.yaml:8:9");
    rollbook(&[&plan[..], &["--allow-commands"]].concat()).run().exits(0);
    rollbook(&["run", "up.yaml", "-i", "hosts.yaml", "--yes"]).run().exits(65).says("--allow-commands");
    // Somebody else's plan is no leave either.
    let json = rollbook(&[&plan[..], &["--allow-commands", "--format", "json"]].concat()).run().exits(0);
    fs::write(dir.path().join("up.plan.json"), json.stdout).unwrap();
    rollbook(&["run", "up.plan.json", "--yes"]).run().exits(65).says("--allow-commands");
    // A rehearsal runs nothing, here least of all.
    rollbook(&["rehearse", "up.yaml", "-i", "hosts.yaml"]).run();
    assert!(!dir.path().join("here").exists(), "the command ran");
}

#[test]
fn a_selector_that_matches_nothing_is_the_same_error_for_every_verb() {
    let dir = with_steps("      - command: [ls]\n");
    let path = dir.path().join("up.yaml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("hosts: all", "hosts: all & h2")).unwrap();
    for args in [
        &["validate", "up.yaml", "-i", "hosts.yaml"][..],
        &["plan", "up.yaml", "-i", "hosts.yaml", "--offline"],
        &["plan", "up.yaml", "-i", "hosts.yaml"],
        &["run", "up.yaml", "-i", "hosts.yaml", "--yes"],
        &["rehearse", "up.yaml", "-i", "hosts.yaml"],
    ] {
        let outcome = Rollbook::new(args.iter().copied()).dir(dir.path()).run().exits(65);
        let outcome = outcome.says("[RB0411]").says("up.yaml:6:18");
        assert_eq!(outcome.stderr.matches("[RB0411]").count(), 1, "{args:?}: told once:\n{}", outcome.stderr);
    }
}

#[test]
fn what_is_no_file_that_people_write_is_named_and_never_waited_for() {
    let dir = with_steps("      - command: [ls]\n");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("dir.yaml")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo.yaml"), mode).unwrap();
    fs::File::create(path("huge.yaml")).unwrap().set_len(33 << 20).unwrap();
    fs::write(path("empty.yaml"), "").unwrap();
    let runbook = fs::read_to_string(path("up.yaml")).unwrap();
    fs::write(path("bom.yaml"), format!("\u{feff}{runbook}")).unwrap();
    fs::write(path("crlf.yaml"), runbook.replace('\n', "\r\n")).unwrap();
    fs::write(path("tabs.yaml"), runbook.replace("      -", "\t-")).unwrap();
    let cases = [
        ("dir.yaml", 1, "cannot read dir.yaml: it is a directory"),
        ("fifo.yaml", 1, "cannot read fifo.yaml: it is a pipe to which nobody writes"),
        ("huge.yaml", 1, "cannot read huge.yaml: it is larger than 32 MiB"),
        ("hosts.yaml/x", 1, "cannot read hosts.yaml/x: Not a directory"),
        ("empty.yaml", 65, "empty.yaml:1:1"),
        ("tabs.yaml", 65, "tabs.yaml:8:"),
        ("bom.yaml", 0, "no mistakes"),
        ("crlf.yaml", 0, "no mistakes"),
    ];
    for (file, code, words) in cases {
        Rollbook::new(["validate", file]).dir(dir.path()).run().exits(code).says(words);
        let plan = ["plan", file, "-i", "hosts.yaml", "--offline"];
        Rollbook::new(plan).dir(dir.path()).run().exits(code);
        let inventory = ["plan", "up.yaml", "-i", file, "--offline"];
        assert_ne!(Rollbook::new(inventory).dir(dir.path()).run().code, 0, "{file} is no inventory");
    }
}

#[test]
fn mistakes_of_files_with_carriage_returns_stand_in_their_line() {
    let dir = with_steps("      - command: [ls]\n      - comand: [ls]\n");
    let path = dir.path().join("up.yaml");
    for ending in ["\n", "\r\n"] {
        let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n").replace('\n', ending);
        fs::write(&path, format!("\u{feff}{text}")).unwrap();
        Rollbook::new(["validate", "up.yaml"]).dir(dir.path()).run().exits(65).says("up.yaml:9:9");
    }
}

#[test]
fn unknown_names_are_told_in_one_go_beside_other_mistakes() {
    let dir = with_steps("      - command: [ls]\n      - drian: {}\n");
    let path = dir.path().join("up.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("hosts: all", "hosts: h2 | h3 | (h1 & label(x))[0]");
    fs::write(&path, text.replace("phases:", "params: { n: { type: integer } }\nphases:")).unwrap();
    fs::write(dir.path().join("params.yaml"), "oops: 1\n").unwrap();
    let plan = ["plan", "up.yaml", "-i", "hosts.yaml", "--offline", "-p", "nope=1", "-p", "n=2"];
    let more = ["--params-file", "params.yaml", "--limit", "h4 | h5"];
    let outcome = Rollbook::new(plan.iter().chain(&more).copied()).dir(dir.path()).run().exits(65);
    for (code, count) in [
        ("RB0301", 1),
        ("RB0411", 3),
        ("RB0500", 1),
        ("RB0502", 2),
        ("RB0601", 2),
        ("RB0501", 0),
        ("RB0602", 0),
    ] {
        assert_eq!(
            outcome.stderr.matches(&format!("[{code}]")).count(),
            count,
            "{code}:\n{}",
            outcome.stderr
        );
    }
    // An inventory with mistakes may lack hosts and values only because of them.
    fs::write(dir.path().join("hosts.yaml"), "apiVersion: rollbook/v1\nkind: Inventory\nhosts: { h1: {} }\n")
        .unwrap();
    let outcome = Rollbook::new(plan).dir(dir.path()).run().exits(65).says("RB0112").says("RB0502");
    assert!(!outcome.stderr.contains("RB0411"), "{}", outcome.stderr);
}

/// Saves the offline plan of the shipped runbook to this version.
fn saved(dir: &Path, target: &str) -> PathBuf {
    let path = dir.join(format!("{target}.plan.json"));
    let param = format!("target={target}");
    let args = ["plan", SHIPPED[0], SHIPPED[1], SHIPPED[2], "-p", &param, "--offline", "--format", "json"];
    fs::write(&path, Rollbook::new(args).run().exits(0).stdout).unwrap();
    path
}

#[test]
fn a_saved_plan_is_shown_again_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(dir.path(), "1.31.4");
    let path = path.to_str().unwrap();
    for more in [&[][..], &["-v"], &["--format", "markdown"], &["--format", "json"]] {
        let made = with_shipped("plan", &[&["--offline"], more].concat()).run().exits(0).stdout;
        let shown = Rollbook::new(["plan", path].iter().chain(more).copied()).run().exits(0).stdout;
        assert_eq!(shown, made, "{more:?}");
    }
    let markdown = Rollbook::new(["plan", path, "--format", "markdown"]).run().exits(0).stdout;
    for expected in [
        "# Plan: kubeadm-upgrade on example",
        "| target | 1.31.4 |",
        "## Phase 5/5: workers",
        "**batch 1:** w01",
        "```text\n",
    ] {
        assert!(markdown.contains(expected), "{expected:?} is missing:\n{markdown}");
    }
    Rollbook::new(["plan", path, "-p", "target=1.31.5"]).run().exits(64).says("--param");
    Rollbook::new(["plan", path, "--offline"]).run().exits(64).says("--offline");
}

#[test]
fn an_edited_plan_is_neither_shown_nor_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(dir.path(), "1.31.4");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"max_unavailable\":2", "\"max_unavailable\":9")).unwrap();
    let path = path.to_str().unwrap();
    for args in [&["plan", path][..], &["run", path, "--yes"], &["plan", path, "--diff", path]] {
        Rollbook::new(args.iter().copied())
            .run()
            .exits(65)
            .says("changed after it was saved")
            .says("plan again");
    }
}

#[test]
fn two_plans_differ_where_they_differ_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (saved(dir.path(), "1.31.4"), saved(dir.path(), "1.31.5"));
    let diff = |args: &[&str]| Rollbook::new([&["plan"], args].concat()).run().exits(0).stdout;
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    assert_eq!(diff(&[old, "--diff", old]), "Nothing differs.\n");
    let text = diff(&[new, "--diff", old]);
    for expected in ["  - target = 1.31.4\n  + target = 1.31.5\n", "Phase workers:", "\n    - ", "\n    + "] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
    assert!(!text.contains("look before") && !text.contains("Places"), "what follows is told, too:\n{text}");
    let fewer = with_shipped(
        "plan",
        &["--offline", "--limit", "!w14.example.com", "--max-unavailable", "1", "--diff", old],
    )
    .run()
    .exits(0)
    .stdout;
    assert!(fewer.contains("w14.example.com\n    - in batch"), "{fewer}");
    assert!(fewer.contains("max_unavailable 2") && fewer.contains("max_unavailable 1"), "{fewer}");
    let not_a_plan = with_shipped("plan", &["--offline", "--diff", SHIPPED[0]]).run().exits(65);
    not_a_plan.says("no saved plan");
}

/// A plan of a runbook with a script, a public file and a private one.
fn with_bodies(directory: &Path, name: &str, [line, public, private]: [&str; 3]) -> PathBuf {
    let inventory = directory.join("hosts.yaml");
    let hosts = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: i }\nhosts: { h1: {} }\n";
    fs::write(&inventory, hosts).unwrap();
    let runbook = directory.join(format!("{name}.yaml"));
    let text = format!(
        "apiVersion: rollbook/v1
kind: Runbook
metadata: {{ name: bodies }}
phases:
  - name: all
    hosts: h1
    steps:
      - script:
          text: |
            set -e
            one
            two
            three
            four
            five
            six
            seven
            eight
            nine
            {line}
        env: {{ COLOR: red }}
        effect: changes
      - command: {{ argv: [load], stdin: \"first\\nsecond\\n\" }}
        effect: changes
      - copy: {{ dest: /etc/motd, content: \"{public}\\n\" }}
      - copy: {{ dest: /etc/key, mode: \"0600\", content: \"{private}\\n\" }}
"
    );
    fs::write(&runbook, text).unwrap();
    let args = ["plan", runbook.to_str().unwrap(), "-i", inventory.to_str().unwrap(), "--offline"];
    let path = directory.join(format!("{name}.json"));
    let saved = Rollbook::new(args.iter().chain(&["--format", "json"]).copied()).run().exits(0).stdout;
    fs::write(&path, saved).unwrap();
    path
}

#[test]
fn a_reviewer_sees_everything_that_will_run() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_bodies(dir.path(), "a", ["ten", "welcome", "hunter2"]);
    let shown = |more: &[&str]| {
        Rollbook::new([&["plan", plan.to_str().unwrap()], more].concat()).run().exits(0).stdout
    };
    let text = shown(&[]);
    for expected in
        ["| set -e\n", "| four\n", "11 lines; -v shows all", "COLOR=red", "| second\n", "| welcome\n"]
    {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
    assert!(!text.contains("| five"), "{text}");
    for more in [&["-v"][..], &["--format", "markdown"]] {
        let all = shown(more);
        for expected in ["five\n", "ten\n", "COLOR=red", "second\n", "welcome\n", "not for everybody"] {
            assert!(all.contains(expected), "{expected:?} is missing with {more:?}:\n{all}");
        }
        assert!(!all.contains("hunter2"), "{all}");
    }
    assert!(shown(&["--format", "markdown"]).contains("<details><summary>"), "long texts are folded");
}

#[test]
fn plans_whose_digests_differ_never_look_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let old = with_bodies(dir.path(), "old", ["ten", "welcome", "hunter2"]);
    for (name, what, expected) in [
        ("line", ["eleven", "welcome", "hunter2"], &["-     | ten\n", "+     | eleven\n"][..]),
        ("file", ["ten", "go away", "hunter2"], &["-     | welcome\n", "+     | go away\n"]),
        ("key", ["ten", "welcome", "hunter3"], &["sha256:", "not for everybody"]),
    ] {
        let new = with_bodies(dir.path(), name, what);
        let args = ["plan", new.to_str().unwrap(), "--diff", old.to_str().unwrap()];
        let text = Rollbook::new(args).run().exits(0).stdout;
        assert!(!text.contains("Nothing differs") && !text.contains("hunter"), "{name}:\n{text}");
        for expected in expected {
            assert!(text.contains(expected), "{name}: {expected:?} is missing:\n{text}");
        }
        assert!(!text.contains("| nine"), "{name} shows more than what differs:\n{text}");
    }
}

#[test]
fn a_plan_shows_the_budget_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let inventory =
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: i }\nhosts: { \"cp[1:3]\": {} }\n";
    fs::write(dir.path().join("i.yaml"), inventory).unwrap();
    let runbook = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: b }\nkube: { via: all }\nphases:
  - { name: p, hosts: all, rollout: { max_unavailable: 3 }, steps: [{ reboot: {} }] }\n";
    fs::write(dir.path().join("r.yaml"), runbook).unwrap();
    let args = ["plan", "r.yaml", "-i", "i.yaml", "--offline"];
    let text = Rollbook::new(args).dir(dir.path()).run().stdout;
    assert!(text.contains("max_unavailable 1 (written: 3; control planes go one at a time)"), "{text}");
}

#[test]
fn every_command_has_a_manual_page_of_its_own() {
    for (words, title) in [(&["run"][..], "rollbook-run"), (&["runs", "list"], "rollbook-runs-list")] {
        let page = Rollbook::new([&["man"], words].concat()).run().exits(0).stdout;
        assert!(page.contains(&format!(".TH {title} ")) && page.contains("SYNOPSIS"), "{page}");
    }
    Rollbook::new(["man", "rnu"]).run().exits(64).says("did you mean `run`?");
}

/// What a shell offers for the last word of a line; `None` where the shell is not installed.
fn completed(shell: &str, line: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    fs::write(&script, Rollbook::new(["completions", shell]).run().exits(0).stdout).unwrap();
    let script = script.display();
    let ask = match shell {
        "bash" => {
            let words: Vec<&str> = line.split(' ').collect();
            let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
            let index = words.len() - 1;
            format!(
                "source {script}; COMP_WORDS=({line}); COMP_CWORD={index}; COMP_LINE='{line}'; \
                 _rollbook rollbook '{last}' '{before}'; printf '%s\n' \"${{COMPREPLY[@]}}\""
            )
        }
        // Without a terminal nothing is completed, but the script must load and define its function.
        "zsh" => {
            format!("autoload -U compinit; compinit -D -u; source {script}; whence -v _rollbook")
        }
        _ => format!("source {script}; complete -C '{line}'"),
    };
    let mut command = std::process::Command::new(shell);
    command.args(
        if shell == "zsh" { ["-f", "-c"] } else { ["--norc", "-c"] }
            .into_iter()
            .filter(|arg| shell != "fish" || *arg != "--norc"),
    );
    let output = command.arg(ask).env("HOME", dir.path()).output().ok()?;
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{shell}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn shells_load_their_completions_and_complete() {
    for shell in ["bash", "fish"] {
        let verbs = completed(shell, "rollbook ru").expect("scripts/test installs it");
        let verbs: Vec<&str> = verbs.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(verbs, ["run", "runs"], "{shell}");
        let flags = completed(shell, "rollbook run -").unwrap();
        assert!(flags.contains("--inventory") && flags.contains("--yes"), "{shell}: {flags}");
    }
    let function = completed("zsh", "").expect("scripts/test installs it");
    assert!(function.contains("_rollbook is a shell function"), "{function}");
}

#[test]
fn an_inventory_is_drawn_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let write = |hosts: &str| {
        let head = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\n";
        let groups = "groups: { odd: { hosts: [w1, w3] }, none: { hosts: [] } }\n";
        fs::write(dir.path().join("hosts.yaml"), format!("{head}{hosts}{groups}")).unwrap();
    };
    let rollbook = |verb: &str| Rollbook::new(["inventory", verb, "-i", "hosts.yaml"]).dir(dir.path()).run();
    write("hosts: { \"w[1:3]\": {} }\n");
    assert_eq!(
        rollbook("graph").exits(0).stdout,
        "t: 3 hosts\n\nodd: 2 hosts\n  w1\n  w3\n\nnone: 0 hosts\n\nin no group: 1 host\n  w2\n"
    );
    rollbook("check")
        .exits(0)
        .says("in no group: w2")
        .says("`none` has no hosts")
        .says("3 hosts in 2 groups");
    write("hosts: { w1: {}, w2: { address: w1 }, w3: { address: w1, connection: { port: 2222 } } }\n");
    let outcome = rollbook("check").exits(65).says("`w1` and `w2` have the same address, w1");
    assert!(!outcome.stderr.contains("w3` have"), "{}", outcome.stderr);
}

#[test]
fn no_name_in_a_plan_looks_like_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let inventory = file(
        "i.yaml",
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: \"i\\e[8m\" }\nhosts: { h1: {} }\n",
    );
    let runbook = file(
        "r.yaml",
        r#"apiVersion: rollbook/v1
kind: Runbook
metadata: { name: "r\e[8m" }
params: { text: { type: string, default: "x\e[8m\n  = forged" } }
phases:
  - name: "p\e[8m\n  forged"
    hosts: all
    rollout: { batches: [1], gate: { approve: "g\e[8m" } }
    steps:
      - command: [rm, -rf, /important]
        name: "harmless\e[0m\n\n    = everything holds already\e[8m"
        allow_failure: "why\e[8m\n    = it holds"
      - command: [echo, "{{ params.text }}"]
        id: said
        env: { TEXT: "e\e[8m\n    = it holds" }
      - command: [touch, "/{{ steps.said.stdout }}", "{{ params.text }}"]
      - command: [touch, "/{{ each }}"]
        for_each: ["a\e[8m"]
      - pause: { manual: "look\e[8m\n    = it holds" }
      - assert: { that: "1 == 2", message: "no\e[8m\n    = it holds" }
"#,
    );
    for format in ["text", "markdown", "json"] {
        let args = ["plan", &runbook, "-i", &inventory, "--offline", "-v", "--format", format];
        let plan = Rollbook::new(args).run();
        let said = format!("{}{}", plan.stdout, plan.stderr);
        assert!(!said.contains('\u{1b}'), "{format}: {said:?}");
        assert!(!said.lines().any(|line| line.trim_start().starts_with("= ")), "{format}: {said}");
        assert!(said.contains("harmless"), "{format}: {said}");
    }
}

#[test]
fn a_flag_that_takes_a_number_says_so() {
    for (args, words) in [
        (&["rehearse", "rb.yaml", "--seed", "x"][..], "write a whole number such as 3"),
        (&["runs", "prune", "--keep=-1"], "write a whole number such as 3"),
        (&["exec", "-i", "i.yaml", "all", "--parallel", "0", "--", "ls"], "write a whole number from 1 on"),
        (&["rehearse", "rb.yaml", "--parallel", "two"], "write a whole number from 1 on"),
    ] {
        Rollbook::new(args.iter().copied()).run().exits(64).says(words);
    }
}
