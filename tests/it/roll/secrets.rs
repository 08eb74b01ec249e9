//! No secret in what a run prints and leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

use super::fleet::Fleet;

/// In the middle of the secret, without anything that a file format escapes.
pub(crate) const CORE: &str = "correct-horse-battery-staple";

/// Whether text holds a part of the secret's core, as it is or in base64: any 10 bytes of it.
pub(crate) fn tells(text: &[u8]) -> bool {
    let windows = |core: &str| -> Vec<Vec<u8>> { core.as_bytes().windows(10).map(<[u8]>::to_vec).collect() };
    // The middle of what base64 makes of the core behind 0, 1 and 2 other characters.
    let encoded = [
        "29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBs",
        "cnJlY3QtaG9yc2UtYmF0dGVyeS1zdGFwb",
        "jb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcG",
    ];
    let mut parts = windows(CORE);
    parts.extend(encoded.into_iter().flat_map(windows));
    parts.iter().any(|part| text.windows(part.len()).any(|window| window == part))
}

/// Files at or below a path that hold a part of the secret.
pub(crate) fn files_with_secret(path: &Path) -> Vec<PathBuf> {
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    if kind.is_dir() {
        return fs::read_dir(path)
            .unwrap()
            .flat_map(|entry| files_with_secret(&entry.unwrap().path()))
            .collect();
    }
    let holds = kind.is_file() && tells(&fs::read(path).unwrap());
    if holds { vec![path.to_owned()] } else { Vec::new() }
}

#[test]
fn a_secret_reaches_the_host_and_nothing_else() {
    // Quotes, a backslash and a tab are written differently by each format; the secret is found nevertheless.
    let secret = format!("pä\"ss\\w\t{CORE}'$x %n`");
    let told_by_its_digest = "#!/bin/sh\nsecret=$(cat)\nprintf %s \"$secret\" | sha256sum >>\"$0.out\"\n\
         printf 'out %s\\n' \"$secret\"\nprintf 'err %s\\n' \"$secret\" >&2\n\
         sleep 0.2\nprintf %s \"$secret\"\n[ \"$1\" != fail ]\n";
    for (argument, code) in [("pass", 0), ("fail", 11)] {
        let fleet = Fleet::of(1);
        fleet.file("tell", told_by_its_digest);
        fleet.runbook(
            "secrets: { token: { env: RB_TOKEN } }",
            "batches: [1]",
            &format!(
                r#"
- command: {{ argv: ["@tell", {argument}], stdin: "{{{{ secrets.token }}}}" }}
  id: tell
- command: {{ argv: [echo, "{{{{ steps.tell.stdout }}}}"] }}
"#
            ),
        );
        let mut said = String::new();
        let plan =
            fleet.rollbook("plan", &["-v", "-o", "up.plan.json"]).env("RB_TOKEN", &secret).run().exits(0);
        said += &(plan.stdout + &plan.stderr);
        let more = ["--verbose", "--events", "events.jsonl"];
        let run = fleet.run(&more).env("RB_TOKEN", &secret).run().exits(code);
        said += &(run.stdout + &run.stderr);

        let digest = fs::read_to_string(fleet.path("tell.out")).unwrap();
        let sum = rollbook::plan::show::digest(secret.as_bytes());
        assert!(
            sum.contains(digest.split(' ').next().unwrap()),
            "the host got another secret: {digest}, not {sum}"
        );
        assert!(!tells(said.as_bytes()), "{argument}: {said}");
        let found = files_with_secret(fleet.dir.path());
        assert!(found.is_empty(), "{argument}: the secret stands in {found:?}");
        assert!(said.contains("redacted") || code == 0, "{argument}: nothing was redacted in\n{said}");
    }
}

#[test]
fn a_secret_that_is_not_set_stops_a_run_before_anything_changes() {
    let fleet = Fleet::of(1);
    fleet.runbook(
        "secrets: { token: { env: RB_TOKEN } }",
        "batches: [1]",
        "- command: { argv: [\"@work\", h1, a, \"0\"], stdin: \"{{ secrets.token }}\" }",
    );
    let outcome = fleet.run(&[]).run();
    assert_ne!(outcome.code, 0);
    outcome.says("RB_TOKEN");
    assert!(fleet.log(1).is_empty());
}

/// Prints the secret wherever a program can print something, and keeps it for the probes that come later.
const LEAK: &str = r#"#!/bin/sh
stash="$(dirname "$0")/stash"
[ "$1" = show ] || { cat >"$stash"; }
secret=$(cat "$stash")
case $1 in
show)
    # As a probe: on both streams, in a line that is too long to be shown whole, and with a code that nobody expects.
    echo "$secret"; printf '%0190d%s
' 0 "$secret"; echo "$secret" >&2
    exit "$2" ;;
stream)
    # In two pieces, so that each arrives by itself; in base64; and over the place where long output is clipped.
    printf 'half %s' "$(printf %s "$secret" | head -c 20)"; sleep 0.3; printf %s "$secret" | tail -c +21; echo
    printf 'user:%s' "$secret" | base64 -w0; echo
    i=0; while [ $i -lt 1600 ]; do printf '%s|' "$secret"; i=$((i + 1)); done
    i=0; while [ $i -lt 1600 ]; do printf '%s|' "$secret"; i=$((i + 1)); done >&2 ;;
keep) echo "$secret" ;;
fail) echo "$secret"; printf 'the password %s is wrong' "$secret" >&2; exit 4 ;;
esac
"#;

#[test]
fn a_host_that_prints_the_secret_everywhere_brings_it_nowhere() {
    let secret = format!("pä\"ss\\w\t{CORE}'$x %n`");
    let steps = [
        // Its output, its clipped result, and what a later step makes of it.
        (
            0,
            r#"
- command: { argv: ["@leak", stream], stdin: "{{ secrets.token }}" }
  id: leak
  effect: changes
- command: { argv: [echo, "{{ steps.leak.stdout }}"] }
  effect: changes
"#,
        ),
        (
            11,
            "- command: { argv: [\"@leak\", fail], stdin: \"{{ secrets.token }}\" }\n  effect: changes\n  allow_failure: later\n\
              - command: { argv: [\"@leak\", fail], stdin: \"{{ secrets.token }}\" }\n  effect: reads\n",
        ),
        // A probe that cannot be read, and a verification that says no.
        (
            10,
            "- command: { argv: [\"@leak\", keep], stdin: \"{{ secrets.token }}\", check: [\"@leak\", show, \"7\"] }\n  effect: changes\n",
        ),
        (
            11,
            "- command: { argv: [\"@leak\", keep], stdin: \"{{ secrets.token }}\", check: [\"@leak\", show, \"1\"] }\n  effect: changes\n",
        ),
        // A difference of content.
        (0, "- copy: { dest: \"@stash\", content: harmless }\n"),
    ];
    for (code, steps) in steps {
        let fleet = Fleet::of(1);
        fleet.file("leak", LEAK);
        fleet.file("stash", &secret);
        fleet.runbook("secrets: { token: { env: RB_TOKEN } }", "batches: [1]", steps);
        let rollbook = |verb: &str, more: &[&str]| fleet.rollbook(verb, more).env("RB_TOKEN", &secret);
        let mut said = Vec::new();
        for more in [&["-v", "-o", "up.plan.json"][..], &["--format", "json"]] {
            let plan = rollbook("plan", more).run();
            said.push(plan.stdout + &plan.stderr);
        }
        let run =
            rollbook("run", &["--yes", "--state-dir", "state", "--verbose", "--events", "events.jsonl"])
                .run();
        said.push(run.stdout + &run.stderr);
        for said in &said {
            assert!(!tells(said.as_bytes()), "{steps}\n{said}");
        }
        assert_eq!(run.code, code, "{steps}\n{}", said.concat());
        for place in ["state", "events.jsonl", "up.plan.json"].map(|name| fleet.dir.path().join(name)) {
            let found = if place.exists() { files_with_secret(&place) } else { Vec::new() };
            assert!(found.is_empty(), "{steps}\nthe secret stands in {found:?}");
        }
        // It was there to be found.
        let seen = said.concat() + &fs::read_to_string(fleet.path("events.jsonl")).unwrap_or_default();
        // Of a file that the filter had to change, no line is shown at all.
        let trace = if steps.contains("copy:") { "sha256 " } else { "‹redacted›" };
        assert!(seen.contains(trace), "{steps}\nnothing was printed:\n{seen}");
    }
}
