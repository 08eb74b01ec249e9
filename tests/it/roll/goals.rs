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

#[test]
fn reading_is_not_changing_and_what_was_read_is_shown() {
    let fleet = Fleet::of(1);
    let reads = "- command: { argv: [printf, 'a\\001b\\n'] }\n  id: look\n  effect: reads\n";
    fleet.runbook("", "batches: [1]", reads);
    let plan = fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(0).stdout;
    assert!(plan.contains("[reads]") && plan.contains("1 to run"), "{plan}");
    let ran = fleet.run(&["-v"]).run().exits(0);
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!told.contains("changed"), "{told}");
    assert!(told.contains("= a\\u{1}b"), "what it printed is shown, and moves no cursor: {told}");
    let record = fleet.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let record = record.as_str();
    let runs = |verb: &[&str]| {
        fleet.rollbook_on("runs", verb[0], &[&verb[1..], &["--state-dir", "state"]].concat()).run()
    };
    runs(&["show", record]).exits(0).shows("= a\\u{1}b");
    for words in [&["output", record][..], &["output", record, "h1"], &["output", record, "h1", "look"]] {
        runs(words).exits(0).shows("    a\\u{1}b\n");
    }
    runs(&["output", record, "h2"]).exits(64).says("the run has no host `h2`").says("there is h1");
    runs(&["output", record, "h1", "drain"]).exits(64).says("no step with output `drain`");
    runs(&["output", "nosuch"]).exits(64).says("there is no run `nosuch`");
}

#[test]
fn a_read_before_a_failure_leaves_nothing_half_changed() {
    let fleet = Fleet::of(1);
    let steps =
        "- command: { argv: [uptime] }\n  effect: reads\n- command: { argv: [\"false\"] }\n  effect: reads\n";
    fleet.runbook("", "batches: [1]", steps);
    fleet.run(&[]).run().exits(10);
}

#[test]
fn a_pause_alone_is_work() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", "- pause: { manual: \"switch the lamp on\" }\n");
    fleet.rollbook("plan", &[]).run().exits(0).shows("1 to run");
    let outcome = fleet.run(&[]).run().exits(15);
    assert!(!outcome.stderr.contains("nothing to do"), "{}", outcome.stderr);
}
