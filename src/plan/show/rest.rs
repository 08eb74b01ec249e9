//! All that a plan holds and no other line shows, a line for each part, in the words that people write in a runbook. Two
//! plans are compared with it, so that no difference is hidden behind another.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::text::shown_argv;
use crate::op::show_symbols;
use crate::plan::Plan;
use crate::template::as_written;
use crate::value::{Duration, Value, reveal};

/// A part of a plan as lines.
#[derive(Clone, Copy)]
pub(super) struct Rest<'p> {
    pub(super) plan: &'p Plan,
    /// Paths of parts that have lines of their own, without the numbers of list items.
    pub(super) without: &'p [&'p str],
}

impl Rest<'_> {
    pub(super) fn lines(self, name: &str, part: &impl Serialize) -> Vec<String> {
        let part = serde_json::to_value(part).expect("invariant: a part of a plan serialises");
        let mut out = Vec::new();
        self.part("", name, &part, &mut out);
        out
    }

    fn part(self, path: &str, words: &str, part: &Json, out: &mut Vec<String>) {
        if self.without.contains(&path) {
            return;
        }
        let key = path.rsplit('.').next().unwrap_or_default();
        match part {
            Json::Null => {}
            typed if matches!(key, "args" | "scope" | "each") && Value::deserialize(typed).is_ok() => {
                let value = Value::deserialize(typed).unwrap_or(Value::Null);
                values(words, key, &value, out);
            }
            Json::Object(written) if path == "frames.args" => {
                let written = written.iter().map(|(name, source)| (name, as_written(source)));
                out.extend(written.map(|(name, text)| format!("{words}, {}: {}", told(name), told(&text))));
            }
            Json::Object(entries) => entries.iter().for_each(|(key, entry)| {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                self.part(&inner, &joined(words, called(key)), entry, out);
            }),
            Json::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                let texts: Vec<String> = items.iter().map(|item| self.scalar(path, key, item)).collect();
                let list = if key == "argv" { shown_argv(&texts) } else { texts.join(", ") };
                out.push(format!("{words}: {}", told(&list)));
            }
            Json::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, item)| self.part(path, &format!("{words} {}", index + 1), item, out)),
            scalar => out.push(format!("{words}: {}", told(&self.scalar(path, key, scalar)))),
        }
    }

    fn scalar(self, path: &str, key: &str, scalar: &Json) -> String {
        match (scalar, scalar.as_u64()) {
            (_, Some(millis)) if is_time(key) => Duration::from_millis(millis).to_string(),
            (_, Some(id))
                if matches!(key, "hosts" | "population") || path.starts_with("topology.domains.") =>
            {
                let host = usize::try_from(id).ok().and_then(|id| self.plan.hosts.get(id));
                host.map_or_else(|| id.to_string(), |host| host.name.to_string())
            }
            (Json::String(text), _) if key == "stdin" => {
                format!("not shown, {}", super::digest(text.as_bytes()))
            }
            (Json::String(text), _) => text.clone(),
            (other, _) => other.to_string(),
        }
    }
}

/// A value's parts, each by its name.
fn values(words: &str, key: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Map(entries) => {
            entries
                .iter()
                .for_each(|(name, entry)| values(&format!("{words}, {}", told(name)), name, entry, out));
        }
        // What a file holds may be private.
        Value::Str(text) if matches!(key, "stdin" | "content" | "text") => {
            out.push(format!("{words}: not shown, {}", super::digest(text.as_bytes())));
        }
        other => out.push(format!("{words}: {}", told(&other.to_string()))),
    }
}

fn told(text: &str) -> String {
    show_symbols(&reveal(text))
}

fn joined(words: &str, word: &str) -> String {
    match (words, word) {
        ("", word) => word.to_owned(),
        (words, "") => words.to_owned(),
        (words, word) => format!("{words}, {word}"),
    }
}

/// Keys whose numbers are milliseconds.
fn is_time(key: &str) -> bool {
    const TIMES: [&str; 15] = [
        "connect_timeout",
        "deadline",
        "delay",
        "interval",
        "lock_ttl",
        "max_delay",
        "request_timeout",
        "retry_for",
        "soak",
        "stable_for",
        "time",
        "timeout",
        "wait_for_budget",
        "within",
        "poll",
    ];
    TIMES.contains(&key)
}

/// What people call a part.
fn called(key: &str) -> &str {
    match key {
        // Only a layer.
        "lowered" | "deed" | "exec" | "const" => "",
        "args" => "argument",
        "ops" => "operation",
        "probe" => "look before",
        "verify" => "look after",
        "queries" => "command",
        "poll" => "repeated",
        "opens" => "opens the bracket",
        "closes" => "closes the bracket",
        "repeatable" => "may be repeated after an unknown end",
        "yields" => "gives way to who was first",
        "long" => "may take long",
        "site" => "runs on",
        "rc" => "exit code",
        "looks_first" => "looks before it takes a slot",
        "declared" => "max_unavailable as written",
        "subject" => "for its steps",
        "cx" => "kubectl",
        "lock_cluster" => "lock of the cluster",
        "strangers" => "nodes of no host",
        "other_nodes" => "UID of the node of no host",
        "scope" => "value",
        "frames" => "include",
        "backoff_percent" => "backoff in percent",
        "apart_from" => "under another condition than task",
        other => other,
    }
}
