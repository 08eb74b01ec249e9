//! A second run of the same runbook, and plans: what holds is left alone.

use super::fleet::Fleet;

/// Goals that write to the log when they are brought about.
fn with_goals() -> Fleet {
    let fleet = Fleet::of(2);
    fleet.runbook(
        "",
        "batches: [1]",
        r#"
- copy: { dest: "@{{ host.name }}.conf", content: "made for {{ host.name }}\n", mode: "0600" }
- command: { argv: ["@work", "{{ host.name }}", made, "0"], creates: "@log/{{ host.name }}" }
  effect: changes
- script: { text: "echo \"$(date +%s%N) told begin\" >>$1", args: ["@log/{{ host.name }}"], unless: [grep, -q, told, "@log/{{ host.name }}"] }
  effect: changes
"#,
    );
    fleet
}

#[test]
fn a_plan_changes_nothing_and_a_second_run_has_nothing_to_do() {
    let fleet = with_goals();
    fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2);
    fleet.rollbook("plan", &[]).run().exits(0);
    for host in 1..=2 {
        assert!(fleet.log(host).is_empty() && !fleet.dir.path().join(format!("h{host}.conf")).exists());
        // Not even a place for records of ops.
        assert!(!fleet.records(host).exists(), "a plan leaves something on h{host}");
    }

    fleet.run(&[]).run().exits(0);
    let logs: Vec<_> = (1..=2).map(|host| fleet.log(host)).collect();
    for host in 1..=2 {
        assert_eq!(fleet.steps(host), ["made begin", "made end", "told begin"]);
        let conf = std::fs::read_to_string(fleet.path(&format!("h{host}.conf"))).unwrap();
        assert_eq!(conf, format!("made for h{host}\n"));
    }

    fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(0);
    fleet.run(&[]).run().exits(0).says("nothing to do");
    assert_eq!((1..=2).map(|host| fleet.log(host)).collect::<Vec<_>>(), logs);
}

#[test]
fn only_what_is_missing_is_brought_about() {
    let fleet = with_goals();
    fleet.run(&[]).run().exits(0);
    let untouched = fleet.log(1);
    std::fs::remove_file(fleet.path("h2.conf")).unwrap();
    fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2);
    fleet.run(&[]).run().exits(0);
    assert!(fleet.dir.path().join("h2.conf").exists());
    assert_eq!(fleet.log(1), untouched);
    assert_eq!(fleet.steps(2), ["made begin", "made end", "told begin"]);
}

#[test]
fn a_goal_that_an_earlier_step_may_undo_is_not_promised() {
    let fleet = Fleet::of(1);
    fleet.file("flag", "");
    fleet.file("other", "");
    fleet.runbook(
        "",
        "batches: [1]",
        r#"
- command: { argv: [touch, "@other"], creates: "@other" }
  effect: changes
- command: { argv: [rm, "@flag"] }
  effect: changes
- command: { argv: [touch, "@flag"], creates: "@flag" }
  effect: changes
"#,
    );
    let plan = fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2).stdout;
    let sign = |file: &str| {
        let task = format!("touch {}", fleet.path(file));
        let line = plan.lines().find(|line| line.contains(&task)).unwrap_or_else(|| panic!("{plan}"));
        line.trim_start().chars().next()
    };
    assert_eq!(sign("other"), Some('='), "nothing comes before it:\n{plan}");
    assert_eq!(sign("flag"), Some('?'), "it is removed before its turn:\n{plan}");
    assert!(plan.contains("known later, from what `rm "), "{plan}");
    fleet.run(&[]).run().exits(0);
    assert!(fleet.dir.path().join("flag").exists());
}

#[test]
fn hostile_values_arrive_unchanged_also_through_a_saved_plan() {
    let fleet = Fleet::of(1);
    let words = [
        "a b",
        "'",
        "\"",
        "; rm -rf x",
        "two\nlines",
        "$HOME",
        "$(id)",
        "`id`",
        "%n%s",
        "-rf",
        "",
        "\\",
        "\\n",
        "*",
        "~",
        "ä€",
        "\t",
        "!!",
        "#no",
        "&& x",
        "{}",
        "a'b\"c",
    ];
    let argv: Vec<String> =
        ["@show"].iter().chain(&words).map(|word| serde_json::to_string(word).unwrap()).collect();
    fleet.file("show", "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\0' \"$word\"; done >>\"$0.out\"\n");
    fleet.runbook("", "batches: [1]", &format!("- command: {{ argv: [{}] }}", argv.join(", ")));
    let sent = words.iter().fold(String::new(), |text, word| text + word + "\0");
    let arrived = || std::fs::read_to_string(fleet.path("show.out")).unwrap_or_default();

    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    assert_eq!(arrived(), "");
    // The plan stands for itself: what it was made from is not read again.
    std::fs::remove_file(fleet.path("up.yaml")).unwrap();
    std::fs::remove_file(fleet.path("inventory.yaml")).unwrap();
    // What would change the plan after its review is not ignored in silence.
    let limited = fleet.rollbook_on("run", "up.plan.json", &["--yes", "--limit", "h1"]).run();
    limited.exits(64).says("--limit has no effect on a saved plan");
    fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "state"]).run().exits(0);
    assert_eq!(arrived(), sent);
    let again = fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "state"]).run().exits(14);
    assert!(again.stderr.contains("good for one run"), "{}", again.stderr);
    assert_eq!(arrived(), sent, "a plan runs once");
}
