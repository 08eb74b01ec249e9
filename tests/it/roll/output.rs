//! What the commands of a run printed, as the run's directory keeps it and `runs output` shows it.

use std::fs;

use super::fleet::Fleet;

/// The log of the only op of a run, and what `runs output` shows below the op's line.
fn printed(fleet: &Fleet) -> (String, Vec<String>) {
    let record = fleet.run_dir();
    let logs: Vec<_> = fs::read_dir(record.join("output")).unwrap().map(|log| log.unwrap().path()).collect();
    let [log] = logs.as_slice() else { panic!("{logs:?}") };
    let shown = fleet.rollbook_on("runs", "output", &[record.to_str().unwrap()]).run().exits(0).stdout;
    let shown = shown.lines().skip(1).map(|line| line.strip_prefix("    ").unwrap().to_owned()).collect();
    (fs::read_to_string(log).unwrap(), shown)
}

#[test]
fn the_log_holds_the_lines_of_both_streams_whole() {
    // Each with its lines of standard output and of standard error, in their own order.
    for (script, out, err) in [
        ("echo a; echo b >&2", &["a"][..], &["b"][..]),
        ("echo a; echo b >&2; echo c", &["a", "c"], &["b"]),
        ("echo out; echo err >&2; printf end", &["out", "end"], &["err"]),
        ("printf out; printf err >&2", &["out"], &["err"]),
        ("printf '1\\n\\n2\\n'; printf '3\\n\\n' >&2", &["1", "", "2"], &["3", ""]),
    ] {
        let fleet = Fleet::of(1);
        fleet.runbook("", "batches: [1]", &format!("- command: [sh, -c, \"{script}\"]\n  effect: reads"));
        fleet.run(&[]).run().exits(0);
        let (log, shown) = printed(&fleet);
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines, shown, "{script}");
        let mut expected: Vec<&str> = out.iter().chain(err).copied().collect();
        let mut sorted = lines.clone();
        expected.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{script}: {log:?}");
        for stream in [out, err] {
            let said: Vec<&&str> =
                lines.iter().filter(|line| stream.contains(line) && !line.is_empty()).collect();
            let wanted: Vec<&&str> = stream.iter().filter(|line| !line.is_empty()).collect();
            assert_eq!(said, wanted, "{script}: {log:?}");
        }
    }
}

#[test]
fn the_log_has_no_newline_that_was_not_printed() {
    let fleet = Fleet::of(1);
    fleet.runbook("", "batches: [1]", "- command: [printf, 'no newline']\n  effect: reads");
    fleet.run(&[]).run().exits(0);
    assert_eq!(printed(&fleet).0, "no newline");
}
