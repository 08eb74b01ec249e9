//! What a plan makes of the parts of the language that unroll and choose steps: through the binary, without hosts.

use std::fs;

use super::support::rollbook::{Outcome, Rollbook};

/// A directory with a runbook, what it includes, and an inventory of three hosts.
struct Files {
    dir: tempfile::TempDir,
}

const INVENTORY: &str = "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: three }\n\
    hosts:\n  w1: { vars: { tools: [jq, curl] } }\n  w2: { vars: { tools: [] } }\n  w3: {}\n";

impl Files {
    /// `top` stands above the phases of `up.yaml`, `phases` is their list.
    fn new(top: &str, phases: &str) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write("inventory.yaml", INVENTORY);
        let head = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: up }\n";
        files.write("up.yaml", &format!("{head}{top}\nphases:\n{phases}"));
        files
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn rollbook(&self, verb: &str, more: &[&str]) -> Outcome {
        let args = [&[verb, "up.yaml", "-i", "inventory.yaml"], more].concat();
        Rollbook::new(args).dir(self.dir.path()).run()
    }

    /// What the plan says of every host: "w1: title, title".
    fn tasks(&self, more: &[&str]) -> Vec<String> {
        let shown = self.rollbook("plan", &[&["--offline"], more].concat()).exits(0).stdout;
        let mut hosts: Vec<String> = Vec::new();
        for line in shown
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   ") && !line.contains(" = "))
        {
            hosts.push(line.trim().to_owned() + ":");
        }
        let mut tasks = hosts.iter_mut();
        let mut host: Option<&mut String> = None;
        for line in shown.lines() {
            match line.strip_prefix("    ") {
                Some(task) => host.as_mut().unwrap().extend(["\n", task.trim_end()]),
                None if line.starts_with("  ") && !line.contains(" = ") => host = tasks.next(),
                None => {}
            }
        }
        hosts
    }
}

fn phase(steps: &str) -> String {
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
· look a (a)
· put a x (a, x)  [changes]
· put a y (a, y)  [changes]
? command (a): known later, from steps.look.stdout, steps.put.changed  [changes]
· look b (b)
- command (b): `for_each` has no items
? command (b): known later, from steps.look.stdout, steps.put.changed  [changes]
- command (c): `when` is false
- command (c): `when` is false
? command (c): known later, from steps.look.stdout, steps.put.changed  [changes]
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
        ("\"{{ facts.disks }}\"", "the items depend on `facts.disks`, and no host is asked (host `w1`)"),
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
