//! Which characters a file may hold. Nothing here knows YAML.

/// The two private-use characters that delimit symbols inside strings (see the `op` module). A file that could write
/// them could forge a secret's place.
const SYMBOLS: [char; 2] = ['\u{F0000}', '\u{F0001}'];

/// Past this many the file is plainly no text, and more of the same helps nobody.
const MOST: usize = 5;

/// One character that a file may not hold.
pub(super) struct Refused {
    /// Its byte offset.
    pub(super) at: usize,
    /// The character.
    pub(super) character: char,
    /// What to do about it.
    pub(super) hint: &'static str,
}

/// The first few characters of `text` that no file may hold.
pub(super) fn refused(text: &str) -> Vec<Refused> {
    let mut found = Vec::new();
    for (at, character) in text.char_indices() {
        if let Some(hint) = hint(character) {
            found.push(Refused { at, character, hint });
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

/// Why `character` is refused, as advice; `None` where it may stand.
fn hint(character: char) -> Option<&'static str> {
    match character {
        ' '..='~' | '\n' | '\t' | '\r' => None,
        '\0' => Some("is this a text file in UTF-8?"),
        // An override turns the order of what follows on a reviewer's screen; what runs is then not what was read.
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some("it reorders the text that a reader sees; in double quotes it can be written as an escape")
        }
        _ if SYMBOLS.contains(&character) => Some("it is reserved; remove it"),
        _ if character.is_control() => {
            Some("remove it, or write it as an escape such as \"\\e\" in double quotes")
        }
        _ => None,
    }
}

/// Whether text that was unescaped holds what even an escape may not give: a NUL, which no argument can carry, or
/// the delimiter of a symbol.
pub(super) fn never_allowed(text: &str) -> Option<char> {
    text.chars().find(|character| *character == '\0' || SYMBOLS.contains(character))
}
