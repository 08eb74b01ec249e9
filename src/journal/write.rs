//! Appends events to a run's journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::Utf8Path;

use crate::engine::Stamped;

/// Where events become durable. A rehearsal keeps them in memory only.
pub trait Record {
    /// Writes events in order. With `durable`, returns only when they would survive a power cut.
    fn append(&mut self, events: &[Stamped], durable: bool) -> io::Result<()>;
}

/// The journal file: a header line, then one JSON object per line. Locked for as long as it lives: wherever its directory
/// lies, one process at a time writes it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    buffer: Vec<u8>,
}

/// The header of this version's format. Older ones stay readable for ever.
pub(super) const HEADER: &str = r#"{"journal":"rollbook","format":1}"#;

impl Journal {
    /// Starts a journal; the file must not exist.
    pub fn create(path: &Utf8Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        file.try_lock()?;
        file.write_all(format!("{HEADER}\n").as_bytes())?;
        file.sync_all()?;
        // The directory entry has to survive too.
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { file, buffer: Vec::new() })
    }

    /// Goes on with a journal that was read before. A last line that a crash tore is cut off: its event never became
    /// true, and what follows must not be glued to it. [`io::ErrorKind::WouldBlock`] where the run goes on: read the events
    /// only afterwards.
    pub fn reopen(path: &Utf8Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        file.try_lock()?;
        let whole = whole_lines(&std::fs::read(path)?);
        file.set_len(whole as u64)?;
        file.sync_all()?;
        Ok(Self { file, buffer: Vec::new() })
    }
}

/// Bytes up to and with the last line's end.
pub(super) fn whole_lines(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

impl Record for Journal {
    fn append(&mut self, events: &[Stamped], durable: bool) -> io::Result<()> {
        self.buffer.clear();
        for event in events {
            serde_json::to_writer(&mut self.buffer, event)?;
            self.buffer.push(b'\n');
        }
        // One write for the whole group: a crash tears at most its last line.
        self.file.write_all(&self.buffer)?;
        if durable { self.file.sync_data() } else { Ok(()) }
    }
}

/// Keeps nothing: rehearsals read the executor's own state.
impl Record for () {
    fn append(&mut self, _: &[Stamped], _: bool) -> io::Result<()> {
        Ok(())
    }
}
