//! Commands that fail, fail for a while, or never end.

use std::fs;

use super::fleet::{Fleet, eventually};

/// Works, and says why it fails where it is host `h2`.
const FAIL_ON_H2: &str = "#!/bin/sh\n\"$(dirname \"$0\")/work\" \"$1\" \"$2\" 0.1\n\
    [ \"$1\" != h2 ] || { echo 'the disk is full' >&2; exit 3; }\n";

#[test]
fn a_failing_host_halts_the_phase_and_later_batches_are_untouched() {
    for (effect, code, left) in [("disrupts", 11, "h2  is left"), ("reads", 10, "all hosts are in service")] {
        let fleet = Fleet::of(5);
        fleet.file("fail", FAIL_ON_H2);
        let step =
            format!("- command: {{ argv: [\"@fail\", \"{{{{ host.name }}}}\", a] }}\n  effect: {effect}");
        fleet.runbook("", "batches: [1, 2], max_unavailable: 2, max_failures: 0", &step);
        let outcome = fleet.run(&[]).run();
        assert_eq!(outcome.code, code, "{effect}:\n{}", outcome.stderr);
        let summary = outcome.stderr.rsplit_once("5 hosts:").expect("a summary").1.to_owned();
        for words in ["h2  failed", "exit code 3", "the disk is full", "max_failures is 0", left] {
            assert!(summary.contains(words), "{effect}: the summary does not say {words:?}:\n{summary}");
        }
        for host in 1..=2 {
            assert_eq!(fleet.steps(host), ["a begin", "a end"], "{effect}: h{host}");
        }
        // The other of the same batch had begun or not; when it had, it finished.
        let other = fleet.steps(3);
        assert!(other.is_empty() || other == ["a begin", "a end"], "{effect}: {other:?}");
        for host in 4..=5 {
            assert!(fleet.log(host).is_empty(), "{effect}: h{host} of a later batch was worked on");
        }
    }
}

#[test]
fn a_step_that_fails_twice_and_then_succeeds_is_no_failure() {
    let fleet = Fleet::of(1);
    fleet.file(
        "third",
        "#!/bin/sh\n\"$(dirname \"$0\")/work\" h1 try 0\n[ \"$(grep -c end \"$(dirname \"$0\")/log/h1\")\" = 3 ]\n",
    );
    let step = "- command: { argv: [\"@third\"] }\n  retry: { attempts: 4, delay: 100ms }";
    fleet.runbook("", "batches: [1]", step);
    let outcome = fleet.run(&[]).run().exits(0);
    assert!(!outcome.stderr.contains("is left"), "{}", outcome.stderr);
    assert_eq!(fleet.steps(1).len(), 6, "three tries");
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_all_its_processes() {
    let fleet = Fleet::of(1);
    fleet.file(
        "forever",
        "#!/bin/sh\nsleep 300 &\nsetsid sleep 300 &\n(trap '' TERM; sleep 300) &\necho $$ $! >\"$0.part\"\n\
         ps -o pid= --ppid $$ >>\"$0.part\"\nmv \"$0.part\" \"$0.pids\"\nwait\n",
    );
    fleet.runbook("", "batches: [1]", "- command: { argv: [\"@forever\"] }\n  timeout: 2s");
    fleet.run(&[]).run().exits(11).says("time limit of 2s");
    let pids = fs::read_to_string(fleet.path("forever.pids")).expect("it ran");
    let alive = |pid: &str| {
        // What has ended and is not reaped yet is no process any more.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    eventually("its processes are gone", || !pids.split_whitespace().any(alive));
}
