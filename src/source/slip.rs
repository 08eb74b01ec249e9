//! Slips of the keyboard in texts that YAML takes for keys and values: a space that is missing or is none, a character that
//! only looks like the right one, a key that is nearly known. Pure.

use super::yaml::{is_odd_space, missing_space};
use super::{Node, NodeKind, ScalarStyle, nearest, shorten};
use crate::value::Duration;

/// Characters that look like one of YAML's marks, and the mark.
const LOOK_ALIKES: [(char, char); 6] = [
    ('\u{FF1A}', ':'),
    ('\u{FF0C}', ','),
    ('\u{3001}', ','),
    ('\u{FF3B}', '['),
    ('\u{FF5B}', '{'),
    ('\u{FE55}', ':'),
];

/// What to do about a character that looks like another one, or like nothing.
pub fn odd_character(text: &str) -> Option<String> {
    text.chars().find_map(advice)
}

/// The same of one character.
pub(super) fn advice(character: char) -> Option<String> {
    let name = format!("U+{:04X}", u32::from(character));
    if is_invisible(character) {
        return Some(format!("{name} is a character that nobody sees: remove it"));
    }
    if matches!(character, '\u{2028}' | '\u{2029}' | '\u{85}') {
        return Some(format!("{name} looks like the end of a line and is none to YAML: press Enter instead"));
    }
    if is_odd_space(character) {
        let what =
            if character == '\u{A0}' { "a no-break space" } else { "a character that looks like a space" };
        return Some(format!("{name}, {what}, stands where a space belongs: type a plain space instead"));
    }
    if is_dash(character) {
        return Some(format!("{name} is a dash that looks like a hyphen: write `-`"));
    }
    if is_typographic_quote(character) {
        return Some(format!("{name} is a typographic quotation mark: write `\"` or `'`"));
    }
    let (_, mark) = LOOK_ALIKES.iter().find(|(other, _)| *other == character)?;
    Some(format!(
        "{name} is a character that looks like `{mark}`: write a plain `{mark}`, with a space behind it"
    ))
}

/// Whether nobody sees a character: it has no width.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}

fn is_dash(character: char) -> bool {
    matches!(character, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Quotation marks that word processors make of plain ones.
fn is_typographic_quote(character: char) -> bool {
    matches!(character, '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{FF02}' | '\u{FF07}')
}

/// What is wrong with a key that nobody knows: a space that is missing behind its `:`, or an odd character.
pub fn slip_in_key(key: &str) -> Option<String> {
    odd_character(key).or_else(|| missing_space_hint(key))
}

/// The known key that `key` stands for: nearly it, or it with something that YAML took for a part of it.
pub fn meant_key<'c>(key: &str, known: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let known: Vec<&'c str> = known.into_iter().collect();
    let plain: String = key.chars().filter(|character| !is_invisible(*character)).collect();
    let word = plain.split([':', '\u{FF1A}', '\u{FE55}']).next().unwrap_or_default();
    let word = word.trim_matches(|character: char| {
        character.is_whitespace() || is_typographic_quote(character) || is_dash(character)
    });
    let all = || known.iter().copied();
    // `kubernets` and `kubernetes` for `kube`: longer than two slips of the keyboard, and plain all the same.
    let begins = |candidate: &&str| candidate.chars().count() >= 4 && word.starts_with(*candidate);
    let exact = all().find(|candidate| *candidate == word);
    exact
        .or_else(|| nearest(word, all()))
        .or_else(|| all().filter(begins).max_by_key(|candidate| candidate.len()))
}

/// What somebody probably wanted to type where something else belongs; `expected` is what messages say of it.
pub fn slip(node: &Node, expected: &str) -> Option<String> {
    let text = match &node.kind {
        NodeKind::Scalar { text, style: ScalarStyle::Plain } => text,
        // `-drain: {}` is a mapping with an odd key.
        NodeKind::Map(entries) => &entries.first()?.key.value,
        _ => return None,
    };
    if let Some(hint) = odd_character(text) {
        return Some(hint);
    }
    if expected.contains("duration")
        && let Some(hint) = in_duration(text)
    {
        return Some(hint);
    }
    let (_, mark) = missing_space(text)?;
    let is_wanted = if mark == ':' { "mapping" } else { "list" };
    if expected.contains(is_wanted) { missing_space_hint(text) } else { None }
}

/// What is wrong with a text that should be a duration.
pub fn in_duration(text: &str) -> Option<String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("a number needs a unit: write `{text}s` for seconds or `{text}m` for minutes"));
    }
    if Duration::is_too_long(text) {
        return Some(format!("write {} at most", Duration::LONGEST));
    }
    if text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        return Some(
            "a length of time is never negative: leave the key out, or write one such as `30s`".to_owned(),
        );
    }
    text.contains(' ').then(|| "write it without spaces, such as 1h30m".to_owned())
}

fn missing_space_hint(text: &str) -> Option<String> {
    let (at, mark) = missing_space(text)?;
    let (before, behind) = text.split_at(at + mark.len_utf8());
    // What stands in brackets goes on in the file, so a reader would copy half of it.
    let behind = match behind.chars().next() {
        Some('{') => "{ … }".to_owned(),
        Some('[') if !behind.ends_with(']') => "[ … ]".to_owned(),
        _ => behind.to_owned(),
    };
    Some(format!("a space is missing: write `{}`", shorten(&format!("{before} {behind}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_through_what_stuck_to_them() {
        let known = ["timeout", "kube", "node", "metadata", "for"];
        let cases = [
            ("timeout:10m", Some("timeout")),
            ("metadata:{ name", Some("metadata")),
            ("meta\u{200b}data", Some("metadata")),
            ("timeout\u{ff1a} 10m", Some("timeout")),
            ("kubernets", Some("kube")),
            ("\u{201c}node\u{201d}", Some("node")),
            ("forever", None),
            ("steps", None),
        ];
        for (key, expected) in cases {
            assert_eq!(meant_key(key, known), expected, "{key}");
        }
    }

    #[test]
    fn a_slip_in_a_key_is_told_with_what_to_type() {
        let cases = [
            ("timeout:10m", Some("write `timeout: 10m`")),
            ("wait:{ node", Some("write `wait: { … }`")),
            ("dra\u{200b}in", Some("U+200B is a character that nobody sees: remove it")),
            ("node\u{ff1a} ready", Some("looks like `:`")),
            ("a\u{2028}b", Some("press Enter")),
            ("\u{201c}a", Some("typographic")),
            ("a\u{a0}b", Some("a plain space")),
            ("topology.kubernetes.io/zone", None),
        ];
        for (key, hint) in cases {
            let found = slip_in_key(key);
            match hint {
                Some(hint) => {
                    assert!(found.as_ref().is_some_and(|found| found.contains(hint)), "{key}: {found:?}");
                }
                None => assert_eq!(found, None, "{key}"),
            }
        }
    }

    #[test]
    fn what_is_said_of_a_duration_gives_one_when_it_is_followed() {
        for (text, written) in [("5", "5s"), ("-1", "30s"), ("1h 30m", "1h30m"), ("400d", "365d")] {
            let hint = in_duration(text).expect(text);
            assert!(hint.contains(written), "{text}: {hint}");
            assert!(Duration::parse(written).is_some(), "{written}");
        }
    }
}
