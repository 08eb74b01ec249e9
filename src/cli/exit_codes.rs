//! The table of exit codes, from which `--help` and the reference page are made. The codes themselves stand beside the
//! summary, which decides between them.

use crate::report::exit;

/// A code, what it means in a few words, and in a sentence.
type ExitCodeRow = (u8, &'static str, &'static str);

/// In the order in which they apply: the first one wins.
const CODES: [ExitCodeRow; 18] = [
    (exit::BUG, "a bug", "a bug in Rollbook"),
    (exit::USAGE, "usage", "usage: wrong flags, an unattended `run` without `--yes`, or nothing to resume"),
    (
        exit::INVALID,
        "invalid file or selection",
        "invalid runbook, inventory, plan or selection; nothing selected",
    ),
    (exit::LOCKED, "locked, try later", "another run holds the lock: try later"),
    (
        exit::CUT_OFF,
        "an earlier run was cut off",
        "an earlier run was cut off, or left hosts behind, and nobody has gone on with it: hosts may be half-changed",
    ),
    (exit::APPROVAL, "not approved, or plan already used", "not approved, or the plan was used already"),
    (
        exit::LEFT_OUT,
        "a host is left out of service or half-changed",
        "a host is left out of service or half-changed, whatever stopped the run",
    ),
    (exit::DRIFT, "drift", "a host is not what the plan saw"),
    (
        exit::UNREACHABLE,
        "unreachable, nothing changed",
        "hosts cannot be reached, and nothing changed anywhere",
    ),
    (
        exit::FAILED,
        "a host failed, all are in service",
        "a host failed, or a precondition does not hold; all hosts are in service",
    ),
    (exit::DEADLINE, "deadline", "the deadline passed"),
    (exit::PAUSED, "paused", "paused at a gate, or for a person: `rollbook resume` goes on"),
    (exit::INTERRUPTED, "Ctrl-C", "stopped by Ctrl-C"),
    (exit::TERMINATED, "SIGTERM", "stopped by SIGTERM"),
    (
        exit::KILLED,
        "killed in a rehearsal",
        "the scenario of a rehearsal killed the controller; of a real run, the system says so",
    ),
    (
        exit::CHANGES,
        "changes pending (--detailed-exitcode)",
        "changes are pending (`plan --detailed-exitcode` only)",
    ),
    (exit::IO, "the controller's own I/O", "the controller's own I/O failed"),
    (exit::OK, "done", "done, or nothing to do"),
];

/// "0 done · 1 … · 2 …", by number.
pub(super) fn line() -> String {
    let mut rows = CODES;
    rows.sort_by_key(|(code, ..)| *code);
    rows.map(|(code, words, _)| format!("{code} {words}")).join(" · ")
}

/// The reference page.
pub(super) fn page() -> String {
    let rows = CODES.map(|(code, _, sentence)| format!("| {code} | {sentence} |\n")).concat();
    format!(
        "# Exit codes\n\nThe first that applies. The cause stands in the summary as `stopped_by`.\n\n\
         | code | meaning |\n|---|---|\n{rows}\n`allow_failure` gives 0 and a warning that names the step.\n"
    )
}
