//! Reads what a go-template printed: one object per line, columns between tabs. Whatever a node or a user could have
//! chosen freely is printed with `%q`, so that no value can end its column or its line.

use memchr::memchr_iter;

/// Output that is not the rows that the template prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}, and \"{line}\" came")]
pub struct RowError {
    /// What a line looks like.
    pub expected: String,
    /// The beginning of the line that came, escaped.
    pub line: String,
}

impl RowError {
    /// The line `line` where `expected` should stand.
    pub(crate) fn new(expected: impl Into<String>, line: &str) -> Self {
        let start: String = line.chars().take(120).collect();
        Self { expected: expected.into(), line: start.escape_debug().to_string() }
    }
}

/// The lines of `text` as `N` columns each.
pub(crate) fn rows<'t, const N: usize>(
    text: &'t str,
    what: &'static str,
) -> impl Iterator<Item = Result<[&'t str; N], RowError>> {
    text.split('\n').filter(|line| !line.is_empty()).map(move |line| {
        let mut columns = [""; N];
        let mut found = 0;
        let mut from = 0;
        for end in memchr_iter(b'\t', line.as_bytes()).chain([line.len()]) {
            // One too many is counted and goes nowhere.
            if let Some(place) = columns.get_mut(found) {
                *place = &line[from..end];
            }
            found += 1;
            from = end + 1;
        }
        (found == N)
            .then_some(columns)
            .ok_or_else(|| RowError::new(format!("{what} in {N} columns is expected"), line))
    })
}

/// A column printed with `%q`: its text, or nothing where the field was missing (`%!q(<nil>)`) or the column empty.
/// Text that Go had to escape stays escaped: no name, version or id that we compare with holds such characters.
pub(crate) fn unquote(column: &str) -> &str {
    // Byte by byte: a look before every slot unquotes seven columns of every node.
    match column.as_bytes() {
        [b'"', .., b'"'] => &column[1..column.len() - 1],
        _ => "",
    }
}

/// A plain column, where a missing field prints as `<no value>` or `<nil>`.
pub(crate) fn plain(column: &str) -> &str {
    if column == "<no value>" || column == "<nil>" { "" } else { column }
}

/// A number. Templates see JSON numbers as floating point, so that a million prints as `1e+06`; a missing one is 0.
pub(crate) fn number(column: &str) -> Option<i64> {
    let column = plain(column);
    if column.is_empty() {
        return Some(0);
    }
    if let Ok(number) = column.parse() {
        return Some(number);
    }
    let number: f64 = column.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and far below the limit of i64")]
    (number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// `key=value` pairs, each ended by a comma: labels, whose grammar has neither sign.
pub(crate) fn pairs(column: &str) -> impl Iterator<Item = (&str, &str)> {
    column.split(',').filter_map(|pair| pair.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_fields_read_as_empty() {
        assert_eq!(unquote("%!q(<nil>)"), "");
        assert_eq!(unquote(""), "");
        assert_eq!(unquote("\"v1.20.2\""), "v1.20.2");
        assert_eq!(plain("<no value>"), "");
    }

    #[test]
    fn numbers_come_as_floating_point() {
        for (text, expected) in [
            ("6", Some(6)),
            ("1e+06", Some(1_000_000)),
            ("<no value>", Some(0)),
            ("x", None),
            ("1.5", None),
            ("NaN", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn a_line_of_another_shape_is_an_error_that_shows_it() {
        let read: Result<Vec<[&str; 2]>, _> = rows("a\tb\n\u{1b}[2Jc\n", "a thing").collect();
        let error = read.expect_err("one column");
        assert_eq!(error.to_string(), "a thing in 2 columns is expected, and \"\\u{1b}[2Jc\" came");
    }
}
