//! What only a run or a host knows stands in a plan as a symbol. People read words for it: in plans, in a rehearsal, in
//! its record, and in mistakes.

use super::language::{Files, phase};
use super::support::rollbook::{Outcome, Rollbook};

/// Symbols wherever a file may hold one.
const STEPS: &str = r#"
- name: mark
  copy: { dest: "/var/tmp/{{ run.id }}", content: "by {{ run.id }}\nat {{ run.started }}\n", mode: "0600" }
- copy: { dest: /etc/key, content: "{{ secrets.key }}\n", mode: "0600" }
- command: { argv: [touch, "/var/tmp/{{ run.id }}.done"], creates: "/var/tmp/{{ run.id }}.done" }
  env: { RUN: "{{ run.id }}" }
  effect: changes
- command: { argv: [cat], stdin: "{{ secrets.key }} {{ run.id }}\n" }
  effect: reads
- script: { text: "echo ten\n" }
  effect: changes
- wait: { file: "/var/tmp/{{ run.id }}.done", for: 10s }
- drain: { delete_emptydir_data: true, reason: "run {{ run.id }}" }
- command: { argv: ["/bin/false", "{{ run.id }}"] }
  effect: disrupts
- uncordon: {}
"#;

const TOP: &str =
    "kube: { via: w1 }\npolicy: { control_plane_outage: accept }\nsecrets: { key: { env: KEY } }";

/// Mistakes whose message shows the value that is wrong.
const MISTAKES: [&str; 9] = [
    "- copy: { dest: \"{{ run.id }}\", content: a }",
    "- copy: { dest: /etc/x, content: a, mode: \"{{ run.id }}\" }",
    "- wait: { file: \"x/{{ run.id }}\" }",
    "- command: { argv: [\"{{ run.id }} x\"] }",
    "- command: { argv: [ls], chdir: \"{{ run.id }}\" }",
    "- command: { argv: [ls, \"{{ secrets.key }}\"] }",
    "- command: { argv: [ls], timeout: \"{{ run.id }}\" }",
    "- apt: { install: { kubelet: \"{{ run.id }}\" } }",
    "- systemctl: { restart: \"{{ run.id }} x\" }",
];

fn is_clean(what: &str, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let at = text.find(|character: char| ('\u{f0000}'..='\u{10ffff}').contains(&character));
        let shown = at.or_else(|| {
            let known = ["\\u{f0000}", "\\u{f0001}", "\\udb80", "‹run:", "‹subject:", "‹secret:", "‹facts"];
            known.iter().find_map(|symbol| text.find(symbol))
        });
        assert_eq!(shown, None, "{what}:\n{text}");
    }
}

#[test]
fn nobody_reads_a_symbol() {
    let files = Files::new(TOP, &phase(STEPS));
    let rollbook = |args: &[&str]| {
        Rollbook::new(args.iter().copied()).dir(files.dir.path()).env("KEY", "0123456789abcdef").run()
    };
    let made = ["up.yaml", "-i", "inventory.yaml"];
    let saved =
        rollbook(&[&["plan"], &made[..], &["--offline", "--format", "json"]].concat()).exits(0).stdout;
    files.write("old.json", &saved);
    for more in [&[][..], &["-v"], &["--format", "markdown"], &["--format", "markdown", "-v"]] {
        let shown = rollbook(&[&["plan"], &made[..], &["--offline"], more].concat());
        assert!(shown.stdout.contains("(the run's id)"), "{}", shown.stdout);
        is_clean("plan", &shown.exits(0));
    }
    // The body of one step is another, so that both are shown.
    files.write(
        "new.yaml",
        &std::fs::read_to_string(files.dir.path().join("up.yaml")).unwrap().replace("echo ", "printf "),
    );
    is_clean(
        "diff",
        &rollbook(&["plan", "new.yaml", "-i", "inventory.yaml", "--offline", "--diff", "old.json", "-v"])
            .exits(0),
    );
    for verb in
        [&["validate", "up.yaml", "-i", "inventory.yaml", "--format", "json"][..], &["validate", "up.yaml"]]
    {
        is_clean("validate", &rollbook(verb));
    }
    let rehearsed = rollbook(
        &[&["rehearse"], &made[..], &["-v", "--state-dir", "state", "--events", "events", "--plain"]]
            .concat(),
    );
    assert!(rehearsed.stderr.contains("FAILED"), "{}", rehearsed.stderr);
    is_clean("rehearse", &rehearsed);
    let events = std::fs::read_to_string(files.dir.path().join("events")).unwrap_or_default();
    is_clean("events", &Outcome { code: 0, stdout: events, stderr: String::new() });
    for args in [
        &["runs", "list", "--state-dir", "state"][..],
        &["runs", "list", "--format", "json", "--state-dir", "state"],
        &["runs", "show", "-v", "--state-dir", "state"],
    ] {
        is_clean("runs", &rollbook(args));
    }
}

#[test]
fn nobody_reads_a_symbol_in_what_is_wrong() {
    for steps in MISTAKES {
        let files = Files::new(TOP, &phase(steps));
        let run = |verb: &str, more: &[&str]| {
            let args = [&[verb, "up.yaml", "-i", "inventory.yaml"], more].concat();
            Rollbook::new(args).dir(files.dir.path()).env("KEY", "0123456789abcdef").run()
        };
        for (verb, more) in [
            ("validate", &[][..]),
            ("validate", &["--format", "json"]),
            ("plan", &["--offline"]),
            ("plan", &["--offline", "-v"]),
            ("rehearse", &[]),
        ] {
            is_clean(&format!("{verb} {steps}"), &run(verb, more));
        }
    }
}
