//! Keeps a block of lines at the bottom of a terminal, with everything else scrolling by above it.

use std::io::Write;

use console::measure_text_width;

/// A terminal with a block at its bottom.
pub(super) struct Screen<W> {
    out: W,
    /// Widths of the lines that stand there.
    shown: Vec<usize>,
    /// A terminal that went away silences the display, never the run.
    closed: bool,
}

impl<W: Write> Screen<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, shown: Vec::new(), closed: false }
    }

    /// Prints lines that stay, and the block below them.
    pub(super) fn show(&mut self, above: &str, block: &[String], columns: usize) {
        let mut text = self.erased(columns);
        // Lines end as a terminal in any mode understands.
        text.push_str(&above.replace('\n', "\r\n"));
        for line in block {
            text.push_str(line);
            text.push_str("\r\n");
        }
        self.shown = block.iter().map(|line| measure_text_width(line)).collect();
        // In one piece: half a frame flickers.
        if !self.closed {
            self.closed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err();
        }
    }

    /// What takes the block away. A terminal that became narrower has broken its lines.
    fn erased(&self, columns: usize) -> String {
        let rows: usize = self.shown.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\u{1b}[{rows}A\u{1b}[J") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.show("", &["one".to_owned(), "two".to_owned()], 80);
        screen.show("stays\n", &["three".to_owned()], 80);
        screen.show("", &[], 80);
        let expected = "one\r\ntwo\r\n\r\u{1b}[2A\u{1b}[Jstays\r\nthree\r\n\r\u{1b}[1A\u{1b}[J";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn lines_that_a_narrower_terminal_broke_are_taken_away_whole() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.show("", &["x".repeat(70), "y".to_owned()], 80);
        screen.show("", &[], 40);
        assert!(String::from_utf8(out).expect("text").ends_with("\r\u{1b}[3A\u{1b}[J"));
    }
}
