//! Journals that somebody damaged or made up. Reading one back gives the run or an error that names the line; nothing
//! in it makes anybody panic.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

use camino::Utf8Path;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rollbook::engine::{Event, History, Stamped, State, decide};
use rollbook::journal::read;
use rollbook::plan::Plan;
use rollbook::report::{Events, Plain, Reporter, Summary, Verbosity};
use rollbook::simulation::Fault;
use rollbook::value::Duration;
use serde_json::Value;

use super::support::cluster::{Cluster, story};

const HEADER: &str = r#"{"journal":"rollbook","format":1}"#;

/// One change to a journal. Places and values are taken modulo what there is.
#[derive(Clone, Debug)]
enum Damage {
    /// The n-th number below `event` of a line becomes another one.
    Number {
        line: usize,
        nth: usize,
        value: u64,
    },
    Swap {
        one: usize,
        other: usize,
    },
    Drop {
        line: usize,
    },
    Repeat {
        line: usize,
        at: usize,
    },
    /// Everything from here on is gone, and somebody goes on.
    Resume {
        line: usize,
    },
    /// A byte of the file.
    Byte {
        at: usize,
        byte: u8,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || any::<usize>();
    let value = prop_oneof![0..6_u64, Just(255), Just(65_535), Just(u64::from(u32::MAX)), Just(u64::MAX)];
    prop_oneof![
        6 => (place(), place(), value).prop_map(|(line, nth, value)| Damage::Number { line, nth, value }),
        2 => (place(), place()).prop_map(|(one, other)| Damage::Swap { one, other }),
        2 => place().prop_map(|line| Damage::Drop { line }),
        2 => (place(), place()).prop_map(|(line, at)| Damage::Repeat { line, at }),
        1 => place().prop_map(|line| Damage::Resume { line }),
        1 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte { at, byte }),
    ]
}

/// The file that the damage leaves. Events are numbered anew, because their numbers alone would give the damage away.
fn damaged(events: &[Value], damages: &[Damage]) -> Vec<u8> {
    let mut lines = events.to_vec();
    for damage in damages {
        let count = lines.len();
        match damage {
            _ if count == 0 => {}
            Damage::Number { line, nth, value } => {
                let mut numbers = Vec::new();
                numbers_of(&mut lines[line % count]["event"], &mut numbers);
                let nth = nth % numbers.len().max(1);
                if let Some(number) = numbers.into_iter().nth(nth) {
                    *number = Value::from(*value);
                }
            }
            Damage::Swap { one, other } => lines.swap(one % count, other % count),
            Damage::Drop { line } => drop(lines.remove(line % count)),
            Damage::Repeat { line, at } => {
                let repeated = lines[line % count].clone();
                lines.insert(at % (count + 1), repeated);
            }
            Damage::Resume { line } => {
                lines.truncate(1 + line % count);
                let event = serde_json::json!({ "type": "run_resumed", "version": "0" });
                lines.push(serde_json::json!({ "seq": 0, "at": 0, "event": event }));
            }
            Damage::Byte { .. } => {}
        }
    }
    let mut text = format!("{HEADER}\n");
    for (seq, line) in (1_u64..).zip(&mut lines) {
        line["seq"] = Value::from(seq);
        writeln!(text, "{line}").unwrap();
    }
    let mut bytes = text.into_bytes();
    for damage in damages {
        if let Damage::Byte { at, byte } = damage {
            let at = at % bytes.len();
            bytes[at] = *byte;
        }
    }
    bytes
}

fn numbers_of<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match value {
        Value::Number(_) => found.push(value),
        Value::Array(items) => items.iter_mut().for_each(|item| numbers_of(item, found)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| numbers_of(entry, found)),
        _ => {}
    }
}

/// Reads a journal back as `resume` and `runs show` do, and asks everything that anybody asks of a run.
fn read_back(plan: &Plan, path: &Utf8Path) -> Result<(), String> {
    let mut history = History::new(plan);
    let mut told = (Plain::new(Vec::new(), Verbosity::Everything), Events::new(Vec::new(), Vec::new()));
    for event in read(path).map_err(|error| error.to_string())? {
        history.state.apply(plan, &event).map_err(|error| error.to_string())?;
        told.0.event(plan, &history.state, &event);
        told.1.event(plan, &history.state, &event);
        history.events.push(event);
    }
    let state = &history.state;
    let _ = decide(plan, state, state.clock());
    let _ = (state.in_flight(plan), state.can_resume(), state.counts(plan));
    let summary = Summary::of(plan, &history);
    let _ = (summary.text(plan), summary.exit_code());
    Ok(())
}

/// Runs with every kind of event in them: one that goes well, and one in which hosts fail, are lost, and wait.
async fn recorded() -> Vec<(Rc<Plan>, Vec<Value>)> {
    let mut recorded = Vec::new();
    for trouble in [false, true] {
        let mut cluster = Cluster::new(3, 3, "1.30.0");
        let plan = Rc::new(cluster.plan("1.31.4").await.unwrap());
        if trouble {
            let (host, at, lasting) = ("w3".to_owned(), Duration::ZERO, None);
            cluster.simulated.inject(Fault::NodeCordoned { host: host.clone(), at });
            cluster.simulated.inject(Fault::DrainBlocked { host: "w1".to_owned() });
            let at = Duration::from_secs(3600);
            cluster.simulated.inject(Fault::Unreachable { host, at, lasting });
        }
        let rolled = cluster.roll(Plan::clone(&plan)).await;
        let events = rolled.events.iter().map(|event| serde_json::to_value(event).unwrap());
        recorded.push((plan, events.collect()));
    }
    recorded
}

#[test]
fn no_damage_to_a_journal_makes_anybody_panic() {
    let recorded = story(recorded());
    let kinds =
        |name: &str| recorded.iter().flat_map(|(_, events)| events).any(|e| e["event"]["type"] == name);
    assert!(
        kinds("budget_waiting") && kinds("halted") && kinds("op_ended"),
        "the runs hold all that there is"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().join("journal.jsonl");
    let (good, bad) = (Cell::new(0_u32), Cell::new(0_u32));
    let damages = (0..recorded.len(), prop::collection::vec(damage(), 1..4));
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&damages, |(which, damages)| {
        let (plan, events) = &recorded[which];
        std::fs::write(&path, damaged(events, &damages)).unwrap();
        match read_back(plan, &path) {
            Ok(()) => good.set(good.get() + 1),
            Err(_) => bad.set(bad.get() + 1),
        }
        Ok(())
    });
    outcome.unwrap();
    let (good, bad) = (good.into_inner(), bad.into_inner());
    println!("{good} damaged journals could have happened, {bad} are refused");
    assert!(good > 20 && bad > 200, "{good} good, {bad} bad");
}

#[test]
fn an_event_of_another_plan_is_refused_by_its_line() {
    use rollbook::engine::{HaltCause, StopLevel};
    use rollbook::plan::{DomainsTaken, HostId, OutCause, OutOfService, TaskId};
    let cluster = Cluster::new(1, 1, "1.30.0");
    let plan = story(cluster.plan_of(RUNBOOK, &[])).unwrap();
    let far = HostId(70);
    let task = |host, index| TaskId { phase: 0, host, index };
    let out = || vec![OutOfService { host: far, cause: OutCause::Cordoned }];
    let (phase, host, attempt, pass) = (0, HostId(0), 1, 0);
    let cases = [
        (Event::OpStarted { task: task(far, 0), attempt, pass, op: 0, on: None, sent: None }, "no host 70"),
        (Event::OpStarted { task: task(host, 9), attempt, pass, op: 0, on: None, sent: None }, "no task 9"),
        (Event::OpStarted { task: task(host, 0), attempt, pass, op: 9, on: None, sent: None }, "no op 9"),
        (
            Event::OpStarted { task: task(host, 0), attempt, pass, op: 0, on: Some(far), sent: None },
            "no host 70",
        ),
        (Event::OpNotStarted { task: TaskId { phase: 9, ..task(host, 0) }, attempt, pass, op: 0 }, "phase 9"),
        (Event::BracketProbeStarted { phase, host, bracket: 9 }, "no bracket 9"),
        (Event::BudgetWaiting { phase, host, out: out(), blocked: None, domains: None }, "no host 70"),
        (Event::Observed { phase, out: out(), blocked: None, etcd: Vec::new() }, "no host 70"),
        (Event::HostEnded { phase, host: far, status: rollbook::engine::HostStatus::Ok }, "no host 70"),
        (Event::BatchEnded { phase, batch: 9, failed: None }, "batch 9"),
        (Event::Halted { phase: 9, cause: HaltCause::BudgetSpentByFailures }, "phase 9"),
        (
            Event::Halted {
                phase,
                cause: HaltCause::BudgetSpentByOthers {
                    waited: Duration::ZERO,
                    out: out(),
                    blocked: None,
                    domains: None,
                },
            },
            "no host 70",
        ),
        (
            Event::Halted {
                phase,
                cause: HaltCause::DomainsSpentByFailures {
                    host: far,
                    domains: DomainsTaken { key: String::new(), domain: String::new(), taken: Vec::new() },
                },
            },
            "no host 70",
        ),
    ];
    let start = || Event::RunStarted {
        run: "r".to_owned(),
        digest: String::new(),
        version: String::new(),
        machine: String::new(),
    };
    for (event, why) in cases {
        let told = format!("{event:?}");
        let mut state = State::new(&plan);
        let level = StopLevel::Graceful;
        for (seq, event) in (1..).zip([start(), Event::StopRequested { level, by: "me".to_owned() }, event]) {
            let result = state.apply(&plan, &Stamped { seq, at: rollbook::value::Timestamp(0), event });
            assert_eq!(result.is_err(), seq == 3, "{told}");
            if let Err(error) = result {
                assert!(error.to_string().contains(why), "{told}: {error}");
            }
        }
    }
}

const RUNBOOK: &str = "apiVersion: rollbook/v1
kind: Runbook
metadata: { name: case }
phases:
  - name: roll
    hosts: workers
    steps:
      - command: [\"touch\", \"/tmp/x\"]
        effect: changes
";
