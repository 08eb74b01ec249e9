//! What tells whether a user's command is needed: `creates`, `check`, `unless`, `only_if`. Shared by `command` and
//! `script`. Pure.

use super::arguments::arguments;
use super::build::{
    absolute_path, change, has_symbol, probe, query, query_of, refuse_secrets, satisfied, unreadable,
    would_change, wrong,
};
use super::{AssessError, Assessment, Fidelity, LowerCx, LowerError, Matter, Poll, Touches, Verify};
use crate::op::{Op, Probe, ProbeOutput, Query, calls_kubectl};
use crate::value::Duration;

arguments! {
    /// What tells whether a command is needed, and how it runs.
    pub(crate) struct GuardArgs {
        /// A file that is there afterwards, as an absolute path. Where it is, nothing runs.
        creates: Option<String>,
        /// A read-only command that says whether the goal holds: 0 yes, 1 no, anything else is an error. It must say
        /// yes afterwards.
        check: Option<Vec<String>>,
        /// A read-only command. Where it succeeds, nothing runs.
        unless: Option<Vec<String>>,
        /// A read-only command. Where it fails, nothing runs.
        only_if: Option<Vec<String>>,
        /// The directory to run in, as an absolute path.
        chdir: Option<String>,
        /// Exit codes that mean success; 0 where left out.
        success: Option<Vec<i64>>,
        /// Whether it may take long: it then runs as a unit of its own, and outlives the connection.
        detached: bool = false,
    }
}

/// What the reference pages of both kinds say.
pub(super) const DOC: &str = "\
**Probes.** `creates`, `check`, `unless` and `only_if` say whether it is needed, and with them the step is a goal: a plan
shows whether it would run, and a second run does nothing. They are argument lists, must change nothing, and run with the
step's `env`, `chdir` and `become`. Several together must all ask for it. Without any, the step is *opaque*: it runs
whenever its turn comes. A probe that needs a value of the run itself (`run.id`) is none in a plan.

**Effect.** What a command does to a host cannot be seen from outside: it counts as taking the host out of service,
unless `effect: changes` or `effect: reads` says otherwise.

**Secrets** stand in `stdin` of a `command`, or in a file that `copy` writes; never in arguments, where every user of the
host can read them.";

/// Nobody knows what somebody else's command changes, nor what its probes look at.
pub(super) fn touches() -> Touches {
    Touches::both(vec![Matter::Anything])
}

/// The probes of a step, as written.
pub(super) struct Guard {
    creates: Option<String>,
    check: Option<Vec<String>>,
    unless: Option<Vec<String>>,
    only_if: Option<Vec<String>>,
    chdir: Option<String>,
}

impl Guard {
    pub(super) fn read(args: &GuardArgs) -> Result<Self, LowerError> {
        let GuardArgs { creates, check, unless, only_if, chdir, .. } = args;
        if let Some(path) = creates {
            absolute_path("creates", path)?;
        }
        for (field, words) in [("check", check), ("unless", unless), ("only_if", only_if)] {
            words.as_ref().map_or(Ok(()), |words| runnable(field, words))?;
        }
        if let Some(path) = chdir {
            absolute_path("chdir", path)?;
        }
        Ok(Self {
            creates: creates.clone(),
            check: check.clone(),
            unless: unless.clone(),
            only_if: only_if.clone(),
            chdir: chdir.clone(),
        })
    }

    /// An argument vector in the step's directory.
    pub(super) fn in_directory(&self, argv: Vec<String>) -> Vec<String> {
        match &self.chdir {
            Some(directory) => {
                let mut full = super::build::argv(&["env", &format!("--chdir={directory}"), "--"]);
                full.extend(argv);
                full
            }
            None => argv,
        }
    }

    /// A probe's command with the step's directory and environment, which a query does not carry by itself.
    fn query(&self, cx: &LowerCx<'_>, argv: &[String]) -> Query {
        let full = self.with_surroundings(cx, argv);
        Query { asks_api: calls_kubectl(&full, ""), ..query_of(full) }
    }

    fn with_surroundings(&self, cx: &LowerCx<'_>, argv: &[String]) -> Vec<String> {
        if self.chdir.is_none() && cx.env.is_empty() {
            return argv.to_vec();
        }
        let mut full = vec!["env".to_owned()];
        full.extend(self.chdir.iter().map(|directory| format!("--chdir={directory}")));
        full.push("--".to_owned());
        full.extend(cx.env.iter().map(|(name, value)| format!("{name}={value}")));
        full.extend(argv.iter().cloned());
        full
    }

    /// The queries of [`Self::assess`], in its order.
    fn queries(&self, cx: &LowerCx<'_>) -> Vec<Query> {
        let creates = self.creates.iter().map(|path| query(&["test", "-e", path]));
        let commands = [&self.check, &self.unless, &self.only_if].into_iter().flatten();
        creates.chain(commands.map(|argv| self.query(cx, argv))).collect()
    }

    /// The probe; `None` where nothing tells whether the step is needed, or only a value of the run could.
    pub(super) fn probe(&self, cx: &LowerCx<'_>) -> Result<Option<Probe>, LowerError> {
        let queries = self.queries(cx);
        for query in &queries {
            refuse_secrets(&query.argv)?;
        }
        let unknown = queries.iter().any(|query| query.argv.iter().any(|word| has_symbol(word)));
        Ok((!queries.is_empty() && !unknown).then(|| probe(cx, queries)))
    }

    /// `creates` and `check` are states, so they must hold afterwards; the other two are only conditions.
    pub(super) fn verify(&self, cx: &LowerCx<'_>) -> Option<Verify> {
        let creates = self.creates.iter().map(|path| query(&["test", "-e", path]));
        let queries: Vec<_> = creates.chain(self.check.iter().map(|argv| self.query(cx, argv))).collect();
        let known = queries.iter().all(|query| query.argv.iter().all(|word| !has_symbol(word)));
        let poll = Poll {
            interval: Duration::from_secs(1),
            stable_for: Duration::ZERO,
            within: Duration::from_secs(10),
        };
        (!queries.is_empty() && known).then(|| Verify { probe: probe(cx, queries), poll })
    }

    /// Whether the step is needed.
    pub(super) fn assess(&self, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        let given =
            [self.creates.is_some(), self.check.is_some(), self.unless.is_some(), self.only_if.is_some()];
        let expected = given.iter().filter(|given| **given).count();
        if answers.len() != expected {
            let reason = format!("{expected} answers are expected, and {} came", answers.len());
            return Err(AssessError { command: "the probe".to_owned(), reason });
        }
        let mut answers = answers.iter();
        let mut next = |given: bool| if given { answers.next() } else { None };
        let (creates, check, unless, only_if) =
            (next(given[0]), next(given[1]), next(given[2]), next(given[3]));
        let mut changes = Vec::new();
        if let (Some(path), Some(answer)) = (&self.creates, creates) {
            if is_there(path, answer)? {
                return Ok(satisfied(format!("{path} is there")));
            }
            changes.push(change(path, "absent", "there"));
        }
        if let (Some(argv), Some(answer)) = (&self.check, check) {
            let shown = argv.join(" ");
            match answer.rc {
                0 => return Ok(satisfied(format!("`{shown}` says so"))),
                1 => changes.push(change(format!("`{shown}`"), "no", "yes")),
                _ => return Err(unreadable(&shown, "exit code 0 or 1", answer)),
            }
        }
        if let (Some(argv), Some(answer)) = (&self.unless, unless) {
            let shown = argv.join(" ");
            if ran(&shown, answer)? == 0 {
                return Ok(satisfied(format!("`{shown}` succeeds")));
            }
            changes.push(change(
                format!("`{shown}`"),
                format!("exit code {}", answer.rc),
                "not known before it runs",
            ));
        }
        if let (Some(argv), Some(answer)) = (&self.only_if, only_if) {
            let shown = argv.join(" ");
            if ran(&shown, answer)? != 0 {
                return Ok(satisfied(format!("not needed: `{shown}` fails")));
            }
        }
        // A condition says that it would run, not what would then be different.
        let fidelity = if changes.is_empty() { Fidelity::Opaque } else { Fidelity::Exact };
        Ok(would_change(changes, fidelity))
    }

    /// Whether `creates` and `check` hold after the run.
    pub(super) fn assess_verify(&self, answers: &[ProbeOutput]) -> Result<Assessment, AssessError> {
        let mut answers = answers.iter();
        let mut waiting = Vec::new();
        if let Some(path) = &self.creates
            && !is_there(path, answers.next().unwrap_or(&ProbeOutput::default()))?
        {
            waiting.push(format!("{path} is not there"));
        }
        if let Some(argv) = &self.check
            && let Some(answer) = answers.next()
            && answer.rc != 0
        {
            waiting.push(format!("`{}` says no", argv.join(" ")));
        }
        Ok(if waiting.is_empty() {
            satisfied("as asked")
        } else {
            Assessment::NotYet { reason: waiting.join("; ") }
        })
    }
}

/// Reads `test -e`: 2 and above are its own errors, such as a directory that may not be searched.
fn is_there(path: &str, answer: &ProbeOutput) -> Result<bool, AssessError> {
    match answer.rc {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(unreadable(&format!("test -e {path}"), "exit code 0 or 1", answer)),
    }
}

/// The exit code of a condition. One that is not there or hangs has said nothing, which must not count as "fails".
fn ran(shown: &str, answer: &ProbeOutput) -> Result<i32, AssessError> {
    match answer.rc {
        124 | 126 | 127 => Err(unreadable(shown, "a command that runs and ends", answer)),
        rc => Ok(rc),
    }
}

/// Refuses an argument vector that could not run as written.
pub(super) fn runnable(field: &str, argv: &[String]) -> Result<(), LowerError> {
    let Some(program) = argv.first() else {
        return Err(wrong(format!("`{field}` is empty"), "write a program and its arguments as a list"));
    };
    // `env`, which the launcher and we put in front, would take these for its own.
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        let message = format!("`{field}` begins with `{}`, which is no program", program.escape_debug());
        return Err(wrong(message, "write the program first; environment goes into `env:`"));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(wrong(format!("`{field}` holds a NUL byte"), "no argument can hold one"));
    }
    refuse_secrets(argv)
}

/// Sets what `success` and `detached` say, and what can be told from the command itself.
pub(super) fn finish(op: &mut Op, args: &GuardArgs) -> Result<(), LowerError> {
    op.read_command();
    op.long = args.detached;
    if let Some(success) = &args.success {
        let codes = success.iter().map(|code| match u8::try_from(*code) {
            Ok(code) => Ok(i32::from(code)),
            Err(_) => Err(wrong(format!("`success` has {code}"), "exit codes go from 0 to 255")),
        });
        op.success = codes.collect::<Result<_, _>>()?;
        if op.success.is_empty() {
            return Err(wrong("`success` is empty", "name at least one exit code, or leave it out"));
        }
    }
    Ok(())
}
