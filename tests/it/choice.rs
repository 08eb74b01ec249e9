//! `--only` and `--skip`: what a plan keeps of a runbook, what it refuses to take apart, and where it says so.

use super::language::{Files, phase};
use super::support::rollbook::Rollbook;

/// Two phases: a guard, a bracket in a fragment with a step beside it, and a check behind.
fn upgrade() -> Files {
    let files = Files::new(
        "",
        r#"
  - name: preflight
    hosts: all
    mode: read_only
    tags: before
    steps:
      - assert: { that: "host.name != 'x'", message: "no" }
        id: named
  - name: roll
    hosts: all
    steps:
      - command: [look]
        id: look
        effect: reads
      - include: steps/tools.yaml
        id: tools
        tags: [packages]
      - command: [told, "{{ steps.look.stdout }}"]
        id: tell
        tags: after
      - assert: { that: "host.name != 'y'", message: "no" }
        id: behind
"#,
    );
    files.write(
        "steps/tools.yaml",
        "apiVersion: rollbook/v1\nkind: Steps\nsteps:\n\
         - apt_mark: { unhold: [jq] }\n  id: unhold\n\
         - apt: { install: { jq: \"1.7\" } }\n  id: install\n\
         - assert: { that: \"host.name != 'z'\", message: \"no\" }\n  id: inside\n\
         - apt_mark: { hold: [jq] }\n  tags: [hold]\n",
    );
    files
}

#[test]
fn a_choice_takes_what_is_named_and_the_guards_in_front_of_it() {
    let files = upgrade();
    let look = "· look  [reads]";
    let bracket = "· unhold jq  [changes]\n· install jq 1.7  [changes]\n· assert host.name != 'z'\n· hold jq  [changes]";
    let without =
        |flag: &str| format!("- apt_mark: {flag}\n- apt: {flag}\n- assert: {flag}\n- apt_mark: {flag}");
    let preflight = "w1, w2, w3:\n· assert host.name != 'x'";
    let behind = "· assert host.name != 'y'";
    let tell = "? command: known later, from steps.look.stdout  [disrupts]";
    let not_named = "not named by --only";
    for (flags, phases) in [
        (
            &["--only", "tools"][..],
            vec![
                preflight.to_owned(),
                format!(
                    "w1, w2, w3:\n- command: {not_named}\n{bracket}\n- command: {not_named}\n- assert: {not_named}"
                ),
            ],
        ),
        (
            &["--only", "look,after"],
            vec![
                preflight.to_owned(),
                format!("w1, w2, w3:\n{look}\n{}\n{tell}\n- assert: {not_named}", without(not_named)),
            ],
        ),
        (
            &["--skip", "packages", "--skip", "named"],
            vec![format!(
                "w1, w2, w3:\n{look}\n{}\n{tell}\n{behind}",
                without("left out by --skip packages")
            )],
        ),
        (&["--only", "before"], vec![preflight.to_owned()]),
    ] {
        assert_eq!(files.tasks(flags), phases, "{flags:?}");
    }
    let shown = files.rollbook("plan", &["--offline", "--only", "before"]).exits(0).stdout;
    assert!(shown.contains("Phase 2/2: roll · left out") && shown.contains("  --only before"), "{shown}");
}

#[test]
fn a_choice_that_cuts_or_chooses_nothing_is_refused_with_its_place() {
    let files = upgrade();
    for (flags, code, expected) in [
        (
            &["--only", "tools.install"][..],
            "RB0327",
            "`--only tools.install` would take apart 3 steps of the phase `roll`",
        ),
        (&["--only", "hold"], "RB0327", "what names all of them: `packages`, `roll`, `tools`"),
        (&["--skip", "tools.unhold"], "RB0327", "`--skip tools.unhold` would take apart"),
        (&["--only", "look,tool"], "RB0326", "--> --only:1:6"),
        (&["--only", "tool"], "RB0326", "did you mean `tools`?"),
        (&["--only", "nobody"], "RB0326", "there are: `after`, `before`,"),
        (&["--skip", "before"], "RB0326", "`--skip before` leaves nothing out"),
        (&["--only", "tools", "--skip", "packages"], "RB0326", "leave no step"),
        (
            &["--only", "tell"],
            "RB0328",
            "this step reads `steps.look.stdout`, and the step `look` is left out",
        ),
    ] {
        for (verb, more) in
            [("plan", &["--offline"][..]), ("run", &["--yes"]), ("rehearse", &[]), ("validate", &[])]
        {
            let said = files.rollbook(verb, &[more, flags].concat()).exits(65).stderr;
            assert!(said.contains(expected) && said.contains(code), "{verb} {flags:?}: {said}");
        }
    }
    files.rollbook("validate", &["--only", "tools"]).exits(0);
}

#[test]
fn every_form_of_a_plan_shows_the_choice_and_a_saved_one_rolls_with_it() {
    let files = upgrade();
    let plan = |more: &[&str]| files.rollbook("plan", &[&["--offline"], more].concat()).exits(0).stdout;
    let only: &[&str] = &["--only", "tools, look", "--skip", "named"];
    let warning = "--skip named leaves out what guards the steps behind it: assert (up.yaml:";
    for format in ["text", "markdown"] {
        let shown = plan(&[only, &["--format", format]].concat());
        for words in ["--only tools, look", "--skip named", "not named by --only", warning, "6 left out"] {
            assert!(shown.contains(words), "{format}: {words}\n{shown}");
        }
    }
    let json = plan(&[only, &["--format", "json"]].concat());
    assert!(json.contains(r#""choice":{"only":["tools","look"],"skip":["named"]}"#), "{json}");
    assert!(json.contains(r#""left_out":{"why":"not_named"}"#), "{json}");
    let digest = |shown: String| shown.lines().last().expect("a digest").to_owned();
    assert_ne!(digest(plan(&[])), digest(plan(only)));
    assert!(!plan(&["--format", "json"]).contains("choice"), "a plan of everything is as it was");
    files.write("all.plan.json", &json);
    let saved = |verb: &str, more: &[&str]| {
        Rollbook::new([&[verb, "all.plan.json"], more].concat()).dir(files.dir.path()).run()
    };
    saved("plan", &[]).exits(0).shows("--only tools, look");
    for (verb, yes) in [("plan", &[][..]), ("run", &["--yes"])] {
        saved(verb, &[yes, &["--only", "tools"]].concat())
            .exits(64)
            .says("--only has no effect on a saved plan");
        saved(verb, &[yes, &["--skip", "tools"]].concat())
            .exits(64)
            .says("--skip has no effect on a saved plan");
    }
    let diff = files.rollbook("plan", &["--offline", "--diff", "all.plan.json"]).exits(0).stdout;
    assert!(diff.contains("- --only tools, look"), "{diff}");
}

/// A phase with a rescue and an end, behind one that checks and has an end, too.
fn answering() -> Files {
    Files::new(
        "",
        r#"
  - name: prepare
    hosts: all
    rollout: { soak: 1m, batches: [1], gate: { duration: 5m } }
    steps:
      - assert: { that: "host.name != 'x'", message: "no" }
      - command: [fetch]
        effect: changes
    always:
      - command: [tidy]
  - name: roll
    hosts: all
    steps:
      - command: [one]
        id: one
        tags: first
      - command: [two]
        id: two
    rescue:
      steps:
        - command: [put-back, "{{ steps.two.stdout }}"]
          id: back
          tags: rescue
          when: steps.two.ran
    always:
      - command: [lift]
        when: steps.one.ran or steps.two.ran
"#,
    )
}

#[test]
fn a_rescue_and_an_end_go_with_the_steps_of_their_phase() {
    let files = answering();
    let later = |names: &str| format!("? command: known later, from {names}  [disrupts]");
    let roll = |one: &str, two: &str| {
        format!(
            "w1, w2, w3:\n{one}\n{two}\nif it fails:\n· command  [disrupts]\nin the end, also if it fails:\n{}",
            later("steps.one.ran, steps.two.ran")
        )
    };
    let prepare = "w1, w2, w3:\n· assert host.name != 'x'\n- command: not named by --only\n\
        in the end, also if it fails:\n- command: only checks of this phase are left";
    let expected = [prepare.to_owned(), roll("· one  [disrupts]", "- command: not named by --only")];
    assert_eq!(files.tasks(&["--only", "first"]), expected);
    let shown = files.rollbook("plan", &["--offline", "--only", "first"]).exits(0).stdout;
    assert!(!shown.contains("a gate"), "nobody waits behind checks\n{shown}");
    for (flags, words) in [
        (["--only", "rescue"], "`rescue` goes with the steps of the phase `roll`: choose those"),
        (["--skip", "back"], "it names this step of `rescue`"),
    ] {
        files.rollbook("plan", &["--offline", flags[0], flags[1]]).exits(65).says("RB0326").says(words);
    }
}

#[test]
fn an_end_that_reads_what_a_left_out_step_printed_is_refused() {
    let files = Files::new(
        "",
        "  - name: roll\n    hosts: all\n    steps:\n      - command: [one]\n        id: one\n      \
         - command: [two]\n        id: two\n    always:\n      - command: [lift, \"{{ steps.one.stdout }}\"]\n",
    );
    let said = "this step reads `steps.one.stdout`, and the step `one` is left out";
    files
        .rollbook("plan", &["--offline", "--skip", "one"])
        .exits(65)
        .says("--> up.yaml:14:9")
        .says(said)
        .says("give this step `when: steps.one.ran`");
    files.rollbook("plan", &["--offline", "--skip", "two"]).exits(0);
}

#[test]
fn guards_bring_what_they_read_and_a_pause_guards_its_phase() {
    let files = Files::new(
        "",
        &format!(
            "{}{}",
            phase(
                r#"
- command: [space]
  id: space
  effect: reads
- assert: { that: "steps.space.rc == 0", message: "no space" }
- command: [work]
  tags: work
- pause: { for: 5m }
- pause: { manual: Look at it }
- command: [rest]
  tags: rest
"#
            ),
            "  - name: last\n    hosts: all\n    steps:\n      - command: [end]\n        tags: end\n"
        ),
    );
    let no = "not named by --only";
    let checks = "· space  [reads]\n? assert: known later, from steps.space.rc";
    let end = "w1, w2, w3:\n· end  [disrupts]".to_owned();
    for (word, expected) in [
        (
            "work",
            vec![format!(
                "w1, w2, w3:\n{checks}\n· work  [disrupts]\n- pause: {no}\n- pause: {no}\n- command: {no}"
            )],
        ),
        (
            "rest",
            vec![format!(
                "w1, w2, w3:\n{checks}\n- command: {no}\n- pause: {no}\n· pause for a person: Look at it\n· rest  [disrupts]"
            )],
        ),
        (
            "end",
            vec![
                format!(
                    "w1, w2, w3:\n{checks}\n- command: {no}\n- pause: {no}\n- pause: {no}\n- command: {no}"
                ),
                end.clone(),
            ],
        ),
    ] {
        assert_eq!(files.tasks(&["--only", word]), expected, "{word}");
    }
}

#[test]
fn a_phase_that_only_reads_guards_those_behind_it() {
    let files = Files::new(
        "",
        "  - name: look\n    hosts: w1\n    steps:\n      - command: [look]\n        effect: reads\n  \
         - name: roll\n    hosts: w2\n    steps: [command: [work]]\n  \
         - name: after\n    hosts: w3\n    steps:\n      - command: [look]\n        effect: reads\n",
    );
    assert_eq!(files.tasks(&["--only", "roll"]), ["w1:\n· look  [reads]", "w2:\n· work  [disrupts]"]);
    assert_eq!(files.tasks(&["--skip", "after"]), ["w1:\n· look  [reads]", "w2:\n· work  [disrupts]"]);
    files.rollbook("plan", &["--offline", "--skip", "look"]).exits(65).says("leaves nothing out");
}

#[test]
fn brackets_that_something_else_closes_are_whole_too() {
    let kube = "kube: { via: w1 }";
    let always = Files::new(
        kube,
        "  - name: roll\n    hosts: all\n    steps:\n      - drain: {}\n      - command: [work]\n        tags: work\n    \
         always:\n      - uncordon: {}\n",
    );
    always.rollbook("plan", &["--offline", "--only", "work"]).exits(65).says("from `drain` to `command`");
    let across = Files::new(
        kube,
        "  - name: out\n    hosts: all\n    steps:\n      - cordon: {}\n        leave_cordoned: the next phase\n  \
         - name: work\n    hosts: all\n    steps: [command: [work]]\n  \
         - name: back\n    hosts: all\n    steps:\n      - uncordon: {}\n",
    );
    // The node is taken in again by the uncordon of a later phase, also where a drain of its own stands before that.
    let drained = Files::new(
        kube,
        "  - name: out\n    hosts: all\n    steps:\n      - cordon: {}\n        leave_cordoned: the next phase\n  \
         - name: back\n    hosts: all\n    steps:\n      - drain: {}\n      - uncordon: {}\n",
    );
    let tidied = Files::new(
        kube,
        "  - name: out\n    hosts: all\n    steps:\n      - cordon: {}\n        leave_cordoned: the next phase\n  \
         - name: back\n    hosts: all\n    steps: [command: [work]]\n    always: [uncordon: {}]\n",
    );
    for files in [across, drained, tidied] {
        for flags in [["--skip", "back"], ["--only", "back"], ["--only", "out"]] {
            files
                .rollbook("plan", &["--offline", flags[0], flags[1]])
                .exits(65)
                .says("RB0327")
                .says("give them a tag in common");
        }
    }
}

#[test]
fn a_step_that_reads_all_results_reads_those_that_are_left_out() {
    let files = Files::new(
        "",
        "  - name: roll\n    hosts: all\n    steps:\n      - command: [look]\n        id: look\n      \
         - command: [told, \"{{ steps | length }}\"]\n        tags: whole\n      \
         - include: { file: steps/told.yaml, with: { of: before } }\n        id: told\n      \
         - command: [last]\n        id: last\n",
    );
    files.write(
        "steps/told.yaml",
        "apiVersion: rollbook/v1\nkind: Steps\nargs: { of: { type: string } }\nsteps:\n\
         - command: [look]\n  id: before\n\
         - command: [told, \"{{ steps[args.of].stdout }}\"]\n  tags: [one_of]\n",
    );
    for (flags, left_out) in [
        (["--only", "whole"], "`look`"),
        (["--skip", "look"], "`look`"),
        (["--only", "one_of"], "`told.before`"),
    ] {
        files
            .rollbook("plan", &["--offline", flags[0], flags[1]])
            .exits(65)
            .says("RB0328")
            .says(&format!("this step reads `steps`, and the step {left_out} is left out"));
    }
    // What comes after a step it cannot read.
    files.rollbook("plan", &["--offline", "--skip", "last"]).exits(0);
    files.rollbook("plan", &["--offline", "--only", "told"]).exits(0);
}
