//! Versions of packages, as apt and dpkg compare and match them.

use std::cmp::Ordering;

/// Which of two versions is newer: by epoch, by the version of the program, by the package's revision.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let parts = |version| {
        let (epoch, rest) = str::split_once(version, ':').unwrap_or(("0", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch, upstream, revision)
    };
    let (left, right) = (parts(left), parts(right));
    let by_upstream = || compare_part(left.1, right.1);
    compare_part(left.0, right.0).then_with(by_upstream).then_with(|| compare_part(left.2, right.2))
}

/// Text and numbers in turn. A tilde comes before everything, even the end; letters before other characters.
fn compare_part(mut left: &str, mut right: &str) -> Ordering {
    let order = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i64::from(u32::from(letter)),
        Some(other) => i64::from(u32::from(other)) + 256,
    };
    while !(left.is_empty() && right.is_empty()) {
        let (text, other) = (text_of(&mut left), text_of(&mut right));
        let characters = 0..text.len().max(other.len());
        let differ = characters
            .map(|index| order(text.chars().nth(index)).cmp(&order(other.chars().nth(index))))
            .find(|order| order.is_ne());
        if let Some(differ) = differ {
            return differ;
        }
        let (number, other) = (number_of(&mut left), number_of(&mut right));
        let by_number = number.len().cmp(&other.len()).then_with(|| number.cmp(other));
        if by_number.is_ne() {
            return by_number;
        }
    }
    Ordering::Equal
}

fn text_of<'v>(version: &mut &'v str) -> &'v str {
    let end = version.find(|c: char| c.is_ascii_digit()).unwrap_or(version.len());
    let (text, rest) = version.split_at(end);
    *version = rest;
    text
}

fn number_of<'v>(version: &mut &'v str) -> &'v str {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let (number, rest) = version.split_at(end);
    *version = rest;
    number.trim_start_matches('0')
}

/// Whether `text` matches a pattern of apt's `package=version`: `*`, `?` and plain characters.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    // A version holds no character of more than one byte.
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p).is_some_and(|c| *c == b'?' || (*c != b'*' && *c == text[t])) {
            p += 1;
            t += 1;
        } else if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if let Some((at, from)) = star {
            // The last star takes one character more.
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_dpkg_compares_them() {
        let rising = [
            ("1.30.2-1.1", "1.30.10-1.1"),
            ("2.0~rc1-1", "2.0-1"),
            ("1.6.20~ds1-1+b1", "1.6.20~ds1-1+deb12u1"),
            ("1:9.2p1-2+deb12u3", "1:9.2p1-2+deb12u6"),
            ("9.9-1", "1:0.1-1"),
            ("1.0", "1.0-1"),
            ("1.0-1", "1.0a-1"),
            ("1.0a-1", "1.0+b-1"),
        ];
        for (old, new) in rising {
            assert_eq!(compare(old, new), Ordering::Less, "{old} {new}");
            assert_eq!(compare(new, old), Ordering::Greater, "{new} {old}");
        }
        assert_eq!(compare("1.01-1", "1.1-1"), Ordering::Equal);
    }

    #[test]
    fn globs_match_as_apt_does() {
        let cases = [
            ("1.31.4-*", "1.31.4-1.1", true),
            ("1.31.4-*", "1.31.40-1.1", false),
            ("1.31.*", "1.31.4-1.1", true),
            ("*", "", true),
            ("1.3?.4-1.1", "1.31.4-1.1", true),
            ("1.31.4", "1.31.4-1.1", false),
            ("*-1.1", "1.31.4-1.1", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
