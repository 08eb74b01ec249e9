//! Two streams in one log, each with its lines whole: what was printed, a line of one never glued to a line of the
//! other, and no newline moved. Bytes in, bytes out.

use crate::transport::Stream;

/// Bytes of a line that wait for its end. A longer one goes on in the log as it comes.
const LINE_LIMIT: usize = 1 << 20;

/// Puts the lines of two streams after each other.
#[derive(Debug, Default)]
pub(super) struct WholeLines {
    /// Lines that have not ended.
    waiting: [Vec<u8>; 2],
    /// The stream whose line is the last of the log and has no newline there yet.
    open: Option<Stream>,
    /// Whether the newline that a stream sends next is in the log already.
    is_given: [bool; 2],
}

impl WholeLines {
    /// Takes a piece of a stream; gives what the log gets.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let index = stream.index();
        let is_given = std::mem::take(&mut self.is_given[index]);
        let bytes = if is_given { bytes.strip_prefix(b"\n").unwrap_or(bytes) } else { bytes };
        let waiting = &mut self.waiting[index];
        waiting.extend_from_slice(bytes);
        let whole = waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let goes_on = self.open == Some(stream) || waiting.len() > LINE_LIMIT;
        let end = if whole == 0 && goes_on { waiting.len() } else { whole };
        self.give(stream, end)
    }

    /// The stream's line has ended, with a newline that is known to be its own only when more comes.
    pub(super) fn line_ended(&mut self, stream: Stream) -> Vec<u8> {
        self.give(stream, self.waiting[stream.index()].len())
    }

    /// Both streams have ended, with or without a newline.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut out = self.line_ended(Stream::Stdout);
        out.extend(self.line_ended(Stream::Stderr));
        out
    }

    /// The first bytes that wait, on a line of their own.
    fn give(&mut self, stream: Stream, end: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if end == 0 {
            return out;
        }
        if let Some(other) = self.open.filter(|open| *open != stream) {
            out.push(b'\n');
            self.is_given[other.index()] = true;
        }
        out.extend(self.waiting[stream.index()].drain(..end));
        self.open = (!out.ends_with(b"\n")).then_some(stream);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};

    /// What the log holds of pieces; an empty piece tells that a newline may follow.
    fn log(pieces: &[(Stream, &str)]) -> String {
        let mut lines = WholeLines::default();
        let mut out = Vec::new();
        for (stream, piece) in pieces {
            let given = if piece.is_empty() {
                lines.line_ended(*stream)
            } else {
                lines.push(*stream, piece.as_bytes())
            };
            out.extend(given);
        }
        out.extend(lines.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_two_streams_are_never_glued() {
        for (pieces, expected) in [
            (
                &[(Stdout, "a"), (Stdout, ""), (Stderr, "b"), (Stderr, ""), (Stdout, "\n"), (Stderr, "\n")][..],
                "a\nb\n",
            ),
            (&[(Stdout, "a"), (Stdout, ""), (Stderr, "b\n"), (Stdout, "\nc\n")], "a\nb\nc\n"),
            (&[(Stdout, "Down"), (Stderr, "warning\n"), (Stdout, "loading\n")], "warning\nDownloading\n"),
            (&[(Stdout, "out"), (Stderr, "err")], "out\nerr"),
            (&[(Stdout, "no newline"), (Stdout, "")], "no newline"),
            (
                &[(Stdout, "a\n"), (Stdout, ""), (Stderr, "b\n"), (Stdout, "\n"), (Stdout, "c\n")],
                "a\nb\n\nc\n",
            ),
            (&[(Stdout, "a"), (Stdout, ""), (Stdout, "\nb"), (Stderr, "x\n"), (Stdout, "c\n")], "a\nx\nbc\n"),
            (&[(Stdout, "\n\na\n\n")], "\n\na\n\n"),
        ] {
            assert_eq!(log(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_does_not_wait_for_one() {
        let mut lines = WholeLines::default();
        let long = vec![b'x'; LINE_LIMIT + 1];
        assert_eq!(lines.push(Stdout, &long), long);
        assert_eq!(lines.push(Stdout, b"yz"), b"yz");
        assert_eq!(lines.push(Stderr, b"e\n"), b"\ne\n");
        assert_eq!(lines.push(Stdout, b"\nnext\n"), b"next\n");
    }
}
