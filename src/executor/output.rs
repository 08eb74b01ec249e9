//! Where an op's output goes: a file per op in the run's directory, redacted, capped, and its last line for people.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use super::redact::{Redactor, Stream as RedactedStream};
use crate::journal::RunDir;
use crate::transport::{OutputSink, Stream};

/// Bytes of one op's output that are kept on disk.
const FILE_LIMIT: usize = 16 << 20;
/// Bytes of a last line that are shown.
const LINE_LIMIT: usize = 300;

/// Takes the output of one op.
pub(super) struct OpOutput {
    path: Option<camino::Utf8PathBuf>,
    redactor: Rc<Redactor>,
    file: Option<File>,
    written: usize,
    streams: [RedactedStream; 2],
    last_line: Vec<u8>,
    line_ended: bool,
}

impl OpOutput {
    /// Opens nothing before there is output; with no directory, keeps the last line only.
    pub(super) fn new(dir: Option<&RunDir>, redactor: &Rc<Redactor>, name: &str) -> Self {
        Self {
            path: dir.map(|dir| dir.output(name)),
            redactor: Rc::clone(redactor),
            file: None,
            written: 0,
            streams: Default::default(),
            last_line: Vec::new(),
            line_ended: false,
        }
    }

    /// The last line that was not empty, escaped for people.
    pub(super) fn finish(mut self) -> String {
        for index in 0..2 {
            let rest = self.streams[index].finish(&self.redactor);
            self.keep(&rest);
        }
        let line = String::from_utf8_lossy(&self.last_line);
        escape(line.trim())
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.remember_last_line(bytes);
        let room = FILE_LIMIT.saturating_sub(self.written);
        let kept = &bytes[..bytes.len().min(room)];
        if kept.is_empty() {
            return;
        }
        if self.file.is_none()
            && let Some(path) = &self.path
        {
            // What an earlier process wrote is read again from its beginning.
            let mut options = OpenOptions::new();
            self.file = options.write(true).create(true).truncate(true).mode(0o600).open(path).ok();
        }
        // Output is for people; a full disk stops the journal, and with it the run, in its own words.
        if let Some(file) = &mut self.file
            && file.write_all(kept).is_ok()
        {
            self.written += kept.len();
        }
    }

    fn remember_last_line(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.line_ended = true,
                _ => {
                    if self.line_ended && !byte.is_ascii_whitespace() {
                        self.last_line.clear();
                        self.line_ended = false;
                    }
                    if self.last_line.len() < LINE_LIMIT {
                        self.last_line.push(*byte);
                    }
                }
            }
        }
    }
}

impl OutputSink for OpOutput {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let index = match stream {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
        };
        let redactor = Rc::clone(&self.redactor);
        let clean = self.streams[index].push(&redactor, bytes);
        self.keep(&clean);
    }
}

/// Control characters, escapes and bidirectional marks shown as escapes: what a host prints never moves a cursor.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hidden { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        let mut output = OpOutput::new(None, &Rc::default(), "x");
        for piece in ["Reading\nUnpack", "ing kubelet\n\n  \n"] {
            output.write(Stream::Stdout, piece.as_bytes());
        }
        assert_eq!(output.finish(), "Unpacking kubelet");
    }

    #[test]
    fn what_a_host_prints_never_moves_a_cursor() {
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
    }
}
