//! The layout, on terminals of every size.

use std::collections::BTreeMap;

use super::*;
use crate::engine::Awaited;
use crate::plan::HostId;

const PLAIN: TerminalStyle = TerminalStyle { color: false, unicode: false };
const FULL: TerminalStyle = TerminalStyle { color: true, unicode: true };

fn second(secs: i64) -> Timestamp {
    Timestamp(secs * 1000)
}

fn phase(name: &str, hosts: usize, ended: usize) -> PhaseLine {
    PhaseLine { name: name.to_owned(), hosts, ended, failed: 0, began: None, over: None }
}

fn host(name: &str, out: bool, doing: Doing, since: i64, said: &str) -> AtWork {
    let said = if said.is_empty() { Vec::new() } else { vec![said.to_owned()] };
    AtWork { name: name.to_owned(), out, doing, since: second(since), said }
}

/// The third of three phases, with hosts at work, one that waits and one that failed.
fn board() -> Board {
    let mut prepare = phase("prepare", 4, 4);
    (prepare.began, prepare.over) = (Some(second(0)), Some((second(95), true)));
    let mut workers = phase("workers", 4, 1);
    (workers.began, workers.failed) = (Some(second(100)), 1);
    let step = |title: &str| Doing::Step(title.to_owned());
    let at_work = [
        host(
            "w02",
            false,
            Doing::Waits("waits for the budget; out of service: w01 (failed)".to_owned()),
            150,
            "",
        ),
        host("w03", true, step("drain w03"), 160, "evicting pod default/web-1"),
        host("w4", false, Doing::Looks, 198, ""),
    ];
    Board {
        title: "up.yaml  run-1".to_owned(),
        began: Some(second(0)),
        phases: vec![prepare, workers, phase("last", 1, 0)],
        batch: Some((2, 3)),
        budget: Some((2, 2)),
        at_work: (0..).map(HostId).zip(at_work).collect(),
        soak: None,
        asks: BTreeMap::new(),
        gate: None,
        failed: vec![Failed {
            section: crate::plan::Section::Steps,
            name: "w01".to_owned(),
            step: "systemctl restart kubelet".to_owned(),
            why: "exit 1".to_owned(),
            said: vec!["first".to_owned(), "kubelet: bad flag".to_owned()],
        }],
        stopping: Some("Ctrl-C: no new host starts".to_owned()),
    }
}

fn shown(board: &Board, columns: usize, rows: usize, look: TerminalStyle) -> Vec<String> {
    frame(board, second(200), TerminalSize { columns, rows }, look)
}

#[test]
fn a_usual_terminal_shows_where_the_run_stands() {
    let expected = "\
up.yaml  run-1  03:20
+ prepare   4/4  01:35
> workers ##--------   1/4  1 failed  about 5 min left
            batch 2/3, out of service 2/2
. last      0/1
  w03  00:40  drain w03  evicting pod default/web-1
  w4   00:02  looks what is to be done
  w02  00:50  waits for the budget; out of service: w01 (failed)
FAILED w01  systemctl restart kubelet: exit 1
       | first
       | kubelet: bad flag
Ctrl-C: no new host starts";
    assert_eq!(shown(&board(), 80, 24, PLAIN).join("\n"), expected);
}

#[test]
fn a_small_terminal_shows_the_open_phase_and_what_fits() {
    let expected = "\
up.yaml  run-1  03:20
> workers   1/4  1 failed  about 5 m~
            batch 2/3, out of servic~
  and 3 more at work
FAILED w01  systemctl restart kubele~
Ctrl-C: no new host starts";
    assert_eq!(shown(&board(), 38, 7, PLAIN).join("\n"), expected);
}

#[test]
fn the_soak_says_what_is_not_well() {
    let mut board = board();
    board.at_work.clear();
    board.soak = Some(Soak { until: second(260), failed_check: Some("w03 is not Ready".to_owned()) });
    let lines = shown(&board, 120, 24, PLAIN).join("\n");
    assert!(lines.contains("  01:00 of the soak left, and not well: w03 is not Ready"), "{lines}");
}

#[test]
fn what_people_are_asked_stands_above_everything_that_goes_on() {
    let mut board = board();
    let gate = Awaited::Gate { phase: 2, batch: 0 };
    board.asks.insert(gate, "look at the dashboards".to_owned());
    let lines = shown(&board, 80, 24, PLAIN).join("\n");
    assert!(lines.contains("  waits for approval: look at the dashboards"), "{lines}");
    board.asks.clear();
    let (what, until) = ("30m pass".to_owned(), Some(second(260)));
    board.gate = Some(AtGate { what, until, failed_check: None });
    assert!(shown(&board, 80, 24, PLAIN).join("\n").contains("  at the gate, 01:00 left: 30m pass"));
    board.gate.as_mut().expect("there").failed_check = Some("1 of 3 nodes".to_owned());
    assert!(shown(&board, 80, 24, PLAIN).join("\n").contains("  at the gate, 01:00 left: 1 of 3 nodes"));
}

#[test]
fn nothing_is_wider_or_higher_than_the_terminal() {
    for hosts in [0, 1, 3, 40, 300] {
        let mut board = board();
        let doing = Doing::Step("apt-get install kubelet=1.31.4-1.1 — ünïcode 漢字".to_owned());
        board.at_work = (0..hosts)
            .map(|id| {
                (
                    HostId(id),
                    host(&format!("w{id:03}.eu1.example.com"), id % 3 == 0, doing.clone(), 120, "漢字 said"),
                )
            })
            .collect();
        board.failed = vec![board.failed[0].clone(); hosts as usize / 10];
        for (columns, rows) in [(0, 0), (1, 1), (10, 3), (38, 6), (80, 24), (120, 40), (200, 50), (500, 200)]
        {
            for look in [PLAIN, FULL] {
                let lines = shown(&board, columns, rows, look);
                assert!(
                    lines.len() <= rows.saturating_sub(1),
                    "{columns}x{rows}, {hosts}: {} lines",
                    lines.len()
                );
                let widest = lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0);
                assert!(widest < columns.max(1), "{columns}x{rows}, {hosts}: {widest} wide: {lines:?}");
            }
        }
    }
}

#[test]
fn hosts_that_do_not_fit_are_counted() {
    let mut board = board();
    board.failed.clear();
    board.at_work = (0..300)
        .map(|id| (HostId(id), host(&format!("w{id:03}"), id == 299, Doing::Looks, 120, "")))
        .collect();
    let lines = shown(&board, 80, 24, PLAIN);
    assert_eq!(lines.len(), 23);
    // The one that is out of service comes first, wherever it stands in the plan.
    assert!(lines[5].starts_with("  w299"), "{lines:?}");
    assert_eq!(lines[21], "  and 284 more at work");
}
