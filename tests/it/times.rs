//! How long a plan is expected to take: from the records of earlier runs, or from defaults, beside the worst case.

use std::fs;
use std::path::{Path, PathBuf};

use rollbook::plan::show::digest;

use super::support::rollbook::{Outcome, Rollbook};

const INVENTORY: &str = "apiVersion: rollbook/v1
kind: Inventory
metadata: { name: times }
connection: { transport: local }
hosts:
  n[1:6]: {}
";

/// The head of every runbook here.
fn runbook(phases: &str) -> String {
    format!("apiVersion: rollbook/v1\nkind: Runbook\nmetadata: {{ name: rests }}\n{phases}")
}

/// Six hosts, two of which may be out of service.
const ROLL: &str = "phases:
  - name: work
    hosts: all
    rollout: { max_unavailable: 2 }
    steps:
      - { command: [rest], effect: disrupts, name: rest }
";

/// One host, which rests. Its record is what other plans learn from.
const REST: &str = "phases:
  - name: work
    hosts: n1
    steps:
      - { command: [rest], effect: changes, name: rest }
";

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("inventory.yaml"), INVENTORY).expect("written");
        Self { dir }
    }

    fn plan(&self, phases: &str, more: &[&str]) -> Outcome {
        fs::write(self.dir.path().join("runbook.yaml"), runbook(phases)).expect("written");
        let args = ["plan", "runbook.yaml", "-i", "inventory.yaml", "--offline", "--state-dir", "state"];
        Rollbook::new(args.iter().chain(more)).dir(self.dir.path()).run().exits(0)
    }

    /// The line that begins so.
    #[track_caller]
    fn time(&self, phases: &str) -> String {
        let plan = self.plan(phases, &[]).stdout;
        let line = plan.lines().find_map(|line| line.strip_prefix("Time: "));
        line.unwrap_or_else(|| panic!("no time in\n{plan}")).to_owned()
    }

    fn run_dir(&self, id: &str) -> PathBuf {
        self.dir.path().join("state/runs").join(id)
    }

    /// The record of a run of [`REST`] on an inventory, whose step took so many seconds.
    fn record(&self, id: &str, inventory: &str, secs: u64) {
        let plan = self.plan(REST, &["--format", "json"]).stdout;
        let from = plan.find("\"plan\":").expect("a plan") + "\"plan\":".len();
        let to = plan.rfind(",\"times\":").expect("times");
        let body =
            plan[from..to].replace("\"inventory\":\"times\"", &format!("\"inventory\":\"{inventory}\""));
        let task = r#""task":{"phase":0,"host":0,"index":0},"attempt":1"#;
        let events = [
            (
                0,
                format!(
                    r#"{{"type":"run_started","run":"{id}","digest":"{}","version":"0.1.0"}}"#,
                    digest(body.as_bytes())
                ),
            ),
            (0, r#"{"type":"phase_started","phase":0}"#.to_owned()),
            (0, r#"{"type":"batch_started","phase":0,"batch":0}"#.to_owned()),
            (0, r#"{"type":"host_started","phase":0,"host":0}"#.to_owned()),
            (0, format!(r#"{{"type":"task_started",{task}}}"#)),
            (0, format!(r#"{{"type":"op_started",{task},"op":0,"on":0}}"#)),
            (secs, format!(r#"{{"type":"op_ended",{task},"op":0,"exit":{{"code":0}},"last_line":""}}"#)),
            (secs, format!(r#"{{"type":"task_ended",{task},"end":{{"changed":{{"summary":"rest"}}}}}}"#)),
        ];
        let line = |(seq, (secs, event)): (u64, (u64, String))| {
            format!("{{\"seq\":{seq},\"at\":{},\"event\":{event}}}\n", 1_767_650_400_000 + secs * 1000)
        };
        let events: String = (1..).zip(events).map(line).collect();
        let journal = format!("{{\"journal\":\"rollbook\",\"format\":1}}\n{events}");
        let dir = self.run_dir(id);
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join("plan.json"), body).expect("written");
        fs::write(dir.join("journal.jsonl"), journal).expect("written");
        let read = rollbook::journal::RunDir::at(camino(&dir)).read();
        assert!(read.is_ok(), "{read:?}");
    }
}

fn camino(path: &Path) -> camino::Utf8PathBuf {
    camino::Utf8PathBuf::from_path_buf(path.to_owned()).expect("UTF-8")
}

#[test]
fn without_earlier_runs_it_is_by_defaults_and_the_budget_counts() {
    let desk = Desk::new();
    // Five seconds each, three waves of two; in the worst case ten minutes each.
    assert_eq!(desk.time(ROLL), "about 15s (from defaults: no earlier run), at most 30m");
    let plan = desk.plan(ROLL, &[]).stdout;
    assert!(plan.contains("max_unavailable 2 · about 15s, at most 30m\n"), "{plan}");
    let one_at_a_time = ROLL.replace("max_unavailable: 2", "max_unavailable: 1");
    assert_eq!(desk.time(&one_at_a_time), "about 30s (from defaults: no earlier run), at most 1h");
    let batches = ROLL.replace("max_unavailable: 2", "max_unavailable: 6, batches: [1, 5], soak: 1m");
    assert!(desk.time(&batches).starts_with("about 1m10s ("), "the soak between two batches counts");
}

#[test]
fn earlier_runs_on_the_inventory_say_more_than_defaults() {
    let desk = Desk::new();
    let before = desk.plan(ROLL, &["--format", "json"]).stdout;
    desk.record("20260101-000000-aaaa", "times", 100);
    assert!(desk.time(ROLL).starts_with("about 5m (from 1 earlier run), "), "{}", desk.time(ROLL));
    desk.record("20260102-000000-aaaa", "times", 3600);
    desk.record("20260103-000000-aaaa", "times", 90);
    assert!(desk.time(ROLL).starts_with("about 5m (from 3 earlier runs), "), "the one in the middle");
    // Another machine knows other runs: the digest is the same.
    let after = desk.plan(ROLL, &["--format", "json"]).stdout;
    let head = |text: &str| text.split(",\"times\":").next().unwrap_or_default().to_owned();
    assert_eq!(head(&before), head(&after));
    let value: serde_json::Value = serde_json::from_str(&after).expect("JSON");
    let times = &value["times"];
    assert_eq!(
        (&times["expected"], &times["at_most"], &times["earlier_runs"]),
        (&300_000.into(), &1_800_000.into(), &3.into())
    );
    assert_eq!(times["source"], "from 3 earlier runs");
    assert_eq!(times["phases"][0]["expected"], 300_000);
    // What a program read can be shown, and run, as a plan.
    fs::write(desk.dir.path().join("plan.json"), &after).expect("written");
    let again =
        Rollbook::new(["plan", "plan.json", "--state-dir", "state"]).dir(desk.dir.path()).run().exits(0);
    again.shows("from 3 earlier runs");
    fs::write(desk.dir.path().join("plan.json"), after.replace("\"times\":{", "\"other\":{"))
        .expect("written");
    Rollbook::new(["plan", "plan.json"]).dir(desk.dir.path()).run().exits(65);
}

#[test]
fn records_that_say_nothing_are_left_out_and_never_fail_a_plan() {
    let desk = Desk::new();
    desk.record("20260101-000000-aaaa", "times", 100);
    desk.record("20260102-000000-aaaa", "elsewhere", 7000);
    desk.record("20260103-000000-aaaa", "times", 7000);
    fs::write(desk.run_dir("20260103-000000-aaaa").join("rehearsal.json"), "{}").expect("written");
    for (id, file) in [("20260104-000000-aaaa", "journal.jsonl"), ("20260105-000000-aaaa", "plan.json")] {
        desk.record(id, "times", 7000);
        let path = desk.run_dir(id).join(file);
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, text.replace("\"host\":0", "\"host\":9")).expect("written");
    }
    fs::create_dir_all(desk.run_dir("20260106-000000-aaaa").join("plan.json")).expect("made");
    fs::create_dir_all(desk.run_dir("20260107-000000-aaaa")).expect("made");
    fs::write(desk.run_dir("20260107-000000-aaaa").join("plan.json"), b"\xff\"inventory\":\"times\"")
        .expect("written");
    assert!(desk.time(ROLL).starts_with("about 5m (from 1 earlier run), "), "{}", desk.time(ROLL));
    fs::remove_dir_all(desk.dir.path().join("state")).expect("gone");
    fs::write(desk.dir.path().join("state"), "no directory").expect("written");
    assert!(desk.time(ROLL).contains("no earlier run"));
}

#[test]
fn steps_of_which_no_run_tells_are_named() {
    let desk = Desk::new();
    desk.record("20260101-000000-aaaa", "times", 100);
    let more = format!("{ROLL}      - {{ script: rest, effect: changes, name: more }}\n");
    let time = desk.time(&more);
    // Three waves of 100 seconds and of ten.
    assert!(time.starts_with("about 5m30s (from 1 earlier run, and defaults for script), "), "{time}");
}

#[test]
fn what_people_take_is_named_and_not_summed() {
    let desk = Desk::new();
    let asks = "phases:
  - name: ask
    hosts: n[1:2]
    steps:
      - pause: { manual: Look at the graphs }
  - name: work
    hosts: all
    rollout: { max_unavailable: 2, batches: [2, 4], gate: { approve: are you sure, for: 2h } }
    steps:
      - pause: { for: 1m }
      - { command: [rest], effect: disrupts, name: rest }
";
    let plan = desk.plan(asks, &[]).stdout;
    let expected = "
  not counted, because people take their time: pause for a person: Look at the graphs on 2 hosts of phase ask; the gate after \
                    each batch but the last of phase work: are you sure\n";
    assert!(plan.contains(expected), "{plan}");
    assert!(plan.contains(" · as long as people take\n"), "{plan}");
    assert!(plan.contains(" · about 2m20s, at most 2h33m, and what people take\n"), "{plan}");
    assert!(plan.contains("\nTime: about 2m20s (from defaults: no earlier run), at most "), "{plan}");
    let markdown = desk.plan(asks, &["--format", "markdown"]).stdout;
    assert!(markdown.contains("\nTime: about 2m20s (from defaults: no earlier run), at most "), "{markdown}");
    assert!(markdown.contains("\nnot counted, because people take their time: "), "{markdown}");
}

#[test]
fn a_deadline_stands_beside_it() {
    let desk = Desk::new();
    let with = |deadline: &str| format!("policy: {{ deadline: {deadline} }}\n{ROLL}");
    assert!(
        desk.time(&with("10m"))
            .ends_with(", at most 30m without the deadline; no host starts after 10m, the deadline")
    );
    assert!(desk.time(&with("2h")).ends_with(", at most 30m; no host starts after 2h, the deadline"));
    let time = desk.time(&with("10s"));
    assert!(
        time.ends_with("; it is expected to reach the deadline, 10s, after which no host starts"),
        "{time}"
    );
}

#[test]
fn a_run_without_questions_says_it_too() {
    let desk = Desk::new();
    let runs = "phases:
  - name: work
    hosts: n1
    steps:
      - { command: ['true'], effect: changes }
";
    fs::write(desk.dir.path().join("runbook.yaml"), runbook(runs)).expect("written");
    let args = ["run", "runbook.yaml", "-i", "inventory.yaml", "--state-dir", "state", "--yes"];
    let first = Rollbook::new(args).dir(desk.dir.path()).run().exits(0);
    first.says("time: about 5s (from defaults: no earlier run), at most 10m");
    let second = Rollbook::new(args.iter().chain(&["--deadline", "1h"])).dir(desk.dir.path()).run().exits(0);
    second.says("(from 1 earlier run), at most 10m; no host starts after 1h, the deadline");
}
