//! What a reviewer sees of a plan: everything that will run, on which terms, and every difference between two plans.

use super::support::rollbook::Rollbook;

const INVENTORY: &str =
    "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: i }\nhosts: { h1: {}, h2: {} }\n";

fn runbook(steps: &str) -> String {
    format!(
        "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: b }}\npolicy: {{ deadline: 90d }}\nphases:\n  - name: roll\n    hosts: all\n{steps}"
    )
}

/// What `plan` shows of a runbook with these lines in its phase.
fn shown(inventory: &str, steps: &str, more: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("i.yaml"), inventory).unwrap();
    std::fs::write(dir.path().join("r.yaml"), runbook(steps)).unwrap();
    let args = [&["plan", "r.yaml", "-i", "i.yaml", "--offline"], more].concat();
    Rollbook::new(args).dir(dir.path()).run().exits(0).stdout
}

/// How the plans of two such runbooks differ.
fn differs(old: &str, new: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("i.yaml"), INVENTORY).unwrap();
    std::fs::write(dir.path().join("old.yaml"), runbook(old)).unwrap();
    std::fs::write(dir.path().join("new.yaml"), runbook(new)).unwrap();
    let plan = |more: &[&str]| {
        Rollbook::new([&["plan"], more, &["-i", "i.yaml", "--offline"]].concat())
            .dir(dir.path())
            .run()
            .exits(0)
    };
    let old = plan(&["old.yaml", "--format", "json"]).stdout;
    std::fs::write(dir.path().join("old.json"), old).unwrap();
    plan(&["new.yaml", "--diff", "old.json"]).stdout
}

const STEPS: &str = r#"
    rollout:
      batches: [1]
      parallel: 2
      wait_for_budget: 20m
      gate: { after: each, check: { script: "first look\ncurl -f gate\n", effect: reads }, for: 1m }
      verify:
        - script: |
            echo checked
            curl -f verify
          effect: reads
    steps:
      - id: s
        script:
          text: |
            echo one
            echo two
          args: [first, second]
          interpreter: [/bin/bash, -e]
          chdir: /srv/here
          success: [0, 3]
        effect: changes
        changed_when: result.rc == 3
        fail_when: result.rc > 3
      - command: [rm, -rf, /srv/data]
        when: steps.s.changed
      - script: |
          echo later
          systemctl restart app
        when: not steps.s.changed
      - name: tidy up
        command: [rm, -rf, /srv/named]
        effect: changes
      - command: [echo, a-rather-long-first-argument-that-says-little, and-another-of-the-same-kind, end-of-line]
        effect: changes
      - assert: { that: 'steps.s.rc < 9', message: ask the owner of it }
      - wait: { file: /run/ready, stable_for: 7s, for: 2m }
"#;

#[test]
fn a_plan_shows_what_runs_later_and_between_batches() {
    let text = shown(INVENTORY, STEPS, &[]);
    for expected in [
        "argv: [rm, -rf, /srv/data]\n",
        "| systemctl restart app\n",
        "rm -rf /srv/named",
        "end-of-line",
        "        | curl -f verify\n",
        "        | curl -f gate\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
}

#[test]
fn the_terms_of_a_plan_are_shown_with_v_and_in_markdown() {
    let inventory =
        INVENTORY.replace("h2: {}", "h2: { address: 192.0.2.7 }") + "connection: { user: ops, port: 2222 }\n";
    for more in [&["-v"][..], &["--format", "markdown"]] {
        let all = shown(&inventory, STEPS, more).replace('\\', "");
        for expected in [
            "when: steps.s.changed\n",
            "when: not steps.s.changed\n",
            "changed_when: result.rc == 3\n",
            "fail_when: result.rc > 3\n",
            "success: exit code 0 or 3\n",
            "stable_for 7s",
            "no host starts after 90d",
            "parallel 2",
            "wait_for_budget 20m",
            "ask the owner of it",
            "h2 at 192.0.2.7: user: ops, port: 2222\n",
            "/bin/bash -e -s -- first second",
            "--chdir=/srv/here",
            "curl -f verify\n",
            "curl -f gate\n",
        ] {
            assert!(all.contains(expected), "{expected:?} is missing with {more:?}:\n{all}");
        }
    }
}

#[test]
fn a_changed_line_hides_no_other_change() {
    let steps = STEPS;
    let line = steps.replace("echo two", "echo three");
    for (old, new, expected) in [
        ("[first, second]", "[first, third]", "third"),
        ("/srv/here", "/srv/there", "/srv/there"),
        ("when: steps.s.changed", "when: steps.s.failed", "+     when: steps.s.failed"),
        ("when: not steps.s.changed", "when: steps.s.changed", "-     when: not steps.s.changed"),
        ("curl -f verify", "curl -f other", "curl -f other"),
        ("curl -f gate", "curl -f other", "curl -f other"),
        ("result.rc == 3", "result.rc == 4", "+     changed_when: result.rc == 4"),
        ("stable_for: 7s", "stable_for: 8s", "stable_for 8s"),
        ("ask the owner", "ask nobody", "ask nobody"),
        ("parallel: 2", "parallel: 1", "+ rollout, parallel: 1"),
        ("wait_for_budget: 20m", "wait_for_budget: 30m", "+ rollout, wait_for_budget: 30m"),
        ("success: [0, 3]", "success: [0, 4]", "0 or 4"),
        ("[/bin/bash, -e]", "[/bin/bash, -u]", "/bin/bash -u"),
    ] {
        assert!(line.contains(old), "{old}");
        let told = differs(steps, &line.replacen(old, new, 1));
        assert!(told.contains("+     | echo three\n"), "{old}:\n{told}");
        assert!(told.contains(expected), "{old}: {expected:?} is missing:\n{told}");
        assert!(!told.contains("actions["), "{old}:\n{told}");
    }
}

#[test]
fn lines_that_moved_are_one_line_of_a_comparison() {
    let steps = STEPS;
    let moved = steps.replace("    steps:\n", "    # a comment\n    steps:\n");
    let told = differs(steps, &moved);
    assert!(told.lines().all(|line| line.starts_with("Places: ")), "{told}");
    let told = differs(steps, &moved.replace("echo two", "echo three"));
    assert!(told.contains("+     | echo three\n") && told.matches(".yaml:").count() == 0, "{told}");
}

#[test]
fn a_command_is_shown_with_its_escapes() {
    let steps = "    steps:\n      - command: [echo, \"a\\nb\", \"\\e[31mred\"]\n        effect: changes\n";
    let all = shown(INVENTORY, steps, &["-v"]);
    assert!(all.contains("'a\\u{a}b'") && all.contains("\\u{1b}[31mred"), "{all}");
    let text = "    steps:\n      - script: \"echo \\e[31mred\\n\"\n        effect: changes\n";
    for more in [&[][..], &["-v"], &["--format", "markdown"]] {
        let all = shown(INVENTORY, text, more);
        assert!(all.contains("\\u{1b}") && !all.contains('\u{1b}'), "{all}");
    }
}

#[test]
fn a_plan_that_was_only_laid_out_anew_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let plan = shown(INVENTORY, STEPS, &["--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let path = dir.path().join("plan.json");
    std::fs::write(&path, format!("{plan:#}")).unwrap();
    let told = Rollbook::new(["plan", path.to_str().unwrap()]).run().exits(65);
    assert!(told.stderr.contains("laid out anew") && !told.stderr.contains("sha256:"), "{}", told.stderr);
}
