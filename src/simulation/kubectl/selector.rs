//! Label and field selectors, as far as looks use them.

use std::collections::BTreeMap;

/// Whether labels match `a=b,c!=d,e,!f`.
pub(super) fn labels_match(selector: &str, labels: &BTreeMap<String, String>) -> bool {
    terms(selector).all(|term| {
        if let Some((key, value)) = term.split_once("!=") {
            return labels.get(key).is_none_or(|is| is != value);
        }
        if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            return labels.get(key).is_some_and(|is| is == value);
        }
        match term.strip_prefix('!') {
            Some(key) => !labels.contains_key(key),
            None => labels.contains_key(term),
        }
    })
}

/// Whether fields match `spec.nodeName=w1,status.phase!=Running`.
pub(super) fn fields_match<'a>(selector: &str, field: impl Fn(&str) -> &'a str) -> bool {
    terms(selector).all(|term| {
        if let Some((key, value)) = term.split_once("!=") {
            return field(key) != value;
        }
        term.split_once("==").or_else(|| term.split_once('=')).is_some_and(|(key, value)| field(key) == value)
    })
}

fn terms(selector: &str) -> impl Iterator<Item = &str> {
    selector.split(',').map(str::trim).filter(|term| !term.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_the_api_server_does() {
        let labels =
            BTreeMap::from([("app".to_owned(), "web".to_owned()), ("tier".to_owned(), String::new())]);
        let cases = [
            ("", true),
            ("app=web", true),
            ("app==web,tier", true),
            ("app!=web", false),
            ("!app", false),
            ("!other,app", true),
            ("zone=a", false),
            ("zone!=a", true),
        ];
        for (selector, expected) in cases {
            assert_eq!(labels_match(selector, &labels), expected, "{selector}");
        }
    }
}
