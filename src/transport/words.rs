//! Makes what a host or ssh said fit for one line of an error message. Nothing here decides anything.

use crate::value::escape;

/// Longest text taken over.
const LIMIT: usize = 600;

/// The text of `bytes` on one line: blanks joined, control and direction characters escaped, the end kept where it is
/// too long, because the cause is usually said last.
pub(crate) fn on_one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&escape(word));
    }
    match line.char_indices().rev().nth(LIMIT) {
        Some((start, _)) => format!("…{}", &line[start..]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_host_reaches_a_terminal_raw() {
        for (bytes, line) in [
            (&b"sudo: a password is required\r\n"[..], "sudo: a password is required"),
            (b"  two\nlines\t ", "two lines"),
            (b"\x1b[31mred\x1b[2J", "red\\u{1b}[2J"),
            ("\u{202e}txet".as_bytes(), "\\u{202e}txet"),
            (b"caf\xff", "caf\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(on_one_line(bytes), line);
        }
    }

    #[test]
    fn a_long_text_keeps_its_end() {
        let line = on_one_line(format!("{} the cause", "x".repeat(5000)).as_bytes());
        assert!(line.ends_with(" the cause") && line.starts_with('…') && line.len() < 700, "{line}");
    }
}
