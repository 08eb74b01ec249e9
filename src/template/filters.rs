//! Filters and tests. A text that holds a secret's symbol goes through none that would change it.

use std::cmp::Ordering;

use minijinja::value::{Rest, Value as Engine, ValueKind};
use minijinja::{Environment, Error};

use super::machine::{Scalar, from_scalar, holds_symbol, raise, scalar_of, text_of, type_word};
use super::{compare, glob_matches};
use crate::value::{Duration, KubeVersion, Version};

/// Adds them to the environment.
pub(super) fn register(env: &mut Environment<'static>) {
    env.add_filter("default", |value: Engine, other: Engine| if missing(&value) { other } else { value });
    env.add_filter("version", |value: Engine| version(&value, "version").map(scalar_version));
    env.add_filter("minor", |value: Engine| {
        version(&value, "minor").map(|version| scalar_version(Version::Minor(version.minor())))
    });
    env.add_filter("major", |value: Engine| version(&value, "major").map(|version| version.minor().major));
    env.add_filter("patch", |value: Engine| {
        let version = version(&value, "patch")?;
        let patch = version.release().map(KubeVersion::patch);
        patch.ok_or_else(|| raise("`patch`: the version has no third number"))
    });
    env.add_filter("duration", |value: Engine| match scalar_of(&value) {
        Some(Scalar::Duration(_)) => Ok(value),
        _ => match Duration::parse(&text(&value, "duration")?) {
            Some(duration) => Ok(from_scalar(Scalar::Duration(duration))),
            None => Err(raise("`duration`: the text is not a duration such as 10m")),
        },
    });
    env.add_filter("lower", |value: Engine| text(&value, "lower").map(|text| text.to_lowercase()));
    env.add_filter("upper", |value: Engine| text(&value, "upper").map(|text| text.to_uppercase()));
    env.add_filter("trim", |value: Engine| text(&value, "trim").map(|text| text.trim().to_owned()));
    env.add_filter("quote", |value: Engine| quote(&value));
    env.add_filter("replace", |value: Engine, from: &str, to: &str| {
        text(&value, "replace").map(|text| text.replace(from, to))
    });
    env.add_filter("split", |value: Engine, separator: Rest<String>| {
        let text = text(&value, "split")?;
        Ok::<Vec<String>, Error>(match separator.first() {
            Some(separator) if separator.is_empty() => return Err(raise("`split`: the separator is empty")),
            Some(separator) => text.split(separator.as_str()).map(str::to_owned).collect(),
            None => text.split_whitespace().map(str::to_owned).collect(),
        })
    });
    env.add_filter("join", |value: Engine, separator: Rest<String>| {
        let items = list(&value, "join")?;
        let texts: Result<Vec<_>, _> = items.iter().map(|item| text_of(item, "an item of `join`")).collect();
        Ok::<String, Error>(texts?.join(separator.first().map_or("", String::as_str)))
    });
    env.add_filter("length", |value: Engine| match value.kind() {
        ValueKind::String => text(&value, "length").map(|text| text.chars().count()),
        _ => value.len().ok_or_else(|| raise(format!("`length`: {} has no length", type_word(&value)))),
    });
    env.add_filter("int", |value: Engine| match value.kind() {
        ValueKind::Number if value.is_integer() => Ok(value),
        _ => {
            let number = text(&value, "int")?.parse::<i64>();
            number.map(Engine::from).map_err(|_| raise("`int`: the text is not a whole number"))
        }
    });
    env.add_filter("string", |value: Engine| match value.kind() {
        // As it is written in a file; the engine's own word is Python's.
        ValueKind::Bool => Ok(value.is_true().to_string()),
        _ => text_of(&value, "string"),
    });
    env.add_filter("first", |value: Engine| end_of(&value, "first", <[Engine]>::first));
    env.add_filter("last", |value: Engine| end_of(&value, "last", <[Engine]>::last));
    env.add_filter("sort", |value: Engine| sort(&value));
    env.add_filter("unique", |value: Engine| unique(&value));
    env.add_filter("glob", |value: Engine, pattern: &str| {
        let items = list(&value, "glob")?;
        let mut matching = Vec::new();
        for item in items {
            if glob_matches(pattern, &text(&item, "glob")?) {
                matching.push(item);
            }
        }
        Ok::<_, Error>(matching)
    });

    env.add_test("defined", |value: Engine| !value.is_undefined());
    env.add_test("version", |value: Engine| match scalar_of(&value) {
        Some(scalar) => matches!(scalar, Scalar::Version(_)),
        None => value.as_str().is_some_and(|text| Version::parse(text).is_ok()),
    });
    env.add_test("matching", |value: Engine, pattern: &str| {
        text(&value, "matching").map(|text| glob_matches(pattern, &text))
    });
}

fn scalar_version(version: Version) -> Engine {
    from_scalar(Scalar::Version(version))
}

/// A text as one word of a POSIX shell, whatever it holds.
fn quote(value: &Engine) -> Result<String, Error> {
    let text = match value.kind() {
        ValueKind::Bool => value.is_true().to_string(),
        _ => text(value, "quote")?,
    };
    if text.contains('\0') {
        return Err(raise("`quote`: the text holds a NUL byte, which no shell can take"));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    // zsh expands `=name` at the start of a word.
    if !text.is_empty() && !text.starts_with('=') && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// What `default` replaces: a name that is not there, and a value that is nothing.
fn missing(value: &Engine) -> bool {
    value.is_undefined() || value.is_none()
}

/// The text of a value that a filter may change.
fn text(value: &Engine, filter: &str) -> Result<String, Error> {
    let text = text_of(value, filter_input(filter).as_str())?;
    if holds_symbol(&text) {
        return Err(raise(format!(
            "`{filter}` cannot be applied to a secret or a property of the run: it is known only while it runs"
        )));
    }
    Ok(text)
}

fn filter_input(filter: &str) -> String {
    format!("… | {filter}")
}

fn version(value: &Engine, filter: &str) -> Result<Version, Error> {
    if let Some(Scalar::Version(version)) = scalar_of(value) {
        return Ok(version.clone());
    }
    if value.kind() == ValueKind::Number {
        return Err(raise(format!(
            "`{filter}`: a number is not a version; write it in quotes, such as \"1.30\""
        )));
    }
    let text = text(value, filter)?;
    Version::parse(&text).map_err(|_| raise(format!("`{filter}`: the text is not a version such as 1.31.4")))
}

fn list(value: &Engine, filter: &str) -> Result<Vec<Engine>, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.try_iter()?.collect()),
        ValueKind::Undefined => Err(raise(format!("`{}` is not defined", filter_input(filter)))),
        _ => Err(raise(format!("`{filter}` takes a list, not {}", type_word(value)))),
    }
}

fn end_of(value: &Engine, filter: &str, end: impl Fn(&[Engine]) -> Option<&Engine>) -> Result<Engine, Error> {
    let items = list(value, filter)?;
    end(&items).cloned().ok_or_else(|| raise(format!("`{filter}`: the list is empty")))
}

fn sort(value: &Engine) -> Result<Vec<Engine>, Error> {
    let mut items = list(value, "sort")?;
    let mut refusal = None;
    items.sort_by(|left, right| {
        compare::order(left, right).unwrap_or_else(|why| {
            refusal.get_or_insert(why);
            Ordering::Equal
        })
    });
    match refusal {
        Some(why) => Err(raise(format!("`sort`: items of the list {why}"))),
        None => Ok(items),
    }
}

fn unique(value: &Engine) -> Result<Vec<Engine>, Error> {
    let mut kept: Vec<Engine> = Vec::new();
    for item in list(value, "unique")? {
        let mut seen = false;
        for earlier in &kept {
            let equal = compare::equal(earlier, &item);
            seen |= equal.map_err(|why| raise(format!("`unique`: items of the list {why}")))?;
        }
        if !seen {
            kept.push(item);
        }
    }
    Ok(kept)
}
