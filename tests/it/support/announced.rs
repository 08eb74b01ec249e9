//! The oracle of one property, over the record of a run alone (`plan.json` and `journal.jsonl`): every op that ran was
//! announced by the plan, as a change, as known later, or as one that nobody can foresee. Shares no code with the engine.

use serde_json::Value as Json;

/// Forecasts of tasks of which the plan says that nothing of them runs.
const SILENT: [&str; 5] = ["holds", "bracket_holds", "excluded", "left_out", "refused"];

/// Ops that ran though the plan said that there is nothing to do, each with what the plan said.
pub(crate) fn unannounced(plan: &Json, events: &[Json]) -> Vec<String> {
    let started = events.iter().map(|event| &event["event"]).filter(|event| event["type"] == "op_started");
    started.filter_map(|event| silent(plan, &event["task"]).map(|said| format!("{event}: {said}"))).collect()
}

fn silent(plan: &Json, task: &Json) -> Option<String> {
    let index = |name: &str| usize::try_from(task[name].as_u64()?).ok();
    let hosts = plan["phases"][index("phase")?]["hosts"].as_array()?;
    let tasks = &hosts.iter().find(|tasks| tasks["host"] == task["host"])?["tasks"];
    let forecast = &tasks[index("index")?]["forecast"];
    let word = match forecast {
        Json::String(word) => word.as_str(),
        Json::Object(one) => one.keys().next()?.as_str(),
        _ => return None,
    };
    SILENT.contains(&word).then(|| forecast.to_string())
}

/// The same for a record's directory; nothing where it is no whole record.
pub(crate) fn unannounced_in(record: &std::path::Path) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(record.join(name)).unwrap_or_default();
    let Ok(plan) = serde_json::from_str::<Json>(&read("plan.json")) else { return Vec::new() };
    let journal = read("journal.jsonl");
    let events: Vec<Json> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    unannounced(&plan, &events)
}
