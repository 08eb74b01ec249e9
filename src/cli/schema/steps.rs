//! A step: exactly one kind with its fields, and common keys beside it.
//!
//! Said with one alternative per kind, an editor would complain at the whole step and in terms of whichever alternative
//! it likes best. So there is one mapping of all keys. Where no kind is written yet, all kinds are proposed, and it is said
//! that one is missing; where one is, only its own fields are looked at, and every other kind is marked at its key.

use serde_json::{Map, Value as Json, json};

use super::shapes::{self, Templates, mapping, record, with_type};
use crate::runbook::Include;
use crate::runbook::written::STEP;
use crate::step::{StepKind, all};

/// `definitions` of a schema whose file holds steps.
pub(super) fn definitions() -> Json {
    let mut definitions = Map::new();
    definitions.insert("step".to_owned(), step());
    for kind in all() {
        definitions.insert(kind.name().to_owned(), of_kind(*kind));
    }
    definitions.insert("include".to_owned(), include());
    definitions.into()
}

/// The key of a step, and the definition of what stands below it.
struct Spelling {
    key: String,
    definition: &'static str,
    /// Accepted, and not proposed: `apt-mark`.
    is_other: bool,
}

fn spellings() -> Vec<Spelling> {
    let names = all().iter().map(|kind| kind.name()).chain(["include"]);
    let mut spellings = Vec::new();
    for name in names {
        spellings.push(Spelling { key: name.to_owned(), definition: name, is_other: false });
        if name.contains('_') {
            spellings.push(Spelling { key: name.replace('_', "-"), definition: name, is_other: true });
        }
    }
    spellings
}

fn step() -> Json {
    let spellings = spellings();
    let reference = |spelling: &Spelling| {
        (spelling.key.clone(), json!({ "$ref": format!("#/definitions/{}", spelling.definition) }))
    };
    let never = |spelling: &Spelling| (spelling.key.clone(), json!(false));
    let none: Map<String, Json> = spellings.iter().map(never).collect();
    let kinds: Map<String, Json> =
        spellings.iter().filter(|spelling| !spelling.is_other).map(reference).collect();
    let mut properties = shapes::properties(&STEP.fields, Templates::No);
    properties.extend(spellings.iter().map(|spelling| (spelling.key.clone(), json!(true))));
    let mut dependencies = Map::new();
    for (index, spelling) in spellings.iter().enumerate() {
        // Of two kinds, one is marked: JSON knows no order, so it is the later one of the list.
        let mut others: Map<String, Json> = spellings[index + 1..].iter().map(never).collect();
        others.extend([reference(spelling)]);
        let message =
            format!("a step has one kind, and this has `{}`: write a list item for each", spelling.key);
        dependencies.insert(spelling.key.clone(), json!({ "properties": others, "errorMessage": message }));
    }
    let mut step = mapping(properties, &[]);
    step["if"] = json!({ "properties": none });
    step["then"] = json!({
        "properties": kinds,
        "required": ["one kind, such as drain"],
        "errorMessage": "a step has no kind, so there is nothing to do: add one, such as `drain: {}`",
    });
    step["dependencies"] = dependencies.into();
    shapes::documented(step, STEP.doc)
}

fn of_kind(kind: &dyn StepKind) -> Json {
    let doc = kind.doc();
    let mut shape = record(kind.fields(), Templates::Yes);
    let shorthand = doc.shorthand.and_then(|name| kind.fields().iter().find(|field| field.name == name));
    if let Some(field) = shorthand {
        let short = shapes::of(&field.ty, Templates::Yes);
        for ty in types(&short).into_iter().filter(|ty| ty != "object") {
            shape["type"] = with_type(shape.get("type"), &ty);
        }
        // What it says of texts and lists says nothing of mappings.
        for key in ["items", "pattern", "patternErrorMessage"] {
            if let Some(value) = short.get(key) {
                shape[key] = value.clone();
            }
        }
    }
    if shape.get("required").is_none() {
        // `uncordon:` with nothing below it.
        shape["type"] = with_type(shape.get("type"), "null");
    }
    let summary = doc.summary.trim_end_matches('.');
    let page = format!("**{summary}.**\n\n{}\n\n```yaml\n{}\n```", doc.body.trim(), doc.example.trim_end());
    let mut shape = shapes::documented(shape, &page);
    shape["description"] = json!(format!("{summary}."));
    shape
}

fn include() -> Json {
    let mut shape = shapes::table(Include::table());
    shape["type"] = json!(["object", "string"]);
    shapes::documented(shape, Include::table().doc)
}

fn types(shape: &Json) -> Vec<String> {
    match shape.get("type") {
        Some(Json::Array(types)) => types.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::String(only)) => vec![only.clone()],
        _ => Vec::new(),
    }
}
