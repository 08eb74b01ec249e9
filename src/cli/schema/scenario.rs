//! The schema of scenarios.

use serde_json::{Map, Value as Json, json};

use super::runbook::head;
use super::shapes::{Templates, documented, extend, record};
use crate::scenario::{COMMON, EXPECT, FAULTS, FaultInfo, FaultTarget, TOP};
use crate::value::Field;

pub(super) fn scenario() -> Json {
    let mut expect = constants(&EXPECT);
    expect["minProperties"] = json!(1);
    let mut top = constants(&TOP);
    refine(&mut top, "faults", json!({ "items": fault() }));
    refine(&mut top, "expect", expect);
    let mut schema = head("Rollbook scenario");
    extend(&mut schema, top);
    schema
}

/// Says more of a member than the type of its field can.
fn refine(schema: &mut Json, key: &str, more: Json) {
    let member = &mut schema["properties"][key];
    assert!(member.is_object(), "invariant: `{key}` is among the fields");
    extend(member, more);
}

/// A fault has the common fields, and those of its word.
fn fault() -> Json {
    let mut shape = constants(&COMMON);
    for info in FAULTS.iter() {
        for field in &info.fields {
            shape["properties"][field.name] = json!(true);
        }
    }
    let docs: Vec<&str> = FAULTS.iter().map(|info| info.doc).collect();
    // `link-lost` is read as `link_lost`, and not proposed.
    let hyphens: Vec<String> = FAULTS.iter().map(hyphens).collect();
    let words = json!({
        "type": "string",
        "anyOf": [
            {
                "enum": FAULTS.iter().map(|info| info.word).collect::<Vec<_>>(),
                "enumDescriptions": docs,
                "markdownEnumDescriptions": docs,
            },
            { "pattern": format!("^({})$", hyphens.join("|")) },
        ],
    });
    refine(&mut shape, "fault", words);
    shape["allOf"] = FAULTS.iter().map(of_word).collect();
    documented(shape, "Something that goes wrong.")
}

fn hyphens(info: &FaultInfo) -> String {
    info.word.replace('_', "-")
}

fn of_word(info: &FaultInfo) -> Json {
    let own = constants(&info.fields);
    let mut properties: Map<String, Json> = own["properties"].as_object().cloned().unwrap_or_default();
    let foreign = FAULTS.iter().flat_map(|other| &other.fields);
    for field in foreign.filter(|field| info.fields.iter().all(|own| own.name != field.name)) {
        properties.insert(field.name.to_owned(), json!(false));
    }
    let mut required: Vec<&str> =
        info.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    match info.on {
        FaultTarget::Hosts => required.push("host"),
        FaultTarget::Step => required.extend(["host", "step"]),
        FaultTarget::Controller => {}
    }
    json!({
        "if": {
            "properties": { "fault": { "pattern": format!("^({}|{})$", info.word, hyphens(info)) } },
            "required": ["fault"],
        },
        "then": { "properties": properties, "required": required },
    })
}

/// A mapping with these fields, none of which is a template.
fn constants(fields: &[Field]) -> Json {
    record(fields, Templates::No)
}
