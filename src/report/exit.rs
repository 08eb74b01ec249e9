//! How the program ends: the one table of exit codes. The summary decides between them, errors of use cases carry one, and
//! `--help` and the reference page are made from it.

/// Declares each end with its code, its few words for `--help` and its sentence for the reference page.
macro_rules! exits {
    ($($end:ident = $code:literal, $words:literal, $sentence:literal;)*) => {
        /// How the program ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum ExitKind {
            $(#[doc = $sentence] $end = $code,)*
        }

        impl ExitKind {
            /// All, in the order in which they apply: the first one wins.
            pub const ALL: &[Self] = &[$(Self::$end),*];

            /// Its few words, for `--help`.
            pub fn words(self) -> &'static str {
                match self { $(Self::$end => $words,)* }
            }

            /// What it means, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$end => $sentence,)* }
            }
        }
    };
}

exits! {
    Bug = 70, "a bug", "a bug in Rollbook";
    Usage = 64, "usage", "usage: wrong flags, an unattended `run` without `--yes`, or nothing to resume";
    Invalid = 65, "invalid file or selection",
        "invalid runbook, inventory, plan or selection; nothing selected";
    Locked = 75, "locked, try later", "another run holds the lock: try later";
    CutOff = 17, "an earlier run was cut off",
        "an earlier run was cut off, or left hosts behind, and nobody has gone on with it: hosts may be half-changed";
    Approval = 14, "not approved, or plan already used", "not approved, or the plan was used already";
    LeftOut = 11, "a host is left out of service or half-changed",
        "a host is left out of service or half-changed, whatever stopped the run";
    Drift = 13, "drift", "a host is not what the plan saw";
    Unreachable = 12, "unreachable, nothing changed",
        "hosts cannot be reached, and nothing changed anywhere";
    Failed = 10, "a host failed, all are in service",
        "a host failed, or a precondition does not hold; all hosts are in service";
    Deadline = 16, "deadline", "the deadline passed";
    Paused = 15, "paused", "paused at a gate, or for a person: `rollbook resume` goes on";
    Interrupted = 130, "Ctrl-C", "stopped by Ctrl-C";
    Terminated = 143, "SIGTERM", "stopped by SIGTERM";
    Killed = 137, "killed in a rehearsal",
        "the scenario of a rehearsal killed the controller; of a real run, the system says so";
    Changes = 2, "changes pending (--detailed-exitcode)",
        "changes are pending (`plan --detailed-exitcode` only)";
    Io = 1, "the controller's own I/O", "the controller's own I/O failed";
    Ok = 0, "done", "done, or nothing to do";
}

impl ExitKind {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The one of this code.
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|exit| exit.code() == code)
    }
}
