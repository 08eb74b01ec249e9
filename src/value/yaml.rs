//! Writes YAML, and reads back what a program wrote. Files that people write are read by `source`, which knows positions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;

/// Plain data as a YAML document. Text that some reader would take for a number, a boolean or a date is quoted.
///
/// # Panics
///
/// Where the data is not plain, such as a number beyond 64 bits.
pub fn to_yaml(data: &impl Serialize) -> String {
    const PLAIN: &str = "invariant: plain data is YAML";
    let value = serde_yaml::to_value(data).expect(PLAIN);
    let written = serde_yaml::to_string(&value).expect(PLAIN);
    // The writer quotes what YAML 1.2 would misread. The rest goes through it between two marks, which become quotes.
    let unused = ('\u{e000}'..='\u{f8ff}').find(|mark| !written.contains(*mark));
    let Some(mark) = unused else { return written };
    serde_yaml::to_string(&marked(value, mark)).expect(PLAIN).replace(mark, "'")
}

/// Plain data out of a YAML document; why not, where it is none.
pub fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

fn marked(value: Value, mark: char) -> Value {
    match value {
        Value::String(text) if is_ambiguous(&text) => Value::String(format!("{mark}{text}{mark}")),
        Value::Sequence(items) => items.into_iter().map(|item| marked(item, mark)).collect(),
        Value::Mapping(entries) => {
            let both = |(key, value)| (marked(key, mark), marked(value, mark));
            Value::Mapping(entries.into_iter().map(both).collect())
        }
        other => other,
    }
}

/// Whether YAML 1.1, which many programs still read, has another type for this text, or a meaning for this key.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "=", "<<"];
    let number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.:_".contains(&byte));
    let date = text.split('-').next().is_some_and(|year| year.len() == 4 && year.parse::<u16>().is_ok());
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || (number && text.contains(['_', ':']))
        || (date && text.contains('-'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_a_reader_would_take_for_something_else_is_quoted() {
        let written = |text: &str| to_yaml(&BTreeMap::from([(text, text)]));
        for text in
            ["no", "On", "y", "1:30", "1_000", "2026-11-30", "=", "<<", "1.30", "null", "~", "true", "0x1f"]
        {
            assert_eq!(written(text), format!("'{text}': '{text}'\n"));
        }
        for text in ["1.31.4", "10.0.0.1", "w[1:3]", "fe80::1", "nothing", "a,b"] {
            assert_eq!(written(text), format!("{text}: {text}\n"));
        }
    }

    proptest! {
        #[test]
        fn text_stays_text_whatever_it_looks_like(text in "[a-z0-9 :#\\-'\"\n\u{e000}_=<.]{0,12}|\\PC{0,12}", list: Vec<bool>) {
            let data = BTreeMap::from([(text.clone(), (vec![text], list))]);
            let document = to_yaml(&data);
            prop_assert_eq!(from_yaml(&document), Ok(data), "{}", document);
        }
    }
}
