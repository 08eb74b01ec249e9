//! Reads a journal back. A torn last line is dropped; any other damage is an error that names the line.

use std::fs::File;
use std::io::{BufRead, BufReader};

use camino::{Utf8Path, Utf8PathBuf};

use super::write::{HEADER, whole_lines};
use crate::engine::Stamped;

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened or read.
    #[error("cannot read the journal {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The first line is not a journal's, or of a newer format.
    #[error("{path} is not a journal that this version of rollbook can read: its first line is not {HEADER}")]
    Header {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A line is not an event.
    #[error("{path}:{line}: the journal is damaged: {reason}")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// All events of a journal, in order.
pub fn read(path: &Utf8Path) -> Result<Vec<Stamped>, JournalError> {
    let text = std::fs::read(path).map_err(|source| JournalError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// The first event, where there is one that can be read.
pub(super) fn first(path: &Utf8Path) -> Option<Stamped> {
    let mut lines = BufReader::new(File::open(path).ok()?).lines();
    is_header(path, lines.next()?.ok()?.as_bytes()).ok()?;
    event(path, 2, lines.next()?.ok()?.as_bytes(), 1).ok()
}

/// The line where the event of this number stands in its journal: the first one is the header.
pub(super) fn line_of(seq: u64) -> u64 {
    seq + 1
}

fn parse(path: &Utf8Path, text: &[u8]) -> Result<Vec<Stamped>, JournalError> {
    // What follows the last newline was torn off by a crash: its event never became true.
    let whole = text[..whole_lines(text)].strip_suffix(b"\n").unwrap_or_default();
    let mut lines = whole.split(|byte| *byte == b'\n');
    is_header(path, lines.next().unwrap_or_default())?;
    let mut events: Vec<Stamped> = Vec::new();
    for (number, line) in (2..).zip(lines) {
        let expected = events.last().map_or(1, |last| last.seq + 1);
        events.push(event(path, number, line, expected)?);
    }
    Ok(events)
}

/// Whether a first line is a journal's.
pub(super) fn is_header(path: &Utf8Path, line: &[u8]) -> Result<(), JournalError> {
    if line == HEADER.as_bytes() { Ok(()) } else { Err(JournalError::Header { path: path.to_owned() }) }
}

/// The event of a line, which is to be the one of number `expected`.
pub(super) fn event(
    path: &Utf8Path,
    number: usize,
    line: &[u8],
    expected: u64,
) -> Result<Stamped, JournalError> {
    let damaged = |reason: String| JournalError::Damaged { path: path.to_owned(), line: number, reason };
    let event: Stamped = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
    if event.seq == expected {
        Ok(event)
    } else {
        Err(damaged(format!("event {} stands where {expected} belongs", event.seq)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Result<usize, String> {
        parse(Utf8Path::new("journal.jsonl"), text.as_bytes())
            .map(|events| events.len())
            .map_err(|error| error.to_string())
    }

    const FIRST: &str = r#"{"seq":1,"at":0,"event":{"type":"phase_started","phase":0}}"#;
    const SECOND: &str = r#"{"seq":2,"at":5,"event":{"type":"run_ended"}}"#;

    #[test]
    fn a_torn_last_line_never_became_true() {
        for torn in ["", "{", &SECOND[..20], SECOND] {
            assert_eq!(events(&format!("{HEADER}\n{FIRST}\n{torn}")), Ok(1), "{torn}");
        }
    }

    #[test]
    fn any_other_damage_names_its_line() {
        let cases = [
            (format!("{HEADER}\n{FIRST}\n{SECOND}\n"), Ok(2)),
            (format!("{HEADER}\n{{}}\n{SECOND}\n"), Err("journal.jsonl:2: ")),
            (
                format!("{HEADER}\n{FIRST}\n{FIRST}\n"),
                Err("journal.jsonl:3: the journal is damaged: event 1 stands where 2 belongs"),
            ),
            (format!("{HEADER}\n{SECOND}\n"), Err("journal.jsonl:2: ")),
            // Nobody writes an empty line, and the lines after it would not stand where their numbers say.
            (format!("{HEADER}\n{FIRST}\n\n{SECOND}\n"), Err("journal.jsonl:3: ")),
            (format!("{FIRST}\n"), Err("journal.jsonl is not a journal")),
            (String::new(), Err("journal.jsonl is not a journal")),
        ];
        for (text, expected) in cases {
            match (events(&text), expected) {
                (Ok(count), Ok(wanted)) => assert_eq!(count, wanted, "{text}"),
                (Err(error), Err(wanted)) => assert!(error.starts_with(wanted), "{error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
