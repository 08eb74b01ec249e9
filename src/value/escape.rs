//! Text from elsewhere, as it may be shown: nothing in it moves a cursor, hides what follows or begins a line of its own.

/// Control characters and marks that hide, join or turn text round, shown as escapes. Colours are left out.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let passed = match colour(rest.as_bytes()) {
            0 => {
                push_shown(&mut out, character);
                character.len_utf8()
            }
            colour => colour,
        };
        rest = &rest[passed..];
    }
    out
}

/// The same with colours as escapes, too: where people read what is sent, nothing of it may be missing.
pub fn reveal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_shown(&mut out, character));
    out
}

/// Text of several lines on its way to a terminal: line breaks and tabs stay, and colours where there may be any. Whatever
/// else a terminal would obey is shown as an escape, whoever wrote it.
pub fn laid_out(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let passed = match colour(rest.as_bytes()) {
            0 if character.is_control() && !matches!(character, '\n' | '\t') => {
                push_shown(&mut out, character);
                character.len_utf8()
            }
            0 => {
                out.push(character);
                character.len_utf8()
            }
            _ if !colours => {
                push_shown(&mut out, character);
                character.len_utf8()
            }
            length => {
                out.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[passed..];
    }
    out
}

/// Text without the sequences that colour it; everything else of it stays.
pub fn without_colours(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let colour = colour(&text[at..]);
        if colour == 0 {
            out.push(text[at]);
        }
        at += colour.max(1);
    }
    out
}

/// Text to stand between quotation marks: without colours, and those marks escaped, too.
pub fn escape_quoted(text: &str) -> String {
    String::from_utf8_lossy(&without_colours(text.as_bytes())).escape_debug().to_string()
}

/// Bytes of the sequence with which a text begins and that only colours it: the attributes of ECMA-48 (`ESC [ … m`), and
/// what `tput sgr0` and coloured `grep` send along. Some tools, kubeadm among them, colour what no terminal reads.
fn colour(text: &[u8]) -> usize {
    const ALONE: [&[u8]; 2] = [b"\x1b(B", b"\x1b[K"];
    if let Some(alone) = ALONE.into_iter().find(|alone| text.starts_with(alone)) {
        return alone.len();
    }
    let Some(rest) = text.strip_prefix(b"\x1b[") else { return 0 };
    let parameters = rest.iter().take_while(|byte| byte.is_ascii_digit() || b";:".contains(byte)).count();
    if rest.get(parameters) == Some(&b'm') { parameters + 3 } else { 0 }
}

/// The same of one character.
pub fn push_shown(out: &mut String, character: char) {
    let hides = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if character.is_control() || hides {
        out.extend(character.escape_unicode());
    } else {
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_and_nothing_else() {
        for (text, shown) in [
            ("\u{1b}[0;37mOS\u{1b}[0m: \u{1b}[0;32mLinux\u{1b}[0m", "OS: Linux"),
            ("\u{1b}[mé\u{1b}[38:2::255:0:0mrot\u{1b}(B\u{1b}[m", "érot"),
            ("\u{1b}[01;31m\u{1b}[Kerror\u{1b}[m\u{1b}[K", "error"),
            ("\u{1b}[2J\u{1b}[1A", "\\u{1b}[2J\\u{1b}[1A"),
            ("a\u{1b}[0;3", "a\\u{1b}[0;3"),
            ("m[0m", "m[0m"),
        ] {
            assert_eq!(escape(text), shown);
            assert_eq!(escape(&String::from_utf8_lossy(&without_colours(text.as_bytes()))), shown);
        }
    }

    #[test]
    fn what_is_sent_is_shown_whole_and_what_is_laid_out_keeps_its_lines() {
        assert_eq!(reveal("a\u{1b}[31mred\n"), "a\\u{1b}[31mred\\u{a}");
        let text = "a\n\tb\u{1b}[31mred\u{1b}[0m\u{1b}[2J\r\u{7}";
        assert_eq!(laid_out(text, true), "a\n\tb\u{1b}[31mred\u{1b}[0m\\u{1b}[2J\\u{d}\\u{7}");
        assert_eq!(laid_out(text, false), "a\n\tb\\u{1b}[31mred\\u{1b}[0m\\u{1b}[2J\\u{d}\\u{7}");
    }

    #[test]
    fn nothing_moves_a_cursor() {
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c\nd"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}d");
        assert_eq!(escape("é \u{1F980}"), "é \u{1F980}");
    }
}
