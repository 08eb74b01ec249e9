//! What differs between two texts, as people read it in a plan. Knows nothing of files or hosts.

use similar::udiff::UnifiedHunkHeader;
use similar::{ChangeTag, DiffTag, group_diff_ops};

use crate::edits::edits;
use crate::step::{LineDiff, shown_line};

/// How many lines of a difference a plan shows.
const MOST_SHOWN: usize = 40;
/// Characters of a line that are shown.
const WIDEST: usize = 160;
/// Longer texts are told apart by their digests: comparing lines takes the square of their number.
const MOST_LINES: usize = 4_000;
/// Lines that stay, around those that do not.
const CONTEXT: usize = 3;

/// The difference; `None` where it cannot be shown as lines.
pub(super) fn between(before: &str, after: &str) -> Option<LineDiff> {
    let is_long = |text: &str| text.len() > super::SHOWN_BYTES || text.lines().count() > MOST_LINES;
    if is_long(before) || is_long(after) {
        return None;
    }
    let [before, after] = [before, after].map(|text| text.split_inclusive('\n').collect::<Vec<&str>>());
    let edits = edits(&before, &after);
    let changed = || edits.iter().filter(|edit| edit.tag() != DiffTag::Equal);
    let removed = number(changed().map(|edit| edit.old_range().len()).sum());
    let added = number(changed().map(|edit| edit.new_range().len()).sum());
    if added == 0 && removed == 0 {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    for hunk in group_diff_ops(edits, CONTEXT) {
        lines.push(UnifiedHunkHeader::new(&hunk).to_string());
        for change in hunk.iter().flat_map(|edit| edit.iter_changes(before.as_slice(), after.as_slice())) {
            let mark = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let line = change.value();
            lines.push(format!("{mark}{}", shown_line(line.strip_suffix('\n').unwrap_or(line), WIDEST)));
            if !line.ends_with('\n') {
                lines.push("\\ no line break at the end".to_owned());
            }
        }
    }
    let more = number(lines.len().saturating_sub(MOST_SHOWN));
    lines.truncate(MOST_SHOWN);
    Some(LineDiff { added, removed, lines, more })
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_lines(before: &str, after: &str) -> Vec<String> {
        between(before, after).expect("a difference").lines
    }

    #[test]
    fn a_difference_has_its_surroundings_and_its_counts() {
        let before = "a\nb\nc\nd\ne\nf\ng\n";
        let diff = between(before, "a\nb\nc\nd\nE\nf\ng\nh\n").expect("a difference");
        assert_eq!((diff.added, diff.removed, diff.more), (2, 1, 0));
        let expected = ["@@ -2,6 +2,7 @@", " b", " c", " d", "-e", "+E", " f", " g", "+h"];
        assert_eq!(diff.lines, expected);
        assert_eq!(between(before, before), None);
    }

    #[test]
    fn a_long_difference_says_how_much_is_left_out() {
        let after = "a line\n".repeat(100);
        let diff = between("", &after).expect("a difference");
        assert_eq!((diff.lines.len(), diff.added, diff.more), (MOST_SHOWN, 100, 61));
    }

    #[test]
    fn what_the_eye_would_miss_is_shown() {
        assert_eq!(shown_lines("a\n", "a\r\n"), ["@@ -1 +1 @@", "-a", "+a\\u{d}"]);
        assert_eq!(shown_lines("a\n", "a"), ["@@ -1 +1 @@", "-a", "+a", "\\ no line break at the end"]);
        assert_eq!(shown_lines("", "\tx\u{1b}[2J\u{202e}\n")[1], "+\tx\\u{1b}[2J\\u{202e}");
        let wide = shown_lines("", &"w".repeat(1000));
        assert_eq!(wide[1].chars().count(), WIDEST + 2);
    }

    #[test]
    fn what_is_too_long_to_compare_is_not_compared() {
        let long = "x".repeat(super::super::SHOWN_BYTES + 1);
        assert_eq!(between(&long, "x"), None);
        assert_eq!(between("x", &long), None);
        assert_eq!(between("", &"\n".repeat(MOST_LINES + 1)), None);
    }
}
