//! Source files and the spans that point into them.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

/// Names one file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// One file as it was read: its name as the user gave it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the user typed it; messages show it unchanged.
    pub name: Utf8PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    /// First byte of every line: a runbook asks for the line of each of its steps.
    line_starts: Arc<[u32]>,
}

/// Every file that was read, in the order of reading.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its name.
    pub fn add(&mut self, name: impl AsRef<Utf8Path>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| offset(at + 1))).collect();
        self.files.push(SourceFile { name: name.as_ref().to_owned(), text, line_starts });
        FileId(u32::try_from(self.files.len() - 1).expect("invariant: fewer than 2^32 files"))
    }

    /// The file of this name.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Line and column of the span's start, both counted from one; the column counts characters. A byte order mark
    /// counts as nothing, as in every editor.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let file = self.file(span.file);
        let start = floor_char_boundary(&file.text, span.start as usize);
        let line = file.line_starts.partition_point(|line_start| *line_start as usize <= start);
        let line_start = file.line_starts[line - 1] as usize;
        let before = file.text[line_start..start].chars();
        (line, before.filter(|character| *character != BYTE_ORDER_MARK).count() + 1)
    }

    /// A line, counted from one, without its line break and byte order mark; empty past the end.
    pub fn line(&self, file: FileId, line: usize) -> &str {
        let text = self.file(file).text.trim_start_matches(BYTE_ORDER_MARK);
        text.split('\n').nth(line.saturating_sub(1)).unwrap_or("").trim_end_matches('\r')
    }

    /// The text of a span, as written.
    pub fn slice(&self, span: Span) -> &str {
        let text = &self.file(span.file).text;
        let start = floor_char_boundary(text, span.start as usize);
        let end = floor_char_boundary(text, span.end as usize);
        text.get(start..end).unwrap_or("")
    }
}

const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Bytes that are no UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8")]
pub struct NotUtf8 {
    /// The line of the first such byte, counted from one.
    pub line: usize,
    /// Its column in characters, counted from one.
    pub column: usize,
    /// The byte.
    pub byte: u8,
}

/// Takes the bytes of a file as text.
pub fn read_utf8(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(&bytes[..at]);
        let last_line = before.rsplit('\n').next().unwrap_or("");
        NotUtf8 {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            byte: bytes[at],
        }
    })
}

fn floor_char_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A range of bytes of one file: where something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` to before `end`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        // Files are bounded far below 4 GiB; a place past that could not be shown anyway.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file, start: offset(start), end: offset(end) }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_never_the_byte_order_mark() {
        let mut sources = SourceMap::default();
        let file = sources.add("a.yaml", "\u{feff}é: ü\r\nb: c");
        for (at, expected) in [(3, (1, 1)), (7, (1, 4)), (11, (2, 1)), (999, (2, 5))] {
            assert_eq!(sources.line_column(Span::new(file, at, at)), expected, "byte {at}");
        }
        assert_eq!(sources.line(file, 1), "é: ü");
        assert_eq!(sources.line(file, 9), "");
    }

    #[test]
    fn the_first_byte_that_is_not_utf8_is_named() {
        let error = read_utf8(b"a: 1\nb: \xc3\xa9\xff\n".to_vec()).unwrap_err();
        assert_eq!(error, NotUtf8 { line: 2, column: 5, byte: 0xff });
        assert_eq!(read_utf8(b"ok".to_vec()).as_deref(), Ok("ok"));
    }
}
