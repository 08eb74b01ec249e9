//! Text from elsewhere, as it may be shown: nothing in it moves a cursor, hides what follows or begins a line of its own.

/// Control characters and marks that hide, join or turn text round, shown as escapes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_shown(&mut out, character));
    out
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
    fn nothing_moves_a_cursor() {
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c\nd"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}d");
        assert_eq!(escape("é \u{1F980}"), "é \u{1F980}");
    }
}
