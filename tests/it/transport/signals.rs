//! What ends sessions and shells does not end the launcher.

use std::fs;
use std::path::Path;

use rollbook::op::Exit;
use rollbook::value::Duration;
use rustix::process::{Pid, Signal, kill_process};

use super::bench::{Bench, Seen, sh};
use super::conformance::gated;

/// Signals that a session's end, a terminal or a closed pipe sends, to the launcher and to what it runs beside the op.
pub(super) async fn signals_change_nothing(bench: &Bench) {
    let (op, open) = gated(bench);
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let meanwhile = async {
        came.notified().await;
        signal_all_but_the_op(&bench.record("1"));
        open();
    };
    let (result, ()) = tokio::join!(bench.try_launch("1", &op, &mut seen), meanwhile);
    let result = result.unwrap();
    assert_eq!(
        (result.exit, &*result.stdout, &*result.stderr),
        (Exit::Code(5), "begun\nthrough\n", "ended\n")
    );
}

/// Nor do they take an op's time limit away.
pub(super) async fn signals_leave_the_time_limit(bench: &Bench) {
    let mut op = sh("echo begun; sleep 300");
    op.timeout = Duration::from_secs(3);
    let mut seen = Seen::default();
    let came = seen.came.clone();
    let meanwhile = async {
        came.notified().await;
        signal_all_but_the_op(&bench.record("1"));
    };
    let both = async { tokio::join!(bench.try_launch("1", &op, &mut seen), meanwhile) };
    let (result, ()) = tokio::time::timeout(std::time::Duration::from_mins(1), both).await.expect("it ends");
    assert_eq!(result.unwrap().exit, Exit::TimedOut);
}

fn signal_all_but_the_op(record: &Path) {
    let launcher = number_in(&record.join("started"), 1);
    let ours = number_in(&record.join("pid"), 0);
    let beside: Vec<i32> = children(launcher).into_iter().filter(|child| *child != ours).collect();
    assert!(!beside.is_empty(), "the launcher watches over the op's time limit");
    for pid in beside.into_iter().chain([launcher]) {
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::PIPE] {
            kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        }
    }
}

/// The word at this place of a record.
fn number_in(file: &Path, place: usize) -> i32 {
    let text = fs::read_to_string(file).unwrap();
    text.split_whitespace().nth(place).unwrap().parse().unwrap()
}

fn children(of: i32) -> Vec<i32> {
    let pids =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything: the state, and the parent.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        parent == Some(&of.to_string())
    };
    pids.filter(is_child).collect()
}
