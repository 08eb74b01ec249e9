//! Reads a journal while somebody writes it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};

use super::JournalError;
use super::read::{event, is_header};
use crate::engine::Stamped;

/// A place in a journal, from which it is read on.
#[derive(Debug)]
pub struct Follow {
    path: Utf8PathBuf,
    /// Bytes that were read as whole lines.
    read: u64,
    lines: usize,
    last: u64,
}

impl Follow {
    /// From its beginning.
    pub fn of(path: &Utf8Path) -> Self {
        Self { path: path.to_owned(), read: 0, lines: 0, last: 0 }
    }

    /// The events that were added since the last time. A line that is not whole yet is left for the next time; a
    /// journal that is not there yet has none.
    pub fn more(&mut self) -> Result<Vec<Stamped>, JournalError> {
        let bytes = match self.bytes() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(JournalError::Read { path: self.path.clone(), source }),
        };
        let mut events = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            self.read += line.len() as u64;
            self.lines += 1;
            let line = &line[..line.len() - 1];
            if self.lines == 1 {
                is_header(&self.path, line)?;
            } else {
                let event = event(&self.path, self.lines, line, self.last + 1)?;
                self.last = event.seq;
                events.push(event);
            }
        }
        Ok(events)
    }

    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::write::HEADER;
    use super::*;

    #[test]
    fn a_journal_is_read_as_it_grows_and_a_torn_line_is_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = Utf8PathBuf::from_path_buf(dir.path().join("journal.jsonl")).expect("UTF-8");
        let mut follow = Follow::of(&path);
        assert!(follow.more().expect("nothing yet").is_empty());
        let first = r#"{"seq":1,"at":0,"event":{"type":"phase_started","phase":0}}"#;
        let second = r#"{"seq":2,"at":5,"event":{"type":"run_ended"}}"#;
        let mut text = format!("{HEADER}\n{first}\n{}", &second[..9]);
        std::fs::write(&path, &text).expect("written");
        assert_eq!(follow.more().expect("one event").len(), 1);
        assert!(follow.more().expect("no more").is_empty());
        text.push_str(&second[9..]);
        std::fs::write(&path, text + "\n").expect("written");
        assert_eq!(follow.more().expect("the rest")[0].seq, 2);
        std::fs::write(&path, "not a journal\n").expect("written");
        assert!(Follow::of(&path).more().is_err());
    }
}
