//! Label selectors as people write them for kubectl, such as `app=web,tier!=cache`. Pure.

use super::LowerError;
use super::build::{has_symbol, wrong};

/// A selector of labels, or what is wrong with it. What holds a value of the run is left to kubectl.
pub(super) fn checked<'a>(field: &str, selector: &'a str) -> Result<&'a str, LowerError> {
    // An empty one selects everything, for kubectl and here.
    let is_all = selector.trim().is_empty();
    if is_all
        || has_symbol(selector)
        || requirements(selector).is_some_and(|each| each.iter().all(|one| is_requirement(one)))
    {
        return Ok(selector);
    }
    Err(wrong(
        format!("`{field}` is `{}`, which is no selector of labels", selector.escape_debug()),
        "write labels as kubectl takes them: `app=web`, `app!=web`, `app in (web, db)`, `app` or `!app`, joined by commas",
    ))
}

/// What commas outside of parentheses separate; `None` where a parenthesis has no other half.
fn requirements(selector: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let (mut start, mut is_open) = (0, false);
    for (at, character) in selector.char_indices() {
        match character {
            '(' if is_open => return None,
            ')' if !is_open => return None,
            '(' => is_open = true,
            ')' => is_open = false,
            ',' if !is_open => {
                found.push(selector[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(selector[start..].trim());
    (!is_open).then_some(found)
}

fn is_requirement(text: &str) -> bool {
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim());
    }
    if let Some((before, values)) = text.split_once('(') {
        let mut words = before.split_whitespace();
        let (key, operator) = (words.next(), words.next());
        let values = values.strip_suffix(')');
        return key.is_some_and(is_key)
            && matches!(operator, Some("in" | "notin"))
            && words.next().is_none()
            && values.is_some_and(|values| values.split(',').all(|value| is_value(value.trim())));
    }
    match text.split_once('=') {
        Some((key, value)) => {
            let key = key.strip_suffix('!').unwrap_or(key);
            is_key(key.trim()) && is_value(value.strip_prefix('=').unwrap_or(value).trim())
        }
        None => text.split_once(['>', '<']).map_or_else(
            || is_key(text),
            |(key, number)| is_key(key.trim()) && number.trim().parse::<i64>().is_ok(),
        ),
    }
}

/// A label's key: a name of at most 63 characters, perhaps behind a domain and a slash.
fn is_key(text: &str) -> bool {
    let (domain, name) = text.split_once('/').map_or((None, text), |(domain, name)| (Some(domain), name));
    let is_domain = |domain: &str| {
        domain.len() <= 253
            && domain.split('.').all(|part| {
                let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                !part.is_empty()
                    && part.chars().all(is_inner)
                    && !part.starts_with('-')
                    && !part.ends_with('-')
            })
    };
    !name.is_empty() && is_value(name) && domain.is_none_or(is_domain)
}

/// A label's value, which may be empty.
fn is_value(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || text.len() <= 63
            && text.starts_with(ends)
            && text.ends_with(ends)
            && text.chars().all(|c| ends(c) || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_would_refuse_is_refused() {
        let good = [
            "app=web",
            "app==web, tier!=cache",
            "app in (web, db),!legacy",
            "app notin (web)",
            "node-role.kubernetes.io/worker=",
            "app",
            "!app",
            "size>3",
            "",
        ];
        for selector in good {
            assert_eq!(checked("s", selector), Ok(selector));
        }
        let bad = [
            "app=(web",
            "app=web)",
            "app in web",
            "app in (web",
            "app like (web)",
            "app=web;x=y",
            "app=web,",
            "-app",
            "app=we b",
            "app=>web",
            "Example.com/app=web",
            "a/b/c",
            "app: web",
            "size>big",
            "app in ((web))",
        ];
        for selector in bad {
            assert!(checked("s", selector).is_err(), "{selector}");
        }
    }
}
