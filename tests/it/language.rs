//! What a plan makes of the parts of the language that unroll and choose steps: through the binary, without hosts.

use std::fs;

use super::support::rollbook::{Outcome, Rollbook};

/// A directory with a runbook, what it includes, and an inventory of three hosts.
pub(crate) struct Files {
    pub(crate) dir: tempfile::TempDir,
}

const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: three }\n\
    hosts:\n  w1: { vars: { tools: [jq, curl] } }\n  w2: { vars: { tools: [] } }\n  w3: {}\n";

impl Files {
    /// `top` stands above the phases of `up.yaml`, `phases` is their list.
    pub(crate) fn new(top: &str, phases: &str) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write("inventory.yaml", INVENTORY);
        let head = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\n";
        files.write("up.yaml", &format!("{head}{top}\nphases:\n{phases}"));
        files
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn rollbook(&self, verb: &str, more: &[&str]) -> Outcome {
        let args = [&[verb, "up.yaml", "-i", "inventory.yaml"], more].concat();
        Rollbook::new(args).dir(self.dir.path()).run()
    }

    /// What the plan says of every host: "w1: title, title".
    pub(crate) fn tasks(&self, more: &[&str]) -> Vec<String> {
        let plan = self.rollbook("plan", &[&["--offline"], more].concat()).exits(0).stdout;
        // What people take time for stands at the end, where hosts are indented, too.
        let shown = plan.split("  not counted, because").next().unwrap_or_default();
        let mut hosts: Vec<String> = Vec::new();
        for line in shown.lines().filter(|line| {
            line.starts_with("  ")
                && !line.starts_with("   ")
                && !line.contains(" = ")
                && !line.contains("  --")
        }) {
            hosts.push(line.trim().to_owned() + ":");
        }
        let mut tasks = hosts.iter_mut();
        let mut host: Option<&mut String> = None;
        for line in shown.lines() {
            match line.strip_prefix("    ") {
                // What a task is given stands below it.
                Some(detail) if detail.starts_with("    ") => {}
                Some(task) => host.as_mut().unwrap().extend(["\n", task.trim_end()]),
                None if line.starts_with("  ") && !line.contains(" = ") && !line.contains("  --") => {
                    host = tasks.next();
                }
                None => {}
            }
        }
        hosts
    }
}

pub(crate) fn phase(steps: &str) -> String {
    format!(
        "  - name: roll\n    hosts: all\n    steps:\n{}",
        steps.trim_end().lines().fold(String::new(), |text, line| text + "      " + line + "\n")
    )
}

#[test]
fn a_step_is_unrolled_into_a_task_for_each_item_with_the_item_in_its_title() {
    let files = Files::new(
        "params: { ports: { type: list, items: int, default: [80] } }\nvars: { users: [{ name: ops, uid: 7 }, { name: web, uid: 8 }] }",
        &phase(
            r#"
- command: [ufw, allow, "{{ each }}"]
  for_each: "{{ params.ports }}"
  when: each != 22
- command: [useradd, -u, "{{ each.uid }}", "{{ each.name }}"]
  for_each: "{{ vars.users }}"
- command: [sysctl, -w, "{{ each.key }}={{ each.value }}"]
  for_each: { vm.swappiness: 0 }
- command: [pin, "{{ each }}", "{{ host.name }}"]
  name: pin a tool
  for_each: "{{ host.vars.tools }}"
  when: host.vars.tools is defined
"#,
        ),
    );
    let shared = "· ufw allow 80 (80)  [disrupts]
- command (22): `when` is false
· useradd -u 7 ops (ops)  [disrupts]
· useradd -u 8 web (web)  [disrupts]
· sysctl -w vm.swappiness=0 (vm.swappiness)  [disrupts]";
    let expected = [
        format!("w1:\n{shared}\n· pin a tool (jq)  [disrupts]\n· pin a tool (curl)  [disrupts]"),
        format!("w2:\n{shared}\n- pin a tool: `for_each` has no items"),
        format!("w3:\n{shared}\n- pin a tool: `when` is false"),
    ];
    assert_eq!(files.tasks(&["-p", "ports=80,22"]), expected);
}

#[test]
fn an_include_runs_all_of_its_steps_for_one_item_before_the_next() {
    let files = Files::new(
        "",
        &phase(
            r#"
- include: { file: steps/one.yaml, with: { name: "{{ each.key }}", modes: "{{ each.value }}" } }
  id: tools
  for_each: { a: [x, y], b: [], c: [z] }
  when: each.key != 'c'
- command: [told, "{{ steps.tools.put.each | length }}"]
  when: steps.tools.put.changed
"#,
        ),
    );
    files.write(
        "steps/one.yaml",
        r#"
apiVersion: rollbook/v1
kind: Steps
args: { name: { type: string, required: true }, modes: { type: list, required: true } }
steps:
  - command: [look, "{{ args.name }}"]
    id: look
    effect: reads
  - command: [put, "{{ args.name }}", "{{ each }}"]
    id: put
    for_each: "{{ args.modes }}"
    effect: changes
  - command: [end, "{{ steps.look.stdout }}"]
    when: steps.put.changed
    effect: changes
"#,
    );
    let expected = "w1, w2, w3:
· look a (a)  [reads]
· put a x (a, x)  [changes]
· put a y (a, y)  [changes]
? command (a): known later, from steps.look.stdout, steps.put.changed  [changes]
· look b (b)  [reads]
- command (b): `for_each` has no items
? command (b): known later, from steps.look.stdout, steps.put.changed  [changes]
- command (c): `when` is false
- command (c): `when` is false
- command (c): `when` is false
? command: known later, from steps.tools.put.changed, steps.tools.put.each  [disrupts]";
    assert_eq!(files.tasks(&[]), [expected]);
}

#[test]
fn what_a_list_is_not_is_told_with_its_place_once_for_all_hosts() {
    for (list, expected) in [
        (
            "\"{{ host.name | lower }}\"",
            "the items are a string, where a list or a mapping is needed (host `w1`)",
        ),
        ("\"{{ host.vars.tools }}\"", "`host.vars.tools` is not defined (host `w3`)"),
        (
            "\"{{ facts.disks | default({}) }}\"",
            "the items depend on `facts.disks`, and no host is asked (host `w1`)",
        ),
    ] {
        let files =
            Files::new("", &phase(&format!("- command: [ls, \"{{{{ each }}}}\"]\n  for_each: {list}")));
        let told =
            files.rollbook("plan", &["--offline"]).exits(65).says(expected).says("up.yaml:10:19").stderr;
        assert_eq!(told.matches("error[RB0611]").count(), 1, "{told}");
    }
    let loops = "- command: [ls]\n  for_each: \"{{ params.many | split(',') }}\"";
    let files = Files::new("params: { many: { type: string, required: true } }", &phase(loops));
    let many = format!("many={}", vec!["x"; 501].join(","));
    files.rollbook("plan", &["--offline", "-p", &many]).exits(65).says("501 items, more than 500");
    let nested = "- include: steps/many.yaml\n  for_each: \"{{ params.many | split(',') }}\"";
    let files = Files::new("params: { many: { type: string, required: true } }", &phase(nested));
    let items: Vec<String> = (0..30).map(|item| item.to_string()).collect();
    files.write(
        "steps/many.yaml",
        &format!(
            "apiVersion: rollbook/v1\nkind: Steps\nsteps:\n  - command: [ls]\n    for_each: [{}]\n",
            items.join(", ")
        ),
    );
    let many = format!("many={}", vec!["x"; 400].join(","));
    files
        .rollbook("plan", &["--offline", "-p", &many])
        .exits(65)
        .says("more than 10000 tasks for the host `w1`");
}

/// A phase whose rescue and whose end repeat steps, on hosts of which `w1` fails where a scenario says so.
fn repeated() -> Files {
    let files = Files::new(
        "",
        r#"
  - name: roll
    hosts: all
    rollout: { max_failures: 2, max_unavailable: 3 }
    steps:
      - command: [do-work]
        id: work
        tags: work
        effect: changes
      - command: [later]
        id: later
        effect: changes
    rescue:
      steps:
        - command: [put-back, "{{ each }}", "{{ failure.step }}"]
          id: back
          for_each: [one, two]
          effect: changes
        - include: { file: steps/keep.yaml, with: { name: "{{ each.key }}", why: "{{ failure.cause }}" } }
          id: keep
          for_each: { logs: 1 }
      then: ok
    always:
      - command: [tidy-up, "{{ each }}"]
        id: tidy
        for_each: "{{ host.vars.tools | default([]) }}"
        effect: changes
      - command: [told, "{{ steps.back.each | length }}"]
        id: told
        when: steps.back.ran and not steps.later.ran
        allow_failure: nobody has to hear of it
        effect: changes
"#,
    );
    files.write(
        "steps/keep.yaml",
        "apiVersion: rollbook/v1\nkind: Steps\nargs: { name: { type: string }, why: { type: string } }\nsteps:\n\
         - command: [keep, \"{{ args.name }}\", \"{{ args.why }}\"]\n  id: one\n  effect: changes\n",
    );
    files.write(
        "scenario.yaml",
        r"
apiVersion: rollbook/v1
kind: Scenario
metadata: { name: loops }
runbook: up.yaml
inventory: inventory.yaml
only: [work]
commands:
  - { match: do-work, host: w1, exit: 3, stderr: no space left }
expect:
  exit: 0
  hosts: { w1: changed }
  ran:
    - { step: back, host: w1 }
    - { step: keep.one, host: w1 }
    - { step: tidy, host: w1 }
    - { step: told, host: w1 }
  did_not_run:
    - { step: later, host: all }
    - { step: back, host: w2 }
    - { step: told, host: w2 }
",
    );
    files
}

#[test]
fn rescue_and_always_repeat_their_steps_and_see_what_became_of_each() {
    let files = repeated();
    files.rollbook("validate", &[]).exits(0);
    let steps = "· do-work  [changes]\n· later  [changes]\n\
        if it fails, and it counts as done when these have gone well:\n\
        · command (one)  [changes]\n· command (two)  [changes]\n· command (logs)  [changes]\n\
        in the end, also if it fails:\n";
    let told = "? command: known later, from steps.back.each, steps.back.ran, steps.later.ran  [changes]  [may fail: nobody has to hear of it]";
    let expected = [
        format!("w1:\n{steps}· tidy-up jq (jq)  [changes]\n· tidy-up curl (curl)  [changes]\n{told}"),
        format!("w2, w3:\n{steps}- command: `for_each` has no items\n{told}"),
    ];
    assert_eq!(files.tasks(&[]), expected);
    let check = || Rollbook::new(["rehearse", "--check", "scenario.yaml"]).dir(files.dir.path()).run();
    check().exits(0);
    // What stands in the plan and is left out never begins.
    let scenario = fs::read_to_string(files.dir.path().join("scenario.yaml")).unwrap();
    let faulty = scenario
        .replace("commands:", "faults: [{ host: w1, step: later, fault: never_finishes }]\ncommands:");
    files.write("faulty.yaml", &faulty);
    let faulty = Rollbook::new(["rehearse", "--scenario", "faulty.yaml"]).dir(files.dir.path()).run();
    faulty.exits(65).says("RB0802").says("has no step `later`");
    // The flag is stronger than the scenario.
    let all = ["rehearse", "--scenario", "scenario.yaml", "--skip", "later", "--verbose"];
    let all = Rollbook::new(all).dir(files.dir.path()).run().exits(0);
    let lines =
        ["w1  rescue begins", "command (one)  changed", "command (two)  changed", "command (logs)  changed"];
    lines.iter().fold(all, |all, line| all.says(line)).says("left out by --skip later");
}

#[test]
fn a_plan_and_an_explanation_say_at_the_step_that_it_may_fail() {
    let files = repeated();
    let may_fail = "[may fail: nobody has to hear of it]";
    files.rollbook("plan", &["--offline"]).exits(0).shows(may_fail);
    files.rollbook("plan", &["--offline", "--format", "markdown"]).exits(0).shows(may_fail);
    let explain = |name: &str, host: &str| {
        let args = ["explain", name, "--host", host, "--runbook", "up.yaml", "-i", "inventory.yaml"];
        Rollbook::new(args).dir(files.dir.path()).run().exits(0)
    };
    explain("steps.told", "w1")
        .shows("may fail, and the run goes on then: nobody has to hear of it")
        .shows("phase roll, in its `always`");
    explain("steps.back", "w1")
        .shows("(two)")
        .shows("phase roll, in its `rescue`: only where the host fails");
    explain("steps.tidy", "w2").shows("does not run here: `for_each` has no items");
}

#[test]
fn a_command_in_verify_decides_in_a_rehearsal_too() {
    let files = Files::new(
        "",
        "  - name: roll\n    hosts: all\n    rollout: { batches: [1], verify: [{ command: [check-it, now], env: { A: b }, effect: reads }] }\n    \
         steps: [command: [work]]\n",
    );
    let rehearse = |commands: &str, expect: &str| {
        let head = "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: s }\nrunbook: up.yaml\ninventory: inventory.yaml\n";
        files.write("scenario.yaml", &format!("{head}{commands}\nexpect: {expect}\n"));
        Rollbook::new(["rehearse", "--check", "scenario.yaml"]).dir(files.dir.path()).run().exits(0);
    };
    rehearse("", "{ exit: 0, hosts: { all: changed } }");
    rehearse(
        "commands: [{ match: check-it now, exit: 1, stderr: latency is up }]",
        "{ exit: 10, hosts: { w1: changed, w2: not_started }, says: [\"exit code 1: latency is up\"] }",
    );
}
