//! Keeps output within a limit of memory. Knows nothing of where it comes from.

use super::{ANSWER_LIMIT, OUTPUT_LIMIT};

/// Whether a line of clipped text says that something was left out there.
pub(crate) fn is_note(line: &str) -> bool {
    line.strip_prefix("[… ")
        .and_then(|rest| rest.strip_suffix(" bytes left out …]"))
        .is_some_and(|count| count.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The line that says that so many bytes are missing, with its line ends.
pub(crate) fn note(left_out: u64) -> String {
    format!("\n[… {left_out} bytes left out …]\n")
}

/// Room for the line that says what is missing.
const NOTE: usize = 128;

/// The last bytes of a stream, and how many went by before them.
pub(crate) struct End {
    room: usize,
    bytes: Vec<u8>,
    left_out: u64,
}

impl End {
    /// Keeps so many bytes.
    pub(crate) fn new(room: usize) -> Self {
        Self { room, bytes: Vec::new(), left_out: 0 }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Twice the room, so that what is dropped is moved once per half limit and not once per piece.
        if self.bytes.len() > 2 * self.room {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.room);
        self.left_out += excess as u64;
        self.bytes.drain(..excess);
    }

    /// What was kept, behind the note of what was not.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.drop_front();
        match self.left_out {
            0 => self.bytes,
            left_out => [note(left_out).into_bytes(), self.bytes].concat(),
        }
    }
}

/// The beginning and the end of a stream. Both, because a result is said first and an error last.
pub(crate) struct Clip {
    limit: usize,
    head: Vec<u8>,
    end: End,
}

impl Clip {
    /// For the output of an op, which people read.
    pub(crate) fn for_output() -> Self {
        Self::within(OUTPUT_LIMIT)
    }

    /// For the answer to a query, which is parsed: a thousand nodes are some 300 KiB.
    pub(crate) fn for_answer() -> Self {
        Self::within(ANSWER_LIMIT)
    }

    fn within(limit: usize) -> Self {
        Self { limit, head: Vec::new(), end: End::new(limit / 2 - NOTE) }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.limit / 2 - self.head.len()));
        self.head.extend_from_slice(first);
        self.end.push(rest);
    }

    /// The text, lossily decoded; what was left out is said in its place.
    pub(crate) fn into_text(mut self) -> String {
        let is_whole = self.end.left_out == 0 && self.head.len() + self.end.bytes.len() <= self.limit;
        let end = if is_whole { self.end.bytes } else { self.end.into_bytes() };
        self.head.extend(end);
        match String::from_utf8(self.head) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: usize = OUTPUT_LIMIT / 2;

    fn clipped(bytes: &[u8], piece: usize) -> String {
        let mut clip = Clip::for_output();
        bytes.chunks(piece).for_each(|piece| clip.push(piece));
        clip.into_text()
    }

    #[test]
    fn output_within_the_limit_is_kept_whole() {
        for size in [0, 1, HEAD, HEAD + 1, OUTPUT_LIMIT] {
            let bytes: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
            for piece in [1000, 4096, 1 << 20] {
                assert_eq!(clipped(&bytes, piece).as_bytes(), bytes, "{size} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn longer_output_keeps_both_ends_and_says_so() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        for piece in [100, 65_536, 1 << 22] {
            let text = clipped(&bytes, piece);
            assert!(text.len() <= OUTPUT_LIMIT, "{}", text.len());
            assert!(text.starts_with("0\n1\n") && text.ends_with("299999\n"));
            let left_out = bytes.len() - HEAD - (HEAD - NOTE);
            assert!(text.contains(&format!("[… {left_out} bytes left out …]")), "{piece}");
            assert_eq!(text.lines().filter(|line| is_note(line)).count(), 1, "{piece}");
        }
    }
}
