//! Which characters a file may hold, be it YAML or plain text.

use super::codes::BAD_CHARACTER;
use super::{Diagnostics, FileId, SourceMap, Span};

/// The two private-use characters that delimit symbols inside strings (see the `op` module). A file that could write
/// them could forge a secret's place.
const SYMBOLS: [char; 2] = ['\u{F0000}', '\u{F0001}'];

/// Past this many the file is plainly no text, and more of the same helps nobody.
const MOST: usize = 5;

/// One character that a file may not hold.
struct Refused {
    /// Its byte offset.
    at: usize,
    /// The character.
    character: char,
    /// What to do about it.
    hint: Hint,
}

/// What to do about a character.
struct Hint {
    what: &'static str,
    /// What YAML can write instead; nothing in plain text.
    in_yaml: &'static str,
}

/// Reports the first few characters of a YAML file that none may hold; says whether there are any.
pub(super) fn refuse_in_yaml(text: &str, file: FileId, diagnostics: &mut Diagnostics) -> bool {
    refuse(text, file, diagnostics, |hint| format!("{}{}", hint.what, hint.in_yaml))
}

/// The same of a file of plain text, such as a template.
pub fn refuse_characters(sources: &SourceMap, file: FileId, diagnostics: &mut Diagnostics) -> bool {
    refuse(&sources.file(file).text, file, diagnostics, |hint| hint.what.to_owned())
}

fn refuse(text: &str, file: FileId, diagnostics: &mut Diagnostics, advice: fn(&Hint) -> String) -> bool {
    let found = refused(text);
    // One mistake, not one for each of its bytes.
    if found.len() == MOST && found.iter().all(|refused| refused.character.is_control()) {
        let place = Span::new(file, found[0].at, found[0].at + found[0].character.len_utf8());
        let message =
            format!("this is no text: control characters begin with U+{:04X}", u32::from(found[0].character));
        diagnostics.error(BAD_CHARACTER, place, message).hint("name a text file in UTF-8");
        return true;
    }
    for refused in &found {
        let place = Span::new(file, refused.at, refused.at + refused.character.len_utf8());
        let message = format!("the character U+{:04X} is not allowed here", u32::from(refused.character));
        diagnostics.error(BAD_CHARACTER, place, message).hint(advice(&refused.hint));
    }
    !found.is_empty()
}

/// The first few characters of `text` that no file may hold.
fn refused(text: &str) -> Vec<Refused> {
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
fn hint(character: char) -> Option<Hint> {
    let hint = |what, in_yaml| Some(Hint { what, in_yaml });
    match character {
        ' '..='~' | '\n' | '\t' | '\r' => None,
        '\0' => hint("is this a text file in UTF-8?", ""),
        // An override turns the order of what follows on a reviewer's screen; what runs is then not what was read.
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => hint(
            "it reorders the text that a reader sees",
            "; in double quotes it can be written as an escape",
        ),
        _ if SYMBOLS.contains(&character) => hint("it is reserved; remove it", ""),
        _ if character.is_control() => {
            hint("remove it", ", or write it as an escape such as \"\\e\" in double quotes")
        }
        _ => None,
    }
}

/// Whether text that was unescaped holds what even an escape may not give: a NUL, which no argument can carry, or
/// the delimiter of a symbol.
pub(super) fn never_allowed(text: &str) -> Option<char> {
    text.chars().find(|character| *character == '\0' || SYMBOLS.contains(character))
}
