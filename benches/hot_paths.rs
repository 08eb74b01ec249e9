//! The pure hot paths, each measured by itself: `cargo bench --bench hot_paths`. Prints the median and the fastest of
//! some rounds. A plain program: what is compared is this machine now with this machine before a change.

#![expect(clippy::print_stdout, reason = "it is a program for people who look at it")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use rollbook::engine::{Event, Stamped, State, TaskEnd, decide};
use rollbook::inventory::Inventory;
use rollbook::journal::{Journal, Record, read};
use rollbook::kubernetes::node::parse_nodes;
use rollbook::plan::Plan;
use rollbook::plan::compile::{CompileInput, Knowledge, Overrides, compile};
use rollbook::plan::show::bytes;
use rollbook::runbook::{FileReader, Runbook};
use rollbook::source::{Diagnostics, Limits, SourceMap};
use rollbook::value::Timestamp;

const ROUNDS: usize = 7;
const STEPS: usize = 12;

fn main() {
    // `cargo test --bench hot_paths` only asks whether this runs at all.
    let small = !std::env::args().any(|arg| arg == "--bench");
    let (hosts, fleet, lines) = if small { (20, 30, 1_000) } else { (1_000, 10_000, 100_000) };

    let (runbook, inventory) = files(fleet);
    measure(&format!("compile {fleet} hosts × {STEPS} steps"), || plan(&runbook, &inventory));
    let planned = plan(&runbook, &inventory);
    measure(&format!("serialise the plan of {fleet} hosts"), || bytes(&planned));

    let (runbook, inventory) = files(hosts);
    let planned = plan(&runbook, &inventory);
    let events = roll(&planned).len();
    measure(&format!("decide and apply a roll of {hosts} hosts, {events} events"), || roll(&planned));

    let dir = tempfile::tempdir().expect("a directory");
    let journal = Utf8PathBuf::from_path_buf(dir.path().join("journal.jsonl")).expect("a path in UTF-8");
    write(&journal, &roll(&planned), lines);
    measure(&format!("read a journal of {lines} lines"), || read(&journal).expect("a journal"));

    let rows = rows(hosts);
    measure(&format!("read {hosts} rows of nodes"), || parse_nodes(&rows).expect("rows").len());
}

fn measure<R>(what: &str, mut subject: impl FnMut() -> R) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            black_box(subject());
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{what:62} median {:>10.3?}  fastest {:>10.3?}", times[ROUNDS / 2], times[0]);
}

/// A runbook of one phase with slots, and an inventory of so many hosts.
fn files(hosts: usize) -> (Runbook, Inventory) {
    let mut text = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: bench }\nphases:\n\
                    \x20 - name: all\n    hosts: all\n\
                    \x20   rollout: { batches: [1, 3, 25%], max_unavailable: 2, parallel: 20 }\n    steps:\n"
        .to_owned();
    for step in 0..STEPS {
        // Half of them disrupt; one in four differs from host to host.
        let effect = if step % 2 == 0 { "disrupts" } else { "changes" };
        let word = if step % 4 == 3 { "{{ host.name }}" } else { "word" };
        let _ = write!(
            text,
            "      - command: {{ argv: [prog, \"{step}\", \"{word}\"] }}\n        effect: {effect}\n"
        );
    }
    let inventory = format!(
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: bench }}\nhosts:\n\
         \x20 w[00001:{hosts:05}].example.com: {{ labels: {{ role: worker }} }}\n"
    );
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let runbook = sources.add("runbook.yaml", text);
    let runbook = rollbook::runbook::parse(&mut sources, runbook, &NoFiles, &mut diagnostics);
    let inventory = sources.add("inventory.yaml", inventory);
    let inventory = rollbook::source::parse(&sources, inventory, Limits::default(), &mut diagnostics)
        .and_then(|tree| rollbook::inventory::parse(&tree, &mut diagnostics));
    assert!(!diagnostics.has_errors(), "{}", diagnostics.render(&sources, false));
    (runbook.expect("a runbook"), inventory.expect("an inventory"))
}

struct NoFiles;

impl FileReader for NoFiles {
    fn read(&self, _: &Utf8Path, path: &str) -> Result<(Utf8PathBuf, String), String> {
        Err(format!("nothing includes {path}"))
    }
}

fn plan(runbook: &Runbook, inventory: &Inventory) -> Plan {
    let mut diagnostics = Diagnostics::default();
    let params = IndexMap::new();
    let input = CompileInput {
        runbook,
        inventory,
        params: &params,
        limit: None,
        overrides: Overrides::default(),
        knowledge: Knowledge::Offline,
    };
    compile(&input, &mut diagnostics).expect("a plan")
}

/// A roll in which every task changes something and nothing fails: decisions and events alone, no executor.
fn roll(plan: &Plan) -> Vec<Stamped> {
    let mut state = State::new(plan);
    let mut told = Vec::new();
    let mut now = Timestamp(0);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut next = vec![Event::RunStarted {
        run: "bench".to_owned(),
        digest: String::new(),
        version,
        machine: String::new(),
    }];
    loop {
        let mut answers = Vec::new();
        for event in next {
            answers.extend(answer(&event));
            let stamped = Stamped { seq: state.seq() + 1, at: now, event };
            state.apply(plan, &stamped).expect("a legal event");
            told.push(stamped);
        }
        let decision = decide(plan, &state, now);
        if state.finished() {
            return told;
        }
        // Time passes only when nothing else does.
        if decision.events.is_empty() && answers.is_empty() {
            now = decision.wake_at.expect("something to wait for");
        }
        next = decision.events;
        next.extend(answers);
    }
}

/// What the work that an event starts comes to.
fn answer(event: &Event) -> Option<Event> {
    match *event {
        Event::ObservationStarted { phase } => {
            Some(Event::Observed { phase, out: Vec::new(), blocked: None, etcd: Vec::new() })
        }
        Event::TaskStarted { task, attempt } => {
            Some(Event::TaskEnded { task, attempt, end: TaskEnd::Changed { summary: "done".to_owned() } })
        }
        _ => None,
    }
}

/// A journal of so many lines: the events over and over, numbered anew.
fn write(path: &Utf8Path, events: &[Stamped], lines: usize) {
    let mut journal = Journal::create(path).expect("a journal");
    let numbered = (1..).zip(events.iter().cycle().take(lines));
    let events: Vec<_> = numbered.map(|(seq, stamped)| Stamped { seq, ..stamped.clone() }).collect();
    journal.append(&events, false).expect("appended");
}

/// What kubectl prints for so many nodes.
fn rows(nodes: usize) -> String {
    let labels = "beta.kubernetes.io/arch=amd64,kubernetes.io/arch=amd64,kubernetes.io/os=linux,zone=a,";
    let mut text = String::new();
    for node in 0..nodes {
        let _ = writeln!(
            text,
            "w{node:05}.example.com\t4c273ddc-20cf-45a9-84eb-{node:012}\t\"True\"\t<no value>\t\t\t\"v1.30.4\"\t\
             \"{node:032x}\"\t\"f00d0000-0000-4000-8000-{node:012}\"\t\"containerd://1.7.2\"\t{labels}"
        );
    }
    text
}
