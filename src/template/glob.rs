//! Globs: `*` for any text, `?` for one character. No classes, no escapes, no recursion.

/// Whether the whole of `text` matches.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when the last star has to take one character more.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t + 1));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                (p, t) = (after_star, from);
                retry = Some((after_star, from + 1));
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        let cases = [
            ("w*", "w01", true),
            ("w*", "cp1", false),
            ("*.eu1", "w1.eu1", true),
            ("w?1", "w01", true),
            ("w?1", "w1", false),
            ("*a*b", "xaayb", true),
            ("*a*b", "xaayc", false),
            ("", "", true),
            ("", "x", false),
            ("**", "é", true),
            ("[a]", "a", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!glob_matches(&("a*".repeat(60) + "b"), &"a".repeat(5000)));
    }

    #[test]
    fn a_glob_of_many_stars_takes_no_exponential_time() {
        assert!(!glob_matches(
            &"a*".repeat(200),
            &"a".repeat(5000).replace("aaaa", "aaab").replace('a', "b")
        ));
    }
}
