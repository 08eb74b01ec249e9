//! Where an op's output goes: a file per op in the run's directory, redacted, its beginning and its end within a limit,
//! and its last line for people.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::context::EventSender;
use super::redact::{RedactedStream, Redactor};
use super::whole_lines::WholeLines;
use crate::journal::RunDir;
use crate::plan::HostId;
use crate::transport::{End, OutputSink, Stream};
use crate::value::{escape, without_colours};

/// Bytes of the beginning of one op's output that are kept on disk: more than its host keeps of both streams, so that
/// what this machine leaves out in its turn is an exception.
const HEAD_LIMIT: usize = 18 << 20;
/// Bytes of its end that are kept beyond that; until the op ends they are in memory.
const END_LIMIT: usize = 1 << 20;
/// Bytes of a last line that are shown.
const LINE_LIMIT: usize = 300;
/// Bytes of a last line that are kept: colours take some.
const RAW_LIMIT: usize = 4 * LINE_LIMIT;
/// Last lines that are kept for people.
const TAIL_LINES: usize = 5;
/// A listener is told no more often.
const BETWEEN_WORDS: Duration = Duration::from_millis(200);

/// Takes the output of one op.
pub(super) struct OpOutput {
    redactor: Rc<Redactor>,
    log: Log,
    streams: [RedactedStream; 2],
    tail: Tail,
    listener: Option<Listener>,
}

/// Somebody who watches while an op runs.
pub(super) struct Listener {
    event_sender: EventSender,
    host: HostId,
    told: Option<Instant>,
}

impl Listener {
    pub(super) fn new(event_sender: EventSender, host: HostId) -> Self {
        Self { event_sender, host, told: None }
    }

    /// Tells the end of what was said, unless it just did.
    fn tell(&mut self, tail: &Tail) {
        if self.told.is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            self.told = Some(Instant::now());
            self.event_sender.output(self.host, tail.lines());
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
            redactor: Rc::clone(redactor),
            log: Log::new(dir.map(|dir| dir.output(name))),
            streams: Default::default(),
            tail: Tail::default(),
            listener,
        }
    }

    /// One that survives a power cut once it has ended.
    pub(super) fn durable(mut self) -> Self {
        self.log.durable = true;
        self
    }

    /// The last line that was not empty, escaped for people.
    pub(super) fn finish(mut self) -> String {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.streams[stream.index()].finish(&self.redactor);
            self.keep(stream, &rest);
        }
        if let Some(listener) = &mut self.listener {
            listener.told = None;
            listener.tell(&self.tail);
        }
        self.tail.lines().pop().unwrap_or_default()
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        self.tail.push(stream, bytes);
        if let Some(listener) = &mut self.listener {
            listener.tell(&self.tail);
        }
        self.log.write(stream, bytes);
    }
}

/// The file of an op's output. Output is for people; a full disk stops the journal, and with it the run, in its own
/// words.
struct Log {
    path: Option<camino::Utf8PathBuf>,
    file: Option<File>,
    lines: WholeLines,
    written: usize,
    end: Option<End>,
    durable: bool,
}

impl Log {
    fn new(path: Option<camino::Utf8PathBuf>) -> Self {
        Self { path, file: None, lines: WholeLines::default(), written: 0, end: None, durable: false }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let lines = self.lines.push(stream, bytes);
        self.append(&lines);
    }

    fn line_ended(&mut self, stream: Stream) {
        let line = self.lines.line_ended(stream);
        self.append(&line);
    }

    fn append(&mut self, bytes: &[u8]) {
        let Some(path) = self.path.as_ref().filter(|_| !bytes.is_empty()) else { return };
        if self.file.is_none() {
            // What an earlier process wrote is read again from its beginning.
            let mut options = OpenOptions::new();
            self.file = options.write(true).create(true).truncate(true).mode(0o600).open(path).ok();
        }
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD_LIMIT.saturating_sub(self.written)));
        if let Some(file) = &mut self.file
            && file.write_all(head).is_ok()
        {
            self.written += head.len();
        }
        if !rest.is_empty() {
            self.end.get_or_insert_with(|| End::new(END_LIMIT)).push(rest);
        }
    }
}

impl Drop for Log {
    /// Also where nobody knows how the op ended: what it said last is most of what there is to look at.
    fn drop(&mut self) {
        let rest = self.lines.finish();
        self.append(&rest);
        if let (Some(file), Some(end)) = (&mut self.file, self.end.take()) {
            let _ = file.write_all(&end.into_bytes());
        }
        if let Some(file) = self.file.as_ref().filter(|_| self.durable) {
            // A disk that cannot keep it stops the journal, too.
            let _ = file.sync_data();
        }
    }
}

/// The last lines that were not empty.
#[derive(Default)]
struct Tail {
    /// Each with the stream that it came on.
    lines: VecDeque<(Stream, Vec<u8>)>,
    line_ended: [bool; 2],
}

impl Tail {
    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        for byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                self.line_ended[stream.index()] = true;
            } else {
                let line = self.line(stream, !byte.is_ascii_whitespace());
                if line.len() < RAW_LIMIT {
                    line.push(*byte);
                }
            }
        }
    }

    /// The line that the stream is in: a new one where it was in none, or the last one has ended and it says something.
    fn line(&mut self, stream: Stream, says_something: bool) -> &mut Vec<u8> {
        let there = self.lines.iter().rposition(|(of, _)| *of == stream);
        let ended = &mut self.line_ended[stream.index()];
        let at = match there.filter(|_| !(*ended && says_something)) {
            Some(at) => at,
            None => {
                *ended = false;
                if self.lines.len() == TAIL_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back((stream, Vec::new()));
                self.lines.len() - 1
            }
        };
        &mut self.lines[at].1
    }

    /// Escaped for people.
    fn lines(&self) -> Vec<String> {
        let shown = |(_, line): &(Stream, Vec<u8>)| {
            let mut line = without_colours(line);
            line.truncate(LINE_LIMIT);
            escape(String::from_utf8_lossy(&line).trim())
        };
        let lines = self.lines.iter().map(shown);
        lines.filter(|line| !line.is_empty()).collect()
    }
}

impl OutputSink for OpOutput {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let redactor = Rc::clone(&self.redactor);
        let clean = self.streams[stream.index()].push(&redactor, bytes);
        self.keep(stream, &clean);
    }

    fn line_ended(&mut self, stream: Stream) {
        // What may be the beginning of a secret stands before the newline.
        if self.streams[stream.index()].holds_nothing() {
            self.log.line_ended(stream);
        }
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

    #[test]
    fn a_last_line_has_no_colours_wherever_it_is_cut() {
        let mut output = OpOutput::new(None, &Rc::default(), "x", None);
        for piece in ["\u{1b}[0;37mCGROUPS_BLKIO\u{1b}[0", "m: \u{1b}[0;32menabled\u{1b}[0m\n\u{1b}[0m\n"] {
            output.write(Stream::Stdout, piece.as_bytes());
        }
        assert_eq!(output.finish(), "CGROUPS_BLKIO: enabled");
        let mut output = OpOutput::new(None, &Rc::default(), "x", None);
        output.write(Stream::Stderr, "\u{1b}[1mx\u{1b}[0m".repeat(200).as_bytes());
        let line = output.finish();
        assert!(line.starts_with("xxx") && line.len() < LINE_LIMIT, "{line}");
    }

    #[test]
    fn last_lines_are_of_one_stream_each() {
        let mut output = OpOutput::new(None, &Rc::default(), "x", None);
        for (stream, piece) in [(Stream::Stdout, "out"), (Stream::Stderr, "err"), (Stream::Stdout, "put\n")] {
            output.write(stream, piece.as_bytes());
        }
        assert_eq!(output.tail.lines(), ["output", "err"]);
    }

    #[test]
    fn the_file_has_the_lines_of_each_stream_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = camino::Utf8Path::from_path(place.path()).unwrap().join("log");
        let mut output = OpOutput::new(None, &Redactor::new(["swordfish"].into_iter()).into(), "x", None);
        output.log = Log::new(Some(path.clone()));
        for (stream, piece) in [
            (Stream::Stdout, "a"),
            (Stream::Stderr, "the sword"),
            (Stream::Stdout, "\n---"),
            (Stream::Stderr, "fish"),
        ] {
            output.write(stream, piece.as_bytes());
            output.line_ended(stream);
        }
        output.finish();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n---\nthe ‹redacted›");
    }

    #[test]
    fn the_beginning_and_the_end_of_endless_output_are_in_the_file() {
        let place = tempfile::tempdir().unwrap();
        let path = camino::Utf8Path::from_path(place.path()).unwrap().join("log");
        let mut log = Log::new(Some(path.clone()));
        let piece = vec![b'x'; 1 << 20];
        log.write(Stream::Stdout, b"begun\n");
        (0..40).for_each(|_| log.write(Stream::Stdout, &piece));
        log.write(Stream::Stdout, b"\nFATAL: disk sdb is gone\n");
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        let told = "[… 22020127 bytes left out …]";
        assert!(text.starts_with("begun\nxxx") && text.ends_with("\nFATAL: disk sdb is gone\n"));
        assert!(text.len() <= HEAD_LIMIT + END_LIMIT + 100, "{}", text.len());
        let notes: Vec<_> = text.lines().filter(|line| crate::transport::is_clip_note(line)).collect();
        assert_eq!(notes, [told]);
    }
}
