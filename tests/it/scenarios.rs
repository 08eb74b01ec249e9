//! Rehearsals with faults: the shipped scenarios, what they judge, and controllers that are killed and go on.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::rollbook::{Outcome, Rollbook};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn rehearse<'a>(args: impl IntoIterator<Item = &'a str>) -> Outcome {
    Rollbook::new(std::iter::once("rehearse").chain(args)).run()
}

/// Rehearses the shipped upgrade with a scenario of these lines.
fn with(lines: &str, more: &[&str]) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("scenario.yaml");
    let root = env!("CARGO_MANIFEST_DIR");
    let head = format!(
        "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: t }}\nrunbook: {root}/runbooks/kubeadm-upgrade.yaml\n\
         inventory: {root}/inventory.example.yaml\nparams: {{ target: 1.31.4 }}\nkubernetes: 1.30.0\n"
    );
    fs::write(&file, head + lines).expect("written");
    rehearse(more.iter().copied().chain([file.to_str().expect("UTF-8")]))
}

#[test]
fn the_shipped_scenarios_come_as_they_expect() {
    let files = shipped();
    assert!(files.len() >= 20, "{}", files.len());
    let mut args = vec!["--check"];
    args.extend(files.iter().map(|file| file.to_str().expect("UTF-8")));
    let outcome = rehearse(args).exits(0);
    let ok = outcome.stdout.lines().filter(|line| line.starts_with("ok      ")).count();
    assert_eq!(ok, files.len(), "{}", outcome.stdout);
}

#[test]
fn what_comes_otherwise_is_named() {
    let lines = "\
faults:
  - { host: w01.example.com, fault: budget_blocks }
  - { host: w14.example.com, step: drain, fault: pod_stuck }
expect:
  exit: 0
  stopped_by: none
  left: w02.example.com
  slots: 0
  hosts: { w01.example.com: changed }
  ran: [{ step: drain, host: workers }, { step: reboot }]
  did_not_run: [{ step: drain, host: cp1.example.com }]
  says: [nobody says this]
  nodes: { cp1.example.com: { cordoned: true, ready: false, kubelet: 1.30.0, held: [kubelet] } }
";
    let outcome = with(lines, &["--check"]).exits(10);
    let expected = [
        "FAILED",
        "exit: expected 0, came 11",
        "stopped_by: expected nothing, came `1 host failed",
        "slots: expected at most 0, came 1",
        "says: nobody was told `nobody says this`",
        "hosts: w01.example.com: expected changed, came failed",
        "left: expected w02.example.com, came w01.example.com",
        "ran: `drain` did not run on w02.example.com",
        "ran: `reboot` ran on no host",
        "did_not_run: `drain` ran on cp1.example.com",
        "nodes: cp1.example.com: cordoned: expected true, came false",
        "nodes: cp1.example.com: ready: expected false, came true",
        "nodes: cp1.example.com: kubelet: expected 1.30.0, came 1.31.4",
        "nodes: cp1.example.com: held: expected kubelet, came kubeadm, kubectl, kubelet",
        "never struck",
    ];
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{}", outcome.stdout);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line:?} does not say {expected:?}");
    }
}

#[test]
fn mistakes_of_every_file_are_told_before_anything_is_rehearsed() {
    let outcome =
        with("faults: [{ host: w99, fault: swap_on }]\nexpect: { exit: 0 }\n", &["--check"]).exits(65);
    assert!(outcome.says("RB0802").stdout.is_empty());
    let no_step = "faults: [{ host: cp1.example.com, step: dran, fault: pod_stuck }]\nexpect: { exit: 0 }\n";
    with(no_step, &["--scenario"]).exits(65).says("did you mean `drain`?");
    let no_phase = "faults: [{ host: cp1.example.com, step: drain, phase: worker, fault: pod_stuck }]\n";
    with(no_phase, &["--scenario"]).exits(65).says("did you mean `workers`?");
    let no_control_plane = "faults: [{ host: w01.example.com, fault: crash_loop }]\n";
    with(no_control_plane, &["--scenario"]).exits(65).says("it is no control plane");
    with("faults: []\n", &["--check"]).exits(65).says("expects nothing");
    let left_out = "faults: [{ host: w01.example.com, step: drain, fault: pod_stuck }]\nskip: [workers]\n";
    with(left_out, &["--scenario"]).exits(65).says("RB0802").says("`skip` of the scenario, may leave it out");
    with("only: [worker]\n", &["--scenario"]).exits(65).says("RB0326").says("did you mean `workers`?");
}

/// What a fault names may exist in the plan alone: the file is wrong all the same, and nothing came otherwise.
#[test]
fn mistakes_that_only_the_plan_shows_are_mistakes_of_the_file() {
    let no_step = "faults: [{ host: cp1.example.com, step: dran, fault: pod_stuck }]\n";
    for expected in [0, 65] {
        let rest = format!("{no_step}expect: {{ exit: {expected} }}\n");
        let outcome = with(&rest, &["--check"]).exits(65).says("did you mean `drain`?");
        assert_eq!(outcome.stdout, "", "{expected}");
    }
}

#[test]
fn a_scenario_may_stand_in_the_place_of_a_runbook() {
    with("expect: { exit: 0 }\n", &["-q"]).exits(0).says("All expectations of the scenario were met.");
    rehearse(["inventory.example.yaml"]).exits(65).says("this is an inventory");
    let plan = tempfile::NamedTempFile::new().expect("a file");
    fs::write(plan.path(), "{\"digest\":\"sha256:1\"}").expect("written");
    let outcome = rehearse([plan.path().to_str().expect("UTF-8")]).exits(65);
    outcome.says("this is a saved plan").says("to rehearse, name the runbook");
}

#[test]
fn a_file_that_a_scenario_names_and_nobody_can_read_is_told_where_it_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let head = "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: own }\n";
    let shell = |text: &str| fs::write(dir.path().join("s.yaml"), format!("{head}{text}")).expect("written");
    let run = |flag: &str| Rollbook::new(["rehearse", flag, "s.yaml"]).dir(dir.path()).run();
    for flag in ["--scenario", "--check"] {
        shell("runbook: nope.yaml\ninventory: inv.yaml\nexpect: { exit: 0 }\n");
        run(flag).exits(1).says("s.yaml:4:10: cannot read nope.yaml: No such file");
        // Its other mistakes are told, too.
        shell("runbook: nope.yaml\nfaults: [{ fault: nosuch }]\n");
        run(flag).says("s.yaml:4:10: cannot read nope.yaml").says("unknown fault `nosuch`");
    }
}

/// What comes from a pipe has no directory: paths in it are relative to the working directory.
#[test]
fn scenarios_runbooks_and_inventories_come_from_pipes_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let scenario = "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: own }\nrunbook: kubeadm-upgrade.yaml\n\
                    inventory: ../inventory.example.yaml\nparams: { target: 1.31.4 }\nexpect: { exit: 0 }\n";
    fs::write(dir.path().join("s.yaml"), scenario).expect("written");
    let lines = [
        "rehearse --check <(cat $T/s.yaml)",
        "rehearse -q --scenario - < $T/s.yaml",
        "rehearse -q <(cat $T/s.yaml)",
        "validate <(cat kubeadm-upgrade.yaml) -i <(cat ../inventory.example.yaml)",
        "rehearse -q <(cat kubeadm-upgrade.yaml) -i ../inventory.example.yaml --params-file <(echo target: 1.31.4)",
        "inventory check -i - < ../inventory.example.yaml",
        "validate $T/fifo",
    ];
    fs::write(
        dir.path().join("small.yaml"),
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\n\
        phases: [{ name: p, hosts: all, steps: [{ command: [\"true\"], effect: reads }] }]\n",
    )
    .expect("written");
    for line in lines {
        let before = "rm -f $T/fifo; mkfifo $T/fifo; cat $T/small.yaml > $T/fifo & writer=$!; ";
        let binary = env!("CARGO_BIN_EXE_rollbook");
        let script = format!("{before}{binary} {line}; code=$?; kill $writer 2> /dev/null; exit $code");
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .env("T", dir.path())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks"))
            .stdin(std::process::Stdio::null())
            .output()
            .expect("bash starts");
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_scenario_exits_as_the_run_would_and_shows_what_is_left() {
    let outcome = rehearse(["--scenario", "scenarios/kubelet-does-not-start.yaml"]).exits(11);
    outcome
        .says("w01.example.com  is left out of service\n    a real run names here what brings it back")
        .says("w01.example.com: Ready is Unknown (its kubelet dies whenever it starts), cordoned by this run")
        .says("All expectations of the scenario were met.");
}

#[test]
fn the_command_line_is_stronger_than_the_scenario() {
    let outcome =
        with("expect: { exit: 0 }\n", &["-p", "target=1.30.5", "--kubernetes", "1.30.0", "--scenario"]);
    outcome.exits(0).says("17 at 1.30.5");
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = || {
        rehearse(["--scenario", "scenarios/controller-killed-resumed.yaml", "--seed", "5"]).exits(0).stderr
    };
    assert_eq!(run(), run());
}

#[test]
fn a_rehearsal_that_somebody_refused_goes_on_once_it_is_approved() {
    let home = tempfile::tempdir().expect("a directory");
    let in_home =
        |args: &[&str]| Rollbook::new(args.iter().copied()).env("XDG_STATE_HOME", home.path()).run();
    let refused = in_home(&["rehearse", "--scenario", "scenarios/gate-refused.yaml"]).exits(15);
    refused.says("to go on: rollbook resume rehearsal-gate-refused-1 --approve");
    let approved = in_home(&["resume", "--approve"]).exits(0);
    approved.says("is a rehearsal").says("batch 1: approved by ").says("14 changed");
}

#[test]
fn a_killed_controller_leaves_a_rehearsal_that_resume_ends_as_if_nothing_had_been() {
    let home = tempfile::tempdir().expect("a directory");
    let in_home =
        |args: &[&str]| Rollbook::new(args.iter().copied()).env("XDG_STATE_HOME", home.path()).run();
    let events = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
    let killed = in_home(&["rehearse", "--scenario", "scenarios/controller-killed.yaml"]).exits(137);
    killed.says("to go on: rollbook resume rehearsal-controller-killed-1");
    let (resumed, undisturbed) = (events("resumed"), events("undisturbed"));
    let outcome = in_home(&["resume", "--events", &resumed]).exits(0);
    outcome.says("is a rehearsal").says("17 hosts: 17 changed").says("17 at 1.31.4");
    in_home(&["resume"]).exits(64).says("no run can go on");
    in_home(&["rehearse", "--scenario", "scenarios/undisturbed.yaml", "--events", &undisturbed]).exits(0);
    // What the second controller did is what was still to be done: together, every op once.
    let dir = home.path().join("rollbook/rehearsals/runs/rehearsal-controller-killed-1");
    let journal = fs::read_to_string(dir.join("journal.jsonl")).expect("a journal");
    let ended = |text: &str| {
        let mut ops: Vec<String> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|event| event["event"]["type"] == "op_ended")
            .map(|event| format!("{} {}", event["event"]["task"], event["event"]["op"]))
            .collect();
        ops.sort();
        ops
    };
    let whole = fs::read_to_string(undisturbed).expect("events");
    assert_eq!(ended(&journal), ended(&whole));
    assert!(ended(&fs::read_to_string(resumed).expect("events")).len() < ended(&whole).len());
}

#[test]
fn a_rehearsal_that_was_cut_off_itself_goes_on_too() {
    let home = tempfile::tempdir().expect("a directory");
    let state = home.path().to_str().expect("UTF-8");
    let in_home = |args: &[&str]| Rollbook::new(args.iter().copied().chain(["--state-dir", state])).run();
    in_home(&["rehearse", "--scenario", "scenarios/controller-killed-resumed.yaml", "-q"]).exits(0);
    let journal = home.path().join("rehearsals/runs/rehearsal-controller-killed-resumed-1/journal.jsonl");
    let whole = fs::read_to_string(&journal).expect("a journal");
    // Past two of its three deaths, and torn.
    let lines: Vec<&str> = whole.lines().collect();
    let kept = lines[..lines.len() * 3 / 4].join("\n") + "\n{\"seq\":";
    fs::write(&journal, kept).expect("written");
    in_home(&["resume", "-q"]).exits(0).says("17 hosts: 17 changed");
    // A journal that this simulation would not write is never gone on with.
    let mut event: serde_json::Value = serde_json::from_str(lines[40]).expect("an event");
    event["at"] = (event["at"].as_i64().expect("a stamp") + 1).into();
    let other = event.to_string();
    let mut lines = lines[..lines.len() / 2].to_vec();
    lines[40] = &other;
    fs::write(&journal, lines.join("\n") + "\n").expect("written");
    in_home(&["resume", "-q"]).exits(1).says("its event 40 does not come again");
}

const OWN_COMMANDS: &str = "\
apiVersion: rollbook/v1
kind: Runbook
metadata: { name: own }
phases:
  - name: all
    hosts: all
    rollout: { max_unavailable: 100% }
    steps:
      - command: { argv: [make-app], creates: /opt/app }
        effect: changes
      - script: { text: \"app --install\", check: [app, --check] }
        effect: changes
      - command: { argv: [app, --once], unless: [app, --done], only_if: [app, --wanted] }
        effect: changes
      - command: { argv: [app, --version] }
        id: version
        effect: reads
      - assert: { that: \"steps.version.stdout == '2.0'\", message: \"The wrong version\" }
";

fn own(scenario: &str) -> Outcome {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write("own.yaml", OWN_COMMANDS);
    write(
        "inventory.yaml",
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\nhosts: { a: {}, b: {} }\n",
    );
    let head = "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: t }\nrunbook: own.yaml\ninventory: inventory.yaml\n";
    write("scenario.yaml", &format!("{head}{scenario}"));
    Rollbook::new(["rehearse", "-v", "--scenario", "scenario.yaml"]).dir(dir.path()).run()
}

#[test]
fn commands_of_ones_own_do_what_their_steps_say() {
    // Nobody says what version prints; everything else is taken as done.
    let outcome = own("expect: { exit: 10 }\n").says("The wrong version");
    assert!(!outcome.stderr.contains("did not have its effect"), "{}", outcome.stderr);
}

#[test]
fn a_scenario_says_what_commands_print_and_make() {
    let told = "commands: [{ match: app --version, stdout: '2.0' }]\n";
    own(told).exits(0).says("2 hosts: 2 changed");
    let fails = "commands: [{ match: app --version, stdout: '2.0' }, { match: make-app, host: b, exit: 3, stderr: no disk }]\n";
    own(fails).says("b  failed at").says("no disk");
    let no_effect = "commands: [{ match: app --check, exit: 1 }, { match: app --version, stdout: '2.0' }]\n";
    own(no_effect).says("did not have its effect");
}
