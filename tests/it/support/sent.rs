//! The oracle of the digests in a journal, over the record of a run alone (`plan.json` and `journal.jsonl`), as the
//! design page on sent digests tells people to verify them. Shares no code with the executor.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// An op that the journal says was sent.
pub(crate) struct SentOp {
    /// The step.
    pub(crate) title: String,
    /// The digest that the journal holds.
    pub(crate) recorded: String,
    /// What it has to be over, by the plan.
    pub(crate) form: String,
}

impl SentOp {
    pub(crate) fn is_true(&self) -> bool {
        self.recorded == digest(&self.form)
    }
}

pub(crate) fn digest(form: &str) -> String {
    Sha256::digest(form.as_bytes()).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Every op of a record that the plan holds as it was sent; one that is known later is not in it.
pub(crate) fn sent_ops(plan: &Json, events: &[Json]) -> Vec<SentOp> {
    let all = || events.iter().map(|event| &event["event"]);
    let run = all().find(|event| event["type"] == "run_started").map_or("", |event| text(&event["run"]));
    let started = all().filter(|event| event["type"] == "op_started");
    started.filter_map(|event| sent_op(plan, run, event)).collect()
}

fn sent_op(plan: &Json, run: &str, event: &Json) -> Option<SentOp> {
    let index = |value: &Json| usize::try_from(value.as_u64()?).ok();
    let task = &event["task"];
    let hosts = plan["phases"][index(&task["phase"])?]["hosts"].as_array()?;
    let tasks = &hosts.iter().find(|tasks| tasks["host"] == task["host"])?["tasks"];
    let action = index(&tasks[index(&task["index"])?]["step"]["action"])?;
    let op = &plan["actions"][action]["lowered"]["ops"][index(&event["op"])?];
    let host = &plan["hosts"][index(&task["host"])?];
    let value = |symbol: &str| match symbol {
        "run:id" => run.to_owned(),
        "subject:host" => text(&host["name"]).to_owned(),
        "subject:node" => text(&host["subject"]["node"]).to_owned(),
        other => format!("\u{F0000}{other}\u{F0001}"),
    };
    let mut form = String::from("{");
    for key in ["become", "deed", "env", "long", "stdin", "timeout"] {
        let comma = if form.len() > 1 { "," } else { "" };
        let part = match (key, op.get(key)) {
            ("env", None) => "{}".to_owned(),
            ("stdin", None) => "\"\"".to_owned(),
            (_, part) => sorted(part?, &value),
        };
        write!(form, "{comma}\"{key}\":{part}").unwrap();
    }
    form.push('}');
    // Nothing here writes dates.
    let is_known = !form.contains("\u{F0000}run:started");
    let recorded = text(&event["sent"]).to_owned();
    is_known.then(|| SentOp { title: text(&op["title"]).to_owned(), recorded, form })
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// Compact JSON with sorted keys, each string with its symbols resolved.
fn sorted(json: &Json, value: &impl Fn(&str) -> String) -> String {
    match json {
        Json::String(text) => Json::String(resolved(text, value)).to_string(),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| sorted(item, value)).collect();
            format!("[{}]", items.join(","))
        }
        Json::Object(map) => {
            let mut pairs: Vec<_> = map
                .iter()
                .map(|(key, part)| format!("{}:{}", Json::from(key.as_str()), sorted(part, value)))
                .collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(","))
        }
        other => other.to_string(),
    }
}

fn resolved(text: &str, value: &impl Fn(&str) -> String) -> String {
    let mut parts = text.split('\u{F0000}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (symbol, rest) = part.split_once('\u{F0001}').unwrap();
        text + &value(symbol) + rest
    })
}

/// The same of a record's directory; nothing where it is no whole record.
pub(crate) fn sent_ops_in(record: &Path) -> Vec<SentOp> {
    let read = |name: &str| std::fs::read_to_string(record.join(name)).unwrap_or_default();
    let Ok(plan) = serde_json::from_str::<Json>(&read("plan.json")) else { return Vec::new() };
    let journal = read("journal.jsonl");
    let events: Vec<Json> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    sent_ops(&plan, &events)
}

/// Ops of a record whose digest is not the one of what the plan says.
pub(crate) fn untrue_in(record: &Path) -> Vec<String> {
    let untrue = sent_ops_in(record).into_iter().filter(|op| !op.is_true());
    untrue.map(|op| format!("{}: {} is not the digest of {}", op.title, op.recorded, op.form)).collect()
}
