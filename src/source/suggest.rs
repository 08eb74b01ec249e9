//! "Did you mean …?"

/// The candidate that `word` most probably misspells, if any is near enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may be wrong; a transposition counts once. Short words need to be nearly right.
    let most = (word.chars().count() / 3).max(1);
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `maxUnavailable` and `max-unavailable` are `max_unavailable` to a tired reader.
fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    let mut after_lower = false;
    for character in word.chars() {
        if character.is_uppercase() && after_lower {
            folded.push('_');
        }
        after_lower = character.is_lowercase() || character.is_ascii_digit();
        folded.extend(if character == '-' { vec!['_'] } else { character.to_lowercase().collect() });
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["drain", "cordon", "uncordon", "max_unavailable", "apt", "wait"];
        let cases = [
            ("drian", Some("drain")),
            ("Drain", Some("drain")),
            ("maxUnavailable", Some("max_unavailable")),
            ("max-unavailble", Some("max_unavailable")),
            ("uncordn", Some("uncordon")),
            ("ap", Some("apt")),
            ("reboot", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
