//! Small constructors for ops, queries and probes, so that each kind reads as what it sends. Pure; knows no kind.

use crate::op::{Effect, Op, OpKind, Probe, ProbeOutput, Query, SYMBOL_OPEN, Site};
use crate::step::{AssessError, Assessment, Change, Fidelity, LowerCx, LowerError};
use crate::value::{Duration, escape_quoted};

/// The longest that a look may take where the step's own time limit is longer: a probe that hangs holds up a slot.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// Owned argument vector.
pub(crate) fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A query without standard input.
pub(crate) fn query(words: &[&str]) -> Query {
    Query { argv: argv(words), ..Query::default() }
}

/// A query of an argument vector that is already owned.
pub(crate) fn query_of(argv: Vec<String>) -> Query {
    Query { argv, ..Query::default() }
}

/// An op with the step's common keys, that runs in order and succeeds with 0. Callers adjust the fields that differ.
pub(crate) fn op(cx: &LowerCx<'_>, title: impl Into<String>, kind: OpKind, effect: Effect) -> Op {
    Op {
        site: cx.run_on.unwrap_or(Site::Subject),
        env: cx.env.clone(),
        r#become: cx.r#become,
        timeout: cx.timeout,
        // `effect:` may say that a restart is harmless here, but a change stays a change: read-only phases rely on it.
        // `command` and `script`, of which only their author knows, set theirs themselves.
        effect: cx.effect.map_or(effect, |stated| stated.max(Effect::Changes)),
        ..Op::new(title, kind)
    }
}

/// An op that runs an argument vector.
pub(crate) fn exec(cx: &LowerCx<'_>, title: impl Into<String>, argv: Vec<String>, effect: Effect) -> Op {
    op(cx, title, OpKind::Exec { argv }, effect)
}

/// A probe where the step's ops run, as the user they run as.
pub(crate) fn probe(cx: &LowerCx<'_>, queries: Vec<Query>) -> Probe {
    Probe {
        site: cx.run_on.unwrap_or(Site::Subject),
        queries,
        r#become: cx.r#become,
        timeout: cx.timeout.min(PROBE_LIMIT),
    }
}

/// Whether text holds a value that is known only where it is sent.
pub(crate) fn has_symbol(text: &str) -> bool {
    text.contains(SYMBOL_OPEN)
}

/// Refuses a secret in what is public: argument vectors and environments show up in `ps` and in sudo's log.
pub(crate) fn refuse_secrets(argv: &[String]) -> Result<(), LowerError> {
    let secret = format!("{SYMBOL_OPEN}secret:");
    if argv.iter().any(|word| word.contains(&secret)) {
        return Err(wrong(
            "a secret stands in the arguments of a command, where every user of the host can read it",
            "give it by `stdin`, or write it to a file with `copy`",
        ));
    }
    Ok(())
}

/// A [`LowerError`] with a hint.
pub(crate) fn wrong(message: impl Into<String>, hint: impl Into<String>) -> LowerError {
    LowerError { message: message.into(), hint: Some(hint.into()) }
}

/// The answers as an array of fixed length; a transport that gives another number of them is broken.
pub(crate) fn exactly<const N: usize>(answers: &[ProbeOutput]) -> Result<&[ProbeOutput; N], AssessError> {
    answers.try_into().map_err(|_| AssessError {
        command: "the probe".to_owned(),
        reason: format!("{N} answers are expected, and {} came", answers.len()),
    })
}

/// An [`AssessError`] about one answer: what was expected, and the beginning of what came, escaped.
pub(crate) fn unreadable(command: &str, expected: &str, answer: &ProbeOutput) -> AssessError {
    let seen = if answer.stdout.trim().is_empty() { &answer.stderr } else { &answer.stdout };
    let seen: String = seen.trim().chars().take(200).collect();
    AssessError {
        command: command.to_owned(),
        reason: format!(
            "{expected} is expected, and exit code {} with \"{}\" came",
            answer.rc,
            escape_quoted(&seen)
        ),
    }
}

/// One [`Change`].
pub(crate) fn change(what: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Change {
    Change { what: what.into(), before: before.into(), after: after.into(), diff: None }
}

/// [`Assessment::Satisfied`].
pub(crate) fn satisfied(state: impl Into<String>) -> Assessment {
    Assessment::Satisfied { state: state.into() }
}

/// [`Assessment::WouldChange`] with the kind's own effect.
pub(crate) fn would_change(changes: Vec<Change>, fidelity: Fidelity) -> Assessment {
    Assessment::WouldChange { changes, effect: None, fidelity }
}

/// [`Assessment::Refused`].
pub(crate) fn refused(reason: impl Into<String>, hint: impl Into<String>) -> Assessment {
    Assessment::Refused { reason: reason.into(), hint: hint.into() }
}

/// An absolute path without `.`-tricks that an option parser or a shell could misread.
pub(crate) fn absolute_path<'a>(field: &str, path: &'a str) -> Result<&'a str, LowerError> {
    let clean = path.starts_with('/') && !path.contains(['\0', '\n']);
    if clean {
        Ok(path)
    } else {
        Err(wrong(
            format!("`{field}` is `{}`, which is no absolute path", path.escape_debug()),
            if path.starts_with('/') {
                "remove the line break, or what else is no part of a path"
            } else {
                "write an absolute path"
            },
        ))
    }
}

/// An argument vector for people, quoted where a reader could mistake it, and cut where it gets long.
pub(crate) fn shown(argv: &[String]) -> String {
    let plain = |word: &String| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c))
    };
    let quoted = argv.iter().map(|word| if plain(word) { word.clone() } else { format!("{word:?}") });
    let text = quoted.collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
