//! Ranges inside host names: `w[01:12].example.com`, inclusive, zero padding kept. Pure text; knows no inventory.

/// More names than any fleet has; a pattern that gives more is a typing mistake.
const MOST_NAMES: u64 = 100_000;

/// Every name that a pattern stands for, the last range counting fastest. Several ranges multiply. The error says what
/// is wrong, with the byte offset.
pub fn expand(pattern: &str) -> Result<Vec<String>, (usize, String)> {
    let parts = split(pattern)?;
    let mut count: u64 = 1;
    for (part, offset) in &parts {
        count = count.saturating_mul(part.len());
        if count > MOST_NAMES {
            return Err((*offset, format!("`{pattern}` stands for more than {MOST_NAMES} names")));
        }
    }
    let mut names = vec![String::new()];
    for (part, _) in &parts {
        names = names.iter().flat_map(|stem| part.texts().map(move |text| format!("{stem}{text}"))).collect();
    }
    Ok(names)
}

/// A piece of a pattern.
enum PatternPart<'p> {
    Literal(&'p str),
    Numbers { first: u64, last: u64, width: usize },
    Letters { first: u8, last: u8 },
}

impl PatternPart<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Literal(_) => 1,
            Self::Numbers { first, last, .. } => (last - first).saturating_add(1),
            Self::Letters { first, last } => u64::from(last - first) + 1,
        }
    }

    fn texts(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match *self {
            Self::Literal(text) => Box::new(std::iter::once(text.to_owned())),
            Self::Numbers { first, last, width } => {
                Box::new((first..=last).map(move |number| format!("{number:0width$}")))
            }
            Self::Letters { first, last } => {
                Box::new((first..=last).map(|letter| char::from(letter).to_string()))
            }
        }
    }
}

fn split(pattern: &str) -> Result<Vec<(PatternPart<'_>, usize)>, (usize, String)> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        let rest = &pattern[at..];
        let Some(inside) = rest.strip_prefix('[') else {
            let end = rest.find(['[', ']']).unwrap_or(rest.len());
            if end == 0 {
                return Err((at, "`]` closes no `[`".to_owned()));
            }
            parts.push((PatternPart::Literal(&rest[..end]), at));
            at += end;
            continue;
        };
        let Some(end) = inside.find(']') else {
            return Err((at, "`[` is not closed".to_owned()));
        };
        parts.push((range(&inside[..end], at)?, at));
        at += end + 2;
    }
    Ok(parts)
}

/// Whether what stands between two brackets is a range of names, or why not.
pub(super) fn check(inside: &str) -> Result<(), String> {
    range(inside, 0).map(drop).map_err(|(_, message)| message)
}

/// Reads what stands between the brackets; `at` is the offset of the opening one.
fn range(text: &str, at: usize) -> Result<PatternPart<'_>, (usize, String)> {
    let fail = |message: String| Err((at, message));
    let mut bounds = text.split(':');
    let (Some(first), Some(last), None) = (bounds.next(), bounds.next(), bounds.next()) else {
        return fail(match text.matches(':').count() {
            0 if text.is_empty() => "an empty range stands for no name".to_owned(),
            0 => format!("`[{text}]` is no range: write first and last, such as `[01:12]`"),
            _ => format!("`[{text}]` has a step, which is not supported: name the hosts instead"),
        });
    };
    if first.is_empty() || last.is_empty() {
        return fail(format!("the range `[{text}]` needs a first and a last name, both included"));
    }
    let digits = |bound: &str| bound.bytes().all(|byte| byte.is_ascii_digit());
    if digits(first) && digits(last) {
        return numbers(first, last).or_else(fail);
    }
    match (first.as_bytes(), last.as_bytes()) {
        (&[a], &[z])
            if (a.is_ascii_lowercase() && z.is_ascii_lowercase())
                || (a.is_ascii_uppercase() && z.is_ascii_uppercase()) =>
        {
            if a > z {
                return fail(format!("the range `[{text}]` runs backwards"));
            }
            Ok(PatternPart::Letters { first: a, last: z })
        }
        _ => fail(format!(
            "the range `[{text}]` is neither of numbers, such as `[01:12]`, nor of single letters of one case, such as `[a:c]`"
        )),
    }
}

fn numbers<'p>(first: &str, last: &str) -> Result<PatternPart<'p>, String> {
    let padded = |bound: &str| bound.len() > 1 && bound.starts_with('0');
    // `[1:012]` has no one meaning: w1 and w012, or w001?
    if (padded(first) || padded(last)) && first.len() != last.len() {
        return Err(format!(
            "the bounds of `[{first}:{last}]` have unequal padding: write as many digits in both"
        ));
    }
    let (Ok(low), Ok(high)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err(format!("the range `[{first}:{last}]` has numbers that are too large"));
    };
    if low > high {
        return Err(format!("the range `[{first}:{last}]` runs backwards"));
    }
    let width = if first.len() == last.len() { first.len() } else { 0 };
    Ok(PatternPart::Numbers { first: low, last: high, width })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_and_keep_their_padding() {
        for (pattern, names) in [
            ("w1", vec!["w1"]),
            ("w[1:3]", vec!["w1", "w2", "w3"]),
            ("w[08:11].x", vec!["w08.x", "w09.x", "w10.x", "w11.x"]),
            ("w[9:11]", vec!["w9", "w10", "w11"]),
            ("w[0:1]", vec!["w0", "w1"]),
            ("w[00:01]", vec!["w00", "w01"]),
            ("w[5:5]", vec!["w5"]),
            ("r[a:c]", vec!["ra", "rb", "rc"]),
            ("r[A:B]", vec!["rA", "rB"]),
            ("r[a:b]-[1:2]", vec!["ra-1", "ra-2", "rb-1", "rb-2"]),
            ("[1:2][1:2]", vec!["11", "12", "21", "22"]),
        ] {
            assert_eq!(expand(pattern).expect(pattern), names, "{pattern}");
        }
    }

    #[test]
    fn a_mistaken_range_says_what_is_wrong_and_where() {
        for (pattern, offset, message) in [
            ("w[]", 1, "an empty range stands for no name"),
            ("w[3]", 1, "`[3]` is no range: write first and last, such as `[01:12]`"),
            ("w[3:1]", 1, "the range `[3:1]` runs backwards"),
            ("ab[c:a]", 2, "the range `[c:a]` runs backwards"),
            ("w[1:03]", 1, "the bounds of `[1:03]` have unequal padding: write as many digits in both"),
            ("w[01:120]", 1, "the bounds of `[01:120]` have unequal padding: write as many digits in both"),
            ("w[1:9:2]", 1, "`[1:9:2]` has a step, which is not supported: name the hosts instead"),
            ("w[1:]", 1, "the range `[1:]` needs a first and a last name, both included"),
            ("w[1:3", 1, "`[` is not closed"),
            ("w1]", 2, "`]` closes no `[`"),
            (
                "w[a:C]",
                1,
                "the range `[a:C]` is neither of numbers, such as `[01:12]`, nor of single letters of one case, such as `[a:c]`",
            ),
            (
                "w[1:99999999999999999999999]",
                1,
                "the range `[1:99999999999999999999999]` has numbers that are too large",
            ),
            ("w[1:400][1:400]", 8, "`w[1:400][1:400]` stands for more than 100000 names"),
            ("w[0:18446744073709551615]", 1, "`w[0:18446744073709551615]` stands for more than 100000 names"),
        ] {
            assert_eq!(expand(pattern), Err((offset, message.to_owned())), "{pattern}");
        }
    }

    #[test]
    fn the_cap_itself_is_allowed() {
        assert_eq!(expand("w[1:100000]").map(|names| names.len()), Ok(100_000));
        assert!(expand("w[0:100000]").is_err());
    }
}
