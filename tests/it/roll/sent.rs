//! What the journal says of what hosts received, verified from the plan and the journal alone.

use std::fs;
use std::path::PathBuf;

use super::fleet::Fleet;
use super::secrets::{CORE, tells};
use crate::support::sent::{SentOp, digest, sent_ops_in};

const STEPS: &str = r#"
- command: { argv: [echo, "{{ run.id }}", "{{ host.name }}", "it's \"é\""] }
- script: { text: "cat >/dev/null\necho a\tb\n" }
- command: { argv: [sh, -c, "cat >/dev/null"], stdin: "token={{ secrets.token }};{{ run.id }}\n" }
- command: { argv: ["@take"], stdin: "{{ secrets.token }}" }
- copy: { dest: "@{{ host.name }}.conf", content: "one\n", mode: "0640" }
"#;

fn fleet() -> Fleet {
    let fleet = Fleet::of(2);
    fleet.file("take", "#!/bin/sh\ncat >\"$0.got\"\n");
    fleet.runbook("secrets: { token: { env: RB_TOKEN } }", "batches: [2]", STEPS);
    fleet
}

fn record(fleet: &Fleet, state: &str) -> PathBuf {
    let mut runs = fs::read_dir(fleet.path(&format!("{state}/runs"))).unwrap();
    runs.next().unwrap().unwrap().path()
}

/// Rolls it with a secret; the ops that the record says were sent.
fn rolled(fleet: &Fleet, state: &str, token: &str) -> Vec<SentOp> {
    let run = fleet.rollbook("run", &["--yes", "--state-dir", state]);
    run.env("RB_TOKEN", token).run().exits(0);
    let mut ops = sent_ops_in(&record(fleet, state));
    ops.sort_by(|one, other| one.form.cmp(&other.form));
    assert_eq!(ops.len(), 10, "five ops for each of two hosts");
    for op in &ops {
        assert!(op.is_true(), "{}: {} is not the digest of {}", op.title, op.recorded, op.form);
    }
    ops
}

#[test]
fn the_journal_holds_the_digest_of_what_each_host_received() {
    let fleet = fleet();
    let token = format!("first {CORE}");
    let ops = rolled(&fleet, "state", &token);
    let of = |part: &str| ops.iter().filter(|op| op.form.contains(part)).collect::<Vec<_>>();
    // Each host's own names are in it, and a byte more or less gives another digest.
    assert_ne!(of("\"h1\"")[0].recorded, of("\"h2\"")[0].recorded);
    let copy = of("h1.conf")[0];
    for (from, to) in
        [("one\\n", "onf\\n"), ("0640", "0641"), ("h1.conf", "h1.conF"), ("\"timeout\":", "\"timeout\":1")]
    {
        let changed = copy.form.replacen(from, to, 1);
        assert_ne!(changed, copy.form);
        assert_ne!(digest(&changed), copy.recorded, "{from}");
    }
    // The host got the secret; what the digest is over, and the journal, have its name.
    assert_eq!(fs::read_to_string(fleet.path("take.got")).unwrap(), token);
    assert_eq!(of("secret:token").len(), 4);
    assert!(!ops.iter().any(|op| tells(op.form.as_bytes())));
    assert!(!tells(&fs::read(record(&fleet, "state").join("journal.jsonl")).unwrap()));

    // Another secret and one byte of the file: the same digests where no run's id is sent, but for the file.
    let text = fs::read_to_string(fleet.path("up.yaml")).unwrap();
    fleet.file("up.yaml", &text.replace("one\\n", "onf\\n"));
    let others = rolled(&fleet, "other", &format!("second {CORE}"));
    assert_eq!(fs::read_to_string(fleet.path("take.got")).unwrap(), format!("second {CORE}"));
    let has = |op: &SentOp| others.iter().any(|other| other.recorded == op.recorded);
    for (part, count, is_same) in
        [("take", 2, true), ("a\\tb", 2, true), (".conf", 2, false), ("echo\",", 2, false)]
    {
        let ops: Vec<_> =
            of(part).into_iter().filter(|op| part != "take" || op.form.contains("take\"]")).collect();
        assert_eq!(ops.len(), count, "{part}");
        assert!(ops.into_iter().all(|op| has(op) == is_same), "{part}");
    }
}

#[test]
fn an_op_that_never_began_and_is_another_one_now_is_recorded_anew() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@work\", \"{{ host.name }}\", a, \"0\"] }");
    fleet.run(&[]).run().exits(0);
    let path = fleet.run_dir().join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let cut = whole.lines().position(|line| line.contains("op_started")).unwrap();
    let lines: Vec<_> = whole.lines().take(cut + 1).collect();
    let begun = lines.join("\n") + "\n";
    let resumed = |journal: &str| {
        fs::write(&path, journal).unwrap();
        fleet.rollbook_on("resume", "--state-dir=state", &[]).run().exits(0);
        let text = fs::read_to_string(&path).unwrap();
        let count = |word: &str| text.matches(word).count();
        [count("\"op_started\""), count("\"op_not_started\""), count("\"op_ended\"")]
    };
    // Sent under the same name, as it was recorded: nothing more is said of its beginning.
    assert_eq!(resumed(&begun), [1, 0, 1]);
    assert_eq!(fleet.steps(1).len(), 4);
    // As an earlier version recorded it.
    let (before, after) = begun.split_once(",\"sent\":\"sha256:").unwrap();
    assert_eq!(resumed(&format!("{before}{}", &after[65..])), [1, 0, 1]);
    assert_eq!(resumed(&format!("{before},\"sent\":\"sha256:{}{}", "0".repeat(64), &after[64..])), [2, 1, 1]);
    assert_eq!(fleet.steps(1).len(), 8, "each time once");
    // What is told of the op that did not begin cannot be verified, on purpose.
    fs::write(&path, &whole).unwrap();
}
