//! Takes a stream from a host apart: noise before our first mark, then data and marks. Bytes in, pieces out.
//!
//! A mark is a line `NONCE word…` after a newline of its own. The nonce is drawn per conversation and travels on
//! standard input alone, so nothing that an op or a login shell prints can look like one.

/// Longest mark; what is longer was not written by us.
const MARK_LIMIT: usize = 4096;

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FramePiece<'a> {
    /// What a login shell or sudo printed before the first mark.
    Noise(&'a [u8]),
    /// Output.
    Data(&'a [u8]),
    /// A newline, the stream's own or the beginning of a mark: a line of output has ended, either way.
    LineEnd,
    /// The words of a mark after its nonce.
    Mark(&'a str),
}

/// Splits one stream.
pub(crate) struct Splitter {
    opening: Vec<u8>,
    held: Vec<u8>,
    begun: bool,
}

impl Splitter {
    /// For marks with this nonce.
    pub(crate) fn new(nonce: &str) -> Self {
        Self { opening: format!("\n{nonce} ").into_bytes(), held: Vec::new(), begun: false }
    }

    /// Takes the next bytes. Holds back what may turn out to be the beginning of a mark.
    pub(crate) fn feed(&mut self, bytes: &[u8], tell: &mut dyn FnMut(FramePiece<'_>)) {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut told = 0;
        let mut from = 0;
        while let Some(at) = held[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) {
            let rest = &held[at..];
            if rest.starts_with(&self.opening) {
                let words = at + self.opening.len();
                let end = held[words..].iter().position(|byte| *byte == b'\n').map(|end| words + end);
                self.tell_data(&held[told..at], tell);
                told = at;
                match end {
                    Some(end) => {
                        self.begun = true;
                        tell(FramePiece::Mark(&String::from_utf8_lossy(&held[words..end])));
                        told = end + 1;
                        from = told;
                        continue;
                    }
                    None if held.len() - words <= MARK_LIMIT => break,
                    None => {}
                }
            } else if self.opening.starts_with(rest) {
                self.tell_data(&held[told..at], tell);
                told = at;
                break;
            }
            from = at + 1;
        }
        if held[told..].first() != Some(&b'\n') || from > told {
            self.tell_data(&held[told..], tell);
            told = held.len();
        }
        held.drain(..told);
        self.held = held;
        if self.begun && !self.held.is_empty() {
            tell(FramePiece::LineEnd);
        }
    }

    /// Ends the stream: what was held back was no mark.
    pub(crate) fn finish(&mut self, tell: &mut dyn FnMut(FramePiece<'_>)) {
        let held = std::mem::take(&mut self.held);
        self.tell_data(&held, tell);
    }

    fn tell_data(&self, bytes: &[u8], tell: &mut dyn FnMut(FramePiece<'_>)) {
        match (bytes.is_empty(), self.begun) {
            (true, _) => {}
            (false, true) => tell(FramePiece::Data(bytes)),
            (false, false) => tell(FramePiece::Noise(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Joins data and lists marks as `<words>`, noise as `{bytes}`.
    fn split(stream: &[u8], piece: usize) -> Vec<u8> {
        let mut seen = Vec::new();
        let mut noise = Vec::new();
        let mut tell = |piece: FramePiece<'_>| match piece {
            FramePiece::Noise(bytes) => noise.extend_from_slice(bytes),
            FramePiece::Data(bytes) => seen.extend_from_slice(bytes),
            FramePiece::LineEnd => {}
            FramePiece::Mark(words) => seen.extend_from_slice(format!("<{words}>").as_bytes()),
        };
        let mut splitter = Splitter::new("N0");
        stream.chunks(piece).for_each(|piece| splitter.feed(piece, &mut tell));
        splitter.finish(&mut tell);
        [&b"{"[..], &noise, b"}", &seen].concat()
    }

    #[test]
    fn a_line_has_ended_before_it_is_known_whose_newline_it_was() {
        let mut splitter = Splitter::new("N0");
        let mut seen = Vec::new();
        for piece in [&b"\nN0 begin\n"[..], b"a", b"\n", b"b\n"] {
            splitter.feed(piece, &mut |piece| seen.push(format!("{piece:?}")));
        }
        let data = |bytes: &[u8]| format!("{:?}", FramePiece::Data(bytes));
        let expected = [
            "Mark(\"begin\")".to_owned(),
            data(b"a"),
            "LineEnd".to_owned(),
            data(b"\nb"),
            "LineEnd".to_owned(),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn data_is_exact_however_the_stream_is_cut() {
        for (stream, expected) in [
            (&b""[..], &b"{}"[..]),
            (b"Welcome!\n\nN0 begin\nout\nN0 end code 0\n", b"{Welcome!\n}<begin>out<end code 0>"),
            (b"\nN0 begin\n\nN0 end x\n", b"{}<begin><end x>"),
            (b"\nN0 begin\nno newline\nN0 q 0\n\n\nN0 q 1\n", b"{}<begin>no newline<q 0>\n<q 1>"),
            (b"\nN0 begin\n\n\n\nN0\nN0x\nN0 \nN0 z\n", b"{}<begin>\n\n\nN0\nN0x<>N0 z\n"),
            (b"\nN0 begin\na\0\xff\xfe\nN0 q 3\n", b"{}<begin>a\0\xff\xfe<q 3>"),
            (b"\nN0 begin\ncut in a mark\nN0 en", b"{}<begin>cut in a mark\nN0 en"),
            (b"\nN0 begin\nN0 end fake\n\nN0 end real\n", b"{}<begin>N0 end fake\n<end real>"),
            (b"N0 begin\n", b"{N0 begin\n}"),
        ] {
            for piece in 1..=stream.len().max(1) {
                let seen = split(stream, piece);
                assert_eq!(
                    String::from_utf8_lossy(&seen),
                    String::from_utf8_lossy(expected),
                    "in pieces of {piece}"
                );
            }
        }
    }
}
