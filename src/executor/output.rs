//! Where an op's output goes: a file per op in the run's directory, redacted, capped, and its last line for people.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::control::Teller;
use super::redact::{Redactor, Stream as RedactedStream};
use crate::journal::RunDir;
use crate::plan::HostId;
use crate::transport::{OutputSink, Stream};
use crate::value::escape;

/// Bytes of one op's output that are kept on disk.
const FILE_LIMIT: usize = 16 << 20;
/// Bytes of a last line that are shown.
const LINE_LIMIT: usize = 300;
/// Last lines that are kept for people.
const TAIL_LINES: usize = 5;
/// A listener is told no more often.
const BETWEEN_WORDS: Duration = Duration::from_millis(200);

/// Takes the output of one op.
pub(super) struct OpOutput {
    path: Option<camino::Utf8PathBuf>,
    redactor: Rc<Redactor>,
    file: Option<File>,
    written: usize,
    streams: [RedactedStream; 2],
    tail: Tail,
    listener: Option<Listener>,
}

/// Somebody who watches while an op runs.
pub(super) struct Listener {
    teller: Teller,
    host: HostId,
    told: Option<Instant>,
}

impl Listener {
    pub(super) fn new(teller: Teller, host: HostId) -> Self {
        Self { teller, host, told: None }
    }

    /// Tells the end of what was said, unless it just did.
    fn tell(&mut self, tail: &Tail) {
        if self.told.is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            self.told = Some(Instant::now());
            self.teller.output(self.host, tail.lines());
        }
    }
}

impl OpOutput {
    /// Opens nothing before there is output; with no directory, keeps the last lines only.
    pub(super) fn new(
        dir: Option<&RunDir>,
        redactor: &Rc<Redactor>,
        name: &str,
        listener: Option<Listener>,
    ) -> Self {
        Self {
            path: dir.map(|dir| dir.output(name)),
            redactor: Rc::clone(redactor),
            file: None,
            written: 0,
            streams: Default::default(),
            tail: Tail::default(),
            listener,
        }
    }

    /// The last line that was not empty, escaped for people.
    pub(super) fn finish(mut self) -> String {
        for index in 0..2 {
            let rest = self.streams[index].finish(&self.redactor);
            self.keep(&rest);
        }
        if let Some(listener) = &mut self.listener {
            listener.told = None;
            listener.tell(&self.tail);
        }
        self.tail.lines().pop().unwrap_or_default()
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.tail.push(bytes);
        if let Some(listener) = &mut self.listener {
            listener.tell(&self.tail);
        }
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
}

/// The last lines that were not empty.
#[derive(Default)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    line_ended: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.line_ended = true,
                _ => {
                    if self.lines.is_empty() || (self.line_ended && !byte.is_ascii_whitespace()) {
                        self.begin_line();
                    }
                    let line = self.lines.back_mut().expect("invariant: a line was begun");
                    if line.len() < LINE_LIMIT {
                        line.push(*byte);
                    }
                }
            }
        }
    }

    fn begin_line(&mut self) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Vec::new());
        self.line_ended = false;
    }

    /// Escaped for people.
    fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|line| escape(String::from_utf8_lossy(line).trim()));
        lines.filter(|line| !line.is_empty()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        let mut output = OpOutput::new(None, &Rc::default(), "x", None);
        for piece in ["Reading\nUnpack", "ing kubelet\n\n  \n"] {
            output.write(Stream::Stdout, piece.as_bytes());
        }
        assert_eq!(output.finish(), "Unpacking kubelet");
    }
}
